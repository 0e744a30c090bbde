"""The distance of two spectra.

Source: D. M. Endres, J. E. Schindelin, IEEE Transactions on Information Theory 49 (2003) 1858: the square
root of the Jensen-Shannon divergence is a metric. In base 2 it is 0 where two spectra are equal, and 1 where
they share nothing.
"""

import numpy as np


def proportions(counts: np.ndarray) -> np.ndarray:
    """Counts divided by their sum along the last axis; zeros where the sum is zero."""
    total = counts.sum(axis=-1, keepdims=True)
    none = np.zeros(counts.shape, np.result_type(counts, np.float32))
    return np.divide(counts, total, out=none, where=total > 0)


def jensen_shannon(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The distance, from 0 to 1, of two vectors of counts or proportions along the last axis.

    >>> float(jensen_shannon(np.array([1, 0]), np.array([0, 1])))
    1.0
    """
    p, q = proportions(first), proportions(second)
    divergence = _entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2
    return np.sqrt(np.clip(divergence, 0, 1))


def _entropy(p: np.ndarray) -> np.ndarray:
    return -(p * np.log2(p, out=np.zeros_like(p), where=p > 0)).sum(axis=-1)
