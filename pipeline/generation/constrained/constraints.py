"""What may be asked of sequences while they are drawn: settings, each a dataclass, that become rules.

In a configuration a constraint is a line of `sample.constraints`, its `kind` the name of one of these in
small letters: ``{kind: motifs, never: [GAATTC, GGATCC]}``. Read next: `automaton.py`, `steering.py`.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.config.build import build
from pipeline.data.alphabet import SPECIALS, Alphabet
from pipeline.domain import Domain
from pipeline.errors import ConfigError
from pipeline.generation.constrained.automaton import Ending, Motif, Never, NeverInFrame, Only, Rule


@dataclass(frozen=True)
class Language:
    """What constraints are about: an alphabet, what its domain knows of it, and whether an end is drawn."""

    alphabet: Alphabet
    complement: Mapping[str, str] | None = None
    wildcards: Mapping[str, str] = field(default_factory=dict)
    open_ended: bool = False

    @classmethod
    def of(cls, domain: Domain, alphabet: Alphabet) -> "Language":
        """The language of a domain's models."""
        return cls(alphabet, domain.complement, domain.wildcards, domain.open_ended)

    def __len__(self) -> int:
        return len(self.alphabet.symbols)

    def split(self, text: str) -> list[str]:
        """The symbols of a text, which stand between spaces where they have several characters."""
        return list(text) if self.alphabet.single_characters else text.split()

    def letters(self, text: str, where: str) -> frozenset[int]:
        """The numbers of the symbols in a text; ConfigError for one that is not known."""
        return frozenset().union(*self.motif(text, where))

    def motif(self, text: str, where: str) -> Motif:
        """The letters that each symbol of a motif stands for: itself, or those of a wildcard."""
        if not text:
            raise ConfigError(f"{where}: an empty one would be found everywhere; leave it out")
        return tuple(
            frozenset(self.alphabet.code(s) - len(SPECIALS) for s in self._meant(symbol, text, where))
            for symbol in self.split(text)
        )

    def _meant(self, symbol: str, text: str, where: str) -> Sequence[str]:
        meant = [symbol] if symbol in self.alphabet else [*self.wildcards.get(symbol, "")]
        if not meant or any(each not in self.alphabet for each in meant):
            allowed = " ".join([str(self.alphabet), *self.wildcards])
            raise ConfigError(f"{where}: {text!r} has {symbol!r}, which is not one of {allowed}")
        return meant

    def mirrored(self, motif: Motif) -> Motif:
        """The motif of the other strand."""
        names = self.alphabet.symbols
        return tuple(
            frozenset(names.index(self.complement[names[letter]]) for letter in place)
            for place in reversed(motif)
        )


@dataclass(frozen=True)
class Share:
    """The letters that count, and the bounds of their share in each window of `length`."""

    letters: frozenset[int]
    length: int
    low: float
    high: float

    def bounds(self, length: int) -> tuple[int, int]:
        """How many letters a window of this length holds at least and at most."""
        # A hair wider, or 0.55 of 100 would be 55.000000000000007.
        return math.ceil(self.low * length - 1e-9), math.floor(self.high * length + 1e-9)


class Constraint:
    """A wish: automaton rules, shares in windows, weights in nats ``(letters,)``, or lengths."""

    def rules(self, language: Language) -> list[Rule]:
        """Rules that every sequence keeps."""
        return []

    def shares(self, language: Language) -> list[Share]:
        """Shares that every window keeps."""
        return []

    def weights(self, language: Language) -> np.ndarray | float:
        """What is added to the logits."""
        return 0.0


@dataclass(frozen=True)
class Symbols(Constraint):
    """Draw from a part of the alphabet."""

    only: str | None = None
    """These symbols and no others."""
    without: str = ""
    """None of these symbols."""

    def rules(self, language: Language) -> list[Rule]:
        where = "sample.constraints, symbols"
        kept = frozenset(range(len(language)))
        kept = kept if self.only is None else language.letters(self.only, f"{where}, only")
        kept -= language.letters(self.without, f"{where}, without") if self.without else frozenset()
        return [Only(kept)]


@dataclass(frozen=True)
class Motifs(Constraint):
    """Draw no sequence that holds one of these motifs, such as the sites of restriction enzymes."""

    never: list[str] = field(default_factory=list)
    """Motifs; in genomes IUPAC codes such as N or R stand for several bases."""
    both_strands: bool = True
    """Their reverse complements neither, where the domain has a complement."""

    def rules(self, language: Language) -> list[Rule]:
        motifs = [language.motif(text, "sample.constraints, motifs") for text in self.never]
        if self.both_strands and language.complement:
            motifs += [language.mirrored(motif) for motif in motifs]
        return [Never(list(dict.fromkeys(motifs)), len(language))]


@dataclass(frozen=True)
class Frame(Constraint):
    """Draw no sequence that holds one of these words in a reading frame, such as stop codons.

    Beside an `End` with such words, one of them closes the frame: an open reading frame.
    """

    never: list[str] = field(default_factory=lambda: ["TAA", "TAG", "TGA"])
    """Words, all of one length."""
    frame: int = 0
    """Symbols before the first word of the frame, the prime's counted."""

    def rules(self, language: Language) -> list[Rule]:
        return [self.rule(language, [])]

    def rule(self, language: Language, endings: Sequence[Motif]) -> NeverInFrame:
        """The rule beside motifs with which every sequence must end: a word that closes one of them may stand
        at the end, and where all are closed by such words, one must."""
        where = "sample.constraints, frame"
        words = [language.motif(text, where) for text in self.never]
        if len({len(word) for word in words}) != 1 or not 0 <= self.frame < len(words[0]):
            raise ConfigError(f"{where}: words of one length, and a frame from 0 to below it, are needed")
        size = len(words[0])
        never = frozenset().union(*map(_spelled, words))
        closing = [_spelled(each[-size:]) if len(each) >= size else frozenset() for each in endings]
        last = never & frozenset().union(*closing)
        must_end = bool(closing) and all(each and each <= never for each in closing)
        return NeverInFrame(never, size, self.frame, last, must_end)


@dataclass(frozen=True)
class End(Constraint):
    """Draw sequences that end with one of these motifs, within `sample.length`."""

    one_of: list[str] = field(default_factory=list)
    """Motifs."""

    def rules(self, language: Language) -> list[Rule]:
        return [Ending(self.motifs(language), len(language))]

    def motifs(self, language: Language) -> list[Motif]:
        """The motifs; ConfigError where there is none."""
        where = "sample.constraints, end"
        if not self.one_of:
            raise ConfigError(f"{where}: one_of names no motif")
        return [language.motif(text, where) for text in self.one_of]


@dataclass(frozen=True)
class Length(Constraint):
    """Draw sequences of a given length, where their end is drawn too; elsewhere `sample.length` says it."""

    exactly: int | None = None
    """So many symbols, the prime included."""
    at_least: int = 1
    """No fewer symbols."""
    at_most: int | None = None
    """No more symbols."""

    @property
    def shortest(self) -> int:
        """Symbols at least."""
        return self.exactly or self.at_least

    @property
    def longest(self) -> int | None:
        """Symbols at most, where there is a limit."""
        return self.exactly or self.at_most


@dataclass(frozen=True)
class Window(Constraint):
    """Draw sequences in each of whose windows some symbols have a share between two bounds, such as GC."""

    of: str = "GC"
    """The symbols that count."""
    length: int = 100
    """Symbols of a window."""
    low: float = 0.0
    """The smallest share."""
    high: float = 1.0
    """The largest share."""

    def shares(self, language: Language) -> list[Share]:
        where = "sample.constraints, window"
        if not 1 <= self.length <= 100_000 or not 0 <= self.low <= self.high <= 1:
            raise ConfigError(
                f"{where}: a length of 1 to 100000 and 0 <= low <= high <= 1 are needed, not {self}"
            )
        share = Share(language.letters(self.of, where), self.length, self.low, self.high)
        lowest, highest = share.bounds(self.length)
        if lowest > highest:
            raise ConfigError(
                f"{where}: no whole number of {self.length} symbols is a share from {self.low} to {self.high}"
            )
        return [share]


@dataclass(frozen=True)
class Weights(Constraint):
    """Make some symbols likelier or less likely, whatever came before."""

    add: dict[str, float] = field(default_factory=dict)
    """Symbols, and what is added to their logits: 0.7 doubles the odds, -0.7 halves them."""

    def weights(self, language: Language) -> np.ndarray:
        added = np.zeros(len(language))
        for text, weight in self.add.items():
            added[list(language.letters(text, "sample.constraints, weights"))] += weight
        return added


def rules_of(constraints: Sequence[Constraint], language: Language) -> list[list[Rule]]:
    """The rules of each constraint, given those of the others."""
    endings = [motif for each in constraints if isinstance(each, End) for motif in each.motifs(language)]
    return [
        [each.rule(language, endings)] if isinstance(each, Frame) else each.rules(language)
        for each in constraints
    ]


def _spelled(motif: Motif) -> frozenset[tuple[int, ...]]:
    """The words of letters that a motif stands for."""
    return frozenset(itertools.product(*motif))


KINDS = ("symbols", "motifs", "frame", "end", "length", "window", "weights")


def build_constraints(settings: Sequence[Mapping[str, Any]]) -> list[Constraint]:
    """The constraints of `sample.constraints`; ConfigError, naming the line, for what is none."""
    return [_constraint(each, f"sample.constraints[{number}]") for number, each in enumerate(settings)]


def _constraint(settings: Mapping[str, Any], where: str) -> Constraint:
    kind = settings.get("kind") if isinstance(settings, Mapping) else None
    if kind not in KINDS:
        raise ConfigError(f"{where}: its kind is {kind!r}, not one of {', '.join(KINDS)}")
    target = {"_target_": f"{__name__}.{str(kind).capitalize()}"}
    return build({**target, **{name: value for name, value in settings.items() if name != "kind"}}, where)
