"""The state that a model carries from one call to the next."""

from typing import Any, Protocol

import torch
from torch import Tensor, nn


class RowState(Protocol):
    """A state of another kind, which can select rows of its batch."""

    def select(self, rows: Tensor) -> "RowState":
        """The state of these rows ``(n,)``."""
        ...


State = Tensor | tuple["State", ...] | RowState | None
"""None at the start of sequences."""


def resolve_device(model: nn.Module) -> torch.device:
    """The device of a model, where its symbols must be."""
    return next(model.parameters(), torch.zeros(0)).device


class BatchAxes:
    """The batch axis of each tensor in a model's state, found by comparing batches of two sizes."""

    def __init__(self, model: nn.Module) -> None:
        where = resolve_device(model)
        with torch.inference_mode():
            few, more = (model(torch.zeros(rows, 1, dtype=torch.int64, device=where))[1] for rows in (2, 3))
        self._axes = _axes(few, more)

    def select(self, state: State, rows: Tensor) -> State:
        """The state of these rows ``(n,)`` of a batch, in this order; rows can repeat."""
        return _select(state, self._axes, rows)


def _axes(few: State, more: State) -> Any:
    if isinstance(few, tuple) and isinstance(more, tuple):
        return tuple(_axes(one, other) for one, other in zip(few, more, strict=True))
    if not isinstance(few, Tensor) or not isinstance(more, Tensor):
        return None
    return next((axis for axis, size in enumerate(few.shape) if size != more.shape[axis]), None)


def _select(state: State, axes: Any, rows: Tensor) -> State:
    if isinstance(state, tuple):
        return tuple(_select(part, axis, rows) for part, axis in zip(state, axes, strict=True))
    if isinstance(state, Tensor):
        return state if axes is None else state.index_select(axes, rows.to(state.device))
    return state if state is None else state.select(rows)


def detach(state: State) -> State:
    """The state without its graph: truncated back-propagation through time ends here."""
    if isinstance(state, tuple):
        return tuple(detach(part) for part in state)
    return state.detach() if isinstance(state, Tensor) else state


def is_tracing() -> bool:
    """Whether torch traces the model, as TensorBoard does for its graph: a trace knows tensors only."""
    return torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage] # documented, but not in __all__
