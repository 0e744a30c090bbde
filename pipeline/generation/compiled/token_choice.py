"""A code chosen from logits, compiled: what `decoders.Decoder` does for models that torch steps."""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from pipeline.runtime.numba_options import BARE, INNER

Array = np.ndarray
CLOSE = 600.0
"""Nats by which a weight may lie below the largest without being lost."""


class Rule(NamedTuple):
    """How a symbol is chosen from logits, as `decoders.Decoder` says it."""

    temperature: float
    top_k: int
    top_p: float
    min_p: float
    allowed: Array
    """Which codes may be chosen, ``(vocab_size,)`` bool."""
    tries: int = 0
    """How often a sample may be resampled."""
    freely: bool = False
    """Whether the grammar chooses with only the last time, and where it has been left."""
    lost: float = 0.0
    """It is where the symbols allowed are less likely than this."""


@njit(**BARE)
def choose(
    logits: Array, rule: Rule, allowed: Array, number: float, weights: Array
) -> tuple[int, float]:  # fmt: skip
    """One of the `allowed` codes, and its log-probability under the model; `weights` is scratch space."""
    size = len(logits)
    top, best = -np.inf, -1
    for code in range(size):
        top = max(top, np.float64(logits[code]))
        if allowed[code] and (best < 0 or logits[code] > logits[best]):
            best = code
    total, limit = 0.0, np.float64(logits[best])
    for code in range(size):
        weights[code] = math.exp(logits[code] - top)
        total += weights[code]
    if rule.temperature > 0:
        again = rule.temperature != 1.0 or top - limit > CLOSE
        best = _place(weights, number * _leave(logits, limit, again, rule, allowed, weights))
    return best, logits[best] - top - math.log(total)


@njit(**INNER)
def _leave(
    logits: Array, limit: float, again: bool, rule: Rule, allowed: Array, weights: Array
) -> float:  # fmt: skip
    """Set to zero the weights of what is not drawn; the sum of the others."""
    size, kept = len(logits), 0.0
    for code in range(size):
        if not allowed[code]:
            weights[code] = 0.0
        elif again:
            weights[code] = math.exp((logits[code] - limit) / rule.temperature)
        kept += weights[code]
    if rule.top_k < size:
        kept = _keep(weights, rule.top_k, np.inf)
    if rule.top_p < 1.0:
        kept = _keep(weights, size, rule.top_p * kept)
    if rule.min_p > 0.0:
        largest, kept = 0.0, 0.0
        for code in range(size):
            largest = max(largest, weights[code])
        least = rule.min_p * largest
        for code in range(size):
            weights[code] = weights[code] if weights[code] >= least else 0.0
            kept += weights[code]
    return kept


@njit(**INNER)
def _keep(weights: Array, most: int, enough: float) -> float:
    """Leave only the largest weights, at most so many, and none after their sum is enough: that sum.

    Of equal weights the first is the largest.
    """
    total = 0.0
    for _ in range(most):
        best = 0
        for code in range(1, len(weights)):
            if weights[code] > weights[best]:
                best = code
        if weights[best] <= 0.0:
            break
        total += weights[best]
        weights[best] = -weights[best]
        if total >= enough:
            break
    for code in range(len(weights)):
        weights[code] = -weights[code] if weights[code] < 0.0 else 0.0
    return total


@njit(**INNER)
def _place(weights: Array, number: float) -> int:
    """The first code with which the sum of weights exceeds a number; of rounding's making, the last."""
    total, last = 0.0, 0
    for code in range(len(weights)):
        if weights[code] > 0.0:
            last = code
            total += weights[code]
            if total > number:
                break
    return last


@njit(**INNER)
def share_of(weights: Array, allowed: Array) -> float:
    """Of all that `choose` has weighed, the part that is allowed."""
    total, good = 0.0, 0.0
    for code in range(len(weights)):
        total += weights[code]
        good += weights[code] if allowed[code] else 0.0
    return good / total
