"""Open reading frames of a group: how long they are, in all six frames, and which codons they use.

An ORF runs here from the first ATG after a stop codon to the next stop codon; those that an end of the
sequence cuts are left out. Random sequence has such frames too, and nearly all short ones are due to chance.
The metrics therefore compare their number and length with those of real DNA.
"""

import numpy as np

from pipeline.domains.genome.encoding import reverse_complement_codes, words
from pipeline.domains.genome.orfs import CODONS, amino_acids, codon_set, orf_spans, stop_codons
from pipeline.evaluation.metric_comparison.sequence_set import SequenceSet

MIN_ORF_BP = 90
"""ORFs of at least so many base pairs are counted, and their codons."""
MAX_CODONS = 2000
"""Longer ORFs are counted as this long."""
SENSE = tuple(number for number, letter in enumerate(amino_acids()) if letter != "*")
"""The 61 codons of the standard code that stand for an amino acid, by number."""


def frame_tally(sequence_set: SequenceSet) -> np.ndarray:
    """Counts of ORFs by their codons with the stop, ``(units, MAX_CODONS + 1)``, then of the 64 codons in
    those of `MIN_ORF_BP` and more, without start and stop, then all bases."""
    lengths = np.zeros((sequence_set.units, MAX_CODONS + 1))
    codons = np.zeros((sequence_set.units, len(CODONS)))
    begins, stops = codon_set(("ATG",)), stop_codons()
    for unit, codes in sequence_set.sequences():
        for read in (codes, reverse_complement_codes(codes)):
            numbers = np.minimum(words(read, 3), 64)
            for frame in range(3):
                spans, cut = orf_spans(read, frame, begins, stops)
                spans = spans[~cut]
                size = (spans[:, 1] - spans[:, 0]) // 3
                lengths[unit] += np.bincount(np.minimum(size, MAX_CODONS), minlength=MAX_CODONS + 1)
                inside = _inside(spans[3 * size >= MIN_ORF_BP], frame, len(numbers[frame::3]))
                codons[unit] += np.bincount(numbers[frame::3][inside], minlength=65)[:64]
    return np.concatenate([lengths, codons, sequence_set.unit_sizes[:, None]], axis=1)


def _inside(spans: np.ndarray, frame: int, number: int) -> np.ndarray:
    """Mark the codons of a frame between start and stop of an ORF."""
    change = np.zeros(number + 1, np.int64)
    places = (spans - frame) // 3
    # ORFs of one frame never overlap.
    change[places[:, 0] + 1] += 1
    change[places[:, 1] - 1] -= 1
    return np.cumsum(change[:-1]) > 0


def orfs_per_kb(frames: np.ndarray) -> np.ndarray:
    """ORFs of at least `MIN_ORF_BP` per 1000 base pairs of sequence, all six frames, from
    `frame_tally`."""
    long = frames[..., MIN_ORF_BP // 3 : MAX_CODONS + 1].sum(axis=-1)
    return 1000 * long / np.maximum(frames[..., -1], 1)


def mean_orf_length(frames: np.ndarray) -> np.ndarray:
    """The mean length in base pairs of the ORFs of at least `MIN_ORF_BP`; 0 where there is none."""
    counts = frames[..., MIN_ORF_BP // 3 : MAX_CODONS + 1]
    lengths = 3 * np.arange(MIN_ORF_BP // 3, MAX_CODONS + 1)
    return counts @ lengths / np.maximum(counts.sum(axis=-1), 1e-9)


def longer_than(frames: np.ndarray) -> np.ndarray:
    """ORFs per 1000 base pairs of sequence that have so many codons or more, ``(..., MAX_CODONS + 1)``."""
    counts = frames[..., : MAX_CODONS + 1]
    return 1000 * counts[..., ::-1].cumsum(axis=-1)[..., ::-1] / np.maximum(frames[..., -1:], 1)


def codon_counts(frames: np.ndarray) -> np.ndarray:
    """Counts of the 61 sense codons, from `frame_tally`."""
    return frames[..., MAX_CODONS + 1 : MAX_CODONS + 65][..., list(SENSE)]


def synonymous_usage(codons: np.ndarray) -> np.ndarray:
    """Relative synonymous codon usage: the count of each of the 61 codons over the mean of those that stand
    for the same amino acid; 1 where there is none. Source: P. M. Sharp, W. H. Li, Nucleic Acids Research 15
    (1987) 1281."""
    letters = np.array([amino_acids()[number] for number in SENSE])
    same = letters[:, None] == letters[None, :]
    mean = codons @ same / same.sum(axis=0)
    return np.divide(codons, mean, out=np.ones(codons.shape), where=mean > 0)
