"""Rules on sequences as one finite automaton, and where in it a sequence can still be finished.

Each rule reads letter by letter and keeps a small state; the product of all of them is explored once. Going
backwards from the end gives, for every number of letters left, the states from which a sequence of just
that many letters can be finished: a letter is allowed where it leads to one of these, so that no sequence
runs into a dead end. Sources: Aho and Corasick, "Efficient string matching" (1975); motifs with classes of
letters have a bit for each place: Baeza-Yates and Gonnet, "A new approach to text searching" (1992).
"""

import abc
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import ConfigError

MAX_MOVES = 2**21
"""States times letters of an automaton, at most."""

Motif = tuple[frozenset[int], ...]
"""The letters that may stand at each of its places."""


class Rule(abc.ABC):
    """Reads a sequence from `start`, letter by letter; letters are numbers from 0."""

    start: Hashable = None

    @abc.abstractmethod
    def step(self, state: Hashable, letter: int) -> Hashable:
        """The state after one more letter."""

    def forbids(self, state: Hashable, letter: int) -> bool:
        """Whether this letter may not be drawn here."""
        return False

    def accepts(self, state: Hashable) -> bool:
        """Whether a sequence may end here."""
        return True


@dataclass(frozen=True)
class Only(Rule):
    """Some of the letters, no others."""

    letters: frozenset[int]

    def step(self, state: Hashable, letter: int) -> Hashable:
        return state

    def forbids(self, state: Hashable, letter: int) -> bool:
        return letter not in self.letters


class Matcher:
    """Finds motifs: a state has a bit for each place of a motif that has been reached."""

    def __init__(self, motifs: Sequence[Motif], letters: int) -> None:
        self.first, self.last, self.fits = 0, 0, [0] * letters
        place = 0
        for motif in motifs:
            self.first |= 1 << place
            for allowed in motif:
                for letter in allowed:
                    self.fits[letter] |= 1 << place
                place += 1
            self.last |= 1 << (place - 1)

    def step(self, state: int, letter: int) -> int:
        """The places reached after one more letter; a motif may begin anywhere."""
        return ((state << 1) & ~self.first | self.first) & self.fits[letter]


class Never(Rule):
    """None of the motifs, anywhere."""

    start = 0

    def __init__(self, motifs: Sequence[Motif], letters: int) -> None:
        self.matcher = Matcher(motifs, letters)

    def step(self, state: int, letter: int) -> int:
        return self.matcher.step(state, letter)

    def forbids(self, state: int, letter: int) -> bool:
        return bool(self.matcher.step(state, letter) & self.matcher.last)


class Ending(Rule):
    """One of the motifs, at the end."""

    start = 0

    def __init__(self, motifs: Sequence[Motif], letters: int) -> None:
        self.matcher = Matcher(motifs, letters)

    def step(self, state: int, letter: int) -> int:
        return self.matcher.step(state, letter)

    def accepts(self, state: int) -> bool:
        return bool(state & self.matcher.last)


@dataclass(frozen=True)
class NeverInFrame(Rule):
    """None of the words at places that are `frame` and then each `len(word)` letters further.

    One of the words in `last` may stand in the frame at the sequence's end, and nothing after it. Where
    `must_end`, each sequence ends so.
    """

    words: frozenset[tuple[int, ...]]
    size: int
    frame: int
    last: frozenset[tuple[int, ...]] = frozenset()
    must_end: bool = False

    @property
    def start(self) -> Hashable:
        return self.frame, (), False

    def step(self, state: Hashable, letter: int) -> Hashable:
        wait, read, _ = state
        if wait:
            return wait - 1, (), False
        word = (*read, letter)
        return (0, (), word in self.last) if len(word) == self.size else (0, word, False)

    def forbids(self, state: Hashable, letter: int) -> bool:
        wait, read, closed = state
        word = (*read, letter)
        return closed or (not wait and word in self.words and word not in self.last)

    def accepts(self, state: Hashable) -> bool:
        return state[2] or not self.must_end


class Automaton:
    """The product of some rules over an alphabet: `moves` and `forbidden` ``(states, letters)``, `accepting`
    ``(states,)``; state 0 is the start. Raises ConfigError where it grows too large."""

    def __init__(self, rules: Sequence[Rule], letters: int) -> None:
        numbers: dict[tuple[Hashable, ...], int] = {tuple(rule.start for rule in rules): 0}
        states, moves, forbidden = list(numbers), [], []
        for state in states:
            parts = list(zip(rules, state, strict=True))
            forbidden.append([any(r.forbids(part, a) for r, part in parts) for a in range(letters)])
            reached = [tuple(r.step(part, letter) for r, part in parts) for letter in range(letters)]
            for after in reached:
                if after not in numbers:
                    numbers[after] = len(states)
                    states.append(after)
            moves.append([numbers[after] for after in reached])
            if len(states) * letters > MAX_MOVES:
                raise ConfigError(
                    "sample.constraints: together they need too large a table; state fewer or shorter ones"
                )
        self.moves, self.forbidden = np.array(moves, np.int32), np.array(forbidden, bool)
        self.accepting = np.array([
            all(r.accepts(part) for r, part in zip(rules, state, strict=True)) for state in states
        ])  # fmt: skip

    def walk(self, state: int, letters: np.ndarray) -> int:
        """The state after these letters, forbidden or not."""
        for letter in letters:
            state = int(self.moves[state, letter])
        return state


class Viability:
    """From which states a sequence of at most `longest` letters can be finished, by how many are left.

    A sequence has at least `shortest` letters, and all `longest` where it is `exact`.
    """

    def __init__(self, automaton: Automaton, shortest: int, longest: int, exact: bool) -> None:
        accepting, rows, seen = automaton.accepting, [], {}
        viable = accepting
        self.first, self.period = longest + 1, 1
        for left in range(longest + 1):
            if left:
                viable = (~automaton.forbidden & viable[automaton.moves]).any(1)
                if not exact and longest - left >= shortest:
                    viable = viable | accepting
            # What each row follows from alone, from there on: where a row comes back, so do all others.
            settled = exact or left > longest - shortest or shortest == 0
            key = viable.tobytes()
            if settled and key in seen:
                self.first, self.period = seen[key], left - seen[key]
                break
            if settled:
                seen[key] = left
            rows.append(viable)
        self.rows = np.array(rows)

    def row(self, left: np.ndarray | int) -> np.ndarray | int:
        """The number of the row in `rows` for so many letters left."""
        return np.where(left < self.first, left, self.first + (left - self.first) % self.period)
