"""What a model carries from one window to the next: None, a tensor, a tuple of states, or what it alone
knows."""

from typing import Any

import torch
from torch import Tensor, nn

State = Tensor | tuple["State", ...] | object | None


def resolve_device(model: nn.Module) -> torch.device:
    """Where a model lies, and its symbols must."""
    return next(model.parameters(), torch.zeros(0)).device


class BatchAxes:
    """Where the rows of a batch lie in the states of a model, found by trying batches of two sizes."""

    def __init__(self, model: nn.Module) -> None:
        where = resolve_device(model)
        with torch.inference_mode():
            few, more = (model(torch.zeros(rows, 1, dtype=torch.int64, device=where))[1] for rows in (2, 3))
        self._axes = _axes(few, more)

    def select(self, state: State, rows: Tensor) -> State:
        """The state of these rows ``(n,)`` of a batch, in this order; rows may be repeated or left out."""
        return _select(state, self._axes, rows)


def _axes(few: State, more: State) -> Any:
    if isinstance(few, tuple):
        return tuple(_axes(one, other) for one, other in zip(few, more, strict=True))
    if not isinstance(few, Tensor):
        return None
    return next((axis for axis, size in enumerate(few.shape) if size != more.shape[axis]), None)


def _select(state: State, axes: Any, rows: Tensor) -> State:
    if isinstance(state, tuple):
        return tuple(_select(part, axis, rows) for part, axis in zip(state, axes, strict=True))
    if isinstance(state, Tensor):
        return state if axes is None else state.index_select(axes, rows.to(state.device))
    return state if state is None else state.select(rows)


def detach(state: State) -> State:
    """The same state without its history: where back-propagation through time is cut."""
    if isinstance(state, tuple):
        return tuple(detach(part) for part in state)
    return state.detach() if isinstance(state, Tensor) else state
