"""The constraints of `sample.constraints` as a logits processor.

Codes that may not follow get the logit minus infinity, and some constraints re-weight others. Read next:
`constraints.py` (the settings), `automaton.py` (which symbols may follow), `window_counts.py` (windows).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from pipeline.data.alphabet import EOS, SPECIALS
from pipeline.errors import ConfigError
from pipeline.generation.constrained.automaton import ComponentAutomaton, ProductAutomaton, ViableStates
from pipeline.generation.constrained.constraints import (
    Constraint,
    ConstraintAlphabet,
    Length,
    build_automata,
)
from pipeline.generation.constrained.logits_processor import (
    BatchProcessor,
    LogitsProcessor,
    LogitsProcessorList,
)
from pipeline.generation.constrained.repetition_penalty import RepetitionPenalty
from pipeline.generation.constrained.window_counts import WindowCounts, WindowShare


@dataclass
class ConstraintProcessor(LogitsProcessor):
    """Keeps all constraints at once.

    Parameters
    ----------
    constraints
        The constraints.
    alphabet
        The symbols that they name, and what their domain knows of these.
    length
        Symbols of a sample, at most: `Request.length`.

    Raises
    ------
    ConfigError
        A constraint does not suit the alphabet, or no sequence keeps all of them.
    """

    constraints: Sequence[Constraint]
    alphabet: ConstraintAlphabet
    length: int
    automaton: ProductAutomaton = field(init=False)
    viable: ViableStates = field(init=False)

    def __post_init__(self) -> None:
        alphabet, constraints = self.alphabet, self.constraints
        components = [one for each in build_automata(constraints, alphabet) for one in each]
        self.automaton = ProductAutomaton(components, len(alphabet))
        self.window_shares = [share for each in constraints for share in each.window_shares(alphabet)]
        weights = sum((each.weights(alphabet) for each in constraints), np.zeros(len(alphabet)))
        self.weights = torch.from_numpy(weights)
        lengths = [each for each in constraints if isinstance(each, Length)]
        self.min_symbols = max((each.min_symbols for each in lengths), default=0)
        self.max_symbols = min([each.max_symbols for each in lengths if each.max_symbols] or [self.length])
        self._check_lengths(bool(lengths))
        exact = alphabet.open_ended
        # Sequences that must end keep their last step for the end symbol.
        if not exact and (lengths or not self.automaton.accepting.all()):
            self.max_symbols = min(self.max_symbols, self.length - 1)
        self.viable = ViableStates(self.automaton, self.min_symbols, self.max_symbols, exact)

    def _check_lengths(self, given: bool) -> None:
        low, high = self.min_symbols, self.max_symbols
        where = f"sample.constraints, length: {low} to {high} symbols"
        if self.alphabet.open_ended and given and not low <= self.length == high:
            raise ConfigError(
                f"{where}, but sequences without an end have exactly sample.length={self.length}; set that"
            )
        if not self.alphabet.open_ended and given and not low <= min(high, self.length - 1):
            raise ConfigError(f"{where} and an end do not fit into sample.length={self.length}; raise that")

    @property
    def is_constraint(self) -> bool:
        return not self.window_shares and not bool(self.weights.any())

    def start_batch(self, primes: Sequence[np.ndarray], indices: range) -> BatchProcessor:
        return _ConstraintBatch(self, primes, indices)

    def find_violation(self, codes: np.ndarray, prime_length: int) -> str | None:
        return find_violation(self.constraints, self.alphabet, codes, prime_length)

    def __str__(self) -> str:
        return "; ".join(map(str, self.constraints))


def find_violation(
    constraints: Sequence[Constraint], alphabet: ConstraintAlphabet, codes: np.ndarray, prime_length: int
) -> str | None:
    """The constraint that a whole sequence breaks; None where it keeps all.

    The first `prime_length` codes were given: windows that lie within them are not checked.
    """
    letters = codes.astype(np.int64) - len(SPECIALS)
    automata = build_automata(constraints, alphabet)
    for constraint, components in zip(constraints, automata, strict=True):
        if isinstance(constraint, Length) and not constraint.accepts(len(letters)):
            return str(constraint)
        if any(_rejects(component, letters, prime_length) for component in components):
            return str(constraint)
        shares = constraint.window_shares(alphabet)
        if any(_exceeds_bounds(share, letters, prime_length) for share in shares):
            return str(constraint)
    return None


def _exceeds_bounds(share: WindowShare, letters: np.ndarray, prime_length: int) -> bool:
    size = min(share.length, len(letters))
    total = np.concatenate([[0], np.isin(letters, sorted(share.letters)).cumsum()])
    counts = (total[size:] - total[:-size])[max(0, prime_length - size + 1) :]
    low, high = share.bounds(size)
    return bool(((counts < low) | (counts > high)).any())


def _rejects(component: ComponentAutomaton, letters: np.ndarray, prime_length: int) -> bool:
    state = component.start
    for position, letter in enumerate(letters.tolist()):
        if position >= prime_length and component.forbids(state, letter):
            return True
        state = component.step(state, letter)
    return not component.accepts(state)


class _ConstraintBatch(BatchProcessor):
    def __init__(self, processor: ConstraintProcessor, primes: Sequence[np.ndarray], indices: range) -> None:
        self.processor, self.indices, self.alternatives = processor, indices, False
        letters = [prime.astype(np.int64) - len(SPECIALS) for prime in primes]
        self.states = np.array([processor.automaton.walk(0, each) for each in letters])
        self.positions = np.array([len(prime) for prime in primes])
        self.windows = None
        if processor.window_shares:
            length = processor.length if processor.alphabet.open_ended else None
            self.windows = WindowCounts(
                processor.window_shares,
                processor.automaton,
                processor.viable,
                letters,
                processor.length,
                length,
            )

    def process(self, logits: Tensor, drawing: Tensor) -> Tensor:
        rows = drawing.numpy().nonzero()[0]
        letters, ends = self._allowed_letters(rows), self._may_end(rows)
        dead = ~(letters.any(1) | ends)
        if dead.all() if self.alternatives else dead.any():
            self._refuse(rows[dead.argmax()])
        allowed = np.ones(logits.shape, bool)
        allowed[rows, len(SPECIALS) :], allowed[rows, EOS] = letters, ends
        logits = logits.masked_fill(~torch.from_numpy(allowed), -torch.inf)
        logits[:, len(SPECIALS) :] += self.processor.weights
        return logits

    def advance(self, codes: Tensor, drawing: Tensor) -> None:
        rows = (drawing & (codes != EOS)).numpy().nonzero()[0]
        letters = codes.numpy()[rows] - len(SPECIALS)
        if self.windows is not None:
            self.windows.advance(rows, letters, self.positions[rows])
        self.states[rows] = self.processor.automaton.moves[self.states[rows], letters]
        self.positions[rows] += 1

    def reorder(self, rows: Tensor) -> None:
        self.alternatives, chosen = True, rows.numpy()
        self.states, self.positions = self.states[chosen], self.positions[chosen]
        if self.windows is not None:
            self.windows.reorder(chosen)

    def _allowed_letters(self, rows: np.ndarray) -> np.ndarray:
        """Which letters may follow, ``(rows, letters)``."""
        automaton, viable = self.processor.automaton, self.processor.viable
        states, left = self.states[rows], self.processor.max_symbols - self.positions[rows]
        numbers = viable.row(np.maximum(left - 1, 0))
        reached = viable.rows[numbers[:, None], automaton.moves[states]]
        allowed = reached & ~automaton.forbidden[states] & (left > 0)[:, None]
        if self.windows is not None:
            self.windows.restrict(allowed, rows, self.positions[rows], states, left)
        return allowed

    def _may_end(self, rows: np.ndarray) -> np.ndarray:
        if self.processor.alphabet.open_ended:
            return np.zeros(len(rows), bool)
        long_enough = self.positions[rows] >= self.processor.min_symbols
        return long_enough & self.processor.automaton.accepting[self.states[rows]]

    def _refuse(self, row: int) -> None:
        which = "any beginning of the beam" if self.alternatives else f"sample {self.indices[row]}"
        raise ConfigError(
            f"sample.constraints cannot all be kept: nothing may follow in {which} at "
            f"position {self.positions[row] + 1} of {self.processor.max_symbols} ({self.processor}); "
            "loosen one, or change sample.prime or sample.length"
        )


def build_logits_processors(
    constraints: Sequence[Constraint], alphabet: ConstraintAlphabet, length: int,
    repetition: RepetitionPenalty | None = None,
) -> LogitsProcessor | None:  # fmt: skip
    """The processor of all these settings for samples of at most `length` symbols; None without settings.

    Raises ConfigError as `ConstraintProcessor` does.
    """
    constrained = ConstraintProcessor(constraints, alphabet, length) if constraints else None
    return LogitsProcessorList.join(repetition, constrained)
