"""The comparison of performances: timing, dynamics and pitch.

Read next: `compare/statistics.py` (how groups are compared), `compare/note_metrics.py` (metrics of pitch).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.domains.music.compare.note_metrics import (
    INTERVALS,
    count_degrees,
    count_intervals,
    pitch_class_entropy,
    pitch_range,
    scale_consistency,
)
from pipeline.domains.music.compare.note_table import NoteTable
from pipeline.domains.music.compare.piece_set import distribution_metric, mean_metric
from pipeline.domains.music.compare.statistics import compare_pieces
from pipeline.domains.music.compare.top_voice import MAX_CHORD_S
from pipeline.domains.music.piece import Piece
from pipeline.evaluation.metric_comparison.conclusions import ComparisonTerms
from pipeline.evaluation.metric_comparison.metric import Metric
from pipeline.records import DomainOutput

PERFORMANCE_TERMS = ComparisonTerms("performances", "playing", "real performances", ())
PIECE_TERMS = ComparisonTerms("pieces", "notes and bars", "real pieces", ())
_BETWEEN_S = np.geomspace(0.05, 4.0, 25)
"""Bounds of the bins of times between onsets, on a logarithmic scale; two more bins are below and above."""
_LENGTHS_S = np.geomspace(0.02, 8.0, 25)
"""Bounds of the bins of note lengths, likewise."""
_VELOCITIES = np.arange(0, 129, 4)
MAX_NOTES = 20_000
"""Notes of a performance that are measured, at most."""


@dataclass(frozen=True, eq=False)
class PerformedNotes(NoteTable):
    """Notes with times in seconds and MIDI `velocities` ``(notes,)``; those of a chord have one onset."""

    velocities: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def of_performance(cls, piece: Piece) -> "PerformedNotes":
        """The first `MAX_NOTES` notes of a piece as they sound."""
        notes = piece.notes[:MAX_NOTES]
        onsets, ends = (piece.seconds([getattr(note, name) for note in notes]) for name in ("onset", "end"))
        starts = onsets.copy()
        for at in range(1, len(starts)):
            if onsets[at] - starts[at - 1] <= MAX_CHORD_S:
                starts[at] = starts[at - 1]
        return cls(
            starts, ends - onsets, np.array([note.pitch for note in notes], int), np.zeros(0),
            velocities=np.array([note.velocity for note in notes], float),
        )  # fmt: skip

    @property
    def seconds(self) -> float:
        """Seconds from the first onset to the last."""
        return float(np.ptp(self.onsets)) if len(self.onsets) else 0.0


def compare_performances(groups: Mapping[str, Sequence[Piece]], out_dir: Path) -> DomainOutput:
    """Compare groups of performances, the samples and their references."""
    notes = {
        name: [PerformedNotes.of_performance(piece) for piece in group] for name, group in groups.items()
    }
    return compare_pieces(notes, performance_metrics(), PERFORMANCE_TERMS, out_dir)


def compare_written(groups: Mapping[str, Sequence[Piece]], out_dir: Path) -> DomainOutput:
    """Compare groups of pieces that have bars, by the metrics of notes and bars."""
    notes = {name: [NoteTable.of_piece(piece) for piece in group] for name, group in groups.items()}
    return compare_pieces(notes, None, PIECE_TERMS, out_dir)


def performance_metrics() -> list[Metric]:
    """The metrics of performances."""
    return [
        distribution_metric("pitch classes, JS distance", count_degrees, True),
        distribution_metric(INTERVALS, count_intervals),
        distribution_metric("times between onsets, JS distance", count_times_between),
        distribution_metric("note lengths in seconds, JS distance", count_lengths),
        distribution_metric("velocities, JS distance", count_velocities, True),
        mean_metric("notes a second", notes_per_second),
        mean_metric("keys down at a time", keys_down),
        mean_metric("range (semitones)", pitch_range),
        mean_metric("pitch-class entropy (bits)", pitch_class_entropy, True),
        mean_metric("scale consistency (%)", scale_consistency, True),
        mean_metric("spread of velocities", velocity_deviation, True),
    ]


def count_times_between(piece: PerformedNotes) -> np.ndarray:
    """Times from one onset to the next, where chords have one, on a logarithmic scale."""
    return _count_bins(np.diff(np.unique(piece.onsets)), _BETWEEN_S)


def count_lengths(piece: PerformedNotes) -> np.ndarray:
    """Notes by length, pedals included, on a logarithmic scale."""
    return _count_bins(piece.durations, _LENGTHS_S)


def count_velocities(piece: PerformedNotes) -> np.ndarray:
    """Notes by velocity, ``(32,)``."""
    return np.histogram(piece.velocities, _VELOCITIES)[0]


def notes_per_second(piece: PerformedNotes) -> tuple[float, float]:
    """Notes a second."""
    return (len(piece.onsets) / piece.seconds, 1) if piece.seconds else (0, 0)


def keys_down(piece: PerformedNotes) -> tuple[float, float]:
    """The mean number of keys that are down, pedals included."""
    return (piece.durations.sum() / piece.seconds, 1) if piece.seconds else (0, 0)


def velocity_deviation(piece: PerformedNotes) -> tuple[float, float]:
    """The standard deviation of the velocities of a piece."""
    return (piece.velocities.std(), 1) if len(piece.velocities) > 1 else (0, 0)


def _count_bins(values: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    return np.bincount(np.searchsorted(bounds, values), minlength=len(bounds) + 1)
