"""Counts of k-mers on both strands."""

from functools import cache

import numpy as np

from pipeline.domains.genome.encoding import words
from pipeline.evaluation.metric_comparison.sequence_set import SequenceSet


def pair_tally(sequence_set: SequenceSet) -> np.ndarray:
    """Counts of the dinucleotides on both strands in every unit, ``(units, 16)``, in the order AA to TT."""
    numbers = words(sequence_set.codes, 2)
    places = np.flatnonzero(numbers < 16)
    counts = sequence_set.tally(places, numbers[places], 16)
    return counts + counts[:, reverse_complements(2)]


def spectrum_tally(sequence_set: SequenceSet, k: int) -> np.ndarray:
    """Counts of the k-mers in every unit, one and its reverse complement counted together, ``(units,
    distinct)``, in the order of `distinct`."""
    numbers = words(sequence_set.codes, k)
    places = np.flatnonzero(numbers < 4**k)
    folded = np.searchsorted(distinct(k), np.arange(4**k))
    turned = reverse_complements(k)
    folded = np.where(np.arange(4**k) <= turned, folded, folded[turned])
    # Counts of long k-mers are small, so that single precision suffices.
    return sequence_set.tally(places, folded[numbers[places]], len(distinct(k))).astype(np.float32)


@cache
def distinct(k: int) -> np.ndarray:
    """The numbers of the k-mers that come before their reverse complement, or are their own."""
    return np.flatnonzero(np.arange(4**k) <= reverse_complements(k))


@cache
def reverse_complements(k: int) -> np.ndarray:
    """For each k-mer's number, that of its reverse complement, ``(4**k,)``."""
    numbers = np.arange(4**k)
    turned = np.zeros_like(numbers)
    for _ in range(k):
        turned, numbers = turned << 2 | 3 - (numbers & 3), numbers >> 2
    return turned
