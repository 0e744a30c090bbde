"""What is measured of notes, whatever they were written in.

Of every piece a row is made; rows of a group add up (see `evaluation/scoreboard`). Sources: MusPy (H.-W.
Dong et al., ISMIR 2020) and mgeval (L.-C. Yang, A. Lerch, Neural Computing and Applications 32 (2020) 4773),
as said at each measure; where they take all notes, so is done here, and the melody is the highest note at
each onset.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from pipeline.domains.music.compare.note_table import STEPS, NoteTable
from pipeline.evaluation.metric_comparison.divergence import jensen_shannon, proportions
from pipeline.evaluation.metric_comparison.metric import Metric

WIDEST = 13
"""Semitones; wider intervals count as this."""
MAX_LENGTH_STEPS = 4 * STEPS
"""Time steps of a whole note; longer notes count as this."""
MIN_CHORDS = 1.0
"""Percent of the time; with less it is no polyphony."""
PATTERNS = 400
"""The commonest rhythms of a bar; the others count as one."""
LAGS = 16
"""Bars' distances at which their likeness is measured."""
MIN_REACH = 0.25
"""A distance that a smaller share of the pieces reaches tells of these few alone."""
MAX_STEPS = 1_000_000
"""Of longer pieces only the first time steps are looked at."""
_MAJOR = np.array([0, 2, 4, 5, 7, 9, 11])
# A minor scale is the major one of another root, so twelve scales are all twenty-four.
SCALES = np.array([[(pitch - root) % 12 in _MAJOR for pitch in range(12)] for root in range(12)], float)

DEGREES = "scale degrees, JS distance"
DEGREE_PAIRS = "pairs of scale degrees, JS distance"
INTERVALS = "intervals, JS distance"
LENGTHS = "note lengths, JS distance"
RHYTHMS = "rhythms of a bar, JS distance"
LIKENESS = "likeness of bars some bars apart, distance"


@dataclass(frozen=True, eq=False)
class Pieces:
    """A group of pieces; each counts as one."""

    pieces: Sequence[NoteTable]

    @property
    def unit_sizes(self) -> np.ndarray:
        """Ones, ``(pieces,)``."""
        return np.ones(len(self.pieces))

    @property
    def blocks(self) -> np.ndarray:
        """Each piece is a block of its own, ``(pieces,)``."""
        return np.arange(len(self.pieces))


def rows_of(group: Pieces, of: Callable[[Any], Any]) -> np.ndarray:
    """What a measure counts: a row for each piece."""
    return np.array([of(piece) for piece in group.pieces], float)


def mean(sums: np.ndarray) -> np.ndarray:
    """Of a sum and how many were summed ``(..., 2)``, the mean ``(...)``; 0 of none."""
    return sums[..., 0] / np.maximum(sums[..., 1], 1e-12)


def note_measures(groups: Mapping[str, Pieces]) -> list[Metric]:
    """The measures that need notes alone; rhythms of bars are those that the groups have."""
    patterns = _commonest_patterns(piece for group in groups.values() for piece in group.pieces)
    found = [
        _profile(DEGREES, degrees, True),
        _profile(DEGREE_PAIRS, degree_pairs),
        _profile(INTERVALS, intervals),
        _profile(LENGTHS, lengths, True),
        _profile(RHYTHMS, partial(rhythms, patterns=patterns)),
        _number("range (semitones)", pitch_range),
        _number("pitch classes used", pitch_classes_used, True),
        _number("pitch-class entropy (bits)", pitch_class_entropy, True),
        _number("scale consistency (%)", scale_consistency, True),
        _number("groove consistency (%)", groove_consistency),
        _number("notes in a quarter", density, True),
        _number("bars that stood before (%)", repeated_bars),
        Metric(LIKENESS, partial(rows_of, of=likeness_by_lag), _lag_curve, _mean_difference),
    ]
    if any(rows_of(group, polyphony)[:, 0].mean() > MIN_CHORDS for group in groups.values()):
        found.append(_number("time with two notes or more (%)", polyphony))
    return found


def _profile(name: str, of: Callable[[NoteTable], np.ndarray], kept: bool = False) -> Metric:
    return Metric(name, partial(rows_of, of=of), proportions, jensen_shannon, kept)


def _number(name: str, of: Callable[[NoteTable], tuple[float, float]], kept: bool = False) -> Metric:
    return Metric(name, partial(rows_of, of=of), mean, kept_by_shuffling=kept)


def degrees(piece: NoteTable) -> np.ndarray:
    """Notes by pitch class above the tonic, or above C where there is none, ``(12,)``: mgeval's pitch class
    histogram in one key."""
    return np.bincount((piece.pitches - (piece.tonic or 0)) % 12, minlength=12)


def degree_pairs(piece: NoteTable) -> np.ndarray:
    """Neighbouring notes of the melody by both pitch classes, ``(144,)``: mgeval's pitch class transition
    matrix, in one key."""
    classes = (piece.melody[2] - (piece.tonic or 0)) % 12
    return np.bincount(classes[:-1] * 12 + classes[1:], minlength=144)


def intervals(piece: NoteTable) -> np.ndarray:
    """Steps of the melody by semitones, from `WIDEST` down to `WIDEST` up."""
    steps = np.clip(np.diff(piece.melody[2]), -WIDEST, WIDEST)
    return np.bincount(steps + WIDEST, minlength=2 * WIDEST + 1)


def lengths(piece: NoteTable) -> np.ndarray:
    """Notes by length in time steps, ``(MAX_LENGTH_STEPS + 1,)``: mgeval's note length histogram, finer."""
    steps = np.clip(np.round(piece.durations * STEPS), 0, MAX_LENGTH_STEPS)
    return np.bincount(steps.astype(int), minlength=MAX_LENGTH_STEPS + 1)


def _patterns(piece: NoteTable) -> list[bytes]:
    grid = piece.bar_onsets
    size = grid.shape[1].to_bytes(2) if grid.size else b""
    return [size + row.tobytes() for row in np.packbits(grid, axis=1)]


def _commonest_patterns(pieces: Iterable[NoteTable]) -> dict[bytes, int]:
    seen = Counter(pattern for piece in pieces for pattern in _patterns(piece))
    return {pattern: number for number, (pattern, _) in enumerate(seen.most_common(PATTERNS))}


def rhythms(piece: NoteTable, patterns: Mapping[bytes, int]) -> np.ndarray:
    """Bars by when their notes start, ``(len(patterns) + 1,)``; the last counts all other rhythms."""
    numbers = [patterns.get(pattern, len(patterns)) for pattern in _patterns(piece)]
    return np.bincount(np.array(numbers, int), minlength=len(patterns) + 1)


def pitch_range(piece: NoteTable) -> tuple[float, float]:
    """From the lowest note to the highest: MusPy's pitch range, mgeval's total used pitch range."""
    return (np.ptp(piece.pitches), 1) if len(piece.pitches) else (0, 0)


def pitch_classes_used(piece: NoteTable) -> tuple[float, float]:
    """MusPy's number of pitch classes used."""
    return len(np.unique(piece.pitches % 12)), len(piece.pitches) > 0


def pitch_class_entropy(piece: NoteTable) -> tuple[float, float]:
    """MusPy's pitch class entropy: Shannon's, of the notes' pitch classes."""
    counts = np.bincount(piece.pitches % 12, minlength=12)
    some = counts[counts > 0] / max(counts.sum(), 1)
    return -(some * np.log2(some)).sum(), len(piece.pitches) > 0


def scale_consistency(piece: NoteTable) -> tuple[float, float]:
    """MusPy's scale consistency: the largest share of notes that one major or minor scale has, in percent."""
    counts = np.bincount(piece.pitches % 12, minlength=12)
    return 100 * (SCALES @ counts).max() / max(counts.sum(), 1), len(piece.pitches) > 0


def groove_consistency(piece: NoteTable) -> tuple[float, float]:
    """MusPy's groove consistency, in percent: the share of time steps of neighbouring bars at which both have
    a note start, or none."""
    grid = piece.bar_onsets
    return (100 * (grid[1:] == grid[:-1]).mean(), 1) if len(grid) > 1 else (0, 0)


def density(piece: NoteTable) -> tuple[float, float]:
    """Onsets in a quarter note of the bars."""
    grid = piece.bar_onsets
    return (grid.sum() / (len(grid) * piece.bar_quarters), 1) if grid.size else (0, 0)


def repeated_bars(piece: NoteTable) -> tuple[float, float]:
    """Of the bars but the first, as written, those whose melody and rhythm stood before, in percent."""
    bars = np.concatenate([piece.bar_pitches, piece.bar_onsets], axis=1)
    if len(bars) < 2:
        return 0, 0
    return 100 * (len(bars) - len(np.unique(bars, axis=0))) / (len(bars) - 1), 1


def likeness_by_lag(piece: NoteTable) -> np.ndarray:
    """For each distance of bars, 1 to `LAGS`: the share of time at which two bars that far apart have the
    same pitch, and 1, or two times 0 where there are no such bars; ``(2 * LAGS,)``.

    Source: J. Foote, Visualizing music and audio using self-similarity, ACM Multimedia 1999; here of pitch.
    """
    grid = piece.bar_pitches
    row = np.zeros((2, LAGS))
    for lag in range(1, min(LAGS, len(grid) - 1 if grid.size else 0) + 1):
        row[:, lag - 1] = (grid[lag:] == grid[:-lag]).mean(), 1
    return row.ravel()


def _lag_curve(sums: np.ndarray) -> np.ndarray:
    """Not a number at distances that few of the pieces with two bars reach."""
    likeness, pieces = sums[..., :LAGS], sums[..., LAGS:]
    reached = pieces >= pieces[..., :1] * MIN_REACH
    return np.where(reached, likeness / np.maximum(pieces, 1e-12), np.nan)


def _mean_difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Over the distances that both have; the first one always is."""
    return np.nanmean(np.abs(one - other), axis=-1)


def polyphony(piece: NoteTable) -> tuple[float, float]:
    """MusPy's polyphony rate at two notes, in percent: the share of time at which so many sound."""
    if not len(piece.onsets):
        return 0, 0
    times = np.stack([piece.onsets, piece.onsets + piece.durations]) * STEPS
    starts, stops = np.minimum(np.round(times), MAX_STEPS).astype(int)
    stops = np.maximum(stops, starts + 1)
    size = int(stops.max()) + 1
    change = np.bincount(starts, minlength=size) - np.bincount(stops, minlength=size)
    sounding = change.cumsum()[: size - 1]
    return 100 * (sounding >= 2).mean() if len(sounding) else 0, 1
