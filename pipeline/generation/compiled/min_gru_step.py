"""The compiled step of minimal GRUs."""

from typing import NamedTuple

import numpy as np
from numba import njit

from pipeline.generation.compiled import decode_step
from pipeline.generation.compiled.decode_step import STEPS, copy
from pipeline.generation.compiled.packed_weights import PackedWeights, aligned, gemm
from pipeline.generation.compiled.recurrent_step import (
    SharedWeights,
    Workspace,
    build_workspace,
    fill,
    look_up,
    normalize,
    read_out,
)
from pipeline.models.kernels.cells import sigmoid
from pipeline.runtime.numba_options import INNER

Array = np.ndarray


class MinGRU(NamedTuple):
    """A minimal GRU whose layers see two inputs."""

    shared: SharedWeights
    inward: PackedWeights
    """Of each layer ``(2 * size, 3 * inner)``: the part of the input, and that of the input before."""
    outward: PackedWeights
    """Of each layer ``(inner, size)``."""


decode_step.new_workspace.register(MinGRU, build_workspace)


@decode_step.new_state.register
def _new_state(exported: MinGRU, rows: int, length: int) -> Array:
    """The sum and the last input of each layer."""
    size, layers = exported.shared.embedding.shape[1], len(exported.shared.biases)
    return aligned((rows, layers * (exported.outward.inputs + size)))


@njit(**INNER)
def _min_gru_row(gates: Array, total: Array, out: Array) -> None:
    size = total.shape[0]
    forget, candidate, output = gates[:size], gates[size : 2 * size], gates[2 * size : 3 * size]
    for i in range(size):
        total[i] = candidate[i] + sigmoid(forget[i]) * (total[i] - candidate[i])
        out[i] = total[i] * output[i] * sigmoid(output[i])


@njit(**INNER)
def _advance_min_gru(exported: MinGRU, state: Array, codes: Array, count: int, workspace: Workspace) -> None:
    shared, inward, outward = exported.shared, exported.inward, exported.outward
    layers, size, inner = shared.biases.shape[0], shared.embedding.shape[1], outward.inputs
    hidden, inputs, gates = workspace.hidden, workspace.inputs, workspace.gates
    look_up(shared.embedding, codes, count, hidden)
    for layer in range(layers):
        at = layer * (inner + size)
        last_at = at + inner
        normalize(True, shared.gains[layer], shared.shifts[layer], hidden, count, inputs)
        for row in range(count):
            last = state[row, last_at : last_at + size]
            copy(last, inputs[row, size:])
            copy(inputs[row, :size], last)
        fill(shared.biases[layer], count, gates)
        gemm(inputs, 0, count, inward, layer, workspace.quantized, gates)
        for row in range(count):
            _min_gru_row(gates[row], state[row, at : at + inner], workspace.products[row])
        gemm(workspace.products, 0, count, outward, layer, workspace.quantized, hidden)
    normalize(True, shared.gains[layers], shared.shifts[layers], hidden, count, inputs)
    read_out(shared, count, workspace)


STEPS[MinGRU] = _advance_min_gru
