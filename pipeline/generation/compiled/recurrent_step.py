"""The compiled step of RNNs, LSTMs and GRUs.

Gates and formulas are those of torch, so that the weights mean the same. The contribution of each symbol to
the gates of the first layer is looked up in a table, which also has the biases that are only added.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from pipeline.generation.compiled import decode_step
from pipeline.generation.compiled.decode_step import STEPS, copy
from pipeline.generation.compiled.gemm_int8 import QuantizedRows, new_quantized_rows
from pipeline.generation.compiled.packed_weights import PackedWeights, aligned, gemm, padded
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
"""EPSILON is that of torch's layer norm."""


class SharedWeights(NamedTuple):
    """The weights around the layers, which all cells have."""

    embedding: Array
    """``(vocab_size, size)``."""
    input_table: Array
    """The contribution of each symbol to the first layer, bias included, and then that of each row of
    lookback features, ``(vocab_size and more, outputs)``."""
    biases: Array
    """Of each layer, ``(layers, outputs)``."""
    gains: Array
    """Of the norm of each layer and of the readout, ``(layers + 1, size)``."""
    shifts: Array
    """As `gains`."""
    readout: PackedWeights
    readout_bias: Array
    residual: bool
    normed: bool
    lookback: LookbackConfig


class LSTM(NamedTuple):
    """`packed` has the hidden weights of the first layer, then input and hidden weights of each further."""

    shared: SharedWeights
    packed: PackedWeights


class GRU(NamedTuple):
    """`packed` as in `LSTM`."""

    shared: SharedWeights
    packed: PackedWeights
    candidate_biases: Array
    """Added to the hidden state's part of the last gate, ``(layers, size)``."""
    zeros: Array
    """As many zeros as a layer has gates."""


class RNN(NamedTuple):
    """`packed` as in `LSTM`."""

    shared: SharedWeights
    packed: PackedWeights


RecurrentWeights = LSTM | GRU | RNN


class Workspace(NamedTuple):
    """Scratch space, one line for each row."""

    gates: Array
    products: Array
    hidden: Array
    inputs: Array
    logits: Array
    quantized: QuantizedRows


@decode_step.new_workspace.register(LSTM)
@decode_step.new_workspace.register(GRU)
@decode_step.new_workspace.register(RNN)
def build_workspace(exported: Any, rows: int) -> Workspace:
    """Scratch space for weights with `SharedWeights` around their layers."""
    shared = exported.shared
    size, outputs = shared.embedding.shape[1], shared.biases.shape[1]
    gates, products, hidden, inputs, logits = (
        aligned((rows, width))
        for width in (outputs, outputs, padded(size), 2 * size, len(shared.readout_bias))
    )
    deepest = max(each.inputs for each in exported if isinstance(each, PackedWeights))
    return Workspace(gates, products, hidden, inputs, logits, new_quantized_rows(rows, deepest))


@decode_step.new_state.register(LSTM)
@decode_step.new_state.register(GRU)
@decode_step.new_state.register(RNN)
def _new_state(exported: RecurrentWeights, rows: int, length: int) -> Array:
    """One part for each layer, and then for an LSTM the cells; lookback features have the last columns."""
    shared = exported.shared
    size, layers = shared.embedding.shape[1], len(shared.biases)
    lookback = HISTORY_START + min(MAX_HISTORY, length) if len(shared.lookback.distances) else 0
    return aligned((rows, (2 if isinstance(exported, LSTM) else 1) * layers * size + lookback))


@njit(**INNER)
def normalize(normed: bool, gain: Array, shift: Array, rows: Array, count: int, out: Array) -> None:
    """Layer norm of the first columns; a copy where there is no norm."""
    size = gain.shape[0]
    for row in range(count):
        source, target = rows[row, :size], out[row, :size]
        mean, scale = _moments(source) if normed else (ZERO, ONE)
        if normed:
            for i in range(size):
                target[i] = (source[i] - mean) * scale * gain[i] + shift[i]
        else:
            copy(source, target)


REORDERED: Any = {**INNER, "fastmath": True}


@njit(**REORDERED)
def _moments(row: Array) -> tuple[Any, Any]:
    """The mean, and one over the standard deviation. The order of the sums is the same for all rows."""
    size, total, squares = row.shape[0], ZERO, ZERO
    for i in range(size):
        total += row[i]
    mean = total / np.float32(size)
    for i in range(size):
        squares += (row[i] - mean) * (row[i] - mean)
    return mean, ONE / np.sqrt(squares / np.float32(size) + EPSILON)


@njit(**INNER)
def look_up(table: Array, codes: Array, count: int, out: Array) -> None:
    """Write the line of each code over its row."""
    for row in range(count):
        copy(table[codes[row]], out[row])


@njit(**INNER)
def fill(line: Array, count: int, out: Array) -> None:
    """Write one line over every row."""
    for row in range(count):
        copy(line, out[row])


@njit(**INNER)
def _write_output(states: Array, at: int, residual: bool, count: int, size: int, hidden: Array) -> None:
    """The output of a layer from its new state; with a residual, the sum with its input."""
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
    both, candidate, out = gates[: 2 * size], gates[2 * size : 3 * size], gates[3 * size : 4 * size]
    for i in range(2 * size):
        both[i] = sigmoid(both[i])
    let_in, forget = both[:size], both[size:]
    for i in range(size):
        cell[i] = forget[i] * cell[i] + let_in[i] * tanh(candidate[i])
    for i in range(size):
        hidden[i] = sigmoid(out[i]) * tanh(cell[i])


@njit(**INNER)
def _gru_row(gates: Array, products: Array, candidate_bias: Array, hidden: Array) -> None:
    size = hidden.shape[0]
    for i in range(2 * size):
        gates[i] = sigmoid(gates[i] + products[i])
    reset, update_gate, candidate = gates[:size], gates[size : 2 * size], gates[2 * size : 3 * size]
    last = products[2 * size : 3 * size]
    for i in range(size):
        new = tanh(candidate[i] + reset[i] * (last[i] + candidate_bias[i]))
        hidden[i] = new + update_gate[i] * (hidden[i] - new)


@njit(**INNER)
def _rnn_row(gates: Array, hidden: Array) -> None:
    for i in range(hidden.shape[0]):
        hidden[i] = tanh(gates[i])


@njit(**INNER)
def _add_lookback(shared: SharedWeights, lines: Array, codes: Array, count: int, gates: Array) -> None:
    """Add the lookback features of each row; `lines` are the state's columns of these features."""
    size, kinds = shared.embedding.shape[0], shared.lookback.distances.shape[0]
    for row in range(count):
        line, target = lines[row], gates[row]
        update(shared.lookback, size, line, codes[row])
        for place in range(kinds + OTHER_FEATURES):
            source = shared.input_table[size + np.int64(line[FEATURE_ROWS + place])]
            for i in range(target.shape[0]):
                target[i] += source[i]


@njit(**INNER)
def _enter_layer(
    shared: SharedWeights, packed: PackedWeights, layer: int, lines: Array, codes: Array, count: int,
    workspace: Workspace,
) -> None:  # fmt: skip
    """Write the input's part of a recurrent layer's gates."""
    if layer == 0:
        look_up(shared.input_table, codes, count, workspace.gates)
        if shared.lookback.distances.shape[0]:
            _add_lookback(shared, lines, codes, count, workspace.gates)
        if shared.residual:
            look_up(shared.embedding, codes, count, workspace.hidden)
        return
    fill(shared.biases[layer], count, workspace.gates)
    gemm(workspace.inputs, 0, count, packed, 2 * layer - 1, workspace.quantized, workspace.gates)


@njit(**INNER)
def _leave_layer(shared: SharedWeights, layer: int, state: Array, count: int, workspace: Workspace) -> None:
    """The output of a recurrent layer, from its new state, becomes the next layer's input."""
    size = shared.embedding.shape[1]
    _write_output(state, layer * size, shared.residual, count, size, workspace.hidden)
    gain, shift = shared.gains[layer + 1], shared.shifts[layer + 1]
    normalize(shared.normed, gain, shift, workspace.hidden, count, workspace.inputs)


@njit(**INNER)
def read_out(shared: SharedWeights, count: int, workspace: Workspace) -> None:
    """The logits, from the normalized output of the last layer."""
    fill(shared.readout_bias, count, workspace.logits)
    gemm(workspace.inputs, 0, count, shared.readout, 0, workspace.quantized, workspace.logits)


@njit(**INNER)
def _advance_lstm(exported: LSTM, state: Array, codes: Array, count: int, workspace: Workspace) -> None:
    size, layers = exported.shared.embedding.shape[1], exported.shared.biases.shape[0]
    lines = state[:, 2 * layers * size :]
    for layer in range(layers):
        _enter_layer(exported.shared, exported.packed, layer, lines, codes, count, workspace)
        at, cell_at = layer * size, (layers + layer) * size
        gemm(state, at, count, exported.packed, 2 * layer, workspace.quantized, workspace.gates)
        for row in range(count):
            cell = state[row, cell_at : cell_at + size]
            _lstm_row(workspace.gates[row], cell, state[row, at : at + size])
        _leave_layer(exported.shared, layer, state, count, workspace)
    read_out(exported.shared, count, workspace)


@njit(**INNER)
def _advance_gru(exported: GRU, state: Array, codes: Array, count: int, workspace: Workspace) -> None:
    size, layers = exported.shared.embedding.shape[1], exported.shared.biases.shape[0]
    lines = state[:, layers * size :]
    for layer in range(layers):
        _enter_layer(exported.shared, exported.packed, layer, lines, codes, count, workspace)
        fill(exported.zeros, count, workspace.products)
        at = layer * size
        gemm(state, at, count, exported.packed, 2 * layer, workspace.quantized, workspace.products)
        for row in range(count):
            new = state[row, at : at + size]
            _gru_row(workspace.gates[row], workspace.products[row], exported.candidate_biases[layer], new)
        _leave_layer(exported.shared, layer, state, count, workspace)
    read_out(exported.shared, count, workspace)


@njit(**INNER)
def _advance_rnn(exported: RNN, state: Array, codes: Array, count: int, workspace: Workspace) -> None:
    size, layers = exported.shared.embedding.shape[1], exported.shared.biases.shape[0]
    lines = state[:, layers * size :]
    for layer in range(layers):
        _enter_layer(exported.shared, exported.packed, layer, lines, codes, count, workspace)
        at = layer * size
        gemm(state, at, count, exported.packed, 2 * layer, workspace.quantized, workspace.gates)
        for row in range(count):
            _rnn_row(workspace.gates[row], state[row, at : at + size])
        _leave_layer(exported.shared, layer, state, count, workspace)
    read_out(exported.shared, count, workspace)


STEPS.update({LSTM: _advance_lstm, GRU: _advance_gru, RNN: _advance_rnn})
