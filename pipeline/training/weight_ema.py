"""A moving average of the weights, which is validated and kept in place of the last ones.

Sources: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging" (1992); the
exponential form with its slow beginning: Tarvainen and Valpola, "Mean teachers" (2017).
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

FIRST_STEPS = 10
"""The average spans few steps at first, then ever more, lest it hold the random start for long."""


class Average:
    """The exponential moving average of a model's parameters; a `decay` of 0 keeps none."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        named = dict(model.named_parameters()) if decay else {}
        self._names, self._parameters = [f"model.{name}" for name in named], list(named.values())
        self.values = [parameter.detach().clone() for parameter in self._parameters]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after training step number `step`, from 1."""
        if self.values:
            decay = min(self.decay, step / (FIRST_STEPS + step))
            now = [parameter.detach() for parameter in self._parameters]
            torch._foreach_lerp_(self.values, now, 1 - decay)  # pyright: ignore[reportPrivateImportUsage] # no stub

    @torch.no_grad()
    def exchange(self) -> None:
        """Put the average into the model and keep what was there; called again, put that back."""
        for value, parameter in zip(self.values, self._parameters, strict=True):
            kept = parameter.detach().clone()
            parameter.copy_(value)
            value.copy_(kept)

    def replacing(self, state_dict: Mapping[str, Any]) -> dict[str, Any]:
        """The state of a Lightning module with its weights replaced by their average."""
        return {**state_dict, **dict(zip(self._names, self.values, strict=True))}

    def load(self, values: Iterable[Tensor]) -> None:
        """Go on from the values of an earlier average."""
        self.values = [value.clone() for value in values]

    def to_device(self) -> None:
        """Follow the model to where it has gone."""
        self.values = [v.to(p.device) for v, p in zip(self.values, self._parameters, strict=True)]
