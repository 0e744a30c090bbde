"""From settings to samples: one request, or one for each cell of a grid of temperatures and primes."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch

from pipeline.config.sampling import SampleSettings
from pipeline.data.alphabet import Alphabet
from pipeline.domain import Domain
from pipeline.errors import ConfigError
from pipeline.generation.attributes import AttributeStatistics
from pipeline.generation.beam_search import search
from pipeline.generation.constrained.constraint_alphabet import ConstraintAlphabet
from pipeline.generation.constrained.constraint_processor import build_logits_processors, find_violation
from pipeline.generation.constrained.constraints import End, Length, build_constraints
from pipeline.generation.constrained.grammar_constraint import GrammarConstraint, build_grammar_constraint
from pipeline.generation.constrained.repetition_penalty import RepetitionPenalty
from pipeline.generation.engine import draw
from pipeline.generation.infilling import Gap, fill
from pipeline.generation.request import Request
from pipeline.models.checkpoint import Loaded
from pipeline.models.model import Model
from pipeline.records import Sample, Symbols


def resolve_accelerator(settings: SampleSettings) -> torch.device:
    """The device that `sample.accelerator` means on this machine; ConfigError where it has none."""
    if settings.accelerator == "cpu" or (settings.accelerator == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise ConfigError("sample.accelerator=gpu: torch finds none on this machine; set auto or cpu")
    return torch.device("cuda")


@dataclass(frozen=True)
class SamplingRun:
    """A model, the settings of its samples, and the domain of the sequences."""

    loaded: Loaded
    domain: Domain
    settings: SampleSettings
    seed: int
    primes: tuple[Symbols, ...] = ("",)
    attributes: AttributeStatistics = field(default_factory=AttributeStatistics)

    @property
    def alphabet(self) -> Alphabet:
        """The symbols of the model."""
        return self.loaded.alphabet

    @property
    def is_search(self) -> bool:
        """Whether the best sequences are searched, as a whole, instead of drawn one by one."""
        return self.settings.beam is not None or self.settings.fill.right is not None

    @cached_property
    def requests(self) -> list[Request]:
        """The requests: several for a grid, in which all temperatures of a prime follow each other."""
        grid = self.settings.grid
        if not (grid.temperatures or grid.primes):
            return [self._request(self.settings.temperature, self.primes)]
        temperatures = grid.temperatures or [self.settings.temperature]
        return [self._request(t, (prime,)) for prime in self.primes for t in temperatures]

    @property
    def count(self) -> int:
        """The number of samples."""
        return len(self.requests) * self.settings.count

    def samples(self, first: int = 0) -> Iterator[Sample]:
        """The samples from number `first` on. Raises ConfigError where constraints cannot be kept."""
        settings, model = self.settings, self._prepare_model()
        if settings.beam is not None:
            yield from search(model, self.alphabet, self.requests[0], settings.beam, settings.length_penalty)
            return
        if settings.fill.right is not None:
            yield from fill(model, self.alphabet, self.requests[0], self._gap)
            return
        for number, request in enumerate(self.requests):
            before = number * settings.count
            for sample in draw(model, self.alphabet, request, max(0, first - before)):
                yield replace(sample, index=before + sample.index, temperature=request.temperature)

    def _prepare_model(self) -> Model:
        self.loaded.model.set_copy_weight(self.settings.copy_weight)
        return self.loaded.model.to(resolve_accelerator(self.settings))

    @cached_property
    def _grammar(self) -> GrammarConstraint | None:
        wanted = self.settings.valid and self.settings.beam is None  # beams are not drawn symbol by symbol
        return build_grammar_constraint(self.domain, self.alphabet, wanted, self.attributes.counts)

    @cached_property
    def _gap(self) -> Gap:
        settings, alphabet = self.settings, ConstraintAlphabet.from_domain(self.domain, self.alphabet)
        constraints = build_constraints(settings.constraints)

        def find(symbols: Symbols, prime_length: int) -> str | None:
            return find_violation(constraints, alphabet, self.alphabet.encode(symbols), prime_length)

        right = self.domain.parse_rest(settings.fill.right or "")
        return Gap(self.domain, settings.fill, right, settings.valid, find)

    def _request(self, temperature: float, primes: tuple[Symbols, ...]) -> Request:
        settings = self.settings
        repetition = None
        if settings.repetition_penalty != 1:
            repetition = RepetitionPenalty(settings.repetition_penalty, settings.repetition_window)
        alphabet = ConstraintAlphabet.from_domain(self.domain, self.alphabet)
        length = settings.length or self.domain.sample_length
        constraints = build_constraints(settings.constraints)
        if settings.fill.right is not None:
            # Only the gap is drawn, which has no end; the right side decides how the whole ends.
            alphabet = replace(alphabet, open_ended=True)
            length = len(primes[0]) + self._gap.max_symbols
            constraints = [each for each in constraints if not isinstance(each, End | Length)]
        return Request(
            settings.count, length, self.seed, primes[0], alphabet.open_ended, temperature,
            settings.top_k, settings.top_p, settings.min_p, settings.typical_p,
            primes if len(primes) > 1 else (),
            build_logits_processors(constraints, alphabet, length, repetition),
            self._grammar, settings.int8, self._lead,
        )  # fmt: skip

    @property
    def _lead(self) -> int:
        """Symbols of the lead-in. Raises ConfigError where sequences have a beginning of their own."""
        lead = self.settings.lead
        if lead and not self.domain.open_ended:
            raise ConfigError(
                f"sample.lead={lead}: sequences of this domain have a beginning, from which they are drawn; "
                "leave it out"
            )
        if not self.domain.open_ended or self.settings.fill.right is not None:
            return 0
        return self.domain.lead if lead is None else lead
