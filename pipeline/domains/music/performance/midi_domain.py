"""Any folder of MIDI: the domain that fits it is found by looking at its files, and why is said.

Music on one line at a time is tunes, music on the grid of its quarter notes is written, other music was
played.
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

LOOKED_AT = 24
"""Files, evenly chosen from all."""
STEPS_PER_QUARTER = 12
NEAR_QUARTERS = 1 / 96
"""An onset so near to the grid is on it; a quarter of all are by chance."""
MOSTLY = 0.6
"""Share of the onsets of a written piece on the grid, and of the files that must agree."""
ALONE = 0.95
"""Share of the notes of a tune that have no other beside them."""
_KINDS: dict[str, Callable[[], Domain]] = {
    "tune": MidiTunes,
    "written": lambda: Performance(tokenization="REMI"),
    "performance": lambda: Performance(tokenization=PERFORMED),
}
_SAME_AS = {
    "tune": "tunes as those of dataset=abc",
    "written": "as dataset=performance domain.tokenization=REMI",
    "performance": "as dataset=performance",
}


@dataclass(frozen=True)
class Midi(Component):
    """Makes the domain that fits the MIDI files at `path`: tunes, written music, or performances.

    Raises ConfigError for another `representation` than auto or one of these.
    """

    path: str | None = None
    """The files of the data set, by which ``auto`` chooses; ``dataset.path`` by default."""
    representation: str = "auto"
    """The domain: tunes, written music, performances, or auto, which chooses the one that fits the files."""

    file_settings: ClassVar[tuple[str, ...]] = ("path",)

    def __new__(cls, **settings: Any) -> Domain:
        wanted = settings.get("representation", "auto")
        check_choice("domain.representation", wanted, ("auto", *_KINDS))
        kind, why = _fitting(settings.get("path")) if wanted == "auto" else (wanted, "")
        domain = _KINDS[kind]()
        object.__setattr__(domain, "remark", why)  # it is frozen, and this is no setting of it
        return domain


@lru_cache(maxsize=4)
def _fitting(path: str | None) -> tuple[str, str]:
    """The kind that most files are of, and a line that says why."""
    pieces = list(_some(path)) if path is not None else []
    if not pieces:
        return "performance", ""
    grid = [on_grid_share(piece) >= MOSTLY for piece in pieces]
    single = [one_voice_share(piece) >= ALONE for piece in pieces]
    tunes = [each and alone for each, alone in zip(grid, single, strict=True)]
    if np.mean(tunes) >= MOSTLY:
        kind, count, why = "tune", sum(tunes), "have one note at a time, at parts of their quarter notes"
    elif np.mean(grid) >= MOSTLY:
        kind, count, why = "written", sum(grid), "have several notes, at parts of their quarter notes"
    else:
        kind, count, why = "performance", len(grid) - sum(grid), "have notes at any time: they were played"
    return kind, f"taken for {kind}: {count} of {len(grid)} files looked at {why} ({_SAME_AS[kind]})"


def _some(path: str) -> Iterator[Piece]:
    """Pieces of some of the files that can be read."""
    try:
        files = locate(path, (), is_midi_name)
    except DataError:
        return  # it is told where the files are located
    chosen = np.unique(np.linspace(0, len(files) - 1, min(LOOKED_AT, len(files))).round().astype(int))
    for number in chosen:
        with suppress(DataError):
            yield read_midi(Path(files[number]))


def on_grid_share(piece: Piece) -> float:
    """How many of its onsets lie on sixteenths or triplets of its quarter notes."""
    places = np.array([note.onset for note in piece.notes]) / piece.ticks_per_quarter * STEPS_PER_QUARTER
    return float(np.mean(np.abs(places - np.rint(places)) <= NEAR_QUARTERS * STEPS_PER_QUARTER))


def one_voice_share(piece: Piece) -> float:
    """How many of its notes begin after the one before has ended, or with the last third of it."""
    alone = [
        after.onset >= note.onset + max(1, 2 / 3 * note.duration) for note, after in pairwise(piece.notes)
    ]
    return float(np.mean(alone)) if alone else 1.0
