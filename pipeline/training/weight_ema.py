"""An exponential moving average (EMA) of the weights, which validation and the best checkpoint use.

Sources: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging" (1992); the exponential
form with its slow start: Tarvainen and Valpola, "Mean teachers" (2017).
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

WARMUP_STEPS = 10
"""The average spans few steps at first, then more and more, so that it soon forgets the random start."""


class WeightEMA:
    """The exponential moving average of a model's parameters; a `decay` of 0 keeps none."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        named = dict(model.named_parameters()) if decay else {}
        self._names, self._parameters = [f"model.{name}" for name in named], list(named.values())
        self.values = [parameter.detach().clone() for parameter in self._parameters]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Add the weights after training step number `step`, from 1."""
        if self.values:
            decay = min(self.decay, step / (WARMUP_STEPS + step))
            now = [parameter.detach() for parameter in self._parameters]
            torch._foreach_lerp_(self.values, now, 1 - decay)  # pyright: ignore[reportPrivateImportUsage] # no stub

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the average and the weights of the model; a second call restores both."""
        for value, parameter in zip(self.values, self._parameters, strict=True):
            kept = parameter.detach().clone()
            parameter.copy_(value)
            value.copy_(kept)

    def replace_weights(self, state_dict: Mapping[str, Any]) -> dict[str, Any]:
        """The state of a Lightning module with its weights replaced by their average."""
        return {**state_dict, **dict(zip(self._names, self.values, strict=True))}

    def load(self, values: Iterable[Tensor]) -> None:
        """Continue from the values of an earlier average."""
        self.values = [value.clone() for value in values]

    def to_device(self) -> None:
        """Move the average to the device of the model."""
        self.values = [v.to(p.device) for v, p in zip(self.values, self._parameters, strict=True)]
