"""Recurrent layers over whole windows on the CPU: what torch's own modules compute, in less time.

Here is one product for the input of all time steps, and, backwards, one for the gradient of each weight, over
batch and time: torch's autograd adds up one small product for every step. The rows of a batch do not meet, so
that each thread takes its share of them through all steps without waiting for the others. What a layer keeps
for the way back is overwritten by the gradients there; a second way back is an error.

Time-major. A layer is ``(inputs, codes, state..., weight_ih, weight_hh, bias_ih, bias_hh)``, weights and
biases as in torch's modules, states ``(batch, size)``. `inputs` are ``(time, batch, input_size)``; or, with
`codes` ``(time, batch)``, the matrix of an embedding, ``(vocab_size, input_size)``: of a small alphabet the
input product is made once for each symbol and then looked up. `kernels` has the steps themselves.
"""

import operator
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, reduce
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.autograd.graph import increment_version

from pipeline.models.kernels import cells as kernels

MIN_ROWS = 8
"""Rows of a batch that are worth a thread."""

Result = TypeVar("Result")
Gradients = tuple[Tensor | None, ...]


class GRULayer(Function):
    """``(inputs, codes, hidden, weight_ih, weight_hh, bias_ih, bias_hh) -> states``."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, codes: Tensor | None, hidden: Tensor, *parameters: Tensor
    ) -> Tensor:
        weight_ih, weight_hh, bias_ih, bias_hh = parameters
        size = hidden.shape[1]
        steps = inputs if codes is None else codes
        # The state's part in the last gate stands before the three gates, with a bias of its own.
        work, states = inputs.new_empty(*steps.shape[:2], 4 * size), _states(hidden, steps)
        bias = torch.cat([bias_hh[2 * size :], (bias_ih + bias_hh)[: 2 * size], bias_ih[2 * size :]]).numpy()
        giving, across = _giving(inputs, codes, weight_ih, work[..., size:]), weight_hh.t().contiguous()

        def run(rows: slice) -> None:
            give = giving(rows)
            state, product = _steps(states, rows), torch.empty_like(work[0, rows, size:])
            array, old = work[:, rows].numpy(), states[:, rows].numpy()
            for t in range(len(work)):
                give(t)
                torch.mm(state[t], across, out=product)
                kernels.gru_forward(array[t], product.numpy(), bias, old[t], old[t + 1])

        _over_rows(run, len(hidden))
        ctx.save_for_backward(work, states, inputs, codes, weight_ih, weight_hh)
        return states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, arriving: Tensor) -> Gradients:
        work, states, inputs, codes, weight_ih, weight_hh = ctx.saved_tensors
        increment_version(work)
        arriving, error, size = arriving.contiguous(), torch.zeros_like(states[0]), weight_hh.shape[1]
        # In the order of `kernels.gru_backward`: n, r, z.
        turned = torch.cat([weight_hh[2 * size :], weight_hh[: 2 * size]])

        backward = _InputGradients(inputs, codes, weight_ih, work[..., size:])

        def run(rows: slice) -> Tensor | None:
            array, old, come = (part[:, rows].numpy() for part in (work, states, arriving))
            give, recurrent, err = backward.giving(rows), _steps(work[..., : 3 * size], rows), error[rows]
            for t in reversed(range(len(work))):
                kernels.gru_backward(array[t], old[t], come[t], err.numpy())
                err.addmm_(recurrent[t], turned)
                give(t)
            return backward.table(rows)

        input_grad, weight_grad, bias_grad = backward.whole(_over_rows(run, len(error)))
        by_state = _product(states[:-1], work[..., : 3 * size]).roll(-size, 0)
        inner_bias = _sum(work[..., :size])
        return (
            input_grad, None, error, weight_grad, by_state, bias_grad,
            torch.cat([bias_grad[: 2 * size], inner_bias]),
        )  # fmt: skip


class LSTMLayer(Function):
    """``(inputs, codes, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh) -> (states, last cell)``."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, codes: Tensor | None, hidden: Tensor, cell: Tensor, *parameters: Tensor
    ) -> tuple[Tensor, Tensor]:
        weight_ih, weight_hh, bias_ih, bias_hh = parameters
        steps = inputs if codes is None else codes
        work, states = inputs.new_empty(*steps.shape[:2], len(weight_hh)), _states(hidden, steps)
        giving, bias = _giving(inputs, codes, weight_ih, work), (bias_ih + bias_hh).numpy()
        cells, squashed = _states(cell, steps), torch.empty_like(states[1:])
        across = weight_hh.t().contiguous()

        def run(rows: slice) -> None:
            give, gates, state = giving(rows), _steps(work, rows), _steps(states, rows)
            array, new, now, flat = (part[:, rows].numpy() for part in (work, states, cells, squashed))
            for t in range(len(work)):
                give(t)
                gates[t].addmm_(state[t], across)
                kernels.lstm_forward(array[t], bias, now[t], now[t + 1], flat[t], new[t + 1])

        _over_rows(run, len(hidden))
        ctx.save_for_backward(work, states, cells, squashed, inputs, codes, weight_ih, weight_hh)
        return states[1:], cells[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, arriving: Tensor, cell_arriving: Tensor) -> Gradients:
        work, states, cells, squashed, inputs, codes, weight_ih, weight_hh = ctx.saved_tensors
        increment_version(work)
        arriving, error = arriving.contiguous(), torch.zeros_like(states[0])
        cell_error = torch.empty_like(error).copy_(cell_arriving)

        backward = _InputGradients(inputs, codes, weight_ih, work)

        def run(rows: slice) -> Tensor | None:
            array, now, flat, come = (part[:, rows].numpy() for part in (work, cells, squashed, arriving))
            grads, err, cell_err = _steps(work, rows), error[rows], cell_error[rows].numpy()
            give = backward.giving(rows)
            for t in reversed(range(len(work))):
                kernels.lstm_backward(array[t], now[t], flat[t], come[t], err.numpy(), cell_err)
                torch.mm(grads[t], weight_hh, out=err)
                give(t)
            return backward.table(rows)

        input_grad, weight_grad, bias_grad = backward.whole(_over_rows(run, len(error)))
        by_state = _product(states[:-1], work)
        return input_grad, None, error, cell_error, weight_grad, by_state, bias_grad, bias_grad.clone()


class RNNLayer(Function):
    """``(inputs, codes, hidden, weight_ih, weight_hh, bias_ih, bias_hh) -> states``."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, codes: Tensor | None, hidden: Tensor, *parameters: Tensor
    ) -> Tensor:
        weight_ih, weight_hh, bias_ih, bias_hh = parameters
        states = _states(hidden, inputs if codes is None else codes)
        giving, across = _giving(inputs, codes, weight_ih, states[1:]), weight_hh.t().contiguous()
        bias = (bias_ih + bias_hh).numpy()

        def run(rows: slice) -> None:
            give, state, array = giving(rows), _steps(states, rows), states[:, rows].numpy()
            for t in range(len(state) - 1):
                give(t)
                state[t + 1].addmm_(state[t], across)
                kernels.rnn_forward(array[t + 1], bias)

        _over_rows(run, len(hidden))
        ctx.save_for_backward(states, inputs, codes, weight_ih, weight_hh)
        return states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, arriving: Tensor) -> Gradients:
        states, inputs, codes, weight_ih, weight_hh = ctx.saved_tensors
        arriving, error = arriving.contiguous(), torch.zeros_like(states[0])
        grads = torch.empty_like(arriving)
        backward = _InputGradients(inputs, codes, weight_ih, grads)

        def run(rows: slice) -> Tensor | None:
            state, come, out = (part[:, rows].numpy() for part in (states, arriving, grads))
            err, grad, give = error[rows], _steps(grads, rows), backward.giving(rows)
            for t in reversed(range(len(grads))):
                kernels.rnn_backward(state[t + 1], come[t], err.numpy(), out[t])
                torch.mm(grad[t], weight_hh, out=err)
                give(t)
            return backward.table(rows)

        input_grad, weight_grad, bias_grad = backward.whole(_over_rows(run, len(error)))
        by_state = _product(states[:-1], grads)
        return input_grad, None, error, weight_grad, by_state, bias_grad, bias_grad.clone()


def _states(before: Tensor, steps: Tensor) -> Tensor:
    """Room for the states ``(time + 1, batch, size)``, the first filled."""
    states = before.new_empty(len(steps) + 1, *before.shape)
    states[0] = before
    return states


def _giving(
    inputs: Tensor, codes: Tensor | None, weight: Tensor, out: Tensor
) -> Callable[[slice], Callable[[int], object]]:
    """Of some rows, and then of one time step, write to `out` what the inputs give to the gates."""
    across = weight.t().contiguous()
    if codes is None:

        def multiply(rows: slice) -> Callable[[int], object]:
            sources, places = _steps(inputs, rows), _steps(out, rows)
            return lambda t: torch.mm(sources[t], across, out=places[t])

        return multiply
    table = (inputs @ across).numpy()

    def look_up(rows: slice) -> Callable[[int], object]:
        symbols, arrays = codes[:, rows].numpy(), out[:, rows].numpy()
        return lambda t: kernels.look_up(table, symbols[t], arrays[t])

    return look_up


class _InputGradients:
    """Those of a layer's inputs, of their weight and bias, from `grads`, those of what the inputs give."""

    def __init__(self, inputs: Tensor, codes: Tensor | None, weight: Tensor, grads: Tensor) -> None:
        self.inputs, self.codes, self.weight, self.grads = inputs, codes, weight, grads
        self.out = torch.empty_like(inputs) if codes is None else None

    def giving(self, rows: slice) -> Callable[[int], object]:
        """Of one time step, the inputs' gradients; with codes they wait for `table`."""
        if self.out is None:
            return lambda t: None
        grads, places = _steps(self.grads, rows), _steps(self.out, rows)
        return lambda t: torch.mm(grads[t], self.weight, out=places[t])

    def table(self, rows: slice) -> Tensor | None:
        """The gradients of the table that the symbols of some rows were looked up in."""
        if self.codes is None:
            return None
        table = self.grads.new_zeros(len(self.inputs), self.grads.shape[-1])
        kernels.add_by_code(self.codes[:, rows].numpy(), self.grads[:, rows].numpy(), table.numpy())
        return table

    def whole(self, tables: Sequence[Tensor | None]) -> tuple[Tensor, Tensor, Tensor]:
        """The gradients of inputs, weight and bias, after all steps."""
        if self.out is not None:
            return self.out, _product(self.inputs, self.grads), _sum(self.grads)
        table = reduce(operator.add, [table for table in tables if table is not None])
        return table @ self.weight, _product(self.inputs, table), table.sum(0)


def _sum(grads: Tensor) -> Tensor:
    """Over time and batch: as a product, which takes half the time of torch's sum."""
    flat = grads.flatten(0, 1)
    return flat.t() @ flat.new_ones(len(flat))


def _product(inputs: Tensor, grads: Tensor) -> Tensor:
    """The gradient of a weight: in this order, since the other way round takes up to half as long again."""
    return (inputs.flatten(0, -2).t() @ grads.flatten(0, -2)).t()


def _steps(tensor: Tensor, rows: slice) -> tuple[Tensor, ...]:
    return tensor[:, rows].unbind()


def _over_rows(run: Callable[[slice], Result], rows: int) -> list[Result]:
    """`run` on all rows of a batch, in as many threads as torch has; what each of them gives, in order."""
    threads = max(1, min(torch.get_num_threads(), rows // MIN_ROWS))
    if threads == 1:
        return [run(slice(0, rows))]
    edges = [rows * part // threads for part in range(threads + 1)]
    # A thread has a mode of its own; tensors of this one's may only be written to in the same.
    mode = torch.inference_mode if torch.is_inference_mode_enabled() else torch.no_grad
    return list(_pool(threads).map(mode()(run), map(slice, edges[:-1], edges[1:])))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads each of which computes alone."""
    return ThreadPoolExecutor(threads, "rows", torch.set_num_threads, (1,))
