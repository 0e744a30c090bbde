"""The symbols that count in the windows of each row of a batch, and which letters these windows allow."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.generation.constrained.automaton import ProductAutomaton, ViableStates


@dataclass(frozen=True)
class WindowShare:
    """The bounds `low` and `high` of the share of some letters in each window of `length` symbols."""

    letters: frozenset[int]
    length: int
    low: float
    high: float

    def bounds(self, length: int) -> tuple[int, int]:
        """The smallest and the largest number of these letters in a window of this length."""
        # The tolerance is for shares such as 0.55 of 100, which is 55.000000000000007.
        return math.ceil(self.low * length - 1e-9), math.floor(self.high * length + 1e-9)


class WindowCounts:
    """Counts of the last letters of each row, for each window share.

    Parameters
    ----------
    shares
        The bounds of the windows.
    automaton, viable
        The other constraints, which the letters must keep too.
    primes
        The letters with which the rows begin.
    max_length
        Symbols of a row, at most.
    exact_length
        Symbols of every row, where they all have as many: a longer window then is the whole row.
    """

    def __init__(
        self, shares: Sequence[WindowShare], automaton: ProductAutomaton, viable: ViableStates,
        primes: Sequence[np.ndarray], max_length: int, exact_length: int | None,
    ) -> None:  # fmt: skip
        # Loading numba takes half a second, and few runs have windows.
        from pipeline.generation.constrained import window_composition

        self._compiled = window_composition
        lengths = [min(share.length, exact_length or share.length) for share in shares]
        bounds = [share.bounds(length) for share, length in zip(shares, lengths, strict=True)]
        letters = range(automaton.moves.shape[1])
        self.tables = window_composition.Windows(
            np.array(lengths),
            np.array([[letter in share.letters for letter in letters] for share in shares]),
            *np.array(bounds).T.copy(),
        )
        self.automaton = window_composition.AutomatonTables(
            automaton.moves, automaton.forbidden, viable.rows, viable.first, viable.period
        )
        # A single window without other constraints has no dead ends.
        self.dead_ends = len(shares) > 1 or len(automaton.moves) > 1
        longest = max([max_length, *(len(prime) for prime in primes)])
        self.texts = np.zeros((len(primes), longest + 1), np.uint16)
        self.counts = np.zeros((len(primes), len(shares)), np.int64)
        for row, prime in enumerate(primes):
            self.texts[row, : len(prime)] = prime
            for which, length in enumerate(lengths):
                recent = prime[max(0, len(prime) - length) :]
                self.counts[row, which] = self.tables.members[which][recent].sum()

    def restrict(
        self, allowed: np.ndarray, rows: np.ndarray, positions: np.ndarray, states: np.ndarray,
        left: np.ndarray,
    ) -> None:  # fmt: skip
        """Remove from `allowed` ``(rows, letters)`` the letters that the windows forbid."""
        self._compiled.restrict(
            self.automaton, self.tables, self.counts, self.texts, rows, positions, states, left,
            not self.dead_ends, allowed,
        )  # fmt: skip

    def advance(self, rows: np.ndarray, letters: np.ndarray, positions: np.ndarray) -> None:
        """Count the letters that these rows drew at these positions."""
        lengths, members = self.tables.lengths, self.tables.members
        self.texts[rows, positions] = letters
        for which, length in enumerate(lengths):
            gone = np.where(positions >= length, members[which][self.texts[rows, positions - length]], False)
            self.counts[rows, which] += members[which][letters].astype(np.int64) - gone

    def reorder(self, rows: np.ndarray) -> None:
        """Replace the batch by these of its rows."""
        self.texts, self.counts = self.texts[rows], self.counts[rows]
