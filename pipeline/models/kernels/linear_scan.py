"""The gated linear recurrence of `min_gru`: its gates, its scan over time and its gradients in one pass each.

    f = sigmoid(forget)    h[t] = f * h[t-1] + (1 - f) * candidate    y = h * silu(output)

On a CPU the operations between two matrix products cost more in memory traffic than the products do in
arithmetic. So compiled loops read every pre-activation once and write every result once, row by row of the
batch, with the state of a row in the nearest cache. Elsewhere, and in double precision, the same recurrence
runs in plain torch, in as many passes as the time has binary digits.

Sources: Feng et al., "Were RNNs all we needed?" (2024); Hillis and Steele, "Data parallel algorithms" (1986).
"""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numba
import numpy as np
import torch
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from torch import Tensor
from torch.autograd.function import once_differentiable

MIN_SHARE = 50_000
"""Numbers of the state, over all steps, below which another thread would cost more than it brings."""


def gated_scan(gates: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs ``(batch, time, size)`` and the last state ``(batch, size)``.

    `gates` is ``(batch, time, 3 * size)``: forget, candidate and output, before their non-linearities;
    `start` is the state before the first step, ``(batch, size)``.
    """
    if gates.device.type == "cpu" and gates.dtype == start.dtype == torch.float32:
        return CompiledScan.apply(gates, start)
    # The gates of mixed precision are too coarse to multiply a few hundred of them.
    return parallel_scan(gates.to(torch.promote_types(gates.dtype, torch.float32)), start)


def parallel_scan(gates: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """The same by doubling: pass k joins to every step the 2^k steps before it; for many cores."""
    forget, candidate, output = gates.chunk(3, -1)
    keep = forget.sigmoid()
    # Of sigmoid's two tails the one that is small: 1 - keep would round to nothing.
    added = forget.neg().sigmoid() * candidate
    added = torch.cat([added[:, :1] + (keep[:, :1] * start[:, None]), added[:, 1:]], 1)
    reach = 1
    while reach < keep.shape[1]:
        joined = torch.addcmul(added[:, reach:], keep[:, reach:], added[:, :-reach])
        added = torch.cat([added[:, :reach], joined], 1)
        keep = torch.cat([keep[:, :reach], keep[:, reach:] * keep[:, :-reach]], 1)
        reach *= 2
    return added * torch.nn.functional.silu(output), added[:, -1]


class CompiledScan(torch.autograd.Function):
    """`gated_scan` on a CPU in single precision; the gates are computed again for the gradient, not kept."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        gates, start = gates.contiguous(), start.contiguous()
        states = gates.new_empty(*gates.shape[:2], start.shape[1])
        outputs, last = torch.empty_like(states), start.clone()
        _over_rows(_forward_rows, gates, last, states, outputs)
        ctx.save_for_backward(gates, start, states)
        return outputs, last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outputs_grad: Tensor, last_grad: Tensor) -> tuple[Tensor, Tensor]:
        gates, start, states = ctx.saved_tensors
        gates_grad, state_grad = torch.empty_like(gates), last_grad.clone()
        _over_rows(_backward_rows, gates, start, states, outputs_grad.contiguous(), gates_grad, state_grad)
        return gates_grad, state_grad


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(torch.get_num_threads(), "scan")


def _over_rows(kernel: Callable[..., None], *tensors: Tensor) -> None:
    """Run `kernel` on the rows of all tensors, a share of them in each thread."""
    arrays = [tensor.detach().numpy() for tensor in tensors]
    batch = len(arrays[0])
    shares = min(torch.get_num_threads(), batch, 1 + arrays[0].size // (3 * MIN_SHARE))
    if shares == 1:
        kernel(*arrays)
        return
    edges = [batch * share // shares for share in range(shares + 1)]
    parts = [[array[low:high] for array in arrays] for low, high in itertools.pairwise(edges)]
    waiting = [_pool().submit(kernel, *part) for part in parts[1:]]
    kernel(*parts[0])
    for job in waiting:
        job.result()


@intrinsic
def _float_of_bits(context: object, bits: object) -> tuple:
    """The single-precision number that these 32 bits mean."""

    def generate(context: object, builder: ir.IRBuilder, signature: object, arguments: list) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), generate


_LOG2_E = np.float32(1.4426950408889634)
# The series of 2^x about 0: log(2)^n / n!.
_C1, _C2, _C3, _C4, _C5, _C6 = (
    np.float32(value) for value in (0.69314718, 0.24022651, 0.05550411, 0.00961813, 0.00133336, 0.00015404)
)
_ONE, _BIAS, _LIMIT = np.float32(1), np.float32(127.5), np.float32(80)


@numba.njit(inline="always")
def _sigmoid(x: float) -> float:
    """Exact to a few units in the last place; of plain arithmetic, so that loops over it become vectors."""
    power = -min(max(x, -_LIMIT), _LIMIT) * _LOG2_E
    # Truncation rounds down here, because the biased exponent is above zero.
    exponent = np.int32(power + _BIAS)
    r = power - np.float32(exponent - np.int32(127))
    series = _ONE + r * (_C1 + r * (_C2 + r * (_C3 + r * (_C4 + r * (_C5 + r * _C6)))))
    scale = _float_of_bits(np.int32(exponent << np.int32(23)))  # pyright: ignore[reportCallIssue] # an intrinsic
    return _ONE / (_ONE + series * scale)


_compiled = numba.njit(cache=True, fastmath=True, nogil=True, error_model="numpy")


@_compiled
def _forward_rows(gates: np.ndarray, last: np.ndarray, states: np.ndarray, outputs: np.ndarray) -> None:
    batch, time, size = states.shape
    for row in range(batch):
        carried = last[row]
        for step in range(time):
            forget, candidate = gates[row, step, :size], gates[row, step, size : 2 * size]
            output, state = gates[row, step, 2 * size :], states[row, step]
            result = outputs[row, step]
            for unit in range(size):
                h = candidate[unit] + _sigmoid(forget[unit]) * (carried[unit] - candidate[unit])
                carried[unit] = state[unit] = h
                result[unit] = h * output[unit] * _sigmoid(output[unit])


@_compiled
def _backward_rows(
    gates: np.ndarray, start: np.ndarray, states: np.ndarray, outputs_grad: np.ndarray,
    gates_grad: np.ndarray, state_grad: np.ndarray,
) -> None:  # fmt: skip
    batch, time, size = states.shape
    for row in range(batch):
        flowing = state_grad[row]
        for step in range(time - 1, -1, -1):
            before = states[row, step - 1] if step else start[row]
            forget, candidate = gates[row, step, :size], gates[row, step, size : 2 * size]
            output, state = gates[row, step, 2 * size :], states[row, step]
            result_grad, grads = outputs_grad[row, step], gates_grad[row, step]
            forget_grad, candidate_grad, output_grad = grads[:size], grads[size : 2 * size], grads[2 * size :]
            for unit in range(size):
                keep, gate = _sigmoid(forget[unit]), _sigmoid(output[unit])
                x, dy = output[unit], result_grad[unit]
                dh = flowing[unit] + dy * x * gate
                output_grad[unit] = dy * state[unit] * gate * (_ONE + x * (_ONE - gate))
                candidate_grad[unit] = dh * (_ONE - keep)
                forget_grad[unit] = dh * (before[unit] - candidate[unit]) * keep * (_ONE - keep)
                flowing[unit] = dh * keep
