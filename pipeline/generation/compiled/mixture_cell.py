"""One time step of a mixture, compiled, for sampling: look up, run the network, weigh the sources.

What the evidence gives to the network's first layer is one product, since what lies between is linear; the
network's own step takes it from a table that has one line for each row instead of one for each symbol.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from pipeline.data.alphabet import SPECIALS
from pipeline.generation.compiled import cells
from pipeline.generation.compiled.gemm_f32 import Panels
from pipeline.generation.compiled.packed_matrix import add_product, aligned, padded
from pipeline.models.context_mixing.evidence import EvidenceSources, read
from pipeline.models.context_mixing.evidence_layout import SCALE, TOP_LETTERS
from pipeline.models.context_mixing.evidence_state import EvidenceState, copy_row, grow_history, select_rows
from pipeline.models.kernels.cells import tanh
from pipeline.runtime.numba_options import INNER

Array = np.ndarray
BREAK = len(SPECIALS) - 1
"""The code that stands for letter 0."""
NAT = np.float32(1 / SCALE)


class Mixing(NamedTuple):
    frame: cells.Frame
    """That of the network."""
    network: cells.LSTM | cells.GRU
    sources: EvidenceSources
    blank: EvidenceState
    """Of one row, which has read nothing."""
    evidence: Panels
    """From evidence to the gates of the network's first layer."""
    names: Array
    """What a letter found in copies gives to them, ``(2 * letters + 1, outputs)``; nothing where dense."""
    from_evidence: Panels
    """To the units that weigh the sources."""
    from_hidden: Panels
    units_bias: Array
    weighing: Panels
    """From those units to one number a source."""
    weighing_bias: Array


class State(NamedTuple):
    """What is carried: the network's state, and where in a sequence the look-ups stand."""

    network: Array
    reading: EvidenceState


class Room(NamedTuple):
    """Scratch space; `network` has a table of inputs of its own, with one line for each of `rows`."""

    logits: Array
    network: cells.LSTM | cells.GRU
    space: cells.Room
    rows: Array
    letters: Array
    found: Array
    likeliest: Array
    values: Array
    units: Array
    weights: Array


@cells.room.register
def _room(net: Mixing, rows: int) -> Room:
    space, width, seen = cells.room(net.network, rows), net.blank.last.shape[2], net.evidence.inputs
    table = aligned((rows, net.frame.looked_up.shape[1]))
    widths = padded(seen), len(net.units_bias), len(net.weighing_bias)
    return Room(
        space.logits, net.network._replace(frame=net.frame._replace(looked_up=table)), space,
        np.arange(rows), np.zeros((rows, 1), np.uint8), np.zeros((rows, 1, seen), np.int8),
        np.zeros((rows, 1, 2, width), np.uint8), *(aligned((rows, columns)) for columns in widths),
    )  # fmt: skip


@cells.state.register
def _state(net: Mixing, rows: int, length: int) -> State:
    reading = select_rows(net.blank, np.zeros(rows, np.int64))
    return State(cells.state(net.network, rows, length), grow_history(reading, length + 1))


@njit(**INNER)
def _copy_state(source: State, at: int, target: State, row: int) -> None:
    cells.copy(source.network[at], target.network[row])
    copy_row(source.reading, at, target.reading, row)


@njit(**INNER)
def _advance(net: Mixing, carried: State, codes: Array, count: int, space: Room) -> None:
    for row in range(count):
        space.letters[row, 0] = max(np.int64(codes[row]) - BREAK, 0)
    read(net.sources, carried.reading, space.letters[:count], space.found, space.likeliest)
    for row in range(count):
        _scale(space.found[row, 0], space.values[row])
    network, inner = space.network, space.space
    table = network.frame.looked_up
    for row in range(count):
        cells.copy(net.frame.looked_up[codes[row]], table[row])
    add_product(space.values, 0, count, net.evidence, 0, inner.rounded, table)
    _add_names(net.names, count, space, table)
    cells.advance(network, carried.network, space.rows, count, inner)
    for row in range(count):
        cells.copy(net.units_bias, space.units[row])
        cells.copy(net.weighing_bias, space.weights[row])
    add_product(space.values, 0, count, net.from_evidence, 0, inner.rounded, space.units)
    add_product(inner.inputs, 0, count, net.from_hidden, 0, inner.rounded, space.units)
    for row in range(count):
        _tanh(space.units[row, : net.weighing.inputs])
    add_product(space.units, 0, count, net.weighing, 0, inner.rounded, space.weights)
    _mix(len(net.names) == 0, carried.reading.last, count, space)


@njit(**INNER)
def _scale(found: Array, values: Array) -> None:
    for at in range(found.shape[0]):
        values[at] = np.float32(found[at]) * NAT


@njit(**INNER)
def _tanh(units: Array) -> None:
    for at in range(units.shape[0]):
        units[at] = tanh(units[at])


@njit(**INNER)
def _add_names(names: Array, count: int, space: Room, table: Array) -> None:
    if not len(names):
        return
    for row in range(count):
        for at in range(2 * TOP_LETTERS):
            source, nth = divmod(at, TOP_LETTERS)
            letter = np.int64(space.likeliest[row, 0, source, nth])
            if letter:
                line = names[letter + source * (len(names) // 2)]
                for column in range(len(line)):
                    table[row, column] += space.values[row, at] * line[column]


@njit(**INNER)
def _mix(dense: bool, last: Array, count: int, space: Room) -> None:
    """Add to the logits what the sources hold, each by its weight."""
    channels, width = last.shape[1:]
    for row in range(count):
        for channel in range(channels):
            for at in range(width):
                letter = at + 1 if dense else np.int64(space.likeliest[row, 0, channel, at])
                if letter:
                    strength = space.weights[row, channel] * space.values[row, channel * width + at]
                    space.logits[row, letter + BREAK] += strength


cells.STEPS[Mixing] = _advance
cells.COPIES[State] = _copy_state
