"""Token choice as compiled code: one code from logits, as `generation/token_choice.py` chooses it."""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from pipeline.generation.constrained.grammar_constraint import GrammarConstraint
from pipeline.generation.token_choice import SamplingParams
from pipeline.runtime.numba_options import BARE, INNER

Array = np.ndarray
MAX_NATS_BELOW = 600.0
"""A weight further below the largest would underflow."""


class CompiledSamplingParams(NamedTuple):
    """`SamplingParams`, and how constrained decoding resamples, as plain numbers."""

    temperature: float
    top_k: int
    top_p: float
    min_p: float
    allowed: Array
    """Which codes may be chosen, ``(vocab_size,)`` bool."""
    max_resamples: int = 0
    rejection_sampling: bool = False
    """Draw without the grammar first; see `GrammarConstraint`."""
    min_allowed_mass: float = 0.0


def compile_sampling_params(
    params: SamplingParams, vocab_size: int, max_resamples: int = 0, grammar: GrammarConstraint | None = None
) -> CompiledSamplingParams:
    """The same parameters for compiled code, which has no typical sampling."""
    allowed = np.ones(vocab_size, bool)
    allowed[list(params.forbidden)] = False
    return CompiledSamplingParams(
        float(params.temperature), vocab_size if params.top_k is None else min(params.top_k, vocab_size),
        1.0 if params.top_p is None else float(params.top_p), float(params.min_p or 0.0), allowed,
        max_resamples, grammar is not None and grammar.rejection_sampling,
        0.0 if grammar is None else grammar.min_allowed_mass,
    )  # fmt: skip


@njit(**BARE)
def choose(
    logits: Array, params: CompiledSamplingParams, allowed: Array, number: float, weights: Array
) -> tuple[int, float]:  # fmt: skip
    """One of the `allowed` codes, by a uniform number in [0, 1), and its log-probability under the model.

    `weights` ``(vocab_size,)`` is scratch space.
    """
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
    if params.temperature > 0:
        reweight = params.temperature != 1.0 or top - limit > MAX_NATS_BELOW
        best = _find_code(weights, number * _filter(logits, limit, reweight, params, allowed, weights))
    return best, logits[best] - top - math.log(total)


@njit(**INNER)
def _filter(
    logits: Array, limit: float, reweight: bool, params: CompiledSamplingParams, allowed: Array,
    weights: Array,
) -> float:  # fmt: skip
    """Set the weights of codes that are not drawn to zero, and return the sum of the other weights."""
    size, kept = len(logits), 0.0
    for code in range(size):
        if not allowed[code]:
            weights[code] = 0.0
        elif reweight:
            weights[code] = math.exp((logits[code] - limit) / params.temperature)
        kept += weights[code]
    if params.top_k < size:
        kept = _keep_largest(weights, params.top_k, np.inf)
    if params.top_p < 1.0:
        kept = _keep_largest(weights, size, params.top_p * kept)
    if params.min_p > 0.0:
        largest, kept = 0.0, 0.0
        for code in range(size):
            largest = max(largest, weights[code])
        threshold = params.min_p * largest
        for code in range(size):
            weights[code] = weights[code] if weights[code] >= threshold else 0.0
            kept += weights[code]
    return kept


@njit(**INNER)
def _keep_largest(weights: Array, most: int, enough: float) -> float:
    """Keep the largest weights, at most `most`, until their sum is `enough`; return the sum.

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
def _find_code(weights: Array, number: float) -> int:
    """The first code at which the cumulative weight exceeds a number; the last code where rounding hides
    it."""
    total, last = 0.0, 0
    for code in range(len(weights)):
        if weights[code] > 0.0:
            last = code
            total += weights[code]
            if total > number:
                break
    return last


@njit(**INNER)
def allowed_mass(weights: Array, allowed: Array) -> float:
    """The share of the allowed codes in the weights that `choose` has left."""
    total, good = 0.0, 0.0
    for code in range(len(weights)):
        total += weights[code]
        good += weights[code] if allowed[code] else 0.0
    return good / total
