"""Draws many sequences from a model at once, the state carried from symbol to symbol.

A sequence depends on the checkpoint, the settings, the seed and its own index, nothing else: its random
numbers come from a counter-based generator keyed by seed and index. Compiled code draws from a model that has
a compiled decode step, on the CPU. Any other always runs on blocks of exactly `BLOCK` rows, or on a GPU
`GPU_BLOCK`, because a matrix product's rounding depends on its shape.

A sample without a prime may start after a lead-in (`Request.lead`): symbols that the model draws first and
that belong to no sample, so that the sample starts from a state within a sequence, not from the empty one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from pipeline.data.alphabet import BOS, EOS, UNKNOWN, Alphabet
from pipeline.errors import ConfigError
from pipeline.generation.constrained.grammar import Guide, Guided
from pipeline.generation.constrained.logits_processor import Controls
from pipeline.generation.constrained.masking import Several
from pipeline.generation.decoding import Decoder
from pipeline.models.model import Model
from pipeline.models.state import resolve_device
from pipeline.records import Sample, Symbols

if TYPE_CHECKING:
    from pipeline.generation.compiled.cells import Net

BLOCK, GPU_BLOCK = 64, 1024
MAX_LEADS = 64
"""Lead-ins that are drawn at most: sample i starts after number i modulo their count."""
LEAD_TIME = 512
"""Symbols of a lead-in that a model reads in one call."""
LEAD_SEED = 0x9E3779B97F4A7C15
"""Combined with the seed by exclusive or, so that lead-ins and samples have different random numbers."""
MAX_RESAMPLES = 30
"""Draws by the grammar alone of a sequence that is to keep constraints, too. `Request.tries` + 1 draws by
the grammar and the constraints follow; then it is refused, so that all draws of a sequence are bounded."""
SELDOM = 0.1
"""Where fewer first draws keep the constraints, one sequence is drawn to its end before all others."""
THREADS = torch.get_num_threads()
"""As many as torch has at first."""


@dataclass(frozen=True)
class Request:
    """What to draw: `count` sequences of at most `length` symbols, the prime included.

    Where `open_ended`, no end symbol is drawn and every sequence has exactly `length` symbols. Where there
    are `primes`, they take the place of `prime`: sequence i begins with number i modulo their count.
    `controls` change the logits before a symbol is chosen, and a `guide` says which symbols may be;
    log-probabilities stay the model's own.
    """

    count: int
    length: int
    seed: int
    prime: Symbols = ""
    open_ended: bool = False
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical_p: float | None = None
    primes: tuple[Symbols, ...] = ()
    controls: Controls | None = None
    guide: Guide | None = None
    int8: bool = False
    """Whether weights, and what they are multiplied by, are rounded to 8 bits where a model's compiled step
    allows it: a large model is then read in a quarter of the time."""
    lead: int = 0
    """Symbols of the lead-in; a request with a prime has none."""

    @property
    def tries(self) -> int:
        """How often a sequence is resampled, at most; a greedy one would be the same."""
        if self.guide is None or self.temperature == 0 or self.top_k == 1:
            return 0
        return self.guide.tries

    @property
    def can_reject(self) -> bool:
        """Whether sequences that the grammar alone gives may be sampled until they keep the constraints."""
        checked = self.controls is not None and self.controls.checks_all
        return checked and self.tries > 0 and self.typical_p is None

    @property
    def lead_length(self) -> int:
        """Symbols of the lead-in before each sample: 0 where a prime is given."""
        return 0 if self.prime or any(self.primes) else self.lead

    def decoder(self) -> Decoder:
        """The decoder with what must never be drawn."""
        never = (BOS, UNKNOWN, EOS) if self.open_ended else (BOS, UNKNOWN)
        return Decoder(self.temperature, self.top_k, self.top_p, never, self.min_p, self.typical_p)

    def steering(self) -> Controls | None:
        """The controls, the guide among them."""
        parts = [] if self.guide is None else [Guided(self.guide)]
        parts += [] if self.controls is None else [self.controls]
        return Several(tuple(parts)) if len(parts) > 1 else next(iter(parts), None)


@torch.inference_mode()
def draw(
    model: Model, alphabet: Alphabet, request: Request, first: int = 0, threads: int = THREADS
) -> Iterator[Sample]:
    """Yield the samples from number `first` on in the order of their indices, some at a time; neither `first`
    nor the number of `threads` changes any of them."""
    primes = [
        alphabet.encode(prime, where="sample.prime").astype(np.int64)
        for prime in request.primes or (request.prime,)
    ]
    net, leads = net_of(model, request.int8), draw_leads(model, alphabet, request, threads)
    room_for_all = all(len(prime) < request.length for prime in primes)
    if net is not None and room_for_all and request.controls is None and request.typical_p is None:
        indices = range(first, request.count)
        yield from _draw_compiled(net, alphabet, request, primes, leads, indices, threads)
        return
    longest = 1 + leads.shape[1] + request.length
    run, where = model if net is None else _stepping(net, longest), resolve_device(model)
    block = BLOCK if where.type == "cpu" else GPU_BLOCK
    plan = _Blocks(run, alphabet, request, primes, leads, block, where)
    rejects = net is not None and room_for_all and request.can_reject
    for start in range(first - first % block, request.count, block):
        indices = range(start, min(start + block, request.count))
        kept = {}
        if rejects:
            chance = _Rejection(net, alphabet, request, primes, leads, indices, threads, plan)
            kept = chance.draw()
        for sample in plan.draw(indices, kept):
            if sample.index >= first:
                yield sample


def draw_leads(model: Model, alphabet: Alphabet, request: Request, threads: int = THREADS) -> np.ndarray:
    """The lead-ins of a request as codes ``(lead-ins, symbols)``; ``(1, 0)`` where it has none.

    They are drawn at temperature 1, without constraints, whatever the request says: a sample's settings hold
    for the sample. Each depends on the model, the seed and its own number only.
    """
    if not request.lead_length:
        return np.zeros((1, 0), np.int64)
    plain = Request(
        min(request.count, MAX_LEADS), request.lead_length, (request.seed ^ LEAD_SEED) & (2**64 - 1),
        open_ended=True, int8=request.int8,
    )  # fmt: skip
    drawn = (alphabet.encode(each.symbols) for each in draw(model, alphabet, plain, threads=threads))
    return np.stack(list(drawn)).astype(np.int64)


def net_of(model: Model, int8: bool = False) -> "Net | None":
    """The model's weights for compiled code, where it has such a step and lies where that runs."""
    weight = next(model.parameters(), torch.zeros(0))
    plain = resolve_device(model).type == "cpu" and weight.dtype == torch.float32
    if model.decode_step is None or not plain:
        return None
    from pipeline.generation.compiled.export import export_model  # compiled code: half a second to load

    return export_model(model, int8)


def _stepping(net: "Net", length: int) -> Callable:
    from pipeline.generation.compiled.sampler import Stepping  # late: it takes a while to load

    return Stepping(net, length)


def _draw_compiled(
    net: "Net", alphabet: Alphabet, request: Request, primes: list[np.ndarray], leads: np.ndarray,
    indices: Sequence[int], threads: int,
) -> Iterator[Sample]:  # fmt: skip
    from pipeline.generation.compiled import sampler, token_choice

    size = len(alphabet)
    allowed = np.ones(size, bool)
    decoder = request.decoder()
    allowed[list(decoder.forbidden)] = False
    rule = token_choice.Rule(
        float(decoder.temperature), size if decoder.top_k is None else min(decoder.top_k, size),
        1.0 if decoder.top_p is None else float(decoder.top_p), float(decoder.min_p or 0.0), allowed,
        request.tries, *((request.guide.freely, request.guide.lost) if request.guide else (False, 0.0)),
    )  # fmt: skip
    if leads.shape[1]:
        starts = sampler.starts_after(net, leads, request.length, request.guide)
    else:
        steps = [request.length - len(prime) for prime in primes]
        given = [np.concatenate([[BOS], prime]) for prime in primes]
        starts = sampler.starts_of(net, given, steps, request.guide)
    for index, codes, nats in sampler.draw(net, starts, rule, request.seed, indices, threads, request.guide):
        prime = primes[index % len(primes)]
        yield _sample(alphabet, request, np.concatenate([prime, codes]), len(prime), nats, index)


@dataclass
class _Rejection:
    """By row, the samples that the grammar alone gives, resampled until they keep the constraints, too.

    That is rejection sampling: to choose only among what constraints allow goes on where the model ends. A
    row keeps its first draw that is good: how many rows are drawn together changes no sample.
    """

    net: "Net"
    alphabet: Alphabet
    request: Request
    primes: list[np.ndarray]
    leads: np.ndarray
    indices: range
    threads: int
    blocks: "_Blocks"
    kept: dict[int, Sample] = field(default_factory=dict)
    draws: int = 0
    good: int = 0

    def draw(self) -> dict[int, Sample]:
        """The samples that are kept; rows that have none are left out.

        Raises ConfigError where constraints are seldom kept and the first row without a sample gets none,
        by whatever draws.
        """
        self._attempt(range(len(self.indices)), range(1))
        missing = self._missing()
        if missing and self.good < SELDOM * self.draws:
            row, attempts = missing[0], range(1, MAX_RESAMPLES)
            self._attempt([row], attempts)
            if row not in self.kept:
                self.blocks.rejected = self.draws, self.good
                self.kept[row] = self.blocks.draw_rows(self.indices, [row])[row]
        attempt = 1
        while attempt < MAX_RESAMPLES and (missing := self._missing()):
            # As many draws at a time as in a whole block.
            several = min(max(1, BLOCK // len(missing)), MAX_RESAMPLES - attempt)
            self._attempt(missing, range(attempt, attempt + several))
            attempt += several
        self.blocks.rejected = self.draws, self.good
        return self.kept

    def _missing(self) -> list[int]:
        return [row for row in range(len(self.indices)) if row not in self.kept]

    def _attempt(self, rows: Sequence[int], attempts: range) -> None:
        """Draw these rows once for each of the attempts; a row keeps the first that is good."""
        request, given = self.request, [(row, attempt) for attempt in attempts for row in rows]
        # Other indices have other random numbers, and the same primes.
        step = len(self.primes) * len(self.leads) << 32
        numbers = [self.indices[row] + attempt * step for row, attempt in given]
        free = replace(request, controls=None)
        drawn = _draw_compiled(
            self.net, self.alphabet, free, self.primes, self.leads, numbers, self.threads
        )  # fmt: skip
        for (row, _), sample in zip(given, drawn, strict=True):
            codes = self.alphabet.encode(sample.symbols)
            good = sample.ended and not request.controls.problem(codes, sample.prime_length)
            self.draws, self.good = self.draws + 1, self.good + good
            if good and row not in self.kept:
                self.kept[row] = replace(sample, index=self.indices[row])


def uniforms(seed: int, index: int, count: int) -> np.ndarray:
    """The random numbers of one sample, ``(count,)`` in [0, 1)."""
    key = np.array([seed & (2**64 - 1), index], np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).random(count)


@dataclass
class _Blocks:
    """Draws blocks of rows side by side, with what stays the same for all of them."""

    model: Callable
    alphabet: Alphabet
    request: Request
    primes: list[np.ndarray]
    leads: np.ndarray
    block: int
    where: torch.device
    rejected: tuple[int, int] = (0, 0)
    """Earlier draws of these rows by the grammar alone, and how many of them kept the constraints."""

    def draw(self, indices: range, kept: Mapping[int, Sample]) -> list[Sample]:
        """The samples of one block, of which some rows are `kept` as they are; those that do not keep what is
        asked for are resampled.

        Raises ConfigError where one never does.
        """
        samples = dict(kept)
        rows = [row for row in range(len(indices)) if row not in kept]
        # Where earlier draws have failed, more are likely to fail: the first row shows it soon.
        for part in (rows[:1], rows[1:]) if self.rejected[0] else (rows,):
            samples |= self.draw_rows(indices, part)
        return [samples[row] for row in range(len(indices))]

    def draw_rows(self, indices: range, rows: Sequence[int]) -> dict[int, Sample]:
        """The samples of some rows of a block, resampled where they do not keep what is asked for.

        Raises ConfigError where one never does.
        """
        samples: dict[int, Sample] = {}
        failing = list(rows)
        for attempt in range(self.request.tries + 1 if failing else 0):
            samples |= self._attempt(indices, failing, attempt)
            failing = [row for row in failing if self._fails(samples[row])]
            if not failing:
                break
        for row in failing:
            self._refuse(samples[row])
        return samples

    def _fails(self, sample: Sample) -> bool:
        unfinished = self.request.guide is not None and not (sample.ended or self.request.open_ended)
        return unfinished or self._problem(sample) is not None

    def _problem(self, sample: Sample) -> str | None:
        if self.request.controls is None or self.request.guide is None:
            return None  # constraints alone are kept step by step
        return self.request.controls.problem(self.alphabet.encode(sample.symbols), sample.prime_length)

    def _refuse(self, sample: Sample) -> None:
        if problem := self._problem(sample):
            draws, good = self.rejected
            tries = self.request.tries + 1 + (MAX_RESAMPLES if draws else 0)
            seen = f" ({good} of {draws} draws without it do)" if draws else ""
            raise ConfigError(
                f"sample.constraints: none of {tries} tries of sample {sample.index} keeps {problem} within "
                f"sample.length={self.request.length} by the domain's grammar{seen}; ask for what "
                "the training data has more often, raise sample.length, or set sample.valid=false"
            )

    def _attempt(self, indices: range, wanted: Sequence[int], attempt: int) -> dict[int, Sample]:
        """Draw the wanted rows, from the random numbers of this attempt."""
        request, block, where = self.request, self.block, self.where
        # Rows beyond the count have primes too: a block is the same, however many are wanted of it.
        starts = [self.primes[(indices.start + row) % len(self.primes)] for row in range(block)]
        begun = torch.tensor([min(len(start), request.length) for start in starts], device=where)
        codes, numbers = (each.to(where) for each in _given(request, starts, indices, attempt))
        nats = torch.zeros(block, dtype=torch.float64, device=where)
        alive = torch.zeros(block, dtype=torch.bool, device=where)
        alive[list(wanted)] = True
        stuck = torch.zeros_like(alive)
        decoder = request.decoder()
        controls = request.steering()
        steering = controls.begin(starts, indices) if controls else None
        common = int(begun.min())
        before = torch.from_numpy(self.leads[(indices.start + np.arange(block)) % len(self.leads)]).to(where)
        inputs = torch.cat([torch.full((block, 1), BOS, device=where), before, codes[:, :common]], 1)
        inputs, state = _read_ahead(self.model, inputs)
        for step in range(common, request.length):
            logits, state = self.model(inputs, state)
            logits = logits[:, -1].double()
            drawing = alive & (step >= begun)
            likely = logits.log_softmax(-1)
            # What steers looks at numbers on the CPU.
            steered = logits
            if steering is not None:
                steered = steering.adjust(logits.cpu(), drawing.cpu()).to(where)
                nowhere = drawing & (steered.amax(-1) == -torch.inf)
                steered[nowhere, EOS] = 0.0
                stuck |= nowhere
            chosen = torch.where(drawing, decoder.choose(steered, numbers[:, step]), codes[:, step])
            nats += torch.where(drawing, likely.gather(-1, chosen[:, None])[:, 0], 0.0)
            if steering is not None:
                steering.advance(chosen.cpu(), drawing.cpu())
            codes[:, step] = chosen
            alive = alive & ~(drawing & (chosen == EOS))
            if not alive.any():
                break
            inputs = chosen[:, None]
        drawn = codes.cpu().numpy()
        return {
            row: _sample(self.alphabet, request, drawn[row], len(starts[row]), float(nats[row]),
                         indices[row], bool(stuck[row]))
            for row in wanted
        }  # fmt: skip


def _read_ahead(model: Callable, inputs: torch.Tensor) -> tuple[torch.Tensor, object]:
    """The last symbols of long inputs, and the model's state after those before them."""
    state = None
    while inputs.shape[1] > LEAD_TIME:
        _, state = model(inputs[:, :LEAD_TIME], state)
        inputs = inputs[:, LEAD_TIME:]
    return inputs, state


def _given(
    request: Request, starts: list[np.ndarray], indices: range, attempt: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """What is known before: codes ``(block, length)``, the primes and then the end symbol, and the random
    number for each of them, which are others in each attempt."""
    codes = torch.full((len(starts), request.length), EOS)
    numbers = torch.zeros(len(starts), request.length, dtype=torch.float64)
    for row, start in enumerate(starts):
        begun = min(len(start), request.length)
        codes[row, :begun] = torch.from_numpy(start[:begun])
        if row < len(indices):
            size = request.length - begun
            drawn = uniforms(request.seed, indices[row], size * (attempt + 1))[size * attempt :]
            numbers[row, begun:] = torch.from_numpy(drawn)
    return codes, numbers


def _sample(
    alphabet: Alphabet, request: Request, codes: np.ndarray, begun: int, nats: float, index: int,
    stuck: bool = False,
) -> Sample:  # fmt: skip
    """One that is `stuck`, where nothing may follow, has not ended."""
    ends = np.flatnonzero(codes == EOS)
    codes = codes[: ends[0]] if len(ends) else codes
    return Sample(index, request.seed, alphabet.decode(codes), begun, bool(len(ends)) and not stuck, nats)
