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
"""Rows between two stored ranks."""


class ContextIndex(NamedTuple):
    """`text` ``(n,)`` uint8; `places` and `following` ``(n,)``: the position of each row, and the letter
    there; `ranks` ``(n // STRIDE + 2, letters + 1)``: how often each letter follows in the rows before;
    `first` ``(letters + 2,)``: the first row after each letter."""

    text: np.ndarray
    places: np.ndarray
    following: np.ndarray
    ranks: np.ndarray
    first: np.ndarray


def build_index(text: np.ndarray, letters: int, depth: int) -> ContextIndex:
    """Sort the positions of a text by their contexts of up to `depth` letters; contexts that are equal so far
    stay in the order of the text."""
    text = np.ascontiguousarray(text, np.uint8)
    places = _sorted_places(text, letters, depth)
    following = text[places]
    counts = np.zeros((len(text) // STRIDE + 2, letters + 1), np.int32)
    _count(following, counts)
    before = np.concatenate([np.zeros(1, np.uint8), text[:-1]])
    first = np.concatenate([[0], np.cumsum(np.bincount(before, minlength=letters + 1))])
    return ContextIndex(text, places, following, counts, first.astype(np.int32))


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
def _count(following: np.ndarray, ranks: np.ndarray) -> None:
    running = np.zeros(ranks.shape[1], np.int32)
    for row in range(len(following)):
        if row % STRIDE == 0:
            ranks[row // STRIDE] = running
        running[following[row]] += 1
    if len(following) % STRIDE == 0:
        ranks[len(following) // STRIDE] = running


@njit(inline="always")
def _occurrences(following: np.ndarray, letter: int, low: int, high: int) -> int:
    """How often `letter` follows in some rows."""
    found = np.int32(0)
    for at in range(low, high):
        found += np.int32(following[at] == letter)
    return found


@njit(inline="always")
def rank(index: ContextIndex, letter: int, row: int) -> int:
    """How often `letter` follows in the rows before `row`."""
    block = row // STRIDE
    return index.ranks[block, letter] + _occurrences(index.following, letter, block * STRIDE, row)


@njit(cache=True)
def grow(index: ContextIndex, intervals: np.ndarray, letter: int) -> None:
    """Turn the intervals ``(orders, 2)`` of all contexts at one place into those one letter further on."""
    first = index.first[letter]
    for order in range(len(intervals) - 1, 0, -1):
        low, high = intervals[order - 1, 0], intervals[order - 1, 1]
        if low >= high:
            intervals[order, 0] = intervals[order, 1] = 0
            continue
        start = first + rank(index, letter, low)
        intervals[order, 0] = start
        if high - low <= STRIDE:
            intervals[order, 1] = start + _occurrences(index.following, letter, low, high)
        else:
            intervals[order, 1] = first + rank(index, letter, high)


@njit(cache=True)
def begin(index: ContextIndex, intervals: np.ndarray) -> None:
    """The intervals at a start: all positions follow the empty context, none a longer one."""
    intervals[:] = 0
    intervals[0, 1] = len(index.text)


@njit(cache=True)
def add_counts(index: ContextIndex, low: int, high: int, sign: int, counts: np.ndarray) -> None:
    """Add how often each letter 1, 2, … follows in some rows, times `sign`, to `counts` ``(letters,)``."""
    if high - low <= STRIDE:
        following = index.following
        for row in range(low, high):
            if following[row]:
                counts[following[row] - 1] += sign
        return
    for letter in range(1, len(counts) + 1):
        counts[letter - 1] += sign * (rank(index, letter, high) - rank(index, letter, low))
