"""The settings of the stages `sample` and `score`, typed and explained in a sentence each."""

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
    """A grid of temperatures and primes: each cell has `sample.count` sequences, drawn with the same seed."""

    temperatures: list[float] = field(default_factory=list)
    """The temperatures of the columns, instead of `sample.temperature`."""
    primes: list[str] = field(default_factory=list)
    """The primes of the rows, instead of `sample.prime`, each a text, @FILE or heldout."""
    rows: int = 4
    """Rows from each @FILE and heldout, at most."""

    def __post_init__(self) -> None:
        for temperature in self.temperatures:
            check_range("sample.grid.temperatures", temperature, 0.0, 100.0)
        check_range("sample.grid.rows", self.rows, 1, 1000)


@dataclass
class FillSettings:
    """Infilling: `sample.prime` is the left context, `right` the right one. The length of the gap is in bars,
    where the domain has bars, or in symbols."""

    right: str | None = None
    """The right context, to the end of the sequence."""
    shortest: int | None = None
    """Symbols of the gap, at least; 10 by default, where the gap is not in bars."""
    longest: int | None = None
    """Symbols of the gap, at most; the candidates take all lengths in turn."""
    candidates: int = 200
    """Candidates that are drawn; the `sample.count` that are likeliest between both contexts are kept."""
    bars: int | None = None
    """Bars of the gap, for tunes; 1 where no length is given."""

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
    """How new sequences are sampled."""

    count: int = 16
    """Number of sequences."""
    length: int | None = 500
    """Symbols of a sequence: the maximum, or the exact number where sequences of the domain have no end.
    null: the default of the domain, such as 500 for genomes and at most 10,000 for whole genes."""
    lead: int | None = None
    """Lead-in: symbols that are sampled before each sequence and discarded. The sequence then starts from a
    state within a genome or text, not from the initial state. null: the default of the domain, 2000 for
    genomes, else 0. Sequences with a prime, filled gaps and sequences with a start have no lead-in."""
    temperature: float = 1.0
    """Divisor of the logits: below 1 favours likely symbols, above 1 rare ones, 0 is greedy. A low
    temperature gives loops: 38% of tunes loop at 0.5, 9% at 0.8, 3% at 1
    (docs/explanation/tune-metrics.md)."""
    top_k: int | None = None
    """Sample from the k likeliest symbols only."""
    top_p: float | None = None
    """Sample from the likeliest symbols whose probabilities add up to this (nucleus sampling)."""
    min_p: float | None = None
    """Sample from the symbols with at least this share of the probability of the likeliest."""
    typical_p: float | None = None
    """Sample from the symbols whose surprisal is closest to its expectation and whose probabilities add up to
    this (locally typical sampling)."""
    repetition_penalty: float = 1.0
    """Log-probabilities of the last symbols are multiplied by it: above 1, symbols repeat less."""
    repetition_window: int = 16
    """Number of last symbols to which the penalty applies."""
    copy_weight: float = 1.0
    """Weight of the copy experts in a context-mixing model, from 0 (none) to 1 (as trained). Other models
    ignore it."""
    int8: bool = False
    """Whether weights and states may be quantised to 8 bits where that is faster, as for large recurrent
    models."""
    accelerator: str = "cpu"
    """The device for sampling and scoring: cpu, gpu, or auto (a GPU if there is one). Rounding differs
    between devices, so the same seed may give other sequences."""
    valid: bool = True
    """Constrained decoding by the grammar of the domain, where it has one: tunes whose bars and repeats add
    up."""
    constraints: list[Any] = field(default_factory=list)
    """Constraints on every sequence, such as {kind: motifs, never: [GAATTC]}
    (docs/how-to/constraints-and-requests.md)."""
    prime: str = ""
    """The start of every sequence, which the model continues. @FILE takes the records of a file in turn,
    heldout those of the test split."""
    prime_length: int | None = None
    """Symbols that are taken from each record of @FILE or heldout; all by default."""
    primes: Any = field(default_factory=list)
    """Several primes, taken in turn: a list of texts like `prime`, or one @FILE."""
    beam: int | None = None
    """Beam search of this width instead of sampling; it returns the `count` best sequences and keeps
    constraints that forbid."""
    length_penalty: float = 0.7
    """Exponent of the length by which beam search divides log-probabilities: 0 favours short sequences."""
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
                "sample.beam ranks by the model's own log-probabilities: it keeps "
                "constraints that forbid, not weights or penalties; leave out one of them"
            )


@dataclass
class ScoreSettings:
    """Which sequences the stage `score` reads."""

    path: str | None = None
    """A file, folder or 'GLOB' of sequences to score, in a format that the domain reads."""
    context: int = 2000
    """Where parts of sequences are scored, the model reads this many symbols before a part as context, which
    are not scored. There are fewer near the start of a sequence and after unknown letters."""

    def __post_init__(self) -> None:
        check_range("score.context", self.context, 0, 10**7)
