"""The inner steps of recurrent layers on the CPU, compiled: everything of a time step but its matrix product.

Torch's own GRU and RNN train on the CPU as a chain of small operations for every time step, each of which
writes its result to memory; one compiled loop over the rows reads and writes each number once. Gates are in
torch's order, so that weights and states mean the same to both. The formulas are those of `torch.nn.GRU`,
`torch.nn.LSTM` and `torch.nn.RNN`; the derivatives, theirs by hand. `recurrence` calls them.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload, register_jitable

from pipeline.runtime.numba_options import COMPILED

Array = np.ndarray

LOG2_E = np.float32(math.log2(math.e))
LN_2_HIGH = np.float32(0.693359375)  # with so few bits that its multiples are exact
LN_2_LOW = np.float32(math.log(2) - 0.693359375)
ONE, TWO, HALF = np.float32(1), np.float32(2), np.float32(0.5)
C2, C3, C4, C5, C6, C7 = (np.float32(1 / math.factorial(n)) for n in range(2, 8))
LIMIT = np.float32(87)
EXPONENT_BIAS, MANTISSA_BITS = np.int32(127), np.int32(23)


@register_jitable
def _exp32(x: np.float32) -> np.float32:
    """e to the x in float32, in operations that the compiler can do on many numbers at once.

    2 to a whole number, by its bits, times the Taylor series of a remainder within ln(2)/2 of zero.
    """
    x = LIMIT if x > LIMIT else x
    x = -LIMIT if x < -LIMIT else x
    whole = np.floor(x * LOG2_E + HALF)
    rest = x - whole * LN_2_HIGH - whole * LN_2_LOW
    series = ((((C7 * rest + C6) * rest + C5) * rest + C4) * rest + C3) * rest + C2
    power = np.int32((np.int32(whole) + EXPONENT_BIAS) << MANTISSA_BITS).view(np.float32)
    return power * ((series * rest + ONE) * rest + ONE)


def sigmoid(x: float) -> float:
    """Between 0 and 1; in float32 within 1e-7."""
    return 1 / (1 + math.exp(-x))


def tanh(x: float) -> float:
    """Between -1 and 1; in float32 within 2e-7."""
    return math.tanh(x)


@overload(sigmoid, inline="always", strict=False)
def _sigmoid(x: types.Float) -> Callable[..., Any]:
    if x.bitwidth == 32:
        return lambda x: ONE / (ONE + _exp32(-x))
    return lambda x: 1.0 / (1.0 + math.exp(-x))


@overload(tanh, inline="always", strict=False)
def _tanh(x: types.Float) -> Callable[..., Any]:
    if x.bitwidth == 32:
        return lambda x: ONE - TWO / (ONE + _exp32(x + x))
    return lambda x: math.tanh(x)


@njit(**COMPILED)
def gru_forward(work: Array, product: Array, bias: Array, before: Array, hidden: Array) -> None:
    """`work` ``(batch, 4 * size)`` holds, after room for `size` numbers, what the input gives to r, z, n;
    `product` ``(batch, 3 * size)`` is what the state before gives to them. The room becomes the latter's n,
    the rest these gates, all with their `bias` ``(4 * size,)``; `before` and `hidden` ``(batch, size)`` are
    the states."""
    size = hidden.shape[1]
    for row in range(hidden.shape[0]):
        inner, gate, given = work[row, :size], work[row, size:], product[row]
        old, new, shift = before[row], hidden[row], bias[size:]
        for i in range(2 * size):
            gate[i] = sigmoid(gate[i] + given[i] + shift[i])
        reset, update, fresh, last = gate[:size], gate[size : 2 * size], gate[2 * size :], given[2 * size :]
        shift = bias[3 * size :]
        for i in range(size):
            inner[i] = last[i] + bias[i]
            fresh[i] = tanh(fresh[i] + shift[i] + reset[i] * inner[i])
        for i in range(size):
            new[i] = fresh[i] + update[i] * (old[i] - fresh[i])


@njit(**COMPILED)
def gru_backward(work: Array, before: Array, arriving: Array, error: Array) -> None:
    """`error` ``(batch, size)`` is the gradient of the state after, as later steps give it, to which
    `arriving` is added; it becomes the part for the state before that needs no product. What `gru_forward`
    left in `work` becomes the gradients of n as the state gives it, r, z, and n as the input gives it: three
    in a row make a product with either weight."""
    size = before.shape[1]
    for row in range(before.shape[0]):
        old, come, err = before[row], arriving[row], error[row]
        inner, reset = work[row, :size], work[row, size : 2 * size]
        update, fresh = work[row, 2 * size : 3 * size], work[row, 3 * size :]
        for i in range(size):
            whole, let, new = err[i] + come[i], update[i], fresh[i]
            err[i] = whole * let
            update[i] = whole * (old[i] - new) * let * (ONE - let)
            fresh[i] = whole * (ONE - let) * (ONE - new * new)
        for i in range(size):
            let = reset[i]
            reset[i] = fresh[i] * inner[i] * let * (ONE - let)
            inner[i] = fresh[i] * let


@njit(**COMPILED)
def lstm_forward(
    gates: Array, bias: Array, cell_before: Array, cell: Array, squashed: Array, hidden: Array
) -> None:
    """`gates` ``(batch, 4 * size)``, all that is given to i, f, g, o but `bias` ``(4 * size,)``, become
    these gates; `cell` and `hidden` ``(batch, size)`` become the state, `squashed` the cell's tanh."""
    size = hidden.shape[1]
    fresh_bias, out_bias = bias[2 * size : 3 * size], bias[3 * size :]
    for row in range(hidden.shape[0]):
        gate, old, now, flat, new = gates[row], cell_before[row], cell[row], squashed[row], hidden[row]
        both, fresh, out = gate[: 2 * size], gate[2 * size : 3 * size], gate[3 * size :]
        for i in range(2 * size):
            both[i] = sigmoid(both[i] + bias[i])
        for i in range(size):
            fresh[i] = tanh(fresh[i] + fresh_bias[i])
            out[i] = sigmoid(out[i] + out_bias[i])
        let_in, forget = both[:size], both[size:]
        for i in range(size):
            now[i] = forget[i] * old[i] + let_in[i] * fresh[i]
        for i in range(size):
            flat[i] = tanh(now[i])
            new[i] = out[i] * flat[i]


@njit(**COMPILED)
def lstm_backward(
    gates: Array, cell_before: Array, squashed: Array, arriving: Array, error: Array, cell_error: Array
) -> None:
    """`error` ``(batch, size)`` is the gradient of the hidden state, as later steps give it, to which
    `arriving` is added; `cell_error`, that of the cell after, becomes that of the cell before, and `gates`
    those of what is given to them."""
    size = error.shape[1]
    for row in range(error.shape[0]):
        gate, old, flat, cell = gates[row], cell_before[row], squashed[row], cell_error[row]
        come, err = arriving[row], error[row]
        let_in, forget = gate[:size], gate[size : 2 * size]
        fresh, out = gate[2 * size : 3 * size], gate[3 * size :]
        for i in range(size):
            whole, let = err[i] + come[i], out[i]
            cell[i] += whole * let * (ONE - flat[i] * flat[i])
            out[i] = whole * flat[i] * let * (ONE - let)
        for i in range(size):
            let, new = let_in[i], fresh[i]
            let_in[i] = cell[i] * new * let * (ONE - let)
            fresh[i] = cell[i] * let * (ONE - new * new)
        for i in range(size):
            let = forget[i]
            forget[i] = cell[i] * old[i] * let * (ONE - let)
            cell[i] *= let


@njit(**COMPILED)
def rnn_forward(hidden: Array, bias: Array) -> None:
    """`hidden` ``(batch, size)``, given to the units but for `bias` ``(size,)``, becomes their state."""
    for row in range(hidden.shape[0]):
        now = hidden[row]
        for i in range(now.shape[0]):
            now[i] = tanh(now[i] + bias[i])


@njit(**COMPILED)
def rnn_backward(hidden: Array, arriving: Array, error: Array, grads: Array) -> None:
    """`error` and `arriving` ``(batch, size)`` are together the gradient of the state, `grads` become that of
    what is given to the units."""
    for row in range(hidden.shape[0]):
        now, come, err, grad = hidden[row], arriving[row], error[row], grads[row]
        for i in range(now.shape[0]):
            grad[i] = (err[i] + come[i]) * (ONE - now[i] * now[i])


@njit(**COMPILED)
def add_by_code(codes: Array, rows: Array, table: Array) -> None:
    """Add each row ``(time, batch, size)`` to that of `table` ``(vocab_size, size)`` which its code names."""
    for time in range(codes.shape[0]):
        for row in range(codes.shape[1]):
            source, target = rows[time, row], table[codes[time, row]]
            for i in range(source.shape[0]):
                target[i] += source[i]


@njit(**COMPILED)
def look_up(table: Array, codes: Array, rows: Array) -> None:
    """Each row becomes that of `table` which its code names."""
    for row in range(codes.shape[0]):
        source, target = table[codes[row]], rows[row]
        for i in range(source.shape[0]):
            target[i] = source[i]
