"""The compiled loop that draws a chunk of samples in several slots at once."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from pipeline.data.alphabet import EOS, SPECIALS
from pipeline.generation.compiled import philox
from pipeline.generation.compiled.decode_step import ExportedWeights, Workspace, advance, copy, copy_state
from pipeline.generation.compiled.token_choice import CompiledSamplingParams, allowed_mass, choose
from pipeline.generation.constrained.grammar_constraint import GrammarStates, GrammarTables
from pipeline.runtime.numba_options import BARE, INNER

Array = np.ndarray
FIRST = len(SPECIALS)


class SampleStarts(NamedTuple):
    """The starts of samples: that with index i begins at number i modulo their count."""

    states: Any
    """States after all given codes but the last, one line for each start."""
    codes: Array
    """The last given code, ``(starts,)``."""
    steps: Array
    """How many symbols may follow, at least one, ``(starts,)``."""
    components: Array
    """The states of a grammar's components, ``(starts, components)``."""
    length: int
    """The most codes of a sample, with all that is given."""


class Slots(NamedTuple):
    """Rows of a batch, each with the sample that it draws."""

    sample: Array
    """The position of the slot's sample in the chunk, ``(rows,)``."""
    codes: Array
    """The last code, ``(rows,)``."""
    left: Array
    """How many symbols may follow, ``(rows,)``."""
    numbers: Array
    """The next random numbers of the sample, ``(rows, philox.BLOCK)``."""
    used: Array
    """How many random numbers the sample has used, ``(rows,)``."""
    resamples_left: Array
    """How often the sample may be resampled, ``(rows,)``."""
    weights: Array
    """Scratch space, ``(vocab_size,)``."""
    allowed: Array
    """Scratch space: the codes that may be chosen, ``(vocab_size,)``."""


class Chunk(NamedTuple):
    """The samples of one call, and what has been drawn of them."""

    indices: Array
    """``(samples,)``."""
    codes: Array
    """``(samples, steps)``."""
    lengths: Array
    """Codes drawn, the end included, ``(samples,)``."""
    nats: Array
    """Log-probabilities, ``(samples,)``."""
    progress: Array
    """How many slots are at work, and how many samples are begun, ``(2,)``."""


def new_slots(rows: int, params: CompiledSamplingParams) -> Slots:
    """Slots without samples."""
    size = len(params.allowed)
    return Slots(
        np.arange(rows), np.zeros(rows, np.int64), np.zeros(rows, np.int64),
        np.zeros((rows, philox.BLOCK)), np.zeros(rows, np.int64), np.full(rows, params.max_resamples),
        np.zeros(size), np.zeros(size, np.bool_),
    )  # fmt: skip


@njit(**BARE)
def copy_first_row(source: Any, target: Any, row: int) -> None:
    """Write the first row of a state over a row of another state."""
    copy_state(source, 0, target, row)


@njit(**BARE)
def begin_chunk(
    starts: SampleStarts, chunk: Chunk, state: Any, slots: Slots, grammar_states: GrammarStates, count: int
) -> None:
    """Let `count` slots begin the first samples."""
    for row in range(count):
        _start(starts, chunk.indices[row], row, state, slots, grammar_states)
    chunk.progress[0] = chunk.progress[1] = count


# Compiled code: one more bundle of all arguments would be compiled for every model family as a whole.
@njit(**BARE)
def draw_until_unknown(
    exported: ExportedWeights, starts: SampleStarts, params: CompiledSamplingParams, seed: np.uint64,
    chunk: Chunk, state: Any, workspace: Workspace, slots: Slots, tables: GrammarTables,
    grammar_states: GrammarStates,
) -> bool:  # fmt: skip
    """Draw until all samples are whole, or a grammar's transition is unknown: True then."""
    indices, drawn, lengths, nats = chunk.indices, chunk.codes, chunk.lengths, chunk.nats
    samples, size = len(lengths), len(params.allowed)
    while chunk.progress[0]:
        count = chunk.progress[0]
        if _has_unknown(grammar_states, count):
            return True
        advance(exported, state, slots.codes, count, workspace)
        # Backwards: the row that replaces an ended one has been processed.
        for row in range(count - 1, -1, -1):
            sample = slots.sample[row]
            step = lengths[sample]
            logits, number = workspace.logits[row, :size], _next_number(seed, indices[sample], row, slots)
            free = params.rejection_sampling and slots.resamples_left[row] > 0
            if not free:
                _mask(params, tables, grammar_states.states[row], slots.allowed)
            allowed = params.allowed if free else slots.allowed
            code, log_probability = choose(logits, params, allowed, number, slots.weights)
            if free and not _may_follow(tables, grammar_states.states[row], code):
                _mask(params, tables, grammar_states.states[row], slots.allowed)
                if allowed_mass(slots.weights, slots.allowed) < params.min_allowed_mass:
                    lengths[sample], nats[sample] = 0, 0.0
                    _restart(starts, indices[sample], row, state, slots, grammar_states)
                    continue
                number = _next_number(seed, indices[sample], row, slots)
                code, log_probability = choose(logits, params, slots.allowed, number, slots.weights)
            drawn[sample, step], slots.codes[row] = code, code
            nats[sample] += log_probability
            lengths[sample] += 1
            slots.left[row] -= 1
            if code != EOS and slots.left[row]:
                _move(tables, grammar_states, row, code)
                continue
            if code != EOS and params.allowed[EOS] and slots.resamples_left[row] > 0:
                lengths[sample], nats[sample] = 0, 0.0
                _restart(starts, indices[sample], row, state, slots, grammar_states)
                continue
            if chunk.progress[1] < samples:
                slots.sample[row], slots.used[row] = chunk.progress[1], 0
                slots.resamples_left[row] = params.max_resamples
                _start(starts, indices[chunk.progress[1]], row, state, slots, grammar_states)
                chunk.progress[1] += 1
                continue
            chunk.progress[0] -= 1
            _replace_row(chunk.progress[0], row, state, slots, grammar_states)
    return False


@njit(**INNER)
def _replace_row(last: int, row: int, state: Any, slots: Slots, grammar_states: GrammarStates) -> None:
    """Move the last slot at work to an ended one."""
    slots.sample[row], slots.codes[row] = slots.sample[last], slots.codes[last]
    slots.left[row], slots.used[row] = slots.left[last], slots.used[last]
    slots.resamples_left[row] = slots.resamples_left[last]
    copy(slots.numbers[last], slots.numbers[row])
    copy_state(state, last, state, row)
    copy(grammar_states.states[last], grammar_states.states[row])
    copy(grammar_states.before[last], grammar_states.before[row])


@njit(**INNER)
def _has_unknown(grammar_states: GrammarStates, count: int) -> bool:
    """Whether the state of a component is unknown in one of the first rows."""
    for row in range(count):
        for component in range(grammar_states.states.shape[1]):
            if grammar_states.states[row, component] < 0:
                return True
    return False


@njit(**INNER)
def _mask(params: CompiledSamplingParams, tables: GrammarTables, states: Array, allowed: Array) -> None:
    """Write which codes the parameters and all components allow; the end where there are none."""
    some = False
    for code in range(len(allowed)):
        allowed[code] = params.allowed[code]
    for component in range(len(states)):
        mask = tables.masks[tables.rows[states[component]]]
        for code in range(len(allowed)):
            allowed[code] &= mask[code]
    for code in range(len(allowed)):
        some |= allowed[code]
    if not some:  # the check of the finished sample reports a dead end
        allowed[EOS] = True


@njit(**INNER)
def _next_number(seed: np.uint64, index: Any, row: int, slots: Slots) -> float:
    """The next random number of a slot's sample."""
    block, place = divmod(slots.used[row], philox.BLOCK)
    if place == 0:
        philox.fill(seed, np.uint64(index), block, slots.numbers[row])
    slots.used[row] += 1
    return slots.numbers[row, place]


@njit(**INNER)
def _may_follow(tables: GrammarTables, states: Array, code: int) -> bool:
    """Whether all components allow a code."""
    good = True
    for component in range(len(states)):
        good &= tables.masks[tables.rows[states[component]], code]
    return good


@njit(**INNER)
def _move(tables: GrammarTables, grammar_states: GrammarStates, row: int, code: int) -> None:
    """Advance the components by a code."""
    for component in range(grammar_states.states.shape[1]):
        before = grammar_states.states[row, component]
        grammar_states.before[row, component] = before
        grammar_states.states[row, component] = tables.moves[before, code - FIRST]


@njit(**INNER)
def _start(
    starts: SampleStarts, index: Any, row: int, state: Any, slots: Slots, grammar_states: GrammarStates
) -> None:
    """Let a slot begin a sample, or begin its sample again."""
    which = index % len(starts.codes)
    copy_state(starts.states, which, state, row)
    slots.codes[row], slots.left[row] = starts.codes[which], starts.steps[which]
    for component in range(grammar_states.states.shape[1]):
        grammar_states.states[row, component] = starts.components[which, component]


@njit(**INNER)
def _restart(
    starts: SampleStarts, index: Any, row: int, state: Any, slots: Slots, grammar_states: GrammarStates
) -> None:
    """Resample a slot's sample."""
    slots.resamples_left[row] -= 1
    _start(starts, index, row, state, slots, grammar_states)
