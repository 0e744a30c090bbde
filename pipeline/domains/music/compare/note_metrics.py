"""Metrics of notes and bars, for tunes and pieces alike.

Each function counts one piece; the counts of a group add up. Sources, named at each metric: MusPy (H.-W. Dong
et al., ISMIR 2020) and mgeval (L.-C. Yang, A. Lerch, Neural Computing and Applications 32 (2020) 4773).
Metrics of these count all notes, as there. The melody is the highest note at each onset.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial

import numpy as np

from pipeline.domains.music.compare.note_table import STEPS, NoteTable
from pipeline.domains.music.compare.piece_set import PieceSet, count_rows, distribution_metric, mean_metric
from pipeline.evaluation.metric_comparison.metric import Metric

MAX_INTERVAL = 13
"""Semitones; wider intervals count as this."""
MAX_LENGTH_STEPS = 4 * STEPS
"""Time steps of a whole note; longer notes count as this."""
MIN_POLYPHONY = 1.0
"""Percent of the time with two notes in polyphonic music, at least."""
MAX_PATTERNS = 400
"""Rhythms of a bar that are counted one by one, the commonest; all others count as one."""
MAX_DISTANCE_BARS = 16
"""Distance of bars whose similarity is measured, at most."""
MIN_SHARE_OF_PIECES = 0.25
"""Share of the pieces that have bars at a distance, at least, for the similarity there to have a value."""
MAX_STEPS = 1_000_000
"""Time steps of a piece that are measured, at most."""
_MAJOR = np.array([0, 2, 4, 5, 7, 9, 11])
# A minor scale is the major one of another root, so twelve scales are all twenty-four.
SCALES = np.array([[(pitch - root) % 12 in _MAJOR for pitch in range(12)] for root in range(12)], float)

DEGREES = "scale degrees, JS distance"
DEGREE_PAIRS = "pairs of scale degrees, JS distance"
INTERVALS = "intervals, JS distance"
LENGTHS = "note lengths, JS distance"
RHYTHMS = "rhythms of a bar, JS distance"
BAR_SIMILARITY = "similarity of bars by distance, mean difference"


def note_metrics(groups: Mapping[str, PieceSet[NoteTable]]) -> list[Metric]:
    """The metrics of notes and bars; the rhythms that are counted are the commonest of these groups."""
    patterns = _find_common_patterns(piece for group in groups.values() for piece in group.pieces)
    similarity = partial(count_rows, count_piece=count_bar_similarity)
    metrics = [
        distribution_metric(DEGREES, count_degrees, True),
        distribution_metric(DEGREE_PAIRS, count_degree_pairs),
        distribution_metric(INTERVALS, count_intervals),
        distribution_metric(LENGTHS, count_lengths, True),
        distribution_metric(RHYTHMS, partial(count_rhythms, patterns=patterns)),
        mean_metric("range (semitones)", pitch_range),
        mean_metric("pitch classes used", pitch_classes_used, True),
        mean_metric("pitch-class entropy (bits)", pitch_class_entropy, True),
        mean_metric("scale consistency (%)", scale_consistency, True),
        mean_metric("groove consistency (%)", groove_consistency),
        mean_metric("notes in a quarter", notes_per_quarter, True),
        mean_metric("repeated bars (%)", repeated_bars),
        Metric(BAR_SIMILARITY, similarity, _similarity_curve, _mean_difference),
    ]
    if any(count_rows(group, polyphony)[:, 0].mean() > MIN_POLYPHONY for group in groups.values()):
        metrics.append(mean_metric("time with two notes or more (%)", polyphony))
    return metrics


def count_degrees(piece: NoteTable) -> np.ndarray:
    """Notes by pitch class above the tonic, ``(12,)``; above C where the tonic is not known.

    This is mgeval's pitch class histogram, with all pieces in one key.
    """
    return np.bincount((piece.pitches - (piece.tonic or 0)) % 12, minlength=12)


def count_degree_pairs(piece: NoteTable) -> np.ndarray:
    """Consecutive notes of the melody by both pitch classes, ``(144,)``.

    This is mgeval's pitch class transition matrix, with all pieces in one key.
    """
    classes = (piece.melody[2] - (piece.tonic or 0)) % 12
    return np.bincount(classes[:-1] * 12 + classes[1:], minlength=144)


def count_intervals(piece: NoteTable) -> np.ndarray:
    """Intervals of the melody by semitones, from down to up, ``(2 * MAX_INTERVAL + 1,)``."""
    steps = np.clip(np.diff(piece.melody[2]), -MAX_INTERVAL, MAX_INTERVAL)
    return np.bincount(steps + MAX_INTERVAL, minlength=2 * MAX_INTERVAL + 1)


def count_lengths(piece: NoteTable) -> np.ndarray:
    """Notes by length in time steps, ``(MAX_LENGTH_STEPS + 1,)``: mgeval's note length histogram, finer."""
    steps = np.clip(np.round(piece.durations * STEPS), 0, MAX_LENGTH_STEPS)
    return np.bincount(steps.astype(int), minlength=MAX_LENGTH_STEPS + 1)


def _encode_patterns(piece: NoteTable) -> list[bytes]:
    """The rhythm of each bar, as the number of time steps and a bit for each of them."""
    grid = piece.bar_onsets
    size = grid.shape[1].to_bytes(2) if grid.size else b""
    return [size + row.tobytes() for row in np.packbits(grid, axis=1)]


def _find_common_patterns(pieces: Iterable[NoteTable]) -> dict[bytes, int]:
    seen = Counter(pattern for piece in pieces for pattern in _encode_patterns(piece))
    return {pattern: number for number, (pattern, _) in enumerate(seen.most_common(MAX_PATTERNS))}


def count_rhythms(piece: NoteTable, patterns: Mapping[bytes, int]) -> np.ndarray:
    """Bars by the onsets of their notes, ``(len(patterns) + 1,)``; the last bin counts all other rhythms."""
    numbers = [patterns.get(pattern, len(patterns)) for pattern in _encode_patterns(piece)]
    return np.bincount(np.array(numbers, int), minlength=len(patterns) + 1)


def pitch_range(piece: NoteTable) -> tuple[float, float]:
    """Semitones from the lowest to the highest note: MusPy's pitch range, mgeval's total used pitch range."""
    return (np.ptp(piece.pitches), 1) if len(piece.pitches) else (0, 0)


def pitch_classes_used(piece: NoteTable) -> tuple[float, float]:
    """MusPy's number of pitch classes used."""
    return len(np.unique(piece.pitches % 12)), len(piece.pitches) > 0


def pitch_class_entropy(piece: NoteTable) -> tuple[float, float]:
    """MusPy's pitch class entropy, in bits."""
    counts = np.bincount(piece.pitches % 12, minlength=12)
    some = counts[counts > 0] / max(counts.sum(), 1)
    return -(some * np.log2(some)).sum(), len(piece.pitches) > 0


def scale_consistency(piece: NoteTable) -> tuple[float, float]:
    """MusPy's scale consistency: the percentage of notes in the major or minor scale that has most."""
    counts = np.bincount(piece.pitches % 12, minlength=12)
    return 100 * (SCALES @ counts).max() / max(counts.sum(), 1), len(piece.pitches) > 0


def groove_consistency(piece: NoteTable) -> tuple[float, float]:
    """MusPy's groove consistency: the percentage of time steps at which consecutive bars are equal.

    They are equal where both have an onset, or both have none.
    """
    grid = piece.bar_onsets
    return (100 * (grid[1:] == grid[:-1]).mean(), 1) if len(grid) > 1 else (0, 0)


def notes_per_quarter(piece: NoteTable) -> tuple[float, float]:
    """Onsets for each quarter note of the bars."""
    grid = piece.bar_onsets
    return (grid.sum() / (len(grid) * piece.bar_quarters), 1) if grid.size else (0, 0)


def repeated_bars(piece: NoteTable) -> tuple[float, float]:
    """The percentage of bars after the first, as notated, with melody and rhythm of an earlier bar."""
    bars = np.concatenate([piece.bar_pitches, piece.bar_onsets], axis=1)
    if len(bars) < 2:
        return 0, 0
    return 100 * (len(bars) - len(np.unique(bars, axis=0))) / (len(bars) - 1), 1


def count_bar_similarity(piece: NoteTable) -> np.ndarray:
    """The similarity of bars by their distance, ``(2 * MAX_DISTANCE_BARS,)``.

    For each distance of bars from 1: the share of time at which bars so far apart have the same pitch; then
    for each distance 1, or 0 where the piece has no such bars. Source: J. Foote, Visualizing music and audio
    using self-similarity, ACM Multimedia 1999; here of pitches.
    """
    grid = piece.bar_pitches
    row = np.zeros((2, MAX_DISTANCE_BARS))
    for distance in range(1, min(MAX_DISTANCE_BARS, len(grid) - 1 if grid.size else 0) + 1):
        row[:, distance - 1] = (grid[distance:] == grid[:-distance]).mean(), 1
    return row.ravel()


def _similarity_curve(sums: np.ndarray) -> np.ndarray:
    """The mean similarity at each distance; NaN where few of the pieces of two bars or more reach it."""
    similarity, pieces = sums[..., :MAX_DISTANCE_BARS], sums[..., MAX_DISTANCE_BARS:]
    reached = pieces >= pieces[..., :1] * MIN_SHARE_OF_PIECES
    return np.where(reached, similarity / np.maximum(pieces, 1e-12), np.nan)


def _mean_difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The mean over the distances at which both have a value, as they have at the first one."""
    return np.nanmean(np.abs(one - other), axis=-1)


def polyphony(piece: NoteTable) -> tuple[float, float]:
    """MusPy's polyphony rate: the percentage of time at which two notes or more sound."""
    if not len(piece.onsets):
        return 0, 0
    times = np.stack([piece.onsets, piece.onsets + piece.durations]) * STEPS
    starts, stops = np.minimum(np.round(times), MAX_STEPS).astype(int)
    stops = np.maximum(stops, starts + 1)
    size = int(stops.max()) + 1
    change = np.bincount(starts, minlength=size) - np.bincount(stops, minlength=size)
    sounding = change.cumsum()[: size - 1]
    return 100 * (sounding >= 2).mean() if len(sounding) else 0, 1
