"""Draws blocks of rows side by side, step by step in torch: every model, device and logits processor."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pipeline.data.alphabet import BOS, EOS
from pipeline.errors import ConfigError
from pipeline.generation.request import EncodedRequest
from pipeline.records import Sample

PREFILL_TIME = 512
"""Symbols of a lead-in that a model reads in one call."""


class RejectedDraws(NamedTuple):
    """Earlier draws by the grammar alone: attempts of each row, all draws, and those that kept the
    constraints."""

    attempts: int = 0
    draws: int = 0
    good: int = 0


@dataclass
class BlockSampler:
    """Draws blocks of exactly `size` rows.

    `step` is ``(codes, state) -> (logits, state)``: a model, or a compiled decode step.
    """

    step: Callable
    encoded: EncodedRequest
    size: int
    device: torch.device
    rejected: RejectedDraws = field(default_factory=RejectedDraws)

    def draw(self, indices: range, kept: Mapping[int, Sample]) -> list[Sample]:
        """The samples of one block. Rows in `kept` stay as they are; others are resampled until they keep the
        grammar and the constraints.

        Raises ConfigError where a row never does.
        """
        samples = dict(kept)
        rows = [row for row in range(len(indices)) if row not in kept]
        # After failed draws, more are likely to fail: the first row shows it soon.
        for part in (rows[:1], rows[1:]) if self.rejected.draws else (rows,):
            samples |= self.draw_rows(indices, part)
        return [samples[row] for row in range(len(indices))]

    def draw_rows(self, indices: range, rows: Sequence[int]) -> dict[int, Sample]:
        """The samples of some rows of a block, resampled until they keep the grammar and the constraints.

        Raises ConfigError where a row never does.
        """
        samples: dict[int, Sample] = {}
        failing = list(rows)
        for attempt in range(self.encoded.request.max_resamples + 1 if failing else 0):
            samples |= self._attempt(indices, failing, attempt)
            failing = [row for row in failing if self._fails(samples[row])]
            if not failing:
                break
        for row in failing:
            self._refuse(samples[row])
        return samples

    def find_violation(self, sample: Sample) -> str | None:
        """The constraint that a sample breaks; None where it keeps all."""
        request = self.encoded.request
        if request.processor is None or request.grammar is None:
            return None  # constraints without a grammar are kept step by step
        codes = self.encoded.alphabet.encode(sample.symbols)
        return request.processor.find_violation(codes, sample.prime_length)

    def _fails(self, sample: Sample) -> bool:
        request = self.encoded.request
        unfinished = request.grammar is not None and not (sample.ended or request.open_ended)
        return unfinished or self.find_violation(sample) is not None

    def _refuse(self, sample: Sample) -> None:
        if violation := self.find_violation(sample):
            request, (earlier, draws, good) = self.encoded.request, self.rejected
            attempts = request.max_resamples + 1 + earlier
            seen = f" ({good} of {draws} draws without it do)" if draws else ""
            raise ConfigError(
                f"sample.constraints: none of {attempts} tries of sample {sample.index} keeps {violation} "
                f"within sample.length={request.length} by the domain's grammar{seen}; ask for what "
                "the training data has more often, raise sample.length, or set sample.valid=false"
            )

    def _attempt(self, indices: range, wanted: Sequence[int], attempt: int) -> dict[int, Sample]:
        """Draw the wanted rows, from the random numbers of this attempt."""
        batch = _Batch(self, indices, wanted, attempt)
        batch.draw()
        codes = batch.codes.cpu().numpy()
        return {
            row: self.encoded.build_sample(
                codes[row], float(batch.nats[row]), indices[row], bool(batch.stuck[row])
            )
            for row in wanted
        }


class _Batch:
    """One block while it is drawn. Rows beyond the samples have primes too, so that blocks are equal."""

    def __init__(self, sampler: BlockSampler, indices: range, wanted: Sequence[int], attempt: int) -> None:
        encoded, size, device = sampler.encoded, sampler.size, sampler.device
        self.step, self.length, self.device = sampler.step, encoded.request.length, device
        primes = [encoded.prime(indices.start + row) for row in range(size)]
        self.prime_lengths = torch.tensor([min(len(prime), self.length) for prime in primes], device=device)
        codes, numbers = _prepare(encoded, primes, indices, attempt)
        self.codes, self.numbers = codes.to(device), numbers.to(device)
        self.nats = torch.zeros(size, dtype=torch.float64, device=device)
        self.alive = torch.zeros(size, dtype=torch.bool, device=device)
        self.alive[list(wanted)] = True
        self.stuck = torch.zeros_like(self.alive)
        self.params = encoded.request.sampling_params()
        processor = encoded.request.logits_processor()
        self.processor = processor.start_batch(primes, indices) if processor else None
        leads = encoded.leads[(indices.start + np.arange(size)) % len(encoded.leads)]
        self.leads = torch.from_numpy(leads).to(device)

    def draw(self) -> None:
        """Draw all rows until they end or have the maximal length."""
        common = int(self.prime_lengths.min())
        bos = torch.full((len(self.codes), 1), BOS, device=self.device)
        inputs, state = _prefill(self.step, torch.cat([bos, self.leads, self.codes[:, :common]], 1))
        for position in range(common, self.length):
            logits, state = self.step(inputs, state)
            inputs = self._choose(logits[:, -1].double(), position)[:, None]
            if not self.alive.any():
                break

    def _choose(self, logits: Tensor, position: int) -> Tensor:
        """Choose the codes at this position; rows within their prime keep its code."""
        drawing = self.alive & (position >= self.prime_lengths)
        processed = self._process(logits, drawing)
        drawn = self.params.choose(processed, self.numbers[:, position])
        chosen = torch.where(drawing, drawn, self.codes[:, position])
        log_probabilities = logits.log_softmax(-1).gather(-1, chosen[:, None])[:, 0]
        self.nats += torch.where(drawing, log_probabilities, 0.0)
        if self.processor is not None:
            self.processor.advance(chosen.cpu(), drawing.cpu())
        self.codes[:, position] = chosen
        self.alive = self.alive & ~(drawing & (chosen == EOS))
        return chosen

    def _process(self, logits: Tensor, drawing: Tensor) -> Tensor:
        """The processed logits; a row in which no code may follow ends, and is stuck."""
        if self.processor is None:
            return logits
        # Processors work on the CPU.
        processed = self.processor.process(logits.cpu(), drawing.cpu()).to(self.device)
        dead = drawing & (processed.amax(-1) == -torch.inf)
        processed[dead, EOS] = 0.0
        self.stuck |= dead
        return processed


def uniforms(seed: int, index: int, count: int) -> np.ndarray:
    """The random numbers of one sample, ``(count,)`` in [0, 1)."""
    key = np.array([seed & (2**64 - 1), index], np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).random(count)


def _prefill(step: Callable, inputs: Tensor) -> tuple[Tensor, object]:
    """The last symbols of long inputs, and the state of the model after the symbols before them."""
    state = None
    while inputs.shape[1] > PREFILL_TIME:
        _, state = step(inputs[:, :PREFILL_TIME], state)
        inputs = inputs[:, PREFILL_TIME:]
    return inputs, state


def _prepare(
    encoded: EncodedRequest, primes: list[np.ndarray], indices: range, attempt: int
) -> tuple[Tensor, Tensor]:
    """Codes ``(block, length)``, the primes followed by end symbols, and a random number for each of them.

    The numbers of each attempt are different.
    """
    request = encoded.request
    codes = torch.full((len(primes), request.length), EOS)
    numbers = torch.zeros(len(primes), request.length, dtype=torch.float64)
    for row, prime in enumerate(primes):
        begun = min(len(prime), request.length)
        codes[row, :begun] = torch.from_numpy(prime[:begun])
        if row < len(indices):
            size = request.length - begun
            drawn = uniforms(request.seed, indices[row], size * (attempt + 1))[size * attempt :]
            numbers[row, begun:] = torch.from_numpy(drawn)
    return codes, numbers
