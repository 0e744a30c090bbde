"""Bases as numbers: A 0, C 1, G 2, T 3, so that 3 minus a base is its complement; any other letter is 255."""

import numpy as np

BASES = "ACGT"
OTHER = 255

_END_BASES = 64
_COMPLEMENT = str.maketrans("ACGT", "TGCA")
_CODES = np.full(256, OTHER, np.uint8)
_CODES[list(BASES.encode())] = range(4)
_CODES[list(BASES.lower().encode())] = range(4)


def encode(sequence: str) -> np.ndarray:
    """The codes of a sequence, uint8 of shape (length,).

    >>> encode("ACGTN").tolist()
    [0, 1, 2, 3, 255]
    """
    return _CODES[np.frombuffer(sequence.encode("ascii", "replace"), np.uint8)]


def reverse_complement(sequence: str) -> str:
    """Return the reverse complement of A, C, G and T.

    >>> reverse_complement("AACGT")
    'ACGTT'
    """
    return sequence.translate(_COMPLEMENT)[::-1]


def canonical_strand(sequence: str) -> str:
    """Return the sequence or its reverse complement, whichever sorts first."""
    # The ends nearly always decide which strand sorts first, without the whole reverse complement.
    head, tail = sequence[:_END_BASES], reverse_complement(sequence[-_END_BASES:])
    if head > tail or (head == tail and sequence > reverse_complement(sequence)):
        return reverse_complement(sequence)
    return sequence


def reverse_complement_codes(codes: np.ndarray) -> np.ndarray:
    """Return the reverse complement as codes."""
    turned = codes[::-1]
    return np.where(turned < 4, 3 - turned, OTHER).astype(np.uint8)


def words(codes: np.ndarray, k: int) -> np.ndarray:
    """The number of the k-mer that begins at each position, from AA..A = 0 to TT..T = 4**k - 1, int64 of
    shape (length - k + 1,); at least 4**k where another letter is in it.

    >>> words(encode("ACGN"), 2).tolist()[:2]
    [1, 6]
    """
    windows = len(codes) - k + 1
    if windows <= 0:
        return np.zeros(0, np.int64)
    wide = codes.astype(np.int64)
    numbers = np.zeros(windows, np.int64)
    for place in range(k):
        numbers = numbers << 2 | (wide[place : place + windows] & 3)
    if codes.max() < 4:
        return numbers
    odd = np.concatenate([[0], np.cumsum(codes > 3)])
    return np.where(odd[k:] > odd[:-k], 4**k, numbers)
