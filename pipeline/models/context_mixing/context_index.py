"""A text with its positions sorted by what stands before them: counts after any context, and its places.

Row after row, the positions of the text are sorted by their preceding symbols, the nearest first. Those after
one context are then an interval of rows, and the symbols that stand there are its counts. The interval of a
context that grows by one symbol follows from ranks alone: the backward search of Ferragina and Manzini,
"Opportunistic data structures with applications" (2000), here on the reversed text, so that a context grows
to the right as a sequence does. Sorting is cut at a depth, the highest order that will be asked for.

Letters are 1 to `letters`, 0 is a break that no context reaches over.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

STRIDE = 64
"""Rows of a block: one word of `marks` holds where a letter follows in it."""
FEW = 8
"""Rows that are counted faster one by one than by ranks."""


class ContextIndex(NamedTuple):
    """`text` ``(n,)`` uint8; `places` and `following` ``(n,)``: the position of each row, and the letter
    there; `ranks` ``(n // STRIDE + 1, letters + 1)`` int32: how often each letter follows in the rows before
    a block; `marks`, as many uint64: in which of its rows, the lowest bit the first; `first`
    ``(letters + 2,)``: the first row after each letter."""

    text: np.ndarray
    places: np.ndarray
    following: np.ndarray
    ranks: np.ndarray
    marks: np.ndarray
    first: np.ndarray


def build_index(text: np.ndarray, letters: int, depth: int) -> ContextIndex:
    """Sort the positions of a text by their contexts of up to `depth` letters; contexts that are equal so far
    stay in the order of the text."""
    text = np.ascontiguousarray(text, np.uint8)
    places = _sorted_places(text, letters, depth)
    following = text[places]
    shape = len(text) // STRIDE + 1, letters + 1
    ranks, marks = np.zeros(shape, np.int32), np.zeros(shape, np.uint64)
    _count(following, ranks, marks)
    before = np.concatenate([np.zeros(1, np.uint8), text[:-1]])
    first = np.concatenate([[0], np.cumsum(np.bincount(before, minlength=letters + 1))])
    return ContextIndex(text, places, following, ranks, marks, first.astype(np.int32))


def both_strands(parts: Sequence[np.ndarray], complement: np.ndarray | None) -> np.ndarray:
    """The parts, a break before each and at the end, and after them their reverse complements where
    `complement`, letter to letter, is given: position p of the one is 2 m - p of the other, m the middle
    break."""
    joined = np.zeros(sum(len(part) + 1 for part in parts) + 1, np.uint8)
    at = 1
    for part in parts:
        joined[at : at + len(part)] = part
        at += len(part) + 1
    if complement is None:
        return joined
    return np.concatenate([joined, complement[joined[-2::-1]]])


def _sorted_places(text: np.ndarray, letters: int, depth: int) -> np.ndarray:
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
def _count(following: np.ndarray, ranks: np.ndarray, marks: np.ndarray) -> None:
    running = np.zeros(ranks.shape[1], np.int32)
    for block in range(len(ranks)):
        for letter in range(len(running)):
            ranks[block, letter] = running[letter]
        for row in range(block * STRIDE, min((block + 1) * STRIDE, len(following))):
            letter = following[row]
            running[letter] += 1
            marks[block, letter] |= np.uint64(1) << np.uint64(row % STRIDE)


@njit(cache=True)
def _bits(word: np.uint64) -> int:
    """How many bits are set: sums of two, four and eight neighbours, which compilers know as one instruction.
    Source: Warren, "Hacker's Delight" (2002), chapter 5."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(cache=True)
def _rank(before: int, word: np.uint64, row: int) -> int:
    """How often a letter follows in the rows before `row`, from its rank and marks of that block: numbers,
    not arrays, whose references numba would count at each call."""
    return before + _bits(word & ((np.uint64(1) << np.uint64(row % STRIDE)) - np.uint64(1)))


@njit(cache=True)
def grow(ranks: np.ndarray, marks: np.ndarray, first: np.ndarray, intervals: np.ndarray, letter: int) -> None:
    """Turn the intervals ``(orders, 2)`` of all contexts at one place into those one letter further on."""
    for order in range(len(intervals) - 1, 0, -1):
        if intervals[order - 1, 0] >= intervals[order - 1, 1]:
            intervals[order, 0] = intervals[order, 1] = 0
            continue
        for end in range(2):
            row = intervals[order - 1, end]
            block = row // STRIDE
            rank = _rank(ranks[block, letter], marks[block, letter], row)
            intervals[order, end] = first[letter] + rank


@njit(cache=True)
def begin(intervals: np.ndarray, size: int) -> None:
    """The intervals at a start: all `size` positions follow the empty context, none a longer one."""
    intervals[:] = 0
    intervals[0, 1] = size


@njit(cache=True)
def add_counts(
    following: np.ndarray, ranks: np.ndarray, marks: np.ndarray, low: int, high: int, sign: int,
    counts: np.ndarray,
) -> None:  # fmt: skip
    """Add how often each letter 1, 2, … follows in some rows, times `sign`, to `counts` ``(letters,)``."""
    if high - low <= FEW:
        for row in range(low, high):
            if following[row]:
                counts[following[row] - 1] += sign
        return
    below, above = low // STRIDE, high // STRIDE
    for letter in range(1, len(counts) + 1):
        until = _rank(ranks[above, letter], marks[above, letter], high)
        counts[letter - 1] += sign * (until - _rank(ranks[below, letter], marks[below, letter], low))
