"""An index of the contexts of a text: the counts and the positions after any context.

The positions of the text are sorted by the symbols before them, the nearest first. The positions after one
context are then an interval of rows, and the symbols at these positions are its counts. The interval of a
context that is extended by one symbol follows from ranks alone. This is the backward search of Ferragina and
Manzini, "Opportunistic data structures with applications" (2000), on the reversed text, so that a context
extends to the right as a sequence does. Sorting stops at a depth, the highest order in use.

Letters are 1 to `letters`, 0 is a break that no context reaches over.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

STRIDE = 64
"""Rows of a block: one word of `rank_bits` has a bit for each of them."""
MAX_SCANNED_ROWS = 8
"""Up to this many rows, counting one by one is faster than by ranks."""


class ContextIndex(NamedTuple):
    """The rows of a text ``(n,)`` uint8, sorted by context.

    `positions` and `following` ``(n,)`` are the position of each row, and the letter there. `ranks`
    ``(n // STRIDE + 1, letters + 1)`` int32 count how often each letter follows in the rows before a block.
    `rank_bits`, of the same shape in uint64, mark the rows of the block where it follows, the lowest bit for
    the first. `first` ``(letters + 2,)`` is the first row after each letter.
    """

    text: np.ndarray
    positions: np.ndarray
    following: np.ndarray
    ranks: np.ndarray
    rank_bits: np.ndarray
    first: np.ndarray


def build_index(text: np.ndarray, letters: int, depth: int) -> ContextIndex:
    """Sort the positions of a text by their contexts of up to `depth` letters. Equal contexts stay in the
    order of the text."""
    text = np.ascontiguousarray(text, np.uint8)
    positions = _sort_positions(text, letters, depth)
    following = text[positions]
    shape = len(text) // STRIDE + 1, letters + 1
    ranks, rank_bits = np.zeros(shape, np.int32), np.zeros(shape, np.uint64)
    _count_ranks(following, ranks, rank_bits)
    before = np.concatenate([np.zeros(1, np.uint8), text[:-1]])
    first = np.concatenate([[0], np.cumsum(np.bincount(before, minlength=letters + 1))])
    return ContextIndex(text, positions, following, ranks, rank_bits, first.astype(np.int32))


def join_strands(parts: Sequence[np.ndarray], complement: np.ndarray | None) -> np.ndarray:
    """Join parts with breaks around them, and add their reverse complements where `complement`, letter to
    letter, is given. Position p of one strand is 2 m - p of the other, where m is the break in the middle."""
    joined = np.zeros(sum(len(part) + 1 for part in parts) + 1, np.uint8)
    at = 1
    for part in parts:
        joined[at : at + len(part)] = part
        at += len(part) + 1
    if complement is None:
        return joined
    return np.concatenate([joined, complement[joined[-2::-1]]])


def _sort_positions(text: np.ndarray, letters: int, depth: int) -> np.ndarray:
    bits = int(letters).bit_length()
    each = 63 // bits
    keys = []
    for start in range(0, depth, each):
        key = np.zeros(len(text), np.int64)
        for back in range(start + 1, min(start + each, depth) + 1):
            key <<= bits
            key[back:] |= text[: len(text) - back]
        keys.append(key)
    order = np.argsort(keys[-1], kind="stable")
    for key in keys[-2::-1]:
        order = order[np.argsort(key[order], kind="stable")]
    return order.astype(np.int32)


@njit(cache=True)
def _count_ranks(following: np.ndarray, ranks: np.ndarray, rank_bits: np.ndarray) -> None:
    running = np.zeros(ranks.shape[1], np.int32)
    for block in range(len(ranks)):
        for letter in range(len(running)):
            ranks[block, letter] = running[letter]
        for row in range(block * STRIDE, min((block + 1) * STRIDE, len(following))):
            letter = following[row]
            running[letter] += 1
            rank_bits[block, letter] |= np.uint64(1) << np.uint64(row % STRIDE)


@njit(cache=True)
def _popcount(word: np.uint64) -> np.int64:
    """Count the set bits by sums of two, four and eight neighbours, which compilers turn into one
    instruction. Source: Warren, "Hacker's Delight" (2002), chapter 5."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(cache=True)
def _rank(before: int, word: np.uint64, row: int) -> np.int64:
    """How often a letter follows in the rows before `row`, from the rank and the bits of its block. The
    arguments are numbers, not arrays, whose references numba would count at each call."""
    return before + _popcount(word & ((np.uint64(1) << np.uint64(row % STRIDE)) - np.uint64(1)))


@njit(cache=True)
def extend_contexts(
    ranks: np.ndarray, rank_bits: np.ndarray, first: np.ndarray, intervals: np.ndarray, letter: int
) -> None:
    """Turn the intervals ``(orders, 2)`` of all contexts at one place into those one letter further on."""
    for order in range(len(intervals) - 1, 0, -1):
        if intervals[order - 1, 0] >= intervals[order - 1, 1]:
            intervals[order, 0] = intervals[order, 1] = 0
            continue
        for end in range(2):
            row = intervals[order - 1, end]
            block = row // STRIDE
            rank = _rank(ranks[block, letter], rank_bits[block, letter], row)
            intervals[order, end] = first[letter] + rank


@njit(cache=True)
def reset_contexts(intervals: np.ndarray, size: int) -> None:
    """Reset to the start of a sequence: all `size` positions follow the empty context, none a longer one."""
    intervals[:] = 0
    intervals[0, 1] = size


@njit(cache=True)
def add_counts(
    following: np.ndarray, ranks: np.ndarray, rank_bits: np.ndarray, low: int, high: int, sign: int,
    counts: np.ndarray,
) -> None:  # fmt: skip
    """Add the counts of each letter 1, 2, … in some rows, times `sign`, to `counts` ``(letters,)``."""
    if high - low <= MAX_SCANNED_ROWS:
        for row in range(low, high):
            if following[row]:
                counts[following[row] - 1] += sign
        return
    below, above = low // STRIDE, high // STRIDE
    for letter in range(1, len(counts) + 1):
        until = _rank(ranks[above, letter], rank_bits[above, letter], high)
        counts[letter - 1] += sign * (until - _rank(ranks[below, letter], rank_bits[below, letter], low))
