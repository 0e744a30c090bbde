"""Mutual information between bases at a distance: a model with a short memory loses it, real DNA does not.

I(d) = sum p_xy(d) log2 (p_xy(d) / (p_x p_y)), over pairs d apart in the same sequence. Of unrelated letters
N pairs show by chance 9 / (2 N ln 2) bits, which is taken off, so that a value may be below 0. Sources: H.
Herzel, I. Grosse, Physica A 216 (1995) 518, for the measure on DNA; M. S. Roulston, Physica D 125 (1999)
285, for the term.
"""

import itertools

import numpy as np

from pipeline.evaluation.metric_comparison.sequence_set import SequenceSet

MAX_DISTANCE = 2000
MIN_PAIRS = 5_000
"""A distance is measured where at least so many pairs are so far apart: chance alone then shows 0.001
bits."""
MIN_UNITS = 10
"""And where they are from at least so many units: of fewer, one odd sequence decides."""
BANDS = ((1, 10), (11, 100), (101, 1000), (1001, 2000))
"""Distances of the rows of the comparison table, in base pairs."""
PER_DECADE = 12
"""Points of the curve."""


def usable_distance(sequence_sets: list[SequenceSet]) -> int:
    """The longest distance at which every group has enough pairs; 0 where there is none."""
    return min((_usable(sequence_set) for sequence_set in sequence_sets), default=0)


def _usable(sequence_set: SequenceSet) -> int:
    lengths = np.sort(sequence_set.lengths)[::-1]
    if len(lengths) < MIN_UNITS:
        return 0
    distances = np.arange(1, MAX_DISTANCE + 1)
    pairs = np.maximum(lengths - distances[:, None], 0).sum(axis=1)
    enough = np.flatnonzero((pairs >= MIN_PAIRS) & (distances < lengths[MIN_UNITS - 1]))
    return int(distances[enough[-1]]) if len(enough) else 0


def pair_tally(sequence_set: SequenceSet, longest: int) -> np.ndarray:
    """Counts of the 16 pairs of bases that are 1, 2 ... `longest` apart, ``(units, longest * 16)``.

    Counted by correlating the letters' indicators, with Fourier transforms, which is exact once rounded.
    """
    counts = np.zeros((sequence_set.units, longest, 16), np.float32)
    for unit, codes in sequence_set.sequences():
        reach = min(longest, len(codes) - 1)
        if reach < 1:
            continue
        size = 1 << int(np.ceil(np.log2(len(codes) + reach)))
        waves = np.fft.rfft(codes == np.arange(4)[:, None], size)
        products = waves.conj()[:, None] * waves[None]
        pairs = np.fft.irfft(products.reshape(16, -1), size)[:, 1 : reach + 1]
        counts[unit, :reach] += np.rint(pairs.T)
    return counts.reshape(sequence_set.units, -1)


def mutual_information(counts: np.ndarray) -> np.ndarray:
    """Bits at each distance, the chance term taken off, from counts ``(..., distances * 16)``; shape
    ``(..., distances)``."""
    table = counts.reshape(*counts.shape[:-1], -1, 4, 4)
    total = table.sum(axis=(-2, -1))
    joint = table / np.maximum(total, 1)[..., None, None]
    apart = joint.sum(axis=-1, keepdims=True) * joint.sum(axis=-2, keepdims=True)
    ratio = np.divide(joint, apart, out=np.ones(joint.shape), where=joint > 0)
    return (joint * np.log2(ratio)).sum(axis=(-2, -1)) - 9 / (2 * np.log(2) * np.maximum(total, 1))


def band_mean(bits: np.ndarray, band: tuple[int, int]) -> np.ndarray:
    """The mean over a band of distances, in thousandths of a bit; the band ends where the distances do."""
    return 1000 * bits[..., band[0] - 1 : band[1]].mean(axis=-1)


def curve_bands(longest: int) -> list[tuple[int, int]]:
    """Bands of distances, equally wide on a logarithmic scale, that cover 1 to `longest`."""
    edges = np.unique(np.rint(10 ** (np.arange(0, 4 * PER_DECADE) / PER_DECADE)).astype(int))
    edges = [*edges[edges <= longest].tolist(), longest + 1]
    return [(low, high - 1) for low, high in itertools.pairwise(edges)]
