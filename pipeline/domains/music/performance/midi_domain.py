"""Chooses the domain of a folder of MIDI by examining its files, and says why.

Files with one note at a time on the grid of their quarter notes are tunes. Other files on that grid are
written music, and all others are performances.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pipeline.config.checks import check_choice
from pipeline.data.sources import locate
from pipeline.domain import Component, Domain
from pipeline.domains.music.midi_files import is_midi_name, read_midi
from pipeline.domains.music.performance.domain import Performance
from pipeline.domains.music.performance.event_tokens import PERFORMED
from pipeline.domains.music.performance.midi_tunes import MidiTunes
from pipeline.domains.music.piece import Piece
from pipeline.errors import DataError

MAX_FILES = 24
"""Files that are examined, at most, evenly chosen from all."""
STEPS_PER_QUARTER = 12
MAX_OFF_GRID_QUARTERS = 1 / 96
"""Distance of an onset on the grid, at most; a quarter of all onsets are so near by chance."""
MIN_SHARE = 0.6
"""Share of the onsets of a written piece on the grid, and of the files of one kind, at least."""
MIN_SINGLE_NOTES = 0.95
"""Share of the notes of a tune that sound alone, at least."""
_KINDS: dict[str, Callable[[], Domain]] = {
    "tune": MidiTunes,
    "written": lambda: Performance(tokenization="REMI"),
    "performance": lambda: Performance(tokenization=PERFORMED),
}
_EQUIVALENTS = {
    "tune": "tunes as those of dataset=abc",
    "written": "as dataset=performance domain.tokenization=REMI",
    "performance": "as dataset=performance",
}


@dataclass(frozen=True)
class Midi(Component):
    """Makes the domain for the MIDI files at `path`: tunes, written music or performances.

    Raises
    ------
    ConfigError
        For another `representation`.
    """

    path: str | None = None
    """The files of the data set, by which ``auto`` chooses; ``dataset.path`` by default."""
    representation: str = "auto"
    """The domain: tune, written (music with bars) or performance; auto: by the content of the files."""

    file_settings: ClassVar[tuple[str, ...]] = ("path",)

    def __new__(cls, **settings: Any) -> Domain:
        wanted = settings.get("representation", "auto")
        check_choice("domain.representation", wanted, ("auto", *_KINDS))
        kind, why = _choose_kind(settings.get("path")) if wanted == "auto" else (wanted, "")
        domain = _KINDS[kind]()
        object.__setattr__(domain, "remark", why)  # the dataclass is frozen, and this is not a setting
        return domain


@lru_cache(maxsize=4)
def _choose_kind(path: str | None) -> tuple[str, str]:
    """The kind of most files, and a line that says why."""
    pieces = list(_read_some(path)) if path is not None else []
    if not pieces:
        return "performance", ""
    grid = [measure_on_grid(piece) >= MIN_SHARE for piece in pieces]
    single = [measure_single_notes(piece) >= MIN_SINGLE_NOTES for piece in pieces]
    tunes = [each and alone for each, alone in zip(grid, single, strict=True)]
    if np.mean(tunes) >= MIN_SHARE:
        kind, count, why = "tune", sum(tunes), "have one note at a time, on the grid of their quarter notes"
    elif np.mean(grid) >= MIN_SHARE:
        kind, count, why = "written", sum(grid), "have several notes, on the grid of their quarter notes"
    else:
        kind, count, why = "performance", len(grid) - sum(grid), "have notes off any grid, as performances do"
    return kind, f"taken for {kind}: {count} of {len(grid)} examined files {why} ({_EQUIVALENTS[kind]})"


def _read_some(path: str) -> Iterator[Piece]:
    """Yield the pieces of some of the files that can be read."""
    try:
        files = locate(path, (), is_midi_name)
    except DataError:
        return  # the ingest stage reports it
    chosen = np.unique(np.linspace(0, len(files) - 1, min(MAX_FILES, len(files))).round().astype(int))
    for number in chosen:
        with suppress(DataError):
            yield read_midi(Path(files[number]))


def measure_on_grid(piece: Piece) -> float:
    """The share of onsets on sixteenths or triplets of the quarter notes."""
    steps = np.array([note.onset for note in piece.notes]) / piece.ticks_per_quarter * STEPS_PER_QUARTER
    return float(np.mean(np.abs(steps - np.rint(steps)) <= MAX_OFF_GRID_QUARTERS * STEPS_PER_QUARTER))


def measure_single_notes(piece: Piece) -> float:
    """The share of notes that start when two thirds of the note before, or more, are over."""
    single = [
        after.onset >= note.onset + max(1, 2 / 3 * note.duration) for note, after in pairwise(piece.notes)
    ]
    return float(np.mean(single)) if single else 1.0
