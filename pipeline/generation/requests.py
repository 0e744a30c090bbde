"""From settings to what the engine draws: one request, or one for each cell of a grid."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch

from pipeline.config.sampling import SampleSettings
from pipeline.data.alphabet import Alphabet
from pipeline.domain import Domain
from pipeline.errors import ConfigError
from pipeline.generation.attributes import Training
from pipeline.generation.beam_search import search
from pipeline.generation.constrained.constraints import End, Language, Length, build_constraints
from pipeline.generation.constrained.grammar import Guide, build_grammar_guide
from pipeline.generation.constrained.masking import Repetition, broken, build_logits_processors
from pipeline.generation.engine import Request, draw
from pipeline.generation.infilling import Gap, fill
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
class Drawing:
    """A model, what it is asked for, and the domain that says what a sequence is."""

    loaded: Loaded
    domain: Domain
    settings: SampleSettings
    seed: int
    primes: tuple[Symbols, ...] = ("",)
    training: Training = field(default_factory=Training)

    @property
    def alphabet(self) -> Alphabet:
        """The symbols that the model knows."""
        return self.loaded.alphabet

    @property
    def searches(self) -> bool:
        """Whether the best are looked for, which is done as a whole, instead of drawing one by one."""
        return self.settings.beam is not None or self.settings.fill.right is not None

    @cached_property
    def cells(self) -> list[Request]:
        """The requests: more than one for a grid, where all temperatures of a prime stand together."""
        grid = self.settings.grid
        if not (grid.temperatures or grid.primes):
            return [self._request(self.settings.temperature, self.primes)]
        temperatures = grid.temperatures or [self.settings.temperature]
        return [self._request(t, (prime,)) for prime in self.primes for t in temperatures]

    @property
    def count(self) -> int:
        """How many samples there will be."""
        return len(self.cells) * self.settings.count

    def samples(self, first: int = 0) -> Iterator[Sample]:
        """The samples from number `first` on. Raises ConfigError where constraints cannot be kept."""
        settings, model = self.settings, self._model()
        if settings.beam is not None:
            yield from search(model, self.alphabet, self.cells[0], settings.beam, settings.length_penalty)
            return
        if settings.fill.right is not None:
            yield from fill(model, self.alphabet, self.cells[0], self._gap)
            return
        for number, request in enumerate(self.cells):
            before = number * settings.count
            for sample in draw(model, self.alphabet, request, max(0, first - before)):
                yield replace(sample, index=before + sample.index, temperature=request.temperature)

    def _model(self) -> Model:
        self.loaded.model.set_copy_weight(self.settings.copy_weight)
        return self.loaded.model.to(resolve_accelerator(self.settings))

    @cached_property
    def _guide(self) -> Guide | None:
        wanted = self.settings.valid and self.settings.beam is None  # beams are not drawn symbol by symbol
        return build_grammar_guide(self.domain, self.alphabet, wanted, self.training.counts)

    @cached_property
    def _gap(self) -> Gap:
        settings, language = self.settings, Language.of(self.domain, self.alphabet)
        wishes = build_constraints(settings.constraints)

        def problem(symbols: Symbols, begun: int) -> str | None:
            return broken(wishes, language, self.alphabet.encode(symbols), begun)

        right = self.domain.parse_rest(settings.fill.right)
        return Gap(self.domain, settings.fill, right, settings.valid, problem)

    def _request(self, temperature: float, primes: tuple[Symbols, ...]) -> Request:
        settings = self.settings
        repetition = None
        if settings.repetition_penalty != 1:
            repetition = Repetition(settings.repetition_penalty, settings.repetition_window)
        language, length = Language.of(self.domain, self.alphabet), settings.length
        wishes = build_constraints(settings.constraints)
        if settings.fill.right is not None:  # what is drawn is a span, which has no end of its own
            language, length = replace(language, open_ended=True), len(primes[0]) + self._gap.longest
            # How the whole ends is the right side's matter.
            wishes = [wish for wish in wishes if not isinstance(wish, End | Length)]
        return Request(
            settings.count, length, self.seed, primes[0], language.open_ended, temperature,
            settings.top_k, settings.top_p, settings.min_p, settings.typical_p,
            primes if len(primes) > 1 else (), build_logits_processors(wishes, language, length, repetition),
            self._guide, settings.int8, self._lead,
        )  # fmt: skip

    @property
    def _lead(self) -> int:
        """Symbols of the lead-in. Raises ConfigError where sequences have a beginning of their own."""
        lead, given = self.settings.lead, self.settings.lead is not None
        if given and lead and not self.domain.open_ended:
            raise ConfigError(
                f"sample.lead={lead}: sequences of this domain have a beginning, from which they are drawn; "
                "leave it out"
            )
        if not self.domain.open_ended or self.settings.fill.right is not None:
            return 0
        return lead if given else self.domain.lead
