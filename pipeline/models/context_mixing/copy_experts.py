"""Copy experts: each follows an earlier place of a text and says that the letter there comes next.

Source: Cao, Dix, Allison and Mears, "A simple statistical algorithm for biological sequence compression"
(2007). An expert survives substitutions as long as it is mostly right: its gain, in nats over a uniform guess
and forgotten step by step, weighs its vote, and ends it when it falls.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

EXPERTS = 64
MEMORY = 0.95
"""What stays, a step, of an expert's gain and of its hit rate: some twenty letters are remembered."""
FIRST_GAIN, FIRST_HITS = 1.0, 0.7
MIN_GAIN = -1.0
MAX_GAIN = 20.0
PROPOSALS = 8


class Experts(NamedTuple):
    """The experts on one text, per row of a batch: `count` ``(rows,)``, the others ``(rows, EXPERTS)``."""

    count: np.ndarray
    pointers: np.ndarray
    gains: np.ndarray
    hits: np.ndarray


def no_experts(rows: int) -> Experts:
    """Nobody follows anything yet."""
    shape = (rows, EXPERTS)
    return Experts(
        np.zeros(rows, np.int64), np.zeros(shape, np.int32), np.zeros(shape, np.float32),
        np.zeros(shape, np.float32),
    )  # fmt: skip


@njit(cache=True)
def copy_experts(source: Experts, at: int, target: Experts, row: int) -> None:
    """Write the experts of row `at` over those of another row."""
    target.count[row] = source.count[at]
    for expert in range(source.count[at]):
        target.pointers[row, expert] = source.pointers[at, expert]
        target.gains[row, expert] = source.gains[at, expert]
        target.hits[row, expert] = source.hits[at, expert]


# Loops over experts call no functions with arrays: numba would count references at each call.


@njit(cache=True)
def follow(
    pointers: np.ndarray, gains: np.ndarray, hits: np.ndarray, count: int, text: np.ndarray, letter: int,
    stop: int, banned: np.ndarray,
) -> int:  # fmt: skip
    """Judge each of `count` experts by the letter that came, and move it on; those that failed, or reach a
    break, `stop` or a banned stretch ``(n, 2)``, are dropped. Gives how many are left."""
    kept = 0
    for at in range(count):
        pointer, rate = pointers[at], np.float64(hits[at])
        sure = min(max(rate, 0.3), 0.99)
        right, wrong = 4 * sure, 4 * (1 - sure) / 3
        hit = text[pointer] == letter
        gain = gains[at] * MEMORY + math.log(right if hit else wrong)
        pointer += 1
        allowed = pointer < stop and text[pointer] != 0
        for ban in range(len(banned)):
            allowed &= not banned[ban, 0] <= pointer < banned[ban, 1]
        # Written in any case, over one that was dropped: whether an expert fails cannot be foreseen, and a
        # branch taken wrongly costs more than all else here.
        pointers[kept] = pointer
        gains[kept] = gain
        hits[kept] = rate * MEMORY + (1 - MEMORY) * hit
        kept += np.int64(allowed) & np.int64(gain > MIN_GAIN)
    return kept


@njit(cache=True)
def propose(
    pointers: np.ndarray, gains: np.ndarray, hits: np.ndarray, count: int, places: np.ndarray,
    text: np.ndarray, stop: int, banned: np.ndarray,
) -> int:  # fmt: skip
    """Let new experts follow some places ``(n,)``, but for those that one of the `count` follows, while there
    is room. Gives how many experts there are now."""
    for nth in range(len(places)):
        if count == EXPERTS:
            break
        pointer = places[nth]
        allowed = pointer < stop and text[pointer] != 0
        for ban in range(len(banned)):
            allowed &= not banned[ban, 0] <= pointer < banned[ban, 1]
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
def vote(
    pointers: np.ndarray, gains: np.ndarray, hits: np.ndarray, count: int, text: np.ndarray,
    votes: np.ndarray,
) -> tuple[float, float]:  # fmt: skip
    """Set `votes` ``(letters,)`` to sums of the experts' weights; the gain and the hit rate of the best."""
    votes[:] = 0.0
    best, best_hits = 0.0, 0.0
    for at in range(count):
        gain = gains[at]
        weight = math.exp(min(gain, MAX_GAIN)) * max(hits[at] - 0.25, 0.0)
        votes[text[pointers[at]] - 1] += weight
        if gain > best:
            best, best_hits = gain, hits[at]
    return best, best_hits
