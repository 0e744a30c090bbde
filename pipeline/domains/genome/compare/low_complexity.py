"""Low complexity by symmetric DUST, the definition behind dustmasker and BLAST's own filter.

An interval of l triplets, in which triplet t occurs c_t times, has the score sum c_t (c_t - 1) / 2 / (l - 1).
It is perfect where its score exceeds a threshold and no part of it has a higher score. Bases in a perfect
interval, which is no longer than a window, have low complexity. Source: A. Morgulis, E. M. Gertz, A. A.
Schaeffer, R. Agarwala, Journal of Computational Biology 13 (2006) 1028. The computation follows the
definition directly and takes window times length steps.
"""

import numpy as np
from numba import njit

from pipeline.domains.genome.encoding import words
from pipeline.evaluation.metric_comparison.sequence_set import SequenceSet

WINDOW, THRESHOLD = 64, 2.0
"""Largest length of an interval in bases, and the score to exceed: dustmasker's defaults (it prints ten times
the score)."""


def dust_tally(sequence_set: SequenceSet) -> np.ndarray:
    """Bases of low complexity and all bases of every unit, ``(units, 2)``."""
    places = np.flatnonzero(low_complexity(sequence_set.codes))
    masked = sequence_set.tally(places, np.zeros(len(places), np.int64), 1)
    return np.concatenate([masked, sequence_set.unit_sizes[:, None]], axis=1)


def dust_share(counts: np.ndarray) -> np.ndarray:
    """The share of bases of low complexity, in percent, from `dust_tally`."""
    return 100 * counts[..., 0] / np.maximum(counts[..., 1], 1)


def low_complexity(codes: np.ndarray, window: int = WINDOW, threshold: float = THRESHOLD) -> np.ndarray:
    """Mark the positions of low complexity, bool ``(length,)``; a letter other than A, C, G, T ends an
    interval."""
    triplets = np.minimum(words(codes, 3), 64)
    covered = np.zeros(len(codes) + 1, np.int64)
    if len(triplets):
        _cover(triplets, window - 2, threshold, covered)
    return np.cumsum(covered[:-1]) > 0


@njit(cache=True)
def _cover(triplets: np.ndarray, longest: int, threshold: float, covered: np.ndarray) -> None:
    """Add 1 where a perfect interval starts and -1 after its end. `best[j]` is the highest score of any part
    of the triplets from i to i + j; it grows from those that start one later."""
    best = np.zeros(longest + 1)
    counts = np.zeros(64, np.int64)
    for i in range(len(triplets) - 1, -1, -1):
        counts[:] = 0
        pairs, shorter, later = 0, 0.0, 0.0
        reach = 0
        for j in range(min(longest, len(triplets) - i)):
            triplet = triplets[i + j]
            if triplet > 63:
                break
            pairs += counts[triplet]
            counts[triplet] += 1
            score = pairs / j if j else 0.0
            # Parts without the first triplet, kept from the step before; parts without the last one.
            inner = max(later, shorter)
            if score > threshold and score >= inner:
                covered[i] += 1
                covered[i + j + 3] -= 1
            later = best[j]
            shorter = max(inner, score)
            best[j] = shorter
            reach = j + 1
        best[reach:] = 0.0
