"""A domain's grammar for constrained decoding: tables of its component automata that grow on demand.

Torch steps use the tables as a `LogitsProcessor`. Compiled code (`compiled/draw_kernel.py`) reads the same
tables, and returns where a transition is unknown. All rows and threads share what is known; it changes no
sample.
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
from pipeline.generation.constrained.logits_processor import BatchProcessor, LogitsProcessor
from pipeline.grammar import Grammar

log = logging.getLogger(__name__)
Array = np.ndarray
MIN_ALLOWED_MASS = 0.01
"""Smaller is faster; larger is nearer to the distribution of the valid sequences that the model draws."""
MAX_NAMED = 8
"""Symbols that a message lists."""
_UNCONSTRAINED = object()
"""The state of a component that allows everything."""


class GrammarTables(NamedTuple):
    """The known states of all components, by their numbers."""

    moves: Array
    """The state after each letter, -1 where it is unknown, ``(states, letters)``."""
    rows: Array
    """The row of `masks` for each state, ``(states,)``."""
    masks: Array
    """The codes that may follow, ``(masks, vocab_size)``."""


class GrammarStates(NamedTuple):
    """The states of the components for each row of a batch."""

    states: Array
    """-1 where a state is unknown, ``(rows, components)``."""
    before: Array
    """The states one symbol before, ``(rows, components)``."""

    @classmethod
    def zeros(cls, rows: int, components: int) -> "GrammarStates":
        """States for so many rows."""
        return cls(np.zeros((rows, components), np.int32), np.zeros((rows, components), np.int32))


EMPTY_TABLES = GrammarTables(np.zeros((1, 1), np.int32), np.zeros(1, np.int32), np.ones((1, 1), bool))


class GrammarConstraint(LogitsProcessor):
    """The tables of a grammar over an alphabet.

    Parameters
    ----------
    grammar
        The grammar.
    alphabet
        The symbols, which the grammar's letters number from 0.
    max_resamples
        How often a sequence is resampled, at most, that has no end at the maximal length.
    min_allowed_mass
        With rejection sampling, a sequence is also resampled where the grammar forbids the drawn symbol and
        the symbols that it allows are together less likely than this.
    rejection_sampling
        Compiled code draws symbols without the grammar and then checks them. Without it, and at the last
        resample, the grammar masks every symbol. Masking every symbol distorts the distribution more, but
        succeeds where the model hardly ever draws a valid sequence.
    """

    def __init__(
        self, grammar: Grammar, alphabet: Alphabet, max_resamples: int = 0,
        min_allowed_mass: float = MIN_ALLOWED_MASS, rejection_sampling: bool = True,
    ) -> None:  # fmt: skip
        self.grammar, self.vocab_size = grammar, len(alphabet)
        self.max_resamples, self.min_allowed_mass = max_resamples, min_allowed_mass
        self.rejection_sampling = rejection_sampling
        self.letters, self.symbols = len(alphabet.symbols), alphabet.symbols
        self.components = len(grammar.start)
        self.lock = Lock()
        self.numbers: dict[tuple[int, Hashable], int] = {}
        self.states: list[tuple[int, Hashable]] = []
        self.masks: dict[tuple[frozenset[int], bool], int] = {}
        self.tables = GrammarTables(
            np.full((256, self.letters), -1, np.int32), np.zeros(256, np.int32),
            np.zeros((64, self.vocab_size), bool),
        )  # fmt: skip
        self.start = [self._number_state(component, state) for component, state in enumerate(grammar.start)]

    def start_batch(self, primes: Sequence[Array], indices: range) -> BatchProcessor:
        return _GrammarBatch(self, primes)

    def read_prime(self, letters: Array, where: str) -> Array:
        """The states after a prime; unconstrained ones, with a warning, where the grammar forbids it."""
        with self.lock:
            states = list(self.start)
            for position, letter in enumerate(letters, 1):
                known = self.grammar.accepts_any_prime
                if not known and not self.allowed_codes(np.array(states))[letter + len(SPECIALS)]:
                    log.warning(
                        "%s: %r, symbol %d of the prime, breaks a rule of sample.valid=true (%s), so these "
                        "rules are not kept in what follows it", where, self.symbols[letter], position,
                        self._describe_allowed(states),
                    )  # fmt: skip
                    free = [self._number_state(each, _UNCONSTRAINED) for each in range(self.components)]
                    return np.array(free)
                states = [self._move(state, letter) for state in states]
            return np.array(states, np.int32)

    def resolve(self, grammar_states: GrammarStates, codes: Array, count: int) -> GrammarTables:
        """Find the unknown states of the first `count` rows, which drew these codes last."""
        with self.lock:
            rows, components = np.nonzero(grammar_states.states[:count] < 0)
            before, letters = grammar_states.before[rows, components], codes[rows] - len(SPECIALS)
            grammar_states.states[rows, components] = [
                self._move(state, letter)
                for state, letter in zip(before.tolist(), letters.tolist(), strict=True)
            ]
            return self.tables

    def allowed_codes(self, states: Array) -> Array:
        """The codes that all components allow, ``(…, vocab_size)``, for states ``(…, components)``."""
        masks, rows = self.tables.masks, self.tables.rows
        return np.asarray(masks[rows[states]].all(-2))

    def _describe_allowed(self, states: Sequence[int]) -> str:
        """The symbols that the grammar allows next, for a message."""
        codes = np.flatnonzero(self.allowed_codes(np.array(states)))
        allowed = [repr(self.symbols[code - len(SPECIALS)]) for code in codes if code >= len(SPECIALS)]
        more = ", …" if len(allowed) > MAX_NAMED else ""
        return f"allowed there: {', '.join(allowed[:MAX_NAMED])}{more}" if allowed else "the end is due there"

    def _move(self, state: int, letter: int) -> int:
        known = int(self.tables.moves[state, letter])
        if known < 0:
            component, value = self.states[state]
            letters: Collection[int] = (letter,)
            if value is _UNCONSTRAINED:
                after, letters = value, range(self.letters)
            else:
                after = self.grammar.step(component, value, letter)
                letters = self.grammar.equivalent(component, value, letter)
            known = self._number_state(component, after)
            self.tables.moves[state, list(letters)] = known
        return known

    def _number_state(self, component: int, state: Hashable) -> int:
        key = (component, state)
        if key in self.numbers:
            return self.numbers[key]
        number = len(self.states)
        if number == len(self.tables.moves):
            self._grow()
        self.tables.rows[number] = self._number_mask(*self._allowed(component, state))
        self.states.append(key)
        self.numbers[key] = number
        return number

    def _allowed(self, component: int, state: Hashable) -> tuple[frozenset[int], bool]:
        if state is _UNCONSTRAINED:
            return frozenset(range(self.letters)), True
        return self.grammar.allowed(component, state)

    def _number_mask(self, letters: frozenset[int], end: bool) -> int:
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


class _GrammarBatch(BatchProcessor):
    setting = "sample.valid"

    def __init__(self, constraint: GrammarConstraint, primes: Sequence[Array]) -> None:
        self.constraint = constraint
        known: dict[bytes, Array] = {}
        for prime in primes:
            if prime.tobytes() not in known:
                known[prime.tobytes()] = constraint.read_prime(prime - len(SPECIALS), "sample.prime")
        self.grammar_states = GrammarStates.zeros(len(primes), constraint.components)
        self.grammar_states.states[:] = [known[prime.tobytes()] for prime in primes]
        self.codes = np.zeros(len(primes), np.int64)

    def process(self, logits: Tensor, drawing: Tensor) -> Tensor:
        rows = drawing.numpy()
        self.constraint.resolve(self.grammar_states, self.codes, len(rows))
        allowed = self.constraint.allowed_codes(self.grammar_states.states)
        allowed[~rows] = True
        return logits.masked_fill(~torch.from_numpy(allowed), -torch.inf)

    def advance(self, codes: Tensor, drawing: Tensor) -> None:
        rows = (drawing & (codes != EOS)).numpy().nonzero()[0]
        self.codes[rows] = codes.numpy()[rows]
        states, moves = self.grammar_states.states, self.constraint.tables.moves
        self.grammar_states.before[rows] = states[rows]
        states[rows] = moves[states[rows], self.codes[rows, None] - len(SPECIALS)]


def build_grammar_constraint(
    domain: Domain, alphabet: Alphabet, wanted: bool, training: AttributeCounts | None = None
) -> GrammarConstraint | None:
    """The grammar of a domain's samples; None where the domain has none or it is not wanted.

    Raises ConfigError where the domain's settings request attributes, which only a grammar keeps, and it is
    not wanted.
    """
    if not wanted and domain.has_requests:
        raise ConfigError(
            "what the settings of the domain ask for is kept by its grammar, which sample.valid=false, "
            "sample.beam and sample.fill leave out; do without one of the two"
        )
    grammar = domain.grammar(alphabet.symbols, training) if wanted else None
    if grammar is None:
        return None
    # The model seldom draws requested attributes without the grammar.
    return GrammarConstraint(
        grammar, alphabet, grammar.max_resamples, rejection_sampling=not domain.has_requests
    )
