"""One decode step of a model, compiled: what its `forward` computes for one symbol in each row.

A model family registers its step (`recurrent_step.py`, `mixture_step.py`, `markov_step.py`); `export.py`
makes its exported weights. Numba chooses the step by the type of these weights. The numbers of a row do not
depend on the other rows (`gemm_f32.py`).
"""

from functools import singledispatch
from typing import Any, Protocol

import numpy as np
from numba import njit, types
from numba.extending import overload

from pipeline.generation.compiled.gemm_f32 import BLOCK_ROWS
from pipeline.runtime.numba_options import BARE, INNER

Array = np.ndarray
Workspace = Any
"""Scratch space of a step, a named tuple; its field `logits` ``(rows, padded vocab_size)`` is the result."""


class ExportedWeights(Protocol):
    """The weights of a model for its compiled step: a named tuple of arrays."""

    @property
    def shared(self) -> Any:
        """A named tuple with `embedding`, whose length is the number of codes."""
        ...


@singledispatch
def new_workspace(exported: ExportedWeights, rows: int) -> Workspace:
    """Scratch space for so many rows, which must be 1 or a multiple of `gemm_f32.BLOCK_ROWS`."""
    raise TypeError(f"{type(exported).__name__} has no compiled step")


@singledispatch
def new_state(exported: ExportedWeights, rows: int, length: int) -> Any:
    """The state at the start of sequences of at most `length` codes, one line for each row."""
    raise TypeError(f"{type(exported).__name__} has no compiled step")


def advance(exported: ExportedWeights, state: Any, codes: Array, count: int, workspace: Workspace) -> None:
    """Read `codes` in the first `count` rows: `state` becomes the state after them, and `workspace.logits`
    the logits of the next code. Only for compiled code."""
    raise TypeError("a step of the model can only be made from compiled code")


def copy_state(source: Any, at: int, target: Any, row: int) -> None:
    """Write row `at` of a state over a row of another state. Only for compiled code."""
    raise TypeError("a state can only be copied in compiled code")


@njit(**INNER)
def copy(source: Array, target: Array) -> None:
    """Write one line over the beginning of another. The assignment of a slice would allocate memory."""
    for i in range(source.shape[0]):
        target[i] = source[i]


@njit(**INNER)
def _copy_line(source: Array, at: int, target: Array, row: int) -> None:
    copy(source[at], target[row])


NAMED_TUPLES = types.NamedTuple, types.NamedUniTuple
STEPS: dict[type, Any] = {}
"""The compiled step by the type of the exported weights."""
COPIES: dict[type, Any] = {}
"""The compiled copy by the type of a state that is no array."""


@overload(advance, jit_options=INNER, strict=False)
def _advance(exported, state, codes, count, workspace) -> object:  # noqa: ANN001
    step = STEPS.get(exported.instance_class) if isinstance(exported, NAMED_TUPLES) else None
    return None if step is None else step.py_func


@overload(copy_state, jit_options=INNER, strict=False)
def _copy_state(source, at, target, row) -> object:  # noqa: ANN001
    step = COPIES[source.instance_class] if isinstance(source, NAMED_TUPLES) else _copy_line
    return step.py_func


@njit(**BARE)
def read_codes(exported: ExportedWeights, state: Any, codes: Array, count: int, workspace: Workspace) -> None:
    """Read codes ``(time, rows)``."""
    for at in range(codes.shape[0]):
        advance(exported, state, codes[at], count, workspace)


def round_up_rows(rows: int) -> int:
    """The number of rows that a workspace for `rows` rows must have."""
    return 1 if rows == 1 else -(-rows // BLOCK_ROWS) * BLOCK_ROWS
