"""A domain's grammar at work: which symbols may follow, looked up in tables that grow as they are needed.

Compiled drawing reads the tables as they are and comes back where one of them does not know how to go on.
What is known is shared by all rows and threads, and changes no sample.
"""

import logging
from collections.abc import Collection, Hashable, Sequence
from threading import Lock
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pipeline.data.alphabet import EOS, SPECIALS, Alphabet
from pipeline.domain import AttributeCounts, Domain
from pipeline.errors import ConfigError
from pipeline.generation.constrained.logits_processor import Controls, Steering
from pipeline.grammar import Grammar

log = logging.getLogger(__name__)
Array = np.ndarray
LOST = 0.01
"""Smaller is faster, larger nearer to what the model draws when it is good by itself."""
MAX_NAMED = 8
"""Symbols that a message lists."""
_FREE = object()
"""The state of a strand that allows everything."""


class Tables(NamedTuple):
    """What is known of states, by their numbers."""

    moves: Array
    """The state after each letter, -1 where it is not known yet, ``(states, letters)``."""
    rows: Array
    """Which of the masks each state has, ``(states,)``."""
    masks: Array
    """The codes that may follow, ``(masks, vocab_size)``."""


class Places(NamedTuple):
    """Of each row: the states of the strands, -1 where one is not known, and those a symbol before, both
    ``(rows, strands)``."""

    states: Array
    before: Array

    @classmethod
    def of(cls, rows: int, strands: int) -> "Places":
        """As many as there are rows."""
        return cls(np.zeros((rows, strands), np.int32), np.zeros((rows, strands), np.int32))


NO_TABLES = Tables(np.zeros((1, 1), np.int32), np.zeros(1, np.int32), np.ones((1, 1), bool))


class Guide:
    """The tables of a grammar over an alphabet.

    A sequence that reaches the longest length without an end is resampled, `tries` times at most. Where
    compiled code draws it `freely`, so is one that leaves the grammar where all that it allows is less likely
    than `lost`; else, and the last time, the grammar chooses with from the first symbol on.
    """

    def __init__(
        self, grammar: Grammar, alphabet: Alphabet, tries: int = 0, lost: float = LOST, freely: bool = True
    ) -> None:  # fmt: skip
        self.grammar, self.vocab_size, self.tries, self.lost = grammar, len(alphabet), tries, lost
        self.freely = freely
        self.letters, self.symbols = len(alphabet.symbols), alphabet.symbols
        self.strands = len(grammar.start)
        self.lock = Lock()
        self.numbers: dict[tuple[int, Hashable], int] = {}
        self.states: list[tuple[int, Hashable]] = []
        self.masks: dict[tuple[frozenset[int], bool], int] = {}
        self.tables = Tables(
            np.full((256, self.letters), -1, np.int32), np.zeros(256, np.int32),
            np.zeros((64, self.vocab_size), bool),
        )  # fmt: skip
        self.start = [self._number(strand, state) for strand, state in enumerate(grammar.start)]

    def after(self, letters: Array, where: str) -> Array:
        """The states after a prime; free ones where the grammar does not know it."""
        with self.lock:
            states = list(self.start)
            for position, letter in enumerate(letters, 1):
                known = self.grammar.takes_all
                if not known and not self.allowed(np.array(states))[letter + len(SPECIALS)]:
                    log.warning(
                        "%s: %r, symbol %d of the prime, breaks a rule of sample.valid=true (%s), so these "
                        "rules are not kept in what follows it", where, self.symbols[letter], position,
                        self._rule(states),
                    )  # fmt: skip
                    return np.array([self._number(strand, _FREE) for strand in range(self.strands)])
                states = [self._move(state, letter) for state in states]
            return np.array(states, np.int32)

    def settle(self, places: Places, codes: Array, count: int) -> Tables:
        """Find what is not known of the first `count` rows, whose last codes these are."""
        with self.lock:
            rows, strands = np.nonzero(places.states[:count] < 0)
            before, letters = places.before[rows, strands], codes[rows] - len(SPECIALS)
            places.states[rows, strands] = [
                self._move(state, letter)
                for state, letter in zip(before.tolist(), letters.tolist(), strict=True)
            ]
            return self.tables

    def allowed(self, states: Array) -> Array:
        """The codes that all strands allow, ``(…, vocab_size)``, for states ``(…, strands)``."""
        masks, rows = self.tables.masks, self.tables.rows
        return masks[rows[states]].all(-2)

    def _rule(self, states: Sequence[int]) -> str:
        """Which symbols the grammar allows next, for a message."""
        codes = np.flatnonzero(self.allowed(np.array(states)))
        allowed = [repr(self.symbols[code - len(SPECIALS)]) for code in codes if code >= len(SPECIALS)]
        more = ", …" if len(allowed) > MAX_NAMED else ""
        return f"allowed there: {', '.join(allowed[:MAX_NAMED])}{more}" if allowed else "the end is due there"

    def _move(self, state: int, letter: int) -> int:
        known = int(self.tables.moves[state, letter])
        if known < 0:
            strand, value = self.states[state]
            alike: Collection[int] = (letter,)
            if value is _FREE:
                after, alike = value, range(self.letters)
            else:
                after = self.grammar.step(strand, value, letter)
                alike = self.grammar.alike(strand, value, letter)
            known = self._number(strand, after)
            self.tables.moves[state, list(alike)] = known
        return known

    def _number(self, strand: int, state: Hashable) -> int:
        key = (strand, state)
        if key in self.numbers:
            return self.numbers[key]
        number = len(self.states)
        if number == len(self.tables.moves):
            self._grow()
        self.tables.rows[number] = self._mask(*self._allowed(strand, state))
        self.states.append(key)
        self.numbers[key] = number
        return number

    def _allowed(self, strand: int, state: Hashable) -> tuple[frozenset[int], bool]:
        if state is _FREE:
            return frozenset(range(self.letters)), True
        return self.grammar.allowed(strand, state)

    def _mask(self, letters: frozenset[int], end: bool) -> int:
        key = (letters, end)
        if key not in self.masks:
            number = self.masks[key] = len(self.masks)
            if number == len(self.tables.masks):
                masks = np.concatenate([self.tables.masks, np.zeros_like(self.tables.masks)])
                self.tables = self.tables._replace(masks=masks)
            mask = self.tables.masks[number]
            mask[[letter + len(SPECIALS) for letter in letters]] = True
            mask[EOS] = end
        return self.masks[key]

    def _grow(self) -> None:
        moves, rows, _ = self.tables
        self.tables = self.tables._replace(
            moves=np.concatenate([moves, np.full_like(moves, -1)]),
            rows=np.concatenate([rows, np.zeros_like(rows)]),
        )


def build_grammar_guide(
    domain: Domain, alphabet: Alphabet, wanted: bool, training: AttributeCounts | None = None
) -> Guide | None:
    """The guide of a domain's models, where it has a grammar and that is wanted.

    Raises ConfigError where what is asked of a domain takes a grammar that is not wanted.
    """
    if not wanted and domain.has_requests:
        raise ConfigError(
            "what the settings of the domain ask for is kept by its grammar, which sample.valid=false, "
            "sample.beam and sample.fill leave out; do without one of the two"
        )
    grammar = domain.grammar(alphabet.symbols, training) if wanted else None
    # What is asked for the model would hardly ever draw by itself.
    return (
        None if grammar is None else Guide(grammar, alphabet, grammar.tries, freely=not domain.has_requests)
    )


class Guided(Controls):
    """A grammar for models that torch steps, or beside other controls."""

    def __init__(self, guide: Guide) -> None:
        self.guide = guide

    def begin(self, starts: Sequence[Array], indices: range) -> Steering:
        return _Guiding(self, starts)


class _Guiding(Steering):
    def __init__(self, controls: Guided, starts: Sequence[Array]) -> None:
        self.guide = controls.guide
        known: dict[bytes, Array] = {}
        for start in starts:
            if start.tobytes() not in known:
                known[start.tobytes()] = self.guide.after(start - len(SPECIALS), "sample.prime")
        self.places = Places.of(len(starts), self.guide.strands)
        self.places.states[:] = [known[start.tobytes()] for start in starts]
        self.codes = np.zeros(len(starts), np.int64)

    def adjust(self, logits: Tensor, drawing: Tensor) -> Tensor:
        rows = drawing.numpy()
        self.guide.settle(self.places, self.codes, len(rows))
        allowed = self.guide.allowed(self.places.states)
        allowed[~rows] = True
        return logits.masked_fill(~torch.from_numpy(allowed), -torch.inf)

    def advance(self, codes: Tensor, drawing: Tensor) -> None:
        rows = (drawing & (codes != EOS)).numpy().nonzero()[0]
        self.codes[rows] = codes.numpy()[rows]
        states, moves = self.places.states, self.guide.tables.moves
        self.places.before[rows] = states[rows]
        states[rows] = moves[states[rows], self.codes[rows, None] - len(SPECIALS)]
