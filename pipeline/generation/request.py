"""A request for samples, and its primes and lead-ins as codes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.data.alphabet import BOS, EOS, UNKNOWN, Alphabet
from pipeline.generation.constrained.grammar_constraint import GrammarConstraint
from pipeline.generation.constrained.logits_processor import LogitsProcessor, LogitsProcessorList
from pipeline.generation.token_choice import SamplingParams
from pipeline.records import Sample, Symbols


@dataclass(frozen=True)
class Request:
    """What to draw: `count` sequences of at most `length` symbols, the prime included.

    Where `open_ended`, no end symbol is drawn and every sequence has exactly `length` symbols. Where there
    are `primes`, they replace `prime`: sequence i begins with number i modulo their count. The `processor`
    and the `grammar` change the logits before a symbol is chosen; log-probabilities stay the model's own.
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
    processor: LogitsProcessor | None = None
    grammar: GrammarConstraint | None = None
    int8: bool = False
    """Round weights and activations to 8 bits where the model's compiled step allows it: a large model is
    then read from memory in a quarter of the time."""
    lead: int = 0
    """Symbols of the lead-in; a request with a prime has none."""

    @property
    def max_resamples(self) -> int:
        """How often a sequence is resampled, at most. A greedy sequence would be the same again."""
        if self.grammar is None or self.temperature == 0 or self.top_k == 1:
            return 0
        return self.grammar.max_resamples

    @property
    def allows_rejection(self) -> bool:
        """Whether sequences drawn by the grammar alone may be resampled until they keep the constraints."""
        checked = self.processor is not None and self.processor.is_constraint
        return checked and self.max_resamples > 0 and self.typical_p is None

    @property
    def lead_length(self) -> int:
        """Symbols of the lead-in before each sample: 0 where a prime is given."""
        return 0 if self.prime or any(self.primes) else self.lead

    def sampling_params(self) -> SamplingParams:
        """The parameters of token choice, with the codes that are never drawn."""
        never = (BOS, UNKNOWN, EOS) if self.open_ended else (BOS, UNKNOWN)
        return SamplingParams(self.temperature, self.top_k, self.top_p, never, self.min_p, self.typical_p)

    def logits_processor(self) -> LogitsProcessor | None:
        """The grammar and the processor in one; None without both."""
        return LogitsProcessorList.join(self.grammar, self.processor)


@dataclass(frozen=True)
class EncodedRequest:
    """A request with its primes, each ``(symbols,)``, and its lead-ins ``(lead-ins, symbols)`` as codes."""

    request: Request
    alphabet: Alphabet
    primes: Sequence[np.ndarray]
    leads: np.ndarray

    def prime(self, index: int) -> np.ndarray:
        """The prime of a sample."""
        return self.primes[index % len(self.primes)]

    @property
    def fits_primes(self) -> bool:
        """Whether every prime leaves room for another symbol."""
        return all(len(prime) < self.request.length for prime in self.primes)

    def build_sample(self, codes: np.ndarray, nats: float, index: int, stuck: bool = False) -> Sample:
        """The sample with these codes, the prime included, and this log-probability in nats.

        A sample that is `stuck`, because no code may follow, has not ended.
        """
        ends = np.flatnonzero(codes == EOS)
        symbols = self.alphabet.decode(codes[: ends[0]] if len(ends) else codes)
        ended = bool(len(ends)) and not stuck
        return Sample(index, self.request.seed, symbols, len(self.prime(index)), ended, nats)


def encode_primes(request: Request, alphabet: Alphabet) -> list[np.ndarray]:
    """The primes of a request as codes."""
    primes = request.primes or (request.prime,)
    return [alphabet.encode(prime, where="sample.prime").astype(np.int64) for prime in primes]
