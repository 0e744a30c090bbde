"""What a model carries from one window to the next: None, a tensor, a tuple of states, or what it alone
knows."""

from torch import Tensor

State = Tensor | tuple["State", ...] | object | None


def detach(state: State) -> State:
    """The same state without its history: where back-propagation through time is cut."""
    if isinstance(state, tuple):
        return tuple(detach(part) for part in state)
    return state.detach() if isinstance(state, Tensor) else state
