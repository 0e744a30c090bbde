"""The constraints that a user can ask for while sequences are drawn: settings that become automata.

In a configuration a constraint is an item of `sample.constraints`. Its `kind` is the name of one of these
classes in small letters: ``{kind: motifs, never: [GAATTC, GGATCC]}``. Read next: `automaton.py`,
`constraint_processor.py`.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.config.build import build
from pipeline.errors import ConfigError
from pipeline.generation.constrained.automaton import (
    AllowedSymbols,
    ComponentAutomaton,
    ForbiddenInFrame,
    ForbiddenMotifs,
    Motif,
    RequiredEnding,
)
from pipeline.generation.constrained.constraint_alphabet import ConstraintAlphabet
from pipeline.generation.constrained.window_counts import WindowShare

MAX_WINDOW = 100_000
"""Symbols of a window, at most."""


class Constraint:
    """A constraint on whole sequences. A subclass overrides one of the methods.

    Each method takes the `ConstraintAlphabet` of the model and raises ConfigError where the settings do not
    suit it.
    """

    def automata(self, alphabet: ConstraintAlphabet) -> list[ComponentAutomaton]:
        """Automata that every sequence must satisfy.

        Parameters
        ----------
        alphabet
            The symbols of the model.

        Returns
        -------
        list of ComponentAutomaton
            Their product decides which symbols may follow.

        Raises
        ------
        ConfigError
            The settings do not suit the alphabet.
        """
        return []

    def window_shares(self, alphabet: ConstraintAlphabet) -> list[WindowShare]:
        """Bounds on shares of letters in every window.

        Parameters
        ----------
        alphabet
            The symbols of the model.

        Returns
        -------
        list of WindowShare
            Every window must keep all of them.

        Raises
        ------
        ConfigError
            The settings do not suit the alphabet.
        """
        return []

    def weights(self, alphabet: ConstraintAlphabet) -> np.ndarray | float:
        """Numbers that are added to the logits.

        Parameters
        ----------
        alphabet
            The symbols of the model.

        Returns
        -------
        ndarray or float
            In nats, ``(letters,)``.

        Raises
        ------
        ConfigError
            The settings do not suit the alphabet.
        """
        return 0.0


@dataclass(frozen=True)
class Symbols(Constraint):
    """Draw from a part of the alphabet."""

    only: str | None = None
    """These symbols and no others."""
    without: str = ""
    """None of these symbols."""

    def automata(self, alphabet: ConstraintAlphabet) -> list[ComponentAutomaton]:
        where = "sample.constraints, symbols"
        kept = frozenset(range(len(alphabet)))
        kept = kept if self.only is None else alphabet.parse_letters(self.only, f"{where}, only")
        kept -= alphabet.parse_letters(self.without, f"{where}, without") if self.without else frozenset()
        return [AllowedSymbols(kept)]


@dataclass(frozen=True)
class Motifs(Constraint):
    """Draw no sequence that holds one of these motifs, such as the sites of restriction enzymes."""

    never: list[str] = field(default_factory=list)
    """Motifs; in genomes IUPAC codes such as N or R stand for several bases."""
    both_strands: bool = True
    """Forbid their reverse complements too, where the domain has a complement."""

    def automata(self, alphabet: ConstraintAlphabet) -> list[ComponentAutomaton]:
        motifs = [alphabet.parse_motif(text, "sample.constraints, motifs") for text in self.never]
        if self.both_strands:
            motifs += [alphabet.reverse_complement(motif) for motif in motifs]
        return [ForbiddenMotifs(list(dict.fromkeys(motifs)), len(alphabet))]


@dataclass(frozen=True)
class Frame(Constraint):
    """Draw no sequence that holds one of these words in a reading frame, such as stop codons.

    Together with an `End` with such words, one of them closes the frame: an open reading frame.
    """

    never: list[str] = field(default_factory=lambda: ["TAA", "TAG", "TGA"])
    """Words, all of one length."""
    frame: int = 0
    """Symbols before the first word of the frame; the prime counts."""

    def automata(self, alphabet: ConstraintAlphabet) -> list[ComponentAutomaton]:
        return [self.automaton(alphabet, [])]

    def automaton(self, alphabet: ConstraintAlphabet, endings: Sequence[Motif]) -> ForbiddenInFrame:
        """The automaton, given the motifs of which one must end every sequence.

        A word at the end of one of these motifs may stand at the end of the sequence. Where all of them end
        with such words, one of the words must.
        """
        where = "sample.constraints, frame"
        words = [alphabet.parse_motif(text, where) for text in self.never]
        if len({len(word) for word in words}) != 1 or not 0 <= self.frame < len(words[0]):
            raise ConfigError(f"{where}: words of one length, and a frame from 0 to below it, are needed")
        size = len(words[0])
        never = frozenset().union(*map(_spell_out, words))
        closing = [_spell_out(each[-size:]) if len(each) >= size else frozenset() for each in endings]
        last = never & frozenset().union(*closing)
        must_end = bool(closing) and all(each and each <= never for each in closing)
        return ForbiddenInFrame(never, size, self.frame, last, must_end)


@dataclass(frozen=True)
class End(Constraint):
    """Draw sequences that end with one of these motifs, within `sample.length`."""

    one_of: list[str] = field(default_factory=list)
    """Motifs."""

    def automata(self, alphabet: ConstraintAlphabet) -> list[ComponentAutomaton]:
        return [RequiredEnding(self.motifs(alphabet), len(alphabet))]

    def motifs(self, alphabet: ConstraintAlphabet) -> list[Motif]:
        """The motifs; ConfigError where there is none."""
        where = "sample.constraints, end"
        if not self.one_of:
            raise ConfigError(f"{where}: one_of names no motif")
        return [alphabet.parse_motif(text, where) for text in self.one_of]


@dataclass(frozen=True)
class Length(Constraint):
    """Draw sequences of a given length, where their end is drawn too; elsewhere `sample.length` says it."""

    exactly: int | None = None
    """This many symbols, the prime included."""
    at_least: int = 1
    """No fewer symbols."""
    at_most: int | None = None
    """No more symbols."""

    @property
    def min_symbols(self) -> int:
        """The smallest number of symbols."""
        return self.exactly or self.at_least

    @property
    def max_symbols(self) -> int | None:
        """The largest number of symbols; None without a limit."""
        return self.exactly or self.at_most

    def accepts(self, symbols: int) -> bool:
        """Whether a sequence may have so many symbols."""
        return self.min_symbols <= symbols <= (self.max_symbols or symbols)


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

    def window_shares(self, alphabet: ConstraintAlphabet) -> list[WindowShare]:
        where = "sample.constraints, window"
        if not 1 <= self.length <= MAX_WINDOW or not 0 <= self.low <= self.high <= 1:
            raise ConfigError(
                f"{where}: a length of 1 to {MAX_WINDOW} and 0 <= low <= high <= 1 are needed, not {self}"
            )
        share = WindowShare(alphabet.parse_letters(self.of, where), self.length, self.low, self.high)
        lowest, highest = share.bounds(self.length)
        if lowest > highest:
            raise ConfigError(
                f"{where}: no whole number of {self.length} symbols is a share from {self.low} to {self.high}"
            )
        return [share]


@dataclass(frozen=True)
class Weights(Constraint):
    """Make some symbols likelier or less likely at every position."""

    add: dict[str, float] = field(default_factory=dict)
    """Symbols, and the number that is added to their logits: 0.7 doubles the odds, -0.7 halves them."""

    def weights(self, alphabet: ConstraintAlphabet) -> np.ndarray:
        added = np.zeros(len(alphabet))
        for text, weight in self.add.items():
            added[list(alphabet.parse_letters(text, "sample.constraints, weights"))] += weight
        return added


def build_automata(
    constraints: Sequence[Constraint], alphabet: ConstraintAlphabet
) -> list[list[ComponentAutomaton]]:
    """The automata of each constraint; that of a `Frame` depends on the `End` among them."""
    endings = [motif for each in constraints if isinstance(each, End) for motif in each.motifs(alphabet)]
    return [
        [each.automaton(alphabet, endings)] if isinstance(each, Frame) else each.automata(alphabet)
        for each in constraints
    ]


def _spell_out(motif: Motif) -> frozenset[tuple[int, ...]]:
    """The words of letters that a motif stands for."""
    return frozenset(itertools.product(*motif))


KINDS = ("symbols", "motifs", "frame", "end", "length", "window", "weights")


def build_constraints(settings: Sequence[Mapping[str, Any]]) -> list[Constraint]:
    """Build the constraints of `sample.constraints`.

    Parameters
    ----------
    settings
        The items: each has a `kind` and the fields of its class.

    Returns
    -------
    list of Constraint
        In the order of the settings.

    Raises
    ------
    ConfigError
        An item is no constraint; the message names the item.
    """
    return [_build_constraint(each, f"sample.constraints[{number}]") for number, each in enumerate(settings)]


def _build_constraint(settings: Mapping[str, Any], where: str) -> Constraint:
    kind = settings.get("kind") if isinstance(settings, Mapping) else None
    if kind not in KINDS:
        raise ConfigError(f"{where}: its kind is {kind!r}, not one of {', '.join(KINDS)}")
    target = {"_target_": f"{__name__}.{str(kind).capitalize()}"}
    return build({**target, **{name: value for name, value in settings.items() if name != "kind"}}, where)
