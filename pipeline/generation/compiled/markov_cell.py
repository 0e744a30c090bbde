"""One step of a Markov model, compiled: from the contexts of all orders to the logits of the next symbol."""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from pipeline.data.alphabet import BOS
from pipeline.generation.compiled import cells
from pipeline.generation.compiled.packed_matrix import aligned, padded
from pipeline.models.ngram.markov import Markov
from pipeline.runtime.numba_options import BARE, INNER

Array = np.ndarray


class Vocabulary(NamedTuple):
    """What stands in the place of the frame of a network: its length is the number of codes."""

    embedding: Array


class Chain(NamedTuple):
    """The counts of all orders, one after another; context ids are those of `ngram_counts.py`."""

    frame: Vocabulary
    symbols: Array
    """The last symbol of each gram, sorted within its context."""
    counts: Array
    grams: Array
    """Where the grams of each order begin, ``(orders + 1,)``."""
    firsts: Array
    """Where the grams of each context begin; one more closes each order."""
    contexts: Array
    """Where the contexts of each order begin in `firsts`, ``(orders + 1,)``."""
    weights: Array

    @classmethod
    def of(cls, model: Markov | None, vocab_size: int) -> "Chain":
        """The counts of a model; of None those of one that has counted nothing."""
        frame, levels = Vocabulary(np.zeros((vocab_size, 1), np.float32)), model.levels if model else ()
        firsts = [np.append(0, np.cumsum(level.distinct, dtype=np.int64)) for level in levels]
        return cls(
            frame,
            _joined([(level.keys % vocab_size).astype(np.uint16) for level in levels], np.uint16),
            _joined([level.counts for level in levels], np.int32),
            np.cumsum([0, *(len(level.keys) for level in levels)]),
            _joined(firsts, np.int64),
            np.cumsum([0, *map(len, firsts)]),
            np.array(model.escape_weights if model else ()),
        )


class Room(NamedTuple):
    """Scratch space."""

    logits: Array
    probabilities: Array


def _joined(parts: list[Array], dtype: type) -> Array:
    return np.concatenate([np.zeros(0, dtype), *parts]).astype(dtype, copy=False)


def start(net: Chain, rows: int) -> Array:
    """The state before anything was read: of order 0 the one context, of higher orders none."""
    contexts = np.full((rows, max(1, len(net.weights))), -1, np.int64)
    contexts[:, 0] = 0
    return contexts


@cells.room.register
def _room(net: Chain, rows: int) -> Room:
    size = len(net.frame.embedding)
    return Room(aligned((rows, padded(size))), np.zeros(size))


@cells.state.register
def _state(net: Chain, rows: int, length: int) -> Array:
    return start(net, rows)


@njit(**INNER)
def _push(net: Chain, line: Array, code: int) -> None:
    """Move the contexts of all orders on by one symbol."""
    for order in range(len(net.weights) - 1, 0, -1):
        if code == BOS:
            line[order] = 0
            continue
        below, at = line[order - 1], net.contexts[order - 1]
        line[order] = -1
        if below < 0 or at + below + 1 >= net.contexts[order]:
            continue
        offset = net.grams[order - 1]
        for gram in range(net.firsts[at + below], net.firsts[at + below + 1]):
            if net.symbols[offset + gram] == code:
                line[order] = gram + 1
                break


@njit(**INNER)
def _mix(net: Chain, line: Array, found: Array) -> None:
    """The probabilities of all symbols, by the formula of `nulls.Markov`."""
    for code in range(len(found)):
        found[code] = 1 / len(found)
    for order in range(len(net.weights)):
        context, at = line[order], net.contexts[order]
        if context < 0 or at + context + 1 >= net.contexts[order + 1]:
            break  # nor was any longer context seen
        first, last = net.firsts[at + context], net.firsts[at + context + 1]
        if first == last:
            break
        offset, total = net.grams[order], 0.0
        for gram in range(offset + first, offset + last):
            total += net.counts[gram]
        escape = net.weights[order] * (last - first)
        for code in range(len(found)):
            found[code] *= escape / (total + escape)
        for gram in range(offset + first, offset + last):
            found[net.symbols[gram]] += net.counts[gram] / (total + escape)


@njit(**INNER)
def _advance(net: Chain, carried: Array, codes: Array, count: int, space: Room) -> None:
    for row in range(count):
        _push(net, carried[row], codes[row])
        _mix(net, carried[row], space.probabilities)
        for code in range(len(space.probabilities)):
            space.logits[row, code] = math.log(space.probabilities[code])


@njit(**BARE)
def read(net: Chain, contexts: Array, codes: Array, logits: Array) -> None:
    """Go on by codes ``(batch, time)``: contexts ``(batch, orders)`` become those after them, and logits
    ``(batch, time, vocab_size)`` those of what follows each."""
    for row in range(codes.shape[0]):
        for at in range(codes.shape[1]):
            _push(net, contexts[row], codes[row, at])
            _mix(net, contexts[row], logits[row, at])
            for code in range(logits.shape[2]):
                logits[row, at, code] = math.log(logits[row, at, code])


cells.STEPS[Chain] = _advance
