"""What the renders of music share: their family, and the check of their settings before a run."""

from collections.abc import Iterable
from typing import ClassVar

from pipeline.domain import Render
from pipeline.domains.music.render.instruments import parse_instrument
from pipeline.domains.music.render.piece_record import PieceRecord
from pipeline.errors import ConfigError
from pipeline.records import Record


class MusicRender(Render):
    """Base class of the renders of tunes and pieces: frozen dataclasses, whose fields are settings.

    A render is called with finished records and writes below a folder. A record that it cannot render is a
    rejection in its output, never an error.

    Raises
    ------
    ConfigError
        At construction, where a setting is out of range; the message names the setting.
    """

    family: ClassVar[str] = "music"
    file_settings: ClassVar[tuple[str, ...]] = ("soundfont",)
    instrument: str | int
    """The instrument of tunes: a name of General MIDI, or its number from 0 (``render.instrument``). Pieces
    have instruments of their own."""

    def __post_init__(self) -> None:
        parse_instrument(self.instrument, "render.instrument")

    @property
    def program(self) -> int:
        """The General MIDI number of the instrument, from 0."""
        return parse_instrument(self.instrument, "render.instrument")


def check_max_tunes(value: object) -> None:
    """Check `render.max_tunes`. Raises ConfigError where it is not a whole number from 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"render.max_tunes: {value!r} is not a number of tunes; give 1 or more")


def check_accompaniment(value: str | int | None) -> None:
    """Check `render.accompaniment`. Raises ConfigError where it is neither an instrument nor None."""
    if value is not None:
        parse_instrument(value, "render.accompaniment")


def name_records(records: Iterable[Record]) -> str:
    """The noun for records in texts: "piece" where any is polyphonic, else "tune"."""
    return "piece" if any(isinstance(record, PieceRecord) for record in records) else "tune"
