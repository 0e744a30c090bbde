"""Whole samples drawn by compiled code, for models that give their weights for it (`cells.py`).

A thread takes a chunk of samples and goes through it with a number of rows; a row whose sample has ended
begins with the next. The softmax is in double precision; every sample has its own random numbers, and every
row its own order of additions: neither threads nor rows nor chunks change a sample.

Constrained decoding begins with rejection sampling. The sampler draws a symbol without the grammar. Where
the grammar forbids it, the sampler draws it again among those allowed. Where these have little probability
mass together, the sampler rejects the whole sample and draws a new one. This approximates the model's
distribution given that the sequence is valid. Masking alone does not: it continues prefixes to which the
model gives little probability (Park et al., "Grammar-aligned decoding", 2024). The sampler masks only after
`Rule.tries` rejections. A constrained sample without an end at the longest length is rejected, too.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from numba import njit
from torch import Tensor

from pipeline.data.alphabet import BOS, EOS, SPECIALS
from pipeline.generation.compiled import philox
from pipeline.generation.compiled.cells import Net, Room, advance, copy, copy_state, room, state
from pipeline.generation.compiled.gemm_f32 import ROWS
from pipeline.generation.compiled.token_choice import Rule, choose, share_of
from pipeline.generation.constrained.grammar import NO_TABLES, Guide, Places, Tables
from pipeline.runtime.numba_options import BARE, INNER

Array = np.ndarray
FIRST = len(SPECIALS)
ROWS_AT_ONCE = 16 * ROWS
"""Rows for which the weights are read once."""
SAMPLES_A_ROW = 4
MAX_CODES = 2**25
"""Codes that one thread may hold."""


class Starts(NamedTuple):
    """Where samples begin: that with index i at place i modulo their number."""

    states: Array
    """``(starts, numbers of a state)``, after all that is given but the last code."""
    codes: Array
    """The last code given, ``(starts,)``."""
    steps: Array
    """How many symbols may follow, ``(starts,)``, at least one."""
    places: Array
    """The states of a guide's strands, ``(starts, strands)``."""
    length: int
    """The most codes that a sample has with all that is given."""


class Desk(NamedTuple):
    """Of each row, which sample it has, its last code, how many symbols may follow, its next random numbers,
    how many of them the sample has used, and how many rejections it has left; room for the weights of
    all codes and for which may be chosen; and how many rows are at work and how many samples are begun."""

    owner: Array
    codes: Array
    left: Array
    numbers: Array
    used: Array
    tries: Array
    weights: Array
    allowed: Array
    progress: Array


def starts_of(net: Net, given: list[Array], steps: list[int], guide: Guide | None = None) -> Starts:
    """The starts after each of the `given` codes ``(length,)``, the first of which is BOS."""
    length = max(len(codes) for codes in given) + max(steps)
    states, space = state(net, len(given), length), room(net, 1)
    for at, codes in enumerate(given):
        if len(codes) > 1:  # or it need not be compiled
            one = state(net, 1, length)
            _read(net, one, np.ascontiguousarray(codes[:-1, None]), 1, space)
            _keep_state(one, states, at)
    places = np.zeros((len(given), 0 if guide is None else guide.strands), np.int32)
    if guide is not None:
        places[:] = [guide.after(codes[1:] - len(SPECIALS), "sample.prime") for codes in given]
    return Starts(states, np.array([codes[-1] for codes in given]), np.array(steps), places, length)


def starts_after(net: Net, leads: Array, length: int, guide: Guide | None = None) -> Starts:
    """The starts of samples of `length` codes after each of these lead-ins ``(lead-ins, codes)``, which
    follow BOS; the guide watches the samples alone."""
    count, whole = len(leads), leads.shape[1] + 1 + length
    rows = whole_tiles(count)
    given = np.full((leads.shape[1] + 1, rows), BOS, np.int64)
    given[1:, :count] = leads.T
    states, space = state(net, rows, whole), room(net, rows)
    _read(net, states, given[:-1], rows, space)
    places = np.zeros((count, 0 if guide is None else guide.strands), np.int32)
    if guide is not None:
        places[:] = guide.after(leads[0, :0], "sample.lead")
    return Starts(states, np.ascontiguousarray(given[-1, :count]), np.full(count, length), places, whole)


def draw(
    net: Net, starts: Starts, rule: Rule, seed: int, indices: Sequence[int], threads: int,
    guide: Guide | None = None,
) -> Iterator[tuple[int, Array, float]]:  # fmt: skip
    """Draw the samples with these indices, in their order.

    Yields index, codes, of which the last may be EOS, and their log-probability in nats.
    """
    # Where samples end at different times, several for each row keep all rows at work to the end.
    most = ROWS_AT_ONCE * (SAMPLES_A_ROW if rule.allowed[EOS] else 1)
    most = max(1, min(most, MAX_CODES // int(starts.steps.max()), -(-len(indices) // max(threads, 1))))
    chunks = (indices[at : at + most] for at in range(0, len(indices), most))
    with ThreadPoolExecutor(max(threads, 1), "sampling") as pool:
        waiting = deque()
        for chunk in chunks:
            waiting.append(
                (chunk, pool.submit(draw_chunk, net, starts, rule, seed, chunk, ROWS_AT_ONCE, guide))
            )
            if len(waiting) > threads:
                yield from _each(*waiting.popleft())
        while waiting:
            yield from _each(*waiting.popleft())


def _each(indices: Sequence[int], drawn: Future) -> Iterator[tuple[int, Array, float]]:
    codes, lengths, nats = drawn.result()
    for at, index in enumerate(indices):
        yield index, codes[at, : lengths[at]], float(nats[at])


def draw_chunk(
    net: Net,
    starts: Starts,
    rule: Rule,
    seed: int,
    indices: Sequence[int],
    rows: int,
    guide: Guide | None = None,
) -> tuple[Array, Array, Array]:
    """Draw the samples with these indices, `rows` at a time.

    Returns codes ``(samples, steps)``, how many of them were drawn, the end included, and their
    log-probabilities in nats, both ``(samples,)``.
    """
    samples, numbers = len(indices), np.array(indices, np.int64)
    rows = whole_tiles(min(rows, samples))
    codes = np.empty((samples, starts.steps.max()), np.uint16)
    lengths, nats = np.zeros(samples, np.int64), np.zeros(samples)
    desk = Desk(
        np.arange(rows), np.zeros(rows, np.int64), np.zeros(rows, np.int64),
        np.zeros((rows, philox.BLOCK)), np.zeros(rows, np.int64), np.full(rows, rule.tries),
        np.zeros(len(rule.allowed)), np.zeros(len(rule.allowed), np.bool_), np.zeros(2, np.int64),
    )  # fmt: skip
    places = Places.of(rows, starts.places.shape[1])
    carried, space = state(net, rows, starts.length), room(net, rows)
    key = np.uint64(seed & (2**64 - 1))
    tables = NO_TABLES if guide is None else guide.tables
    _begin(starts, numbers, carried, desk, places, min(rows, samples))
    while _draw(net, starts, rule, key, numbers, carried, space, desk, tables, places, codes, lengths, nats):
        tables = guide.settle(places, desk.codes, int(desk.progress[0]))
    return codes, lengths, nats


class Stepping:
    """Stands for a model where each step's logits are needed: ``(symbols, state) -> (logits, state)``.

    Sequences have at most `length` codes. Logits are those of the last step alone,
    ``(batch, 1, vocab_size)``; the state given is used up.
    """

    def __init__(self, net: Net, length: int) -> None:
        self.net, self.length = net, length

    def __call__(self, symbols: Tensor, carried: Array | None = None) -> tuple[Tensor, Array]:
        rows = whole_tiles(len(symbols))
        carried = state(self.net, rows, self.length) if carried is None else carried
        space = room(self.net, rows)
        _read(self.net, carried, np.ascontiguousarray(symbols.t().numpy()), len(symbols), space)
        logits = space.logits[: len(symbols), : len(self.net.frame.embedding)]
        return torch.from_numpy(logits)[:, None], carried


def whole_tiles(rows: int) -> int:
    """How many rows there must be room for."""
    return 1 if rows == 1 else -(-rows // ROWS) * ROWS


@njit(**BARE)
def _read(net: Net, carried: Array, codes: Array, count: int, space: Room) -> None:
    """Take states on by codes ``(time, rows)``."""
    for at in range(codes.shape[0]):
        advance(net, carried, codes[at], count, space)


@njit(**BARE)
def _keep_state(one: Array, states: Array, at: int) -> None:
    copy_state(one, 0, states, at)


@njit(**BARE)
def _begin(
    starts: Starts, indices: Array, carried: Array, desk: Desk, places: Places, count: int
) -> None:  # fmt: skip
    for row in range(count):
        _start(starts, indices[row], row, carried, desk, places)
    desk.progress[0] = desk.progress[1] = count


@njit(**BARE)
def _draw(
    net: Net, starts: Starts, rule: Rule, seed: np.uint64, indices: Array, carried: Array, space: Room,
    desk: Desk, tables: Tables, places: Places, drawn: Array, lengths: Array, nats: Array,
) -> bool:  # fmt: skip
    """Draw until all samples are whole; True where it must be gone on with, after the tables have grown."""
    samples, size = len(lengths), len(rule.allowed)
    while desk.progress[0]:
        count = desk.progress[0]
        if _at_a_loss(places, count):
            return True
        advance(net, carried, desk.codes, count, space)
        # Backwards: the row that takes an ended one's place has been looked at.
        for row in range(count - 1, -1, -1):
            sample = desk.owner[row]
            step = lengths[sample]
            logits, number = space.logits[row, :size], _next_number(seed, indices[sample], row, desk)
            free = rule.freely and desk.tries[row] > 0
            if not free:
                _allow(rule, tables, places.states[row], desk.allowed)
            allowed = rule.allowed if free else desk.allowed
            code, log_probability = choose(logits, rule, allowed, number, desk.weights)
            if free and not _may_follow(tables, places.states[row], code):
                _allow(rule, tables, places.states[row], desk.allowed)
                if share_of(desk.weights, desk.allowed) < rule.lost:
                    lengths[sample], nats[sample] = 0, 0.0
                    _start_anew(starts, indices[sample], row, carried, desk, places)
                    continue
                number = _next_number(seed, indices[sample], row, desk)
                code, log_probability = choose(logits, rule, desk.allowed, number, desk.weights)
            drawn[sample, step], desk.codes[row] = code, code
            nats[sample] += log_probability
            lengths[sample] += 1
            desk.left[row] -= 1
            if code != EOS and desk.left[row]:
                _go_on(tables, places, row, code)
                continue
            if code != EOS and rule.allowed[EOS] and desk.tries[row] > 0:
                lengths[sample], nats[sample] = 0, 0.0
                _start_anew(starts, indices[sample], row, carried, desk, places)
                continue
            if desk.progress[1] < samples:
                desk.owner[row], desk.used[row], desk.tries[row] = desk.progress[1], 0, rule.tries
                _start(starts, indices[desk.progress[1]], row, carried, desk, places)
                desk.progress[1] += 1
                continue
            desk.progress[0] -= 1
            _take_place(desk.progress[0], row, carried, desk, places)
    return False


@njit(**INNER)
def _take_place(last: int, row: int, carried: Array, desk: Desk, places: Places) -> None:
    desk.owner[row], desk.codes[row], desk.left[row] = desk.owner[last], desk.codes[last], desk.left[last]
    desk.used[row], desk.tries[row] = desk.used[last], desk.tries[last]
    copy(desk.numbers[last], desk.numbers[row])
    copy_state(carried, last, carried, row)
    copy(places.states[last], places.states[row])
    copy(places.before[last], places.before[row])


@njit(**INNER)
def _at_a_loss(places: Places, count: int) -> bool:
    """Whether a row does not know where it is."""
    for row in range(count):
        for strand in range(places.states.shape[1]):
            if places.states[row, strand] < 0:
                return True
    return False


@njit(**INNER)
def _allow(rule: Rule, tables: Tables, states: Array, allowed: Array) -> None:
    """Which codes may be chosen: those of the rule that all strands allow; where there are none, the end."""
    some = False
    for code in range(len(allowed)):
        allowed[code] = rule.allowed[code]
    for strand in range(len(states)):
        mask = tables.masks[tables.rows[states[strand]]]
        for code in range(len(allowed)):
            allowed[code] &= mask[code]
    for code in range(len(allowed)):
        some |= allowed[code]
    if not some:  # a dead end is told by whoever checks what was drawn
        allowed[EOS] = True


@njit(**INNER)
def _next_number(seed: np.uint64, sample: int, row: int, desk: Desk) -> float:
    """The next random number of a row's sample."""
    block, place = divmod(desk.used[row], philox.BLOCK)
    if place == 0:
        philox.fill(seed, np.uint64(sample), block, desk.numbers[row])
    desk.used[row] += 1
    return desk.numbers[row, place]


@njit(**INNER)
def _may_follow(tables: Tables, states: Array, code: int) -> bool:
    """Whether all strands allow a code."""
    good = True
    for strand in range(len(states)):
        good &= tables.masks[tables.rows[states[strand]], code]
    return good


@njit(**INNER)
def _go_on(tables: Tables, places: Places, row: int, code: int) -> None:
    for strand in range(places.states.shape[1]):
        before = places.states[row, strand]
        places.before[row, strand] = before
        places.states[row, strand] = tables.moves[before, code - FIRST]


@njit(**INNER)
def _start(starts: Starts, index: int, row: int, carried: Array, desk: Desk, places: Places) -> None:
    """Let a row begin with a sample, or begin its sample again."""
    which = index % len(starts.codes)
    copy_state(starts.states, which, carried, row)
    desk.codes[row], desk.left[row] = starts.codes[which], starts.steps[which]
    for strand in range(places.states.shape[1]):
        places.states[row, strand] = starts.places[which, strand]


@njit(**INNER)
def _start_anew(starts: Starts, index: int, row: int, carried: Array, desk: Desk, places: Places) -> None:
    desk.tries[row] -= 1
    _start(starts, index, row, carried, desk, places)
