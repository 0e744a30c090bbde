"""The symbols that constraints name: from the texts of settings to letters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.data.alphabet import SPECIALS, Alphabet
from pipeline.domain import Domain
from pipeline.errors import ConfigError
from pipeline.generation.constrained.automaton import Motif


@dataclass(frozen=True)
class ConstraintAlphabet:
    """An alphabet with what its domain knows of the symbols, and whether an end symbol is drawn.

    A letter is the index of a symbol in the alphabet, from 0.
    """

    alphabet: Alphabet
    complement: Mapping[str, str] | None = None
    wildcards: Mapping[str, str] = field(default_factory=dict)
    open_ended: bool = False

    @classmethod
    def from_domain(cls, domain: Domain, alphabet: Alphabet) -> "ConstraintAlphabet":
        """The alphabet of a domain's models."""
        return cls(alphabet, domain.complement, domain.wildcards, domain.open_ended)

    def __len__(self) -> int:
        return len(self.alphabet.symbols)

    def split(self, text: str) -> list[str]:
        """The symbols of a text; symbols of several characters are separated by spaces."""
        return list(text) if self.alphabet.single_characters else text.split()

    def parse_letters(self, text: str, where: str) -> frozenset[int]:
        """The letters of all symbols in a text; ConfigError, at `where`, for an unknown symbol."""
        return frozenset().union(*self.parse_motif(text, where))

    def parse_motif(self, text: str, where: str) -> Motif:
        """The letters that each symbol of a motif stands for: itself, or those of a wildcard."""
        if not text:
            raise ConfigError(f"{where}: an empty one would be found everywhere; leave it out")
        return tuple(
            frozenset(self.alphabet.code(s) - len(SPECIALS) for s in self._expand(symbol, text, where))
            for symbol in self.split(text)
        )

    def _expand(self, symbol: str, text: str, where: str) -> Sequence[str]:
        meant = [symbol] if symbol in self.alphabet else [*self.wildcards.get(symbol, "")]
        if not meant or any(each not in self.alphabet for each in meant):
            allowed = " ".join([str(self.alphabet), *self.wildcards])
            raise ConfigError(f"{where}: {text!r} has {symbol!r}, which is not one of {allowed}")
        return meant

    def reverse_complement(self, motif: Motif) -> Motif:
        """The motif on the other DNA strand; the same motif where symbols have no complement."""
        if self.complement is None:
            return motif
        names, complement = self.alphabet.symbols, self.complement
        return tuple(
            frozenset(names.index(complement[names[letter]]) for letter in position)
            for position in reversed(motif)
        )
