"""One compiled decode step of a Markov model: from the contexts of all orders to the next symbol's logits."""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from pipeline.generation.compiled import cells
from pipeline.generation.compiled.packed_matrix import aligned, padded
from pipeline.models.ngram.context_tables import ContextTables, mix, push, start
from pipeline.runtime.numba_options import INNER

Array = np.ndarray


class Vocabulary(NamedTuple):
    """Takes the place of the frame of a network: its length is the number of codes."""

    embedding: Array


class MarkovCell(NamedTuple):
    """A Markov model for the compiled sampler."""

    frame: Vocabulary
    tables: ContextTables


class Room(NamedTuple):
    """Scratch space."""

    logits: Array
    probabilities: Array


def markov_cell(tables: ContextTables, vocab_size: int) -> MarkovCell:
    """The decode step over these tables."""
    return MarkovCell(Vocabulary(np.zeros((vocab_size, 1), np.float32)), tables)


@cells.room.register
def _room(net: MarkovCell, rows: int) -> Room:
    size = len(net.frame.embedding)
    return Room(aligned((rows, padded(size))), np.zeros(size))


@cells.state.register
def _state(net: MarkovCell, rows: int, length: int) -> Array:
    return start(net.tables, rows)


@njit(**INNER)
def _advance(net: MarkovCell, carried: Array, codes: Array, count: int, space: Room) -> None:
    for row in range(count):
        push(net.tables, carried[row], codes[row])
        mix(net.tables, carried[row], space.probabilities)
        for code in range(len(space.probabilities)):
            space.logits[row, code] = math.log(space.probabilities[code])


cells.STEPS[MarkovCell] = _advance
