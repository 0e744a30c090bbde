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
LEAST_GAIN = -1.0
LARGEST_GAIN = 20.0
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
        np.zeros(rows, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.float32),
        np.zeros(shape, np.float32),
    )  # fmt: skip


@njit(cache=True)
def follow(experts: Experts, row: int, text: np.ndarray, letter: int, stop: int, banned: np.ndarray) -> None:
    """Judge every expert by the letter that came, and move it on; those that failed, or reach a break, `stop`
    or a banned stretch ``(n, 2)``, are dropped."""
    kept = 0
    pointers, gains, hits = experts.pointers[row], experts.gains[row], experts.hits[row]
    for at in range(experts.count[row]):
        pointer = pointers[at]
        sure = min(max(hits[at], 0.3), 0.99)
        hit = text[pointer] == letter
        gain = gains[at] * MEMORY + math.log(4 * sure if hit else 4 * (1 - sure) / 3)
        pointer += 1
        if gain > LEAST_GAIN and _may_follow(pointer, text, stop, banned):
            pointers[kept] = pointer
            gains[kept] = gain
            hits[kept] = hits[at] * MEMORY + (1 - MEMORY) * hit
            kept += 1
    experts.count[row] = kept


@njit(inline="always")
def propose(
    experts: Experts, row: int, pointer: int, text: np.ndarray, stop: int, banned: np.ndarray
) -> None:
    """Let a new expert follow a place, unless one does, or there is no room."""
    count = experts.count[row]
    if count == EXPERTS or not _may_follow(pointer, text, stop, banned):
        return
    pointers = experts.pointers[row]
    for at in range(count):
        if pointers[at] == pointer:
            return
    pointers[count] = pointer
    experts.gains[row, count] = FIRST_GAIN
    experts.hits[row, count] = FIRST_HITS
    experts.count[row] = count + 1


@njit(cache=True)
def vote(experts: Experts, row: int, text: np.ndarray, votes: np.ndarray) -> tuple[float, float]:
    """Add the experts' weights to `votes` ``(letters,)``; the gain and the hit rate of the best one."""
    votes[:] = 0.0
    best, best_hits = 0.0, 0.0
    pointers, gains, hits = experts.pointers[row], experts.gains[row], experts.hits[row]
    for at in range(experts.count[row]):
        gain = gains[at]
        weight = math.exp(min(gain, LARGEST_GAIN)) * max(hits[at] - 0.25, 0.0)
        votes[text[pointers[at]] - 1] += weight
        if gain > best:
            best, best_hits = gain, hits[at]
    return best, best_hits


@njit(inline="always")
def _may_follow(pointer: int, text: np.ndarray, stop: int, banned: np.ndarray) -> bool:
    if pointer >= stop or text[pointer] == 0:
        return False
    for at in range(len(banned)):  # noqa: SIM110  numba has no all()
        if banned[at, 0] <= pointer < banned[at, 1]:
            return False
    return True
