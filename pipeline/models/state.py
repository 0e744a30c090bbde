"""What a model carries from one window to the next: None, a tensor, or a tuple of states."""

from torch import Tensor

State = Tensor | tuple["State", ...] | None


def detach(state: State) -> State:
    """The same state without its history: where back-propagation through time is cut."""
    if isinstance(state, tuple):
        return tuple(detach(part) for part in state)
    return state.detach() if state is not None else None
