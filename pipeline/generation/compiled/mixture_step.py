"""The compiled step of a mixture: query the index, run the network, weight the experts.

The map from evidence to the first layer of the network is linear, so that it is one product. The step of the
network reads the result from a table with one line for each row instead of one for each symbol.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from pipeline.data.alphabet import SPECIALS
from pipeline.generation.compiled import decode_step, recurrent_step
from pipeline.generation.compiled.gemm_f32 import PackedWeights
from pipeline.generation.compiled.packed_weights import aligned, gemm, padded
from pipeline.models.context_mixing.evidence import EvidenceSources, read
from pipeline.models.context_mixing.evidence_layout import SCALE, TOP_LETTERS
from pipeline.models.context_mixing.evidence_state import EvidenceState, copy_row, grow_history, select_rows
from pipeline.models.kernels.cells import tanh
from pipeline.runtime.numba_options import INNER

Array = np.ndarray
BREAK = len(SPECIALS) - 1
"""The code of letter 0."""
NAT = np.float32(1 / SCALE)


class MixtureWeights(NamedTuple):
    """The exported weights of a mixture."""

    shared: recurrent_step.SharedWeights
    """Those of the network."""
    network: recurrent_step.LSTM | recurrent_step.GRU
    sources: EvidenceSources
    blank: EvidenceState
    """The state of one row at its start."""
    evidence: PackedWeights
    """From evidence to the gates of the first layer."""
    names: Array
    """A copied letter's contribution to these gates, ``(2 * letters + 1, outputs)``; empty where dense."""
    from_evidence: PackedWeights
    """From evidence to the units that weight the experts."""
    from_hidden: PackedWeights
    units_bias: Array
    weighing: PackedWeights
    """From these units to one weight for each expert."""
    weighing_bias: Array


class State(NamedTuple):
    """The state of the network, and that of the index queries."""

    network: Array
    reading: EvidenceState


class Workspace(NamedTuple):
    """Scratch space; `network` has an input table of its own, with one line for each of `rows`."""

    logits: Array
    network: recurrent_step.LSTM | recurrent_step.GRU
    inner: recurrent_step.Workspace
    rows: Array
    letters: Array
    found: Array
    likeliest: Array
    values: Array
    units: Array
    weights: Array


@decode_step.new_workspace.register
def _new_workspace(exported: MixtureWeights, rows: int) -> Workspace:
    inner = decode_step.new_workspace(exported.network, rows)
    width, seen = exported.blank.last.shape[2], exported.evidence.inputs
    table = aligned((rows, exported.shared.input_table.shape[1]))
    widths = padded(seen), len(exported.units_bias), len(exported.weighing_bias)
    return Workspace(
        inner.logits, exported.network._replace(shared=exported.shared._replace(input_table=table)), inner,
        np.arange(rows), np.zeros((rows, 1), np.uint8), np.zeros((rows, 1, seen), np.int8),
        np.zeros((rows, 1, 2, width), np.uint8), *(aligned((rows, columns)) for columns in widths),
    )  # fmt: skip


@decode_step.new_state.register
def _new_state(exported: MixtureWeights, rows: int, length: int) -> State:
    reading = select_rows(exported.blank, np.zeros(rows, np.int64))
    return State(decode_step.new_state(exported.network, rows, length), grow_history(reading, length + 1))


@njit(**INNER)
def _copy_state(source: State, at: int, target: State, row: int) -> None:
    decode_step.copy(source.network[at], target.network[row])
    copy_row(source.reading, at, target.reading, row)


@njit(**INNER)
def _advance(exported: MixtureWeights, state: State, codes: Array, count: int, workspace: Workspace) -> None:
    for row in range(count):
        workspace.letters[row, 0] = max(np.int64(codes[row]) - BREAK, 0)
    letters, found = workspace.letters[:count], workspace.found
    read(exported.sources, state.reading, letters, found, workspace.likeliest)
    for row in range(count):
        _scale(workspace.found[row, 0], workspace.values[row])
    network, inner = workspace.network, workspace.inner
    table = network.shared.input_table
    for row in range(count):
        decode_step.copy(exported.shared.input_table[codes[row]], table[row])
    gemm(workspace.values, 0, count, exported.evidence, 0, inner.quantized, table)
    _add_names(exported.names, count, workspace, table)
    decode_step.advance(network, state.network, workspace.rows, count, inner)
    for row in range(count):
        decode_step.copy(exported.units_bias, workspace.units[row])
        decode_step.copy(exported.weighing_bias, workspace.weights[row])
    gemm(workspace.values, 0, count, exported.from_evidence, 0, inner.quantized, workspace.units)
    gemm(inner.inputs, 0, count, exported.from_hidden, 0, inner.quantized, workspace.units)
    for row in range(count):
        _tanh(workspace.units[row, : exported.weighing.inputs])
    gemm(workspace.units, 0, count, exported.weighing, 0, inner.quantized, workspace.weights)
    _mix(len(exported.names) == 0, state.reading.last, count, workspace)


@njit(**INNER)
def _scale(found: Array, values: Array) -> None:
    for at in range(found.shape[0]):
        values[at] = np.float32(found[at]) * NAT


@njit(**INNER)
def _tanh(units: Array) -> None:
    for at in range(units.shape[0]):
        units[at] = tanh(units[at])


@njit(**INNER)
def _add_names(names: Array, count: int, workspace: Workspace, table: Array) -> None:
    if not len(names):
        return
    for row in range(count):
        for at in range(2 * TOP_LETTERS):
            source, nth = divmod(at, TOP_LETTERS)
            letter = np.int64(workspace.likeliest[row, 0, source, nth])
            if letter:
                line = names[letter + source * (len(names) // 2)]
                for column in range(len(line)):
                    table[row, column] += workspace.values[row, at] * line[column]


@njit(**INNER)
def _mix(dense: bool, last: Array, count: int, workspace: Workspace) -> None:
    """Add the votes of the experts to the logits, each by its weight."""
    channels, width = last.shape[1:]
    for row in range(count):
        for channel in range(channels):
            for at in range(width):
                letter = at + 1 if dense else np.int64(workspace.likeliest[row, 0, channel, at])
                if letter:
                    strength = workspace.weights[row, channel] * workspace.values[row, channel * width + at]
                    workspace.logits[row, letter + BREAK] += strength


decode_step.STEPS[MixtureWeights] = _advance
decode_step.COPIES[State] = _copy_state
