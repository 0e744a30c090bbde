"""The counts of a Markov model as tables that compiled code walks, from a context to the next.

Training, scoring and compiled sampling read the same tables by the same functions.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from pipeline.data.alphabet import BOS
from pipeline.models.ngram.markov import Markov
from pipeline.runtime.numba_options import BARE, INNER

Array = np.ndarray


class ContextTables(NamedTuple):
    """The counts of all orders, one after another; context ids are those of `ngram_counts.py`."""

    symbols: Array
    """The last symbol of each n-gram, sorted within its context."""
    counts: Array
    grams: Array
    """Where the n-grams of each order begin, ``(orders + 1,)``."""
    firsts: Array
    """Where the n-grams of each context begin; one more closes each order."""
    contexts: Array
    """Where the contexts of each order begin in `firsts`, ``(orders + 1,)``."""
    weights: Array
    """The escape weight of each order."""

    @classmethod
    def from_model(cls, model: Markov | None, vocab_size: int) -> "ContextTables":
        """The tables of a model; of None those of one that has counted nothing."""
        levels = model.levels if model else ()
        firsts = [np.append(0, np.cumsum(level.distinct, dtype=np.int64)) for level in levels]
        return cls(
            _joined([(level.keys % vocab_size).astype(np.uint16) for level in levels], np.uint16),
            _joined([level.counts for level in levels], np.int32),
            np.cumsum([0, *(len(level.keys) for level in levels)]),
            _joined(firsts, np.int64),
            np.cumsum([0, *map(len, firsts)]),
            np.array(model.escape_weights if model else ()),
        )


def _joined(parts: list[Array], dtype: type) -> Array:
    return np.concatenate([np.zeros(0, dtype), *parts]).astype(dtype, copy=False)


def start(tables: ContextTables, rows: int) -> Array:
    """The contexts ``(rows, orders)`` before anything was read: of order 0 the one there is, of higher
    orders none."""
    contexts = np.full((rows, max(1, len(tables.weights))), -1, np.int64)
    contexts[:, 0] = 0
    return contexts


@njit(**INNER)
def push(tables: ContextTables, line: Array, code: int) -> None:
    """Move the contexts of all orders on by one symbol."""
    for order in range(len(tables.weights) - 1, 0, -1):
        if code == BOS:
            line[order] = 0
            continue
        below, at = line[order - 1], tables.contexts[order - 1]
        line[order] = -1
        if below < 0 or at + below + 1 >= tables.contexts[order]:
            continue
        offset = tables.grams[order - 1]
        for gram in range(tables.firsts[at + below], tables.firsts[at + below + 1]):
            if tables.symbols[offset + gram] == code:
                line[order] = gram + 1
                break


@njit(**INNER)
def mix(tables: ContextTables, line: Array, found: Array) -> None:
    """The probabilities of all symbols, by the formula of `markov.Markov`."""
    for code in range(len(found)):
        found[code] = 1 / len(found)
    for order in range(len(tables.weights)):
        context, at = line[order], tables.contexts[order]
        if context < 0 or at + context + 1 >= tables.contexts[order + 1]:
            break  # nor was any longer context seen
        first, last = tables.firsts[at + context], tables.firsts[at + context + 1]
        if first == last:
            break
        offset, total = tables.grams[order], 0.0
        for gram in range(offset + first, offset + last):
            total += tables.counts[gram]
        escape = tables.weights[order] * (last - first)
        for code in range(len(found)):
            found[code] *= escape / (total + escape)
        for gram in range(offset + first, offset + last):
            found[tables.symbols[gram]] += tables.counts[gram] / (total + escape)


@njit(**BARE)
def read(tables: ContextTables, contexts: Array, codes: Array, logits: Array) -> None:
    """Go on by codes ``(batch, time)``: contexts ``(batch, orders)`` become those after them, and logits
    ``(batch, time, vocab_size)`` those of what follows each."""
    for row in range(codes.shape[0]):
        for at in range(codes.shape[1]):
            push(tables, contexts[row], codes[row, at])
            mix(tables, contexts[row], logits[row, at])
            for code in range(logits.shape[2]):
                logits[row, at, code] = math.log(logits[row, at, code])
