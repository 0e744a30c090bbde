"""Counts for the metrics of proteins, by unit: residues, k-mers, lengths, hydropathy, low complexity.

Sources: J. Kyte, R. F. Doolittle, Journal of Molecular Biology 157 (1982) 105, whose scale Biopython has;
J. C. Wootton, S. Federhen, Computers & Chemistry 17 (1993) 149, for SEG.
"""

import numpy as np
from Bio.SeqUtils.ProtParamData import kd
from numpy.lib.stride_tricks import sliding_window_view

from pipeline.domains.protein.cleaning import STANDARD
from pipeline.evaluation.metric_comparison.sequence_set import SequenceSet

LETTERS = len(STANDARD)
OTHER = 255
HYDROPATHY = np.array([kd[letter] for letter in STANDARD])
"""Hydropathy by code, from -4.5 (arginine) to 4.5 (isoleucine)."""
MEMBRANE_WINDOW, MEMBRANE_HYDROPATHY = 19, 1.6
"""A window of so many residues whose mean is above this probably spans a membrane (Kyte and Doolittle)."""
SEG_WINDOW, SEG_TRIGGER, SEG_EXTENSION = 12, 2.2, 2.5
"""Residues, and bits of entropy: a window at most as complex as the first begins a segment of low complexity,
which goes on while windows are at most as complex as the second. The defaults of SEG and segmasker."""
LENGTH_BINS = 48
"""Half octaves, up to 16 million residues."""

_CODES = np.full(256, OTHER, np.uint8)
_CODES[list(STANDARD.encode())] = range(LETTERS)


def encode(sequence: str) -> np.ndarray:
    """The codes of a sequence, uint8 of shape (length,): places in `STANDARD`, or `OTHER`.

    >>> encode("ACU").tolist()
    [0, 1, 255]
    """
    return _CODES[np.frombuffer(sequence.encode("ascii"), np.uint8)]


def word_tally(sequence_set: SequenceSet, k: int) -> np.ndarray:
    """Counts of all words of k residues in every unit, ``(units, 20**k)``, in the order AA..A to YY..Y."""
    windows = max(len(sequence_set.codes) - k + 1, 0)
    numbers, known = np.zeros(windows, np.int64), np.ones(windows, bool)
    for place in range(k):
        part = sequence_set.codes[place : place + windows]
        numbers = numbers * LETTERS + part
        known &= part < LETTERS
    places = np.flatnonzero(known)
    return sequence_set.tally(places, numbers[places], LETTERS**k)


def length_tally(sequence_set: SequenceSet) -> np.ndarray:
    """Count the proteins of every unit by the half octave of their length, ``(units, LENGTH_BINS)``."""
    bins = np.minimum((2 * np.log2(sequence_set.lengths)).astype(np.int64), LENGTH_BINS - 1)
    return sequence_set.tally(sequence_set.starts, bins, LENGTH_BINS)


def mean_tally(sequence_set: SequenceSet) -> np.ndarray:
    """Proteins and residues of every unit, and how many begin with methionine, ``(units, 3)``."""
    first = sequence_set.codes[sequence_set.starts] == STANDARD.index("M")
    number = sequence_set.tally(sequence_set.starts, np.zeros(len(sequence_set.starts), np.int64), 1)
    with_m = sequence_set.tally(sequence_set.starts, np.zeros(len(sequence_set.starts), np.int64), 1, first)
    return np.concatenate([number, sequence_set.unit_sizes[:, None], with_m], axis=1)


def hydropathy_tally(sequence_set: SequenceSet) -> np.ndarray:
    """Proteins of every unit, the sum of their mean hydropathies and of the squares of these, and how many
    probably span a membrane, ``(units, 4)``."""
    counts = np.zeros((sequence_set.units, 4))
    for unit, codes in sequence_set.sequences():
        mean = gravy(codes)
        counts[unit] += 1, mean, mean**2, spans_membrane(codes)
    return counts


def gravy(codes: np.ndarray) -> float:
    """The grand average of hydropathy; 0 where no residue is a standard one."""
    known = codes[codes < LETTERS]
    return float(HYDROPATHY[known].mean()) if len(known) else 0.0


def spans_membrane(codes: np.ndarray) -> bool:
    """Whether some window is as hydrophobic as a helix in a membrane."""
    known = codes[codes < LETTERS]
    if len(known) < MEMBRANE_WINDOW:
        return False
    means = sliding_window_view(HYDROPATHY[known], MEMBRANE_WINDOW).mean(axis=1)
    return bool(means.max() > MEMBRANE_HYDROPATHY)


def complexity_tally(sequence_set: SequenceSet) -> np.ndarray:
    """Residues of low complexity and all residues of every unit, ``(units, 2)``."""
    counts = np.zeros((sequence_set.units, 2))
    for unit, codes in sequence_set.sequences():
        counts[unit] += low_complexity(codes).sum(), len(codes)
    return counts


def low_complexity(codes: np.ndarray) -> np.ndarray:
    """Mark the residues in a segment of low complexity, bool ``(length,)``.

    These are the raw segments of SEG. Its last step, which trims each segment to its least probable part, is
    left out, so that somewhat more residues are covered than segmasker masks.
    """
    covered = np.zeros(len(codes), bool)
    if len(codes) < SEG_WINDOW:
        return covered
    entropy = window_entropy(codes)
    extended = np.concatenate([[False], entropy <= SEG_EXTENSION, [False]])
    bounds = np.flatnonzero(extended[1:] != extended[:-1]).reshape(-1, 2)
    for first, last in bounds.tolist():
        if entropy[first:last].min() <= SEG_TRIGGER:
            covered[first : last + SEG_WINDOW - 1] = True
    return covered


def window_entropy(codes: np.ndarray) -> np.ndarray:
    """Shannon's entropy in bits of every window of `SEG_WINDOW` residues, ``(windows,)``; infinite
    where one of them is not a standard one."""
    known = codes < LETTERS
    seen = np.zeros((len(codes) + 1, LETTERS), np.int32)
    seen[1:][known, codes[known]] = 1
    seen = seen.cumsum(axis=0)
    counts = seen[SEG_WINDOW:] - seen[:-SEG_WINDOW]
    whole = counts.sum(axis=1) == SEG_WINDOW
    of_count = np.array([0.0, *(n * np.log2(n) for n in range(1, SEG_WINDOW + 1))])
    return np.where(whole, np.log2(SEG_WINDOW) - of_count[counts].sum(axis=1) / SEG_WINDOW, np.inf)
