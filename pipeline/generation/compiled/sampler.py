"""Whole samples drawn by compiled code, for models with a compiled decode step.

A thread takes a chunk of samples and draws them in a number of slots; a slot whose sample has ended begins
the next. The softmax is in double precision. Every sample has its own random numbers, and every row its own
order of additions: threads, slots and chunks change no sample.

Constrained decoding begins with rejection sampling. The sampler draws a symbol without the grammar. Where
the grammar forbids it, the sampler draws it again among the allowed symbols. Where these have little
probability mass together, the sampler rejects the whole sample and draws a new one. This approximates the
model's distribution given that the sequence is valid. Masking alone does not: it continues prefixes to which
the model gives little probability (Park et al., "Grammar-aligned decoding", 2024). The sampler masks only
after `max_resamples` rejections. A constrained sample without an end at the maximal length is rejected, too.

Read next: `draw_kernel.py`.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pipeline.data.alphabet import BOS, EOS, SPECIALS
from pipeline.generation.compiled.decode_step import (
    ExportedWeights,
    new_state,
    new_workspace,
    read_codes,
    round_up_rows,
)
from pipeline.generation.compiled.draw_kernel import (
    Chunk,
    SampleStarts,
    begin_chunk,
    copy_first_row,
    draw_until_unknown,
    new_slots,
)
from pipeline.generation.compiled.gemm_f32 import BLOCK_ROWS
from pipeline.generation.compiled.token_choice import CompiledSamplingParams
from pipeline.generation.constrained.grammar_constraint import (
    EMPTY_TABLES,
    GrammarConstraint,
    GrammarStates,
)

Array = np.ndarray
ROWS_AT_ONCE = 16 * BLOCK_ROWS
"""Rows for which the weights are read once."""
SAMPLES_PER_ROW = 4
MAX_CODES = 2**25
"""Codes that one thread may hold."""


class SamplingJob(NamedTuple):
    """What all chunks of a request have in common."""

    exported: ExportedWeights
    starts: SampleStarts
    params: CompiledSamplingParams
    seed: int
    grammar: GrammarConstraint | None = None


def start_after_primes(
    exported: ExportedWeights, given: list[Array], steps: list[int], grammar: GrammarConstraint | None = None
) -> SampleStarts:
    """The starts after each of the `given` codes ``(length,)``, the first of which is BOS; `steps` is how
    many symbols may follow each."""
    length = max(len(codes) for codes in given) + max(steps)
    states, workspace = new_state(exported, len(given), length), new_workspace(exported, 1)
    for at, codes in enumerate(given):
        if len(codes) > 1:  # BOS alone needs no compiled code
            one = new_state(exported, 1, length)
            read_codes(exported, one, np.ascontiguousarray(codes[:-1, None]), 1, workspace)
            copy_first_row(one, states, at)
    components = np.zeros((len(given), 0 if grammar is None else grammar.components), np.int32)
    if grammar is not None:
        components[:] = [grammar.read_prime(codes[1:] - len(SPECIALS), "sample.prime") for codes in given]
    return SampleStarts(states, np.array([codes[-1] for codes in given]), np.array(steps), components, length)


def start_after_leads(
    exported: ExportedWeights, leads: Array, length: int, grammar: GrammarConstraint | None = None
) -> SampleStarts:
    """The starts of samples of `length` codes after each of these lead-ins ``(lead-ins, codes)``, which
    follow BOS; the grammar sees the samples only."""
    count, total = len(leads), leads.shape[1] + 1 + length
    rows = round_up_rows(count)
    given = np.full((leads.shape[1] + 1, rows), BOS, np.int64)
    given[1:, :count] = leads.T
    states, workspace = new_state(exported, rows, total), new_workspace(exported, rows)
    read_codes(exported, states, given[:-1], rows, workspace)
    components = np.zeros((count, 0 if grammar is None else grammar.components), np.int32)
    if grammar is not None:
        components[:] = grammar.read_prime(leads[0, :0], "sample.lead")
    codes = np.ascontiguousarray(given[-1, :count])
    return SampleStarts(states, codes, np.full(count, length), components, total)


def draw(job: SamplingJob, indices: Sequence[int], threads: int) -> Iterator[tuple[int, Array, float]]:
    """Draw the samples with these indices, in their order.

    Yields index, codes, of which the last may be EOS, and their log-probability in nats.
    """
    # Where samples end at different times, several for each row keep all rows at work to the end.
    most = ROWS_AT_ONCE * (SAMPLES_PER_ROW if job.params.allowed[EOS] else 1)
    most = max(1, min(most, MAX_CODES // int(job.starts.steps.max()), -(-len(indices) // max(threads, 1))))
    chunks = (indices[at : at + most] for at in range(0, len(indices), most))
    with ThreadPoolExecutor(max(threads, 1), "sampling") as pool:
        waiting: deque[tuple[Sequence[int], Future]] = deque()
        for chunk in chunks:
            waiting.append((chunk, pool.submit(draw_chunk, job, chunk, ROWS_AT_ONCE)))
            if len(waiting) > threads:
                yield from _split(*waiting.popleft())
        while waiting:
            yield from _split(*waiting.popleft())


def _split(indices: Sequence[int], drawn: Future) -> Iterator[tuple[int, Array, float]]:
    codes, lengths, nats = drawn.result()
    for at, index in enumerate(indices):
        yield index, codes[at, : lengths[at]], float(nats[at])


def draw_chunk(job: SamplingJob, indices: Sequence[int], rows: int) -> tuple[Array, Array, Array]:
    """Draw the samples with these indices, `rows` at a time.

    Returns codes ``(samples, steps)``, how many of them were drawn, the end included, and their
    log-probabilities in nats, both ``(samples,)``.
    """
    exported, starts, grammar = job.exported, job.starts, job.grammar
    samples = len(indices)
    rows = round_up_rows(min(rows, samples))
    chunk = Chunk(
        np.array(indices, np.int64), np.empty((samples, starts.steps.max()), np.uint16),
        np.zeros(samples, np.int64), np.zeros(samples), np.zeros(2, np.int64),
    )  # fmt: skip
    slots = new_slots(rows, job.params)
    grammar_states = GrammarStates.zeros(rows, starts.components.shape[1])
    state, workspace = new_state(exported, rows, starts.length), new_workspace(exported, rows)
    key = np.uint64(job.seed & (2**64 - 1))
    tables = EMPTY_TABLES if grammar is None else grammar.tables
    begin_chunk(starts, chunk, state, slots, grammar_states, min(rows, samples))
    while draw_until_unknown(
        exported, starts, job.params, key, chunk, state, workspace, slots, tables, grammar_states
    ):
        if grammar is not None:
            tables = grammar.resolve(grammar_states, slots.codes, int(chunk.progress[0]))
    return chunk.codes, chunk.lengths, chunk.nats


class DecodeStep:
    """A compiled step in place of a model: ``(codes, state) -> (logits, state)``.

    Sequences have at most `length` codes. Logits ``(batch, 1, vocab_size)`` are those of the last step alone;
    the given state is overwritten.
    """

    def __init__(self, exported: ExportedWeights, length: int) -> None:
        self.exported, self.length = exported, length

    def __call__(self, codes: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        rows = round_up_rows(len(codes))
        state = new_state(self.exported, rows, self.length) if state is None else state
        workspace = new_workspace(self.exported, rows)
        read_codes(self.exported, state, np.ascontiguousarray(codes.t().numpy()), len(codes), workspace)
        logits = workspace.logits[: len(codes), : len(self.exported.shared.embedding)]
        return torch.from_numpy(logits)[:, None], state
