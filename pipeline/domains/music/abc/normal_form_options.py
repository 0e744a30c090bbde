"""The options of the normal form, and the error for a body that has none."""

from dataclasses import dataclass


class NormalFormError(ValueError):
    """A tune body without a normal form: a short countable reason, and in `detail` the text found."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class NormalFormOptions:
    """The elements of a body that are kept besides notes, rests, bar lines and repeats."""

    ornaments: bool = True
    grace_notes: bool = True
    chord_symbols: bool = True
    slurs: bool = False
