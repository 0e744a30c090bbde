"""Letters and pairs of letters: GC content, its spread over windows, and odds ratios of dinucleotides.

Sources: S. Karlin, C. Burge, Trends in Genetics 11 (1995) 283, for the odds ratios and their distance;
M. Gardiner-Garden, M. Frommer, Journal of Molecular Biology 196 (1987) 261, for CpG.
"""

import numpy as np

from pipeline.domains.genome.compare.spectra import distinct, reverse_complements
from pipeline.domains.genome.encoding import BASES
from pipeline.evaluation.metric_comparison.divergence import proportions
from pipeline.evaluation.metric_comparison.sequence_set import SequenceSet

DINUCLEOTIDES = tuple(a + b for a in BASES for b in BASES)
DISTINCT = tuple(distinct(2).tolist())
"""The ten dinucleotides that differ when both strands are counted; each includes its reverse complement."""
WINDOW_BIN = 4
"""Adjacent counts of G and C that share a bin, since single counts are noisy."""
RARE, FREQUENT = 0.78, 1.23
"""Odds ratios beyond these are hardly ever due to chance (Karlin and Burge)."""


def base_tally(sequence_set: SequenceSet) -> np.ndarray:
    """Counts of A, C, G and T in every unit, ``(units, 4)``."""
    places = np.flatnonzero(sequence_set.codes < 4)
    return sequence_set.tally(places, sequence_set.codes[places], 4)


def gc_content(bases: np.ndarray) -> np.ndarray:
    """The share of G and C from counts ``(..., 4)``, in percent."""
    total = np.maximum(bases.sum(axis=-1), 1)
    return 100 * (bases[..., 1] + bases[..., 2]) / total


def window_tally(sequence_set: SequenceSet, window: int) -> np.ndarray:
    """Count adjacent windows of `window` bases with 0, 1, 2 ... G or C, ``(units, window + 1)``."""
    number = sequence_set.lengths // window
    first = np.repeat(sequence_set.starts - window * (np.cumsum(number) - number), number)
    places = first + window * np.arange(number.sum())
    strong = np.concatenate([[0], np.cumsum((sequence_set.codes == 1) | (sequence_set.codes == 2))])
    return sequence_set.tally(places, strong[places + window] - strong[places], window + 1)


def window_spread(windows: np.ndarray) -> np.ndarray:
    """The standard deviation of the GC content of windows, in percent, from counts ``(..., window + 1)``."""
    values = 100 * np.arange(windows.shape[-1]) / (windows.shape[-1] - 1)
    total = np.maximum(windows.sum(axis=-1), 1)
    mean = windows @ values / total
    return np.sqrt(np.maximum(windows @ values**2 / total - mean**2, 0))


def window_shares(windows: np.ndarray) -> np.ndarray:
    """The percentage of windows with 0 to 3, 4 to 7 ... G or C (`WINDOW_BIN`), from counts
    ``(..., window + 1)``."""
    first = np.arange(0, windows.shape[-1], WINDOW_BIN)
    return 100 * proportions(np.add.reduceat(windows, first, axis=-1))


def odds_ratios(pairs: np.ndarray) -> np.ndarray:
    """Karlin's rho* of the ten distinct dinucleotides: f*(xy) / (f*(x) f*(y)), where the frequencies f* are
    those of both strands. Takes counts on both strands ``(..., 16)``; gives ``(..., 10)``, 1 where nothing
    is expected.
    """
    table = pairs.reshape(*pairs.shape[:-1], 4, 4)
    total = np.maximum(table.sum(axis=(-2, -1)), 1)[..., None]
    # On both strands together a letter opens pairs as often as its complement closes them.
    letters = (table.sum(axis=-1) + table.sum(axis=-2)) / (2 * total)
    expected = (letters[..., :, None] * letters[..., None, :]).reshape(pairs.shape)
    ratios = np.divide(pairs / total, expected, out=np.ones(pairs.shape), where=expected > 0)
    return ratios[..., list(DISTINCT)]


def karlin_distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Karlin's delta*: the mean absolute difference of the sixteen odds ratios, times 1000, as he gives
    it."""
    # A dinucleotide that is its own reverse complement counts once among the sixteen, any other twice.
    turned = reverse_complements(2)
    weights = np.array([1 if turned[number] == number else 2 for number in DISTINCT]) / 16
    return 1000 * np.abs(first - second) @ weights


def cpg(pairs: np.ndarray) -> np.ndarray:
    """Observed over expected CpG, from counts of dinucleotides on both strands ``(..., 16)``."""
    return odds_ratios(pairs)[..., DISTINCT.index(DINUCLEOTIDES.index("CG"))]


def start_tally(sequence_set: SequenceSet, first: int) -> np.ndarray:
    """G and C, and all bases, among the `first` of each record and among the others, ``(units, 4)``."""
    place = _place(sequence_set)
    known = np.flatnonzero(sequence_set.codes < 4)
    strong = (sequence_set.codes[known] == 1) | (sequence_set.codes[known] == 2)
    later = np.where(place[known] < first, 0, 2)
    bins = np.concatenate([later[strong], later + 1])
    return sequence_set.tally(np.concatenate([known[strong], known]), bins, 4)


def start_difference(counts: np.ndarray) -> np.ndarray:
    """The GC content of the first bases less that of the others, in percent, from `start_tally`."""
    strong, every = counts[..., 0::2], np.maximum(counts[..., 1::2], 1e-9)
    content = 100 * strong / every
    return content[..., 0] - content[..., 1]


def position_tally(sequence_set: SequenceSet, width: int, bins: int) -> np.ndarray:
    """Count G and C in each of the first `bins` intervals of `width` bases of a record, then all bases in
    each, ``(units, 2 * bins)``."""
    which = _place(sequence_set) // width
    known = np.flatnonzero((sequence_set.codes < 4) & (which < bins))
    strong = known[(sequence_set.codes[known] == 1) | (sequence_set.codes[known] == 2)]
    places = np.concatenate([strong, known])
    return sequence_set.tally(places, np.concatenate([which[strong], bins + which[known]]), 2 * bins)


def position_content(counts: np.ndarray) -> np.ndarray:
    """The GC content of each interval, in percent, from `position_tally`."""
    bins = counts.shape[-1] // 2
    return 100 * counts[..., :bins] / np.maximum(counts[..., bins:], 1e-9)


def _place(sequence_set: SequenceSet) -> np.ndarray:
    """The position of each base in its record, from 0."""
    return np.arange(len(sequence_set.codes)) - np.repeat(
        sequence_set.starts - sequence_set.offsets, sequence_set.lengths + 1
    )
