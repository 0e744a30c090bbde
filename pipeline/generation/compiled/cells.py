"""One time step of a model, compiled, for sampling: what its `forward` computes for one symbol in each row.

A model that has such a step gives its weights as one of the tuples here (`export.py`). `advance`
does the step; numba chooses the right one by the tuple's type. A row's numbers do not depend on the other
rows (`tiles`). Gates and formulas are torch's, so the weights mean the same; what the first layer's input
gives to the gates is looked up by symbol. Biases that are only added are in the tables.
"""

from functools import singledispatch
from typing import NamedTuple

import numpy as np
from numba import njit, types
from numba.extending import overload

from pipeline.generation.compiled.gemm_f32 import Panels
from pipeline.generation.compiled.gemm_int8 import Rounded, scratch
from pipeline.generation.compiled.packed_matrix import add_product, aligned, padded
from pipeline.models.kernels.cells import ONE, sigmoid, tanh
from pipeline.models.lookback import (
    FEATURE_ROWS,
    HISTORY_START,
    MAX_HISTORY,
    OTHER_FEATURES,
    LookbackConfig,
    update,
)
from pipeline.runtime.numba_options import INNER

Array = np.ndarray
ZERO, EPSILON = np.float32(0), np.float32(1e-5)
"""Of torch's layer norm."""


class Frame(NamedTuple):
    """What all families have around their layers."""

    embedding: Array
    """``(vocab_size, size)``."""
    looked_up: Array
    """What each symbol gives to the first layer, bias included, and then what each row of a look-back does,
    ``(vocab_size and more, outputs)``."""
    biases: Array
    """Of each layer, ``(layers, outputs)``."""
    gains: Array
    """Of each layer's norm and of the read-out's, ``(layers + 1, size)``."""
    shifts: Array
    readout: Panels
    readout_bias: Array
    residual: bool
    normed: bool
    lookback: LookbackConfig
    """Of a look-back."""


class LSTM(NamedTuple):
    frame: Frame
    panels: Panels
    """Hidden weights of the first layer, then input and hidden weights of each further one."""


class GRU(NamedTuple):
    frame: Frame
    panels: Panels
    fresh_biases: Array
    """What is added to the hidden state's part of the last gate, ``(layers, size)``."""
    nothing: Array
    """As many zeros as a layer has gates."""


class RNN(NamedTuple):
    frame: Frame
    panels: Panels


class MinGRU(NamedTuple):
    frame: Frame
    inward: Panels
    """Of each layer ``(2 * size, 3 * inner)``: the input's part, and that of the input before."""
    outward: Panels
    """Of each layer ``(inner, size)``."""


Net = LSTM | GRU | RNN | MinGRU


class Room(NamedTuple):
    """Scratch space for a number of rows, which must be 1 or a multiple of `tiles.ROWS`."""

    gates: Array
    products: Array
    hidden: Array
    inputs: Array
    logits: Array
    rounded: Rounded


@singledispatch
def room(net: Net, rows: int) -> Room:
    """Scratch space for so many rows."""
    size, outputs = net.frame.embedding.shape[1], net.frame.biases.shape[1]
    widths = (outputs, outputs, padded(size), 2 * size, len(net.frame.readout_bias))
    deepest = max(panels.inputs for panels in net if isinstance(panels, Panels))
    return Room(*(aligned((rows, width)) for width in widths), scratch(rows, deepest))


@singledispatch
def state(net: Net, rows: int, length: int) -> Array:
    """The state at a start of sequences of at most `length` codes, one line for each row: one part for each
    layer, and then for an LSTM the cells; for a minimal GRU each layer's sum and last input; and after them
    the line of a look-back, where there is one. A mixture's is another (`mixing`)."""
    size, layers = net.frame.embedding.shape[1], len(net.frame.biases)
    if isinstance(net, MinGRU):
        return aligned((rows, layers * (net.outward.inputs + size)))
    line = HISTORY_START + min(MAX_HISTORY, length) if len(net.frame.lookback.distances) else 0
    return aligned((rows, (2 if isinstance(net, LSTM) else 1) * layers * size + line))


def advance(net: Net, carried: Array, codes: Array, count: int, space: Room) -> None:
    """Go on by `codes` in the first `count` rows: `carried` becomes the state after them, `space.logits`
    those of what follows. Only for compiled code."""
    raise TypeError("a step of the model can only be made from compiled code")


def copy_state(source: Array, at: int, target: Array, row: int) -> None:
    """Write row `at` of one state over a row of another. Only for compiled code."""
    raise TypeError("a state can only be copied in compiled code")


@njit(**INNER)
def _normalise(normed: bool, gain: Array, shift: Array, rows: Array, count: int, out: Array) -> None:
    """Layer norm of the first columns, or where there is none a copy."""
    size = gain.shape[0]
    for row in range(count):
        source, target = rows[row, :size], out[row, :size]
        mean, scale = _moments(source) if normed else (ZERO, ONE)
        if normed:
            for i in range(size):
                target[i] = (source[i] - mean) * scale * gain[i] + shift[i]
        else:
            copy(source, target)


@njit(**{**INNER, "fastmath": True})
def _moments(row: Array) -> tuple[float, float]:
    """Mean, and one over the deviation: sums in any order, but the same for each row."""
    size, total, squares = row.shape[0], ZERO, ZERO
    for i in range(size):
        total += row[i]
    mean = total / np.float32(size)
    for i in range(size):
        squares += (row[i] - mean) * (row[i] - mean)
    return mean, ONE / np.sqrt(squares / np.float32(size) + EPSILON)


@njit(**INNER)
def copy(source: Array, target: Array) -> None:
    """Write one line over the beginning of another: a slice's assignment would take memory for it."""
    for i in range(source.shape[0]):
        target[i] = source[i]


@njit(**INNER)
def _look_up(table: Array, codes: Array, count: int, out: Array) -> None:
    for row in range(count):
        copy(table[codes[row]], out[row])


@njit(**INNER)
def _repeat(line: Array, count: int, out: Array) -> None:
    for row in range(count):
        copy(line, out[row])


@njit(**INNER)
def _keep(states: Array, at: int, residual: bool, count: int, size: int, hidden: Array) -> None:
    """A layer's output, from its new state: with a residual, that and its input."""
    for row in range(count):
        new, target = states[row, at : at + size], hidden[row, :size]
        if residual:
            for i in range(size):
                target[i] += new[i]
        else:
            copy(new, target)


@njit(**INNER)
def _lstm_row(gates: Array, cell: Array, hidden: Array) -> None:
    size = cell.shape[0]
    both, fresh, out = gates[: 2 * size], gates[2 * size : 3 * size], gates[3 * size : 4 * size]
    for i in range(2 * size):
        both[i] = sigmoid(both[i])
    let_in, forget = both[:size], both[size:]
    for i in range(size):
        cell[i] = forget[i] * cell[i] + let_in[i] * tanh(fresh[i])
    for i in range(size):
        hidden[i] = sigmoid(out[i]) * tanh(cell[i])


@njit(**INNER)
def _gru_row(gates: Array, products: Array, fresh_bias: Array, hidden: Array) -> None:
    size = hidden.shape[0]
    for i in range(2 * size):
        gates[i] = sigmoid(gates[i] + products[i])
    reset, update, fresh = gates[:size], gates[size : 2 * size], gates[2 * size : 3 * size]
    last = products[2 * size : 3 * size]
    for i in range(size):
        new = tanh(fresh[i] + reset[i] * (last[i] + fresh_bias[i]))
        hidden[i] = new + update[i] * (hidden[i] - new)


@njit(**INNER)
def _rnn_row(gates: Array, hidden: Array) -> None:
    for i in range(hidden.shape[0]):
        hidden[i] = tanh(gates[i])


@njit(**INNER)
def _look_back(frame: Frame, lines: Array, codes: Array, count: int, gates: Array) -> None:
    """Add what is seen of the sequence so far; `lines` are a state's columns from there on."""
    size, kinds = frame.embedding.shape[0], frame.lookback.distances.shape[0]
    for row in range(count):
        line, target = lines[row], gates[row]
        update(frame.lookback, size, line, codes[row])
        for place in range(kinds + OTHER_FEATURES):
            source = frame.looked_up[size + np.int64(line[FEATURE_ROWS + place])]
            for i in range(target.shape[0]):
                target[i] += source[i]


@njit(**INNER)
def _enter(
    frame: Frame, panels: Panels, layer: int, lines: Array, codes: Array, count: int, space: Room
) -> None:  # fmt: skip
    """What its input gives to a recurrent layer's gates."""
    if layer == 0:
        _look_up(frame.looked_up, codes, count, space.gates)
        if frame.lookback.distances.shape[0]:
            _look_back(frame, lines, codes, count, space.gates)
        if frame.residual:
            _look_up(frame.embedding, codes, count, space.hidden)
        return
    _repeat(frame.biases[layer], count, space.gates)
    add_product(space.inputs, 0, count, panels, 2 * layer - 1, space.rounded, space.gates)


@njit(**INNER)
def _leave(frame: Frame, layer: int, carried: Array, count: int, space: Room) -> None:
    """A recurrent layer's output, from its new state, becomes the next one's input."""
    size = frame.embedding.shape[1]
    _keep(carried, layer * size, frame.residual, count, size, space.hidden)
    gain, shift = frame.gains[layer + 1], frame.shifts[layer + 1]
    _normalise(frame.normed, gain, shift, space.hidden, count, space.inputs)


@njit(**INNER)
def _read_out(frame: Frame, count: int, space: Room) -> None:
    _repeat(frame.readout_bias, count, space.logits)
    add_product(space.inputs, 0, count, frame.readout, 0, space.rounded, space.logits)


@njit(**INNER)
def _advance_lstm(net: LSTM, carried: Array, codes: Array, count: int, space: Room) -> None:
    size, layers = net.frame.embedding.shape[1], net.frame.biases.shape[0]
    lines = carried[:, 2 * layers * size :]
    for layer in range(layers):
        _enter(net.frame, net.panels, layer, lines, codes, count, space)
        at, cell_at = layer * size, (layers + layer) * size
        add_product(carried, at, count, net.panels, 2 * layer, space.rounded, space.gates)
        for row in range(count):
            cell = carried[row, cell_at : cell_at + size]
            _lstm_row(space.gates[row], cell, carried[row, at : at + size])
        _leave(net.frame, layer, carried, count, space)
    _read_out(net.frame, count, space)


@njit(**INNER)
def _advance_gru(net: GRU, carried: Array, codes: Array, count: int, space: Room) -> None:
    size, layers = net.frame.embedding.shape[1], net.frame.biases.shape[0]
    lines = carried[:, layers * size :]
    for layer in range(layers):
        _enter(net.frame, net.panels, layer, lines, codes, count, space)
        _repeat(net.nothing, count, space.products)
        at = layer * size
        add_product(carried, at, count, net.panels, 2 * layer, space.rounded, space.products)
        for row in range(count):
            new = carried[row, at : at + size]
            _gru_row(space.gates[row], space.products[row], net.fresh_biases[layer], new)
        _leave(net.frame, layer, carried, count, space)
    _read_out(net.frame, count, space)


@njit(**INNER)
def _advance_rnn(net: RNN, carried: Array, codes: Array, count: int, space: Room) -> None:
    size, layers = net.frame.embedding.shape[1], net.frame.biases.shape[0]
    lines = carried[:, layers * size :]
    for layer in range(layers):
        _enter(net.frame, net.panels, layer, lines, codes, count, space)
        at = layer * size
        add_product(carried, at, count, net.panels, 2 * layer, space.rounded, space.gates)
        for row in range(count):
            _rnn_row(space.gates[row], carried[row, at : at + size])
        _leave(net.frame, layer, carried, count, space)
    _read_out(net.frame, count, space)


@njit(**INNER)
def _min_gru_row(gates: Array, total: Array, out: Array) -> None:
    size = total.shape[0]
    forget, candidate, output = gates[:size], gates[size : 2 * size], gates[2 * size : 3 * size]
    for i in range(size):
        total[i] = candidate[i] + sigmoid(forget[i]) * (total[i] - candidate[i])
        out[i] = total[i] * output[i] * sigmoid(output[i])


@njit(**INNER)
def _advance_min_gru(net: MinGRU, carried: Array, codes: Array, count: int, space: Room) -> None:
    frame, inward, outward = net.frame, net.inward, net.outward
    layers, size, inner = frame.biases.shape[0], frame.embedding.shape[1], outward.inputs
    hidden, inputs, gates = space.hidden, space.inputs, space.gates
    _look_up(frame.embedding, codes, count, hidden)
    for layer in range(layers):
        at = layer * (inner + size)
        last_at = at + inner
        _normalise(True, frame.gains[layer], frame.shifts[layer], hidden, count, inputs)
        for row in range(count):
            last = carried[row, last_at : last_at + size]
            copy(last, inputs[row, size:])
            copy(inputs[row, :size], last)
        _repeat(frame.biases[layer], count, gates)
        add_product(inputs, 0, count, inward, layer, space.rounded, gates)
        for row in range(count):
            _min_gru_row(gates[row], carried[row, at : at + inner], space.products[row])
        add_product(space.products, 0, count, outward, layer, space.rounded, hidden)
    _normalise(True, frame.gains[layers], frame.shifts[layers], hidden, count, inputs)
    _read_out(frame, count, space)


@njit(**INNER)
def _copy_line(source: Array, at: int, target: Array, row: int) -> None:
    copy(source[at], target[row])


STEPS = {LSTM: _advance_lstm, GRU: _advance_gru, RNN: _advance_rnn, MinGRU: _advance_min_gru}
COPIES = {}
"""How states are copied that are not arrays."""


@overload(advance, jit_options=INNER, strict=False)
def _advance(net, carried, codes, count, space) -> object:  # noqa: ANN001
    step = STEPS.get(net.instance_class) if isinstance(net, types.BaseNamedTuple) else None
    return None if step is None else step.py_func


@overload(copy_state, jit_options=INNER, strict=False)
def _copy_state(source, at, target, row) -> object:  # noqa: ANN001
    step = COPIES[source.instance_class] if isinstance(source, types.BaseNamedTuple) else _copy_line
    return step.py_func
