"""Matrix products in bfloat16 with sums in single precision, where the CPU has units for them.

The factors are rounded to 8 bits of mantissa for the product alone; weights, activations, sums and gradients
stay in single precision. On a CPU with AMX it is three to eight times as fast as a product in single
precision, elsewhere the same. Other devices and precisions are multiplied as they are.

Source: Kalamkar et al., "A study of BFLOAT16 for deep learning training" (2019).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class Linear(nn.Linear):
    """`torch.nn.Linear` with fast products on a CPU while the model is trained.

    Evaluation multiplies in single precision, so that a log-probability does not depend on the batch.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training or inputs.device.type != "cpu" or inputs.dtype != torch.float32:
            return super().forward(inputs)
        return _Product.apply(inputs.flatten(0, -2), self.weight, self.bias).unflatten(0, inputs.shape[:-1])


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        with _rounded_factors():
            return nn.functional.linear(inputs, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outputs_grad: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight = ctx.saved_tensors
        with _rounded_factors():
            inputs_grad = outputs_grad @ weight if ctx.needs_input_grad[0] else None
            weight_grad = outputs_grad.t() @ inputs
        return inputs_grad, weight_grad, outputs_grad.sum(0) if ctx.needs_input_grad[2] else None


@contextmanager
def _rounded_factors() -> Iterator[None]:
    settings = torch.backends.mkldnn.matmul  # pyright: ignore[reportAttributeAccessIssue] # set at run time
    before = settings.fp32_precision
    settings.fp32_precision = "bf16"
    try:
        yield
    finally:
        settings.fp32_precision = before
