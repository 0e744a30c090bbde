"""Do the samples sound as if they had been played: measures of time, loudness and pitch beside real playing.

See `statistics` for how they are compared; the measures of pitch are those of `note_measures`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.domains.music.compare.note_measures import (
    INTERVALS,
    Pieces,
    degrees,
    intervals,
    mean,
    pitch_class_entropy,
    pitch_range,
    rows_of,
    scale_consistency,
)
from pipeline.domains.music.compare.note_table import NoteTable
from pipeline.domains.music.compare.statistics import compare_pieces, scoreboard
from pipeline.domains.music.compare.top_voice import TOGETHER_S
from pipeline.domains.music.piece import Piece
from pipeline.evaluation.metric_comparison.conclusions import ComparisonTerms
from pipeline.evaluation.metric_comparison.divergence import jensen_shannon, proportions
from pipeline.evaluation.metric_comparison.metric import Metric
from pipeline.records import DomainOutput

TERMS = ComparisonTerms("performances", "playing", "real performances", ())
WRITTEN = ComparisonTerms("pieces", "notes and bars", "real pieces", ())
_BETWEEN_S = np.geomspace(0.05, 4.0, 25)
"""Bounds of the classes of times between onsets, an eighth of a decade or so apart; below and above are two
more classes."""
_LENGTHS_S = np.geomspace(0.02, 8.0, 25)
_VELOCITIES = np.arange(0, 129, 4)
MAX_NOTES = 20_000


@dataclass(frozen=True, eq=False)
class Played(NoteTable):
    """Notes whose times are seconds, those of a chord struck at once, and their MIDI `velocities`."""

    velocities: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def of_performance(cls, piece: Piece) -> "Played":
        """The notes of a piece, at most `MAX_NOTES`, as they sound."""
        notes = piece.notes[:MAX_NOTES]
        onsets, ends = (piece.seconds([getattr(note, name) for note in notes]) for name in ("onset", "end"))
        starts = onsets.copy()
        for at in range(1, len(starts)):
            if onsets[at] - starts[at - 1] <= TOGETHER_S:
                starts[at] = starts[at - 1]
        return cls(
            starts, ends - onsets, np.array([note.pitch for note in notes], int), np.zeros(0),
            velocities=np.array([note.velocity for note in notes], float),
        )  # fmt: skip

    @property
    def seconds(self) -> float:
        """From the first onset to the last."""
        return float(np.ptp(self.onsets)) if len(self.onsets) else 0.0


def compare_performances(groups: Mapping[str, Sequence[Piece]], out_dir: Path) -> DomainOutput:
    """The scoreboard of groups of performances, the samples and their references."""
    pieces = {
        name: Pieces([Played.of_performance(piece) for piece in group if piece.notes])
        for name, group in groups.items()
    }
    counts = {"sequences": [str(len(group)) for group in groups.values()]}
    return scoreboard(pieces, lambda _: performance_measures(), out_dir, TERMS, counts)


def compare_written(groups: Mapping[str, Sequence[Piece]], out_dir: Path) -> DomainOutput:
    """The scoreboard of groups of written pieces, by the measures of notes and bars."""
    pieces = {
        name: Pieces([NoteTable.of_piece(piece) for piece in group if piece.notes])
        for name, group in groups.items()
    }
    counts = {"sequences": [str(len(group)) for group in groups.values()]}
    return compare_pieces(pieces, [], out_dir, WRITTEN, counts)


def performance_measures() -> list[Metric]:
    """What is measured of playing."""
    return [
        _profile("pitch classes, JS distance", degrees, True),
        _profile(INTERVALS, intervals),
        _profile("times between onsets, JS distance", times_between),
        _profile("note lengths in seconds, JS distance", lengths),
        _profile("velocities, JS distance", velocities, True),
        _number("notes a second", density),
        _number("keys down at a time", keys_down),
        _number("range (semitones)", pitch_range),
        _number("pitch-class entropy (bits)", pitch_class_entropy, True),
        _number("scale consistency (%)", scale_consistency, True),
        _number("spread of velocities", velocity_spread, True),
    ]


def _profile(name: str, of: Callable[[Any], np.ndarray], kept: bool = False) -> Metric:
    return Metric(name, partial(rows_of, of=of), proportions, jensen_shannon, kept)


def _number(name: str, of: Callable[[Any], tuple[float, float]], kept: bool = False) -> Metric:
    return Metric(name, partial(rows_of, of=of), mean, kept_by_shuffling=kept)


def times_between(piece: Played) -> np.ndarray:
    """Times from one onset, chords struck as one, to the next: by classes on a logarithmic scale."""
    return _classes(np.diff(np.unique(piece.onsets)), _BETWEEN_S)


def lengths(piece: Played) -> np.ndarray:
    """Notes by how long their key is down, pedals included: by classes on a logarithmic scale."""
    return _classes(piece.durations, _LENGTHS_S)


def velocities(piece: Played) -> np.ndarray:
    """Notes by velocity, in 32 classes."""
    return np.histogram(piece.velocities, _VELOCITIES)[0]


def density(piece: Played) -> tuple[float, float]:
    """Notes a second."""
    return (len(piece.onsets) / piece.seconds, 1) if piece.seconds else (0, 0)


def keys_down(piece: Played) -> tuple[float, float]:
    """How many keys are down at a time, on average, pedals included."""
    return (piece.durations.sum() / piece.seconds, 1) if piece.seconds else (0, 0)


def velocity_spread(piece: Played) -> tuple[float, float]:
    """Standard deviation of a piece's velocities."""
    return (piece.velocities.std(), 1) if len(piece.velocities) > 1 else (0, 0)


def _classes(values: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    return np.bincount(np.searchsorted(bounds, values), minlength=len(bounds) + 1)
