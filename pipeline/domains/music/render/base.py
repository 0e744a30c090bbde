"""What the renders of tunes share: their family, and the check of their settings before a run."""

from collections.abc import Iterable
from typing import ClassVar

from pipeline.domain import Render
from pipeline.domains.music.piece import PieceRecord
from pipeline.domains.music.render.instruments import program_of
from pipeline.domains.music.render.soundfont import check_sound
from pipeline.errors import ConfigError
from pipeline.records import Record


class MusicRender(Render):
    """A render of tunes; of `instrument`, `accompaniment`, `max_tunes`, `soundfont` and `synth`
    it has those that it needs."""

    family: ClassVar[str] = "music"
    file_settings: ClassVar[tuple[str, ...]] = ("soundfont",)
    instrument: str | int

    def __post_init__(self) -> None:
        """Raises ConfigError, naming the setting, before anything is made."""
        program_of(self.instrument, "render.instrument")
        if getattr(self, "accompaniment", None) is not None:
            program_of(self.accompaniment, "render.accompaniment")
        most = getattr(self, "max_tunes", 1)
        if not _is_whole(most) or most < 1:
            raise ConfigError(f"render.max_tunes: {most!r} is no number of tunes; give 1 or more")
        if hasattr(self, "soundfont"):
            check_sound(self.soundfont, self.synth)

    @property
    def program(self) -> int:
        """The General MIDI number of the instrument, from 0."""
        return program_of(self.instrument, "render.instrument")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def count(number: int, thing: str) -> str:
    """A number of things, in words for people.

    >>> count(1, "tune"), count(0, "MIDI file")
    ('1 tune', '0 MIDI files')
    """
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def noun(records: Iterable[Record]) -> str:
    """What records are called: tunes have one voice, pieces several."""
    return "piece" if any(isinstance(record, PieceRecord) for record in records) else "tune"
