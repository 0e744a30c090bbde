"""Surprisal as compiled code, as `generation/surprisal.py` defines it."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numba import njit

from pipeline.data.alphabet import BOS, EOS
from pipeline.generation.compiled.decode_step import (
    ExportedWeights,
    Workspace,
    advance,
    new_state,
    new_workspace,
    round_up_rows,
)
from pipeline.runtime.numba_options import BARE, INNER

Array = np.ndarray


def compute_surprisals(
    exported: ExportedWeights, sequences: Sequence[Array], with_end: bool
) -> Iterator[Array]:
    """The nats of each code given all codes before it, float64, of each sequence; where `with_end`, one more
    for the end. All are read in one batch, and none changes another's numbers."""
    sizes = np.array([len(codes) + with_end for codes in sequences])
    order = np.argsort(-sizes, kind="stable")
    codes = np.full((sizes.max() + 1, len(sizes)), EOS, np.uint16)
    codes[0] = BOS
    for column, which in enumerate(order):
        codes[1 : len(sequences[which]) + 1, column] = sequences[which]
    rows = round_up_rows(len(sizes))
    nats = np.zeros((len(sizes), codes.shape[0] - 1))
    state, workspace = new_state(exported, rows, codes.shape[0]), new_workspace(exported, rows)
    _read(exported, state, codes, sizes[order], len(exported.shared.embedding), workspace, nats)
    for row in np.argsort(order):
        yield nats[row, : sizes[order[row]]]


# Compiled code: the arguments are arrays and weights that have nothing else in common.
@njit(**BARE)
def _read(
    exported: ExportedWeights, state: Any, codes: Array, sizes: Array, size: int, workspace: Workspace,
    nats: Array,
) -> None:  # fmt: skip
    """Read all sequences. The longest come first, so that unfinished rows stay together."""
    count = len(sizes)
    for at in range(codes.shape[0] - 1):
        while sizes[count - 1] <= at:
            count -= 1
        advance(exported, state, codes[at], count, workspace)
        for row in range(count):
            nats[row, at] = _surprisal(workspace.logits[row, :size], codes[at + 1, row])


@njit(**INNER)
def _surprisal(logits: Array, code: int) -> float:
    """Minus the logarithm of a code's probability."""
    top, total = -np.inf, 0.0
    for at in range(len(logits)):
        top = max(top, np.float64(logits[at]))
    for at in range(len(logits)):
        total += math.exp(logits[at] - top)
    return top + math.log(total) - logits[code]
