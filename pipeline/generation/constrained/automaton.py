"""Constraints as finite automata, and the states from which a sequence can still be finished.

Each component automaton reads letter by letter and keeps a small state; the product of all components is
explored once. Backward from the end, `ViableStates` finds for every number of remaining letters the states
from which a sequence of just that many letters can be finished. A letter is allowed where it leads to such a
state, so that no sequence reaches a dead end.

Sources: Aho and Corasick, "Efficient string matching" (1975). Motifs with classes of letters have a bit for
each position: Baeza-Yates and Gonnet, "A new approach to text searching" (1992).
"""

import abc
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import ConfigError

MAX_MOVES = 2**21
"""States times letters of an automaton, at most."""

Motif = tuple[frozenset[int], ...]
"""The letters that may stand at each position."""


class ComponentAutomaton(abc.ABC):
    """Reads a sequence letter by letter; a letter is the index of a symbol in the alphabet, from 0.

    A state is any hashable value that the automaton itself makes.
    """

    start: Hashable = None
    """The state before the first letter."""

    @abc.abstractmethod
    def step(self, state: Any, letter: int) -> Hashable:
        """The state after one more letter."""

    def forbids(self, state: Any, letter: int) -> bool:
        """Whether this letter may not be drawn here."""
        return False

    def accepts(self, state: Any) -> bool:
        """Whether a sequence may end here."""
        return True


@dataclass(frozen=True)
class AllowedSymbols(ComponentAutomaton):
    """Allows some letters and no others."""

    letters: frozenset[int]

    def step(self, state: Hashable, letter: int) -> Hashable:
        return state

    def forbids(self, state: Hashable, letter: int) -> bool:
        return letter not in self.letters


class MotifMatcher:
    """Finds motifs: a state has a bit for each motif position that has been reached."""

    def __init__(self, motifs: Sequence[Motif], letters: int) -> None:
        self.first, self.last, self.masks = 0, 0, [0] * letters
        position = 0
        for motif in motifs:
            self.first |= 1 << position
            for allowed in motif:
                for letter in allowed:
                    self.masks[letter] |= 1 << position
                position += 1
            self.last |= 1 << (position - 1)

    def step(self, state: int, letter: int) -> int:
        """The positions reached after one more letter; a motif may begin anywhere."""
        return ((state << 1) & ~self.first | self.first) & self.masks[letter]


class ForbiddenMotifs(ComponentAutomaton):
    """Forbids the motifs anywhere."""

    start = 0

    def __init__(self, motifs: Sequence[Motif], letters: int) -> None:
        self.matcher = MotifMatcher(motifs, letters)

    def step(self, state: int, letter: int) -> int:
        return self.matcher.step(state, letter)

    def forbids(self, state: int, letter: int) -> bool:
        return bool(self.matcher.step(state, letter) & self.matcher.last)


class RequiredEnding(ComponentAutomaton):
    """Requires one of the motifs at the end."""

    start = 0

    def __init__(self, motifs: Sequence[Motif], letters: int) -> None:
        self.matcher = MotifMatcher(motifs, letters)

    def step(self, state: int, letter: int) -> int:
        return self.matcher.step(state, letter)

    def accepts(self, state: int) -> bool:
        return bool(state & self.matcher.last)


@dataclass(frozen=True)
class ForbiddenInFrame(ComponentAutomaton):
    """Forbids words of `size` letters at position `frame` and at every `size` letters after it.

    One of the words in `last` may stand in the frame at the end of the sequence, and nothing after it. With
    `must_end`, every sequence ends so.
    """

    words: frozenset[tuple[int, ...]]
    size: int
    frame: int
    last: frozenset[tuple[int, ...]] = frozenset()
    must_end: bool = False

    @property
    def start(self) -> Hashable:
        return self.frame, (), False

    def step(self, state: tuple[int, tuple[int, ...], bool], letter: int) -> Hashable:
        wait, read, _ = state
        if wait:
            return wait - 1, (), False
        word = (*read, letter)
        return (0, (), word in self.last) if len(word) == self.size else (0, word, False)

    def forbids(self, state: tuple[int, tuple[int, ...], bool], letter: int) -> bool:
        wait, read, closed = state
        word = (*read, letter)
        return closed or (not wait and word in self.words and word not in self.last)

    def accepts(self, state: tuple[int, tuple[int, ...], bool]) -> bool:
        return state[2] or not self.must_end


class ProductAutomaton:
    """The product of component automata over an alphabet; state 0 is the start.

    `moves` and `forbidden` are ``(states, letters)``, `accepting` is ``(states,)``. Raises ConfigError where
    the product has more than `MAX_MOVES` moves.
    """

    def __init__(self, components: Sequence[ComponentAutomaton], letters: int) -> None:
        start = tuple(component.start for component in components)
        numbers: dict[tuple[Hashable, ...], int] = {start: 0}
        states, moves, forbidden = list(numbers), [], []
        for state in states:
            parts = list(zip(components, state, strict=True))
            forbidden.append([any(c.forbids(part, a) for c, part in parts) for a in range(letters)])
            reached = [tuple(c.step(part, letter) for c, part in parts) for letter in range(letters)]
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
            all(c.accepts(part) for c, part in zip(components, state, strict=True)) for state in states
        ])  # fmt: skip

    def walk(self, state: int, letters: np.ndarray) -> int:
        """The state after these letters, forbidden or not."""
        for letter in letters:
            state = int(self.moves[state, letter])
        return state


class ViableStates:
    """The states from which a sequence can be finished, by the number of remaining letters.

    A sequence has `min_symbols` to `max_symbols` letters; where it is `exact`, it has `max_symbols`. `rows`
    is ``(rows, states)``; `row` says which row holds for a number of remaining letters.
    """

    def __init__(self, automaton: ProductAutomaton, min_symbols: int, max_symbols: int, exact: bool) -> None:
        rows: list[np.ndarray] = []
        seen: dict[bytes, int] = {}
        viable: np.ndarray = automaton.accepting
        self.first, self.period = max_symbols + 1, 1
        for left in range(max_symbols + 1):
            if left:
                viable = np.asarray((~automaton.forbidden & viable[automaton.moves]).any(1))
                if not exact and max_symbols - left >= min_symbols:
                    viable = viable | automaton.accepting
            # From here on a row depends on the row before alone: one repeated row repeats all others.
            periodic = exact or left > max_symbols - min_symbols or min_symbols == 0
            key = viable.tobytes()
            if periodic and key in seen:
                self.first, self.period = seen[key], left - seen[key]
                break
            if periodic:
                seen[key] = left
            rows.append(viable)
        self.rows = np.array(rows)

    def row(self, left: np.ndarray) -> np.ndarray:
        """The row of `rows` for each of these numbers of remaining letters."""
        return np.where(left < self.first, left, self.first + (left - self.first) % self.period)
