"""The settings of drawing and scoring, a sentence each."""

from dataclasses import dataclass, field
from typing import Any

from pipeline.config.checks import check_choice, check_range
from pipeline.errors import ConfigError

ALTERNATIVES = {
    "sample.temperature": ("sample.grid.temperatures",),
    "sample.prime": ("sample.primes", "sample.grid.primes"),
    "sample.primes": ("sample.prime", "sample.grid.primes"),
    "sample.grid.temperatures": ("sample.temperature", "sample.beam", "sample.fill"),
    "sample.grid.primes": ("sample.prime", "sample.primes", "sample.beam", "sample.fill"),
    "sample.beam": ("sample.grid", "sample.fill"),
    "sample.fill.right": ("sample.grid", "sample.beam"),
    "dataset.path": ("dataset.source", "dataset.split.file"),
    "dataset.source": ("dataset.path", "dataset.split.file"),
}
"""Settings of a continued run, and the earlier settings that each of them replaces. Domains add theirs
(`Domain.data_settings`, `Domain.score_settings`)."""


@dataclass
class GridSettings:
    """The same seed under several temperatures and after several primes, `sample.count` sequences each."""

    temperatures: list[float] = field(default_factory=list)
    """Instead of `sample.temperature`; in a run gone on with, each takes the place of the other."""
    primes: list[str] = field(default_factory=list)
    """Instead of `sample.prime`, and written like it: a text, @FILE or heldout."""
    rows: int = 4
    """Records that each @FILE and heldout gives, at most."""

    def __post_init__(self) -> None:
        for temperature in self.temperatures:
            check_range("sample.grid.temperatures", temperature, 0.0, 100.0)
        check_range("sample.grid.rows", self.rows, 1, 1000)


@dataclass
class FillSettings:
    """A gap between two given sides: `sample.prime` on its left, `right` on its right. Its length is given in
    bars, where the domain's sequences have bars, or in symbols."""

    right: str | None = None
    """The right side, to the sequence's end."""
    shortest: int | None = None
    """Symbols of the gap, at least; 10, where it has no bars."""
    longest: int | None = None
    """Symbols of the gap, at most; candidates have all lengths in turn."""
    candidates: int = 200
    """Gaps that are drawn; the `sample.count` that fit both sides best are kept."""
    bars: int | None = None
    """Bars of the gap, for tunes; 1, if no length is given."""

    def __post_init__(self) -> None:
        check_range("sample.fill.candidates", self.candidates, 1, 2**31)
        if self.bars is not None:
            check_range("sample.fill.bars", self.bars, 1, 64)
            if self.shortest is not None or self.longest is not None:
                raise ConfigError("sample.fill.bars, and shortest or longest: give the length in one of them")
        check_range("sample.fill.shortest", self.lengths.start, 1, 2**31)
        check_range("sample.fill.longest", self.lengths.stop - 1, self.lengths.start, 2**31)

    @property
    def lengths(self) -> range:
        """The lengths of the gap, in symbols."""
        shortest = self.shortest or min(10, self.longest or 10)
        return range(shortest, (self.longest or max(10, shortest)) + 1)


@dataclass
class SampleSettings:
    """How new sequences are drawn."""

    count: int = 16
    """How many sequences."""
    length: int | None = 500
    """Symbols of a sequence, at most; exactly, where the domain's sequences have no end of their own. null:
    as the domain has it, of genomes 500, of whole genes at most 10,000."""
    lead: int | None = None
    """Symbols that the model draws before each sequence and that are discarded, so that the sequence starts
    from a state within a genome or text, not from the empty one; not given, as the domain has it: 2000 for
    genomes, else 0. A sequence with a prime, a filled span, and one that has a beginning have none."""
    temperature: float = 1.0
    """Logits are divided by it: below 1 likelier symbols, above 1 rarer ones, 0 greedy. A low temperature
    gives loops: of tunes 38% loop at 0.5, 9% at 0.8, 3% at 1 (docs/explanation/tune-metrics.md)."""
    top_k: int | None = None
    """Draw from the k likeliest symbols only."""
    top_p: float | None = None
    """Draw from the likeliest symbols that together hold this probability (nucleus sampling)."""
    min_p: float | None = None
    """Draw from symbols that are at least this share as likely as the likeliest."""
    typical_p: float | None = None
    """Draw from the symbols whose surprisal is nearest to the expected one, which together hold this
    probability."""
    repetition_penalty: float = 1.0
    """Log-probabilities of symbols drawn not long ago are multiplied by it: above 1 repeats less."""
    repetition_window: int = 16
    """How many of the last symbols count as drawn not long ago."""
    copy_weight: float = 1.0
    """Weight of long contexts and copies of the training text in a context-mixing model, from 0, none, to 1,
    as it learned. Other models ignore it."""
    int8: bool = False
    """Whether weights and states may be rounded to 8 bits where that is faster, as with large recurrent
    models."""
    accelerator: str = "cpu"
    """Where sequences are drawn and scored: cpu, gpu, or auto, a GPU if there is one. Rounding differs, so
    that the same seed may give other sequences there."""
    valid: bool = True
    """Draw only what the domain's grammar allows, where it has one: tunes whose bars and repeats add up."""
    constraints: list[Any] = field(default_factory=list)
    """What every sequence must keep, such as {kind: motifs, never: [GAATTC]}; see sampling/constraints.py."""
    prime: str = ""
    """The start of every sequence, which the model continues; @FILE takes records of a file in turn, and
    heldout those of the test split."""
    prime_length: int | None = None
    """Symbols taken of each record that is a prime; all of it, if not given."""
    primes: Any = field(default_factory=list)
    """Several starts, taken in turn: a list of texts written like `prime`, or one @FILE."""
    beam: int | None = None
    """Search instead of drawing: keep so many beginnings, and return the `count` best sequences; constraints
    that forbid are kept."""
    length_penalty: float = 0.7
    """Beam search ranks by log-probability over length to this power: 0 favours short sequences."""
    grid: GridSettings = field(default_factory=GridSettings)
    fill: FillSettings = field(default_factory=FillSettings)

    def __post_init__(self) -> None:
        check_choice("sample.accelerator", self.accelerator, ("cpu", "gpu", "auto"))
        check_range("sample.count", self.count, 1, 2**31)
        if self.length is not None:
            check_range("sample.length", self.length, 1, 2**31)
        check_range("sample.temperature", self.temperature, 0.0, 100.0)
        for name, high in (("top_k", 2**16), ("prime_length", 2**31), ("beam", 4096)):
            if getattr(self, name) is not None:
                check_range(f"sample.{name}", getattr(self, name), 1, high)
        if self.lead is not None:
            check_range("sample.lead", self.lead, 0, 10**6)
        for name in ("top_p", "min_p", "typical_p"):
            if getattr(self, name) is not None:
                check_range(f"sample.{name}", getattr(self, name), 0.0, 1.0, open_low=True)
        check_range("sample.repetition_penalty", self.repetition_penalty, 0.0, 100.0, open_low=True)
        check_range("sample.repetition_window", self.repetition_window, 1, 2**16)
        check_range("sample.copy_weight", self.copy_weight, 0.0, 1.0)
        check_range("sample.length_penalty", self.length_penalty, 0.0, 10.0)
        self._check_primes()
        self._check_together()

    def _check_primes(self) -> None:
        if isinstance(self.primes, str):
            self.primes = [self.primes] if self.primes else []
        if not isinstance(self.primes, list) or not all(isinstance(each, str) for each in self.primes):
            raise ConfigError(f"sample.primes={self.primes}: write a list of texts, [ACG,TTG], or one @FILE")

    def _check_together(self) -> None:
        if self.prime and self.primes:
            raise ConfigError("sample.prime and sample.primes: only one of them may be given")
        ways = {
            "sample.beam": self.beam is not None, "sample.fill": self.fill.right is not None,
            "sample.grid": bool(self.grid.temperatures or self.grid.primes),
        }  # fmt: skip
        chosen = [name for name, given in ways.items() if given]
        if len(chosen) > 1:
            raise ConfigError(f"{' and '.join(chosen)}: only one of them may be given")
        kinds = [line.get("kind") for line in self.constraints if isinstance(line, dict)]
        if self.beam is not None and ("weights" in kinds or self.repetition_penalty != 1):
            raise ConfigError(
                "sample.beam ranks by the model's own log-probabilities: it keeps what forbids, not "
                "weights or penalties; leave out one of them"
            )


@dataclass
class ScoreSettings:
    """Which sequences the stage `score` reads."""

    path: str | None = None
    """A file, folder or 'GLOB' of sequences, in a format that the domain reads."""
    context: int = 2000
    """Where parts of sequences are scored, symbols before a part that the model reads first and that are not
    counted; fewer where the sequence begins or has unknown letters before it."""

    def __post_init__(self) -> None:
        check_range("score.context", self.context, 0, 10**7)
