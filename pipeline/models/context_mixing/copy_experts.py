"""Copy experts: each points at an earlier position of a text, and predicts the letter there.

Source: Cao, Dix, Allison and Mears, "A simple statistical algorithm for biological sequence compression"
(2007). An expert survives substitutions while it is mostly right. Its gain, in nats over a uniform guess and
with exponential decay, is the weight of its vote. An expert whose gain falls too low is dropped.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

MAX_EXPERTS = 64
DECAY = 0.95
"""The decay of an expert's gain and hit rate per letter, a memory of some twenty letters."""
FIRST_GAIN, FIRST_HITS = 1.0, 0.7
MIN_GAIN = -1.0
MAX_GAIN = 20.0
PROPOSALS = 8


class CopyExperts(NamedTuple):
    """The experts on one text, per row of a batch: `count` ``(rows,)``, the others ``(rows,
    MAX_EXPERTS)``."""

    count: np.ndarray
    pointers: np.ndarray
    gains: np.ndarray
    hits: np.ndarray


def new_experts(rows: int) -> CopyExperts:
    """Rows without experts."""
    shape = (rows, MAX_EXPERTS)
    return CopyExperts(
        np.zeros(rows, np.int64), np.zeros(shape, np.int32), np.zeros(shape, np.float32),
        np.zeros(shape, np.float32),
    )  # fmt: skip


@njit(cache=True)
def copy_expert_rows(source: CopyExperts, at: int, target: CopyExperts, row: int) -> None:
    """Write the experts of row `at` over those of another row."""
    target.count[row] = source.count[at]
    for expert in range(source.count[at]):
        target.pointers[row, expert] = source.pointers[at, expert]
        target.gains[row, expert] = source.gains[at, expert]
        target.hits[row, expert] = source.hits[at, expert]


# The functions take arrays, not tuples, and call none: numba would count references at each call.


@njit(cache=True)
def advance_experts(
    pointers: np.ndarray, gains: np.ndarray, hits: np.ndarray, count: int, text: np.ndarray, letter: int,
    stop: int, excluded: np.ndarray,
) -> np.int64:  # fmt: skip
    """Update each of `count` experts by the letter that came, and move its pointer on. Those with too low a
    gain, and those at a break, at `stop` or in an excluded interval ``(n, 2)``, are dropped. Returns how many
    remain."""
    kept = np.int64(0)
    for at in range(count):
        pointer, rate = pointers[at], np.float64(hits[at])
        sure = min(max(rate, 0.3), 0.99)
        right, wrong = 4 * sure, 4 * (1 - sure) / 3
        hit = text[pointer] == letter
        gain = gains[at] * DECAY + math.log(right if hit else wrong)
        pointer += 1
        allowed = pointer < stop and text[pointer] != 0
        for interval in range(len(excluded)):
            allowed &= not excluded[interval, 0] <= pointer < excluded[interval, 1]
        # Written in any case, over one that was dropped: a mispredicted branch costs more than all else here.
        pointers[kept] = pointer
        gains[kept] = gain
        hits[kept] = rate * DECAY + (1 - DECAY) * hit
        kept += np.int64(allowed) & np.int64(gain > MIN_GAIN)
    return kept


@njit(cache=True)
def add_experts(
    pointers: np.ndarray, gains: np.ndarray, hits: np.ndarray, count: int, places: np.ndarray,
    text: np.ndarray, stop: int, excluded: np.ndarray,
) -> int:  # fmt: skip
    """Add experts at some positions ``(n,)`` that none of the `count` points at, while there is room. Returns
    the number of experts."""
    for nth in range(len(places)):
        if count == MAX_EXPERTS:
            break
        pointer = places[nth]
        allowed = pointer < stop and text[pointer] != 0
        for interval in range(len(excluded)):
            allowed &= not excluded[interval, 0] <= pointer < excluded[interval, 1]
        for at in range(count):
            if pointers[at] == pointer:
                allowed = False
                break
        if allowed:
            pointers[count] = pointer
            gains[count] = FIRST_GAIN
            hits[count] = FIRST_HITS
            count += 1
    return count


@njit(cache=True)
def sum_votes(
    pointers: np.ndarray, gains: np.ndarray, hits: np.ndarray, count: int, text: np.ndarray,
    votes: np.ndarray,
) -> tuple[float, float]:  # fmt: skip
    """Set `votes` ``(letters,)`` to sums of the experts' weights. Returns the gain and hit rate of the
    best."""
    votes[:] = 0.0
    best, best_hits = 0.0, 0.0
    for at in range(count):
        gain = gains[at]
        weight = math.exp(min(gain, MAX_GAIN)) * max(hits[at] - 0.25, 0.0)
        votes[text[pointers[at]] - 1] += weight
        if gain > best:
            best, best_hits = gain, hits[at]
    return best, best_hits
