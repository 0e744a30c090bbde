"""The compiled step of a Markov model: from the contexts of all orders to the logits of the next code."""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from pipeline.generation.compiled import decode_step
from pipeline.generation.compiled.packed_weights import aligned, padded
from pipeline.models.ngram.context_tables import ContextTables, mix, push, start
from pipeline.runtime.numba_options import INNER

Array = np.ndarray


class Vocabulary(NamedTuple):
    """Stands for the `SharedWeights` of a network: the length of `embedding` is the number of codes."""

    embedding: Array


class MarkovWeights(NamedTuple):
    """The counts of a Markov model for the compiled sampler."""

    shared: Vocabulary
    tables: ContextTables


class Workspace(NamedTuple):
    """Scratch workspace."""

    logits: Array
    probabilities: Array


def export_tables(tables: ContextTables, vocab_size: int) -> MarkovWeights:
    """The exported weights of these tables."""
    return MarkovWeights(Vocabulary(np.zeros((vocab_size, 1), np.float32)), tables)


@decode_step.new_workspace.register
def _new_workspace(exported: MarkovWeights, rows: int) -> Workspace:
    size = len(exported.shared.embedding)
    return Workspace(aligned((rows, padded(size))), np.zeros(size))


@decode_step.new_state.register
def _new_state(exported: MarkovWeights, rows: int, length: int) -> Array:
    return start(exported.tables, rows)


@njit(**INNER)
def _advance(exported: MarkovWeights, state: Array, codes: Array, count: int, workspace: Workspace) -> None:
    for row in range(count):
        push(exported.tables, state[row], codes[row])
        mix(exported.tables, state[row], workspace.probabilities)
        for code in range(len(workspace.probabilities)):
            workspace.logits[row, code] = math.log(workspace.probabilities[code])


decode_step.STEPS[MarkovWeights] = _advance
