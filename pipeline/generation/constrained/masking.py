"""Constraints at work: logits of what may not follow become minus infinity, and others are re-weighted."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from pipeline.data.alphabet import EOS, SPECIALS
from pipeline.errors import ConfigError
from pipeline.generation.constrained.automaton import Automaton, Rule, Viability
from pipeline.generation.constrained.constraints import Constraint, Language, Length, Share, rules_of
from pipeline.generation.constrained.logits_processor import Controls, Steering


@dataclass(frozen=True)
class Repetition(Controls):
    """Log-probabilities of symbols that stand among the last `within` are multiplied by `penalty`.

    Source: Keskar et al., "CTRL" (2019); there logits are multiplied or divided, according to their sign.
    """

    penalty: float
    within: int

    def begin(self, starts: Sequence[np.ndarray], indices: range) -> Steering:
        return _Repeating(self, starts)


class _Repeating(Steering):
    def __init__(self, settings: Repetition, starts: Sequence[np.ndarray]) -> None:
        self.penalty, self.step = settings.penalty, 0
        self.recent = torch.zeros(len(starts), settings.within, dtype=torch.int64)
        self.places = torch.zeros(len(starts), dtype=torch.int64)
        for row, start in enumerate(starts):
            last = torch.from_numpy(start[-settings.within :])
            self.recent[row, : len(last)], self.places[row] = last, len(last)

    def adjust(self, logits: Tensor, drawing: Tensor) -> Tensor:
        fair = logits.log_softmax(-1)
        # The code that stands for no symbol yet is one that is never drawn.
        repeated = torch.zeros_like(fair).scatter(-1, self.recent, 1.0) > 0
        return torch.where(repeated & drawing[:, None], fair * self.penalty, fair)

    def advance(self, codes: Tensor, drawing: Tensor) -> None:
        places = (self.places % self.recent.shape[1])[:, None]
        before = self.recent.gather(1, places)
        self.recent.scatter_(1, places, torch.where(drawing[:, None], codes[:, None], before))
        self.places += drawing


@dataclass(frozen=True)
class Several(Controls):
    """One after the other."""

    parts: tuple[Controls, ...]

    def problem(self, codes: np.ndarray, begun: int) -> str | None:
        return next(filter(None, (part.problem(codes, begun) for part in self.parts)), None)

    def begin(self, starts: Sequence[np.ndarray], indices: range) -> Steering:
        return _InTurn([part.begin(starts, indices) for part in self.parts])


class _InTurn(Steering):
    def __init__(self, parts: list[Steering]) -> None:
        self.parts = parts

    def adjust(self, logits: Tensor, drawing: Tensor) -> Tensor:
        for part in self.parts:
            logits = part.adjust(logits, drawing)
        return logits

    def advance(self, codes: Tensor, drawing: Tensor) -> None:
        for part in self.parts:
            part.advance(codes, drawing)

    def select(self, rows: Tensor) -> None:
        for part in self.parts:
            part.select(rows)


@dataclass
class Constrained(Controls):
    """Keeps all constraints at once; `length` is that of the request.

    Raises ConfigError where a constraint does not suit the language, or no sequence keeps all of them.
    """

    constraints: Sequence[Constraint]
    language: Language
    length: int
    automaton: Automaton = field(init=False)
    viability: Viability = field(init=False)

    def __post_init__(self) -> None:
        language, wishes = self.language, self.constraints
        rules = [rule for some in rules_of(wishes, language) for rule in some]
        self.automaton = Automaton(rules, len(language))
        self.shares = [share for wish in wishes for share in wish.shares(language)]
        weights = sum((wish.weights(language) for wish in wishes), np.zeros(len(language)))
        self.weights = torch.from_numpy(weights)
        lengths = [wish for wish in wishes if isinstance(wish, Length)]
        self.shortest = max((wish.shortest for wish in lengths), default=0)
        self.longest = min([wish.longest for wish in lengths if wish.longest] or [self.length])
        self._check_lengths(bool(lengths))
        exact = language.open_ended
        # Where sequences must come to an end, their last step is kept for it.
        self.closes = not exact and (bool(lengths) or not self.automaton.accepting.all())
        if self.closes:
            self.longest = min(self.longest, self.length - 1)
        self.viability = Viability(self.automaton, self.shortest, self.longest, exact)

    def _check_lengths(self, given: bool) -> None:
        limits = f"{self.shortest} to {self.longest}"
        if self.language.open_ended and given and not self.shortest <= self.length == self.longest:
            raise ConfigError(
                f"sample.constraints, length: {limits} symbols, but sequences without an end have exactly "
                f"sample.length={self.length}; set that"
            )
        if not self.language.open_ended and given and not self.shortest <= min(self.longest, self.length - 1):
            raise ConfigError(
                f"sample.constraints, length: {limits} symbols and an end do not fit into "
                f"sample.length={self.length}; raise that"
            )

    @property
    def checks_all(self) -> bool:
        return not self.shares and not bool(self.weights.any())

    def begin(self, starts: Sequence[np.ndarray], indices: range) -> Steering:
        return _Constraining(self, starts, indices)

    def problem(self, codes: np.ndarray, begun: int) -> str | None:
        return broken(self.constraints, self.language, codes, begun)

    def __str__(self) -> str:
        return "; ".join(map(str, self.constraints))


def broken(
    constraints: Sequence[Constraint], language: Language, codes: np.ndarray, begun: int
) -> str | None:
    """The constraint that a whole sequence does not keep, of which `begun` codes were given; None where it
    keeps all. Windows that hold nothing but given codes are not looked at."""
    letters = codes.astype(np.int64) - len(SPECIALS)
    for wish, rules in zip(constraints, rules_of(constraints, language), strict=True):
        if isinstance(wish, Length) and not wish.shortest <= len(letters) <= (wish.longest or len(letters)):
            return str(wish)
        if any(_breaks(rule, letters, begun) for rule in rules):
            return str(wish)
        if any(_leaves_bounds(share, letters, begun) for share in wish.shares(language)):
            return str(wish)
    return None


def _leaves_bounds(share: Share, letters: np.ndarray, begun: int) -> bool:
    size = min(share.length, len(letters))
    held = np.concatenate([[0], np.isin(letters, sorted(share.letters)).cumsum()])
    inside = (held[size:] - held[:-size])[max(0, begun - size + 1) :]
    low, high = share.bounds(size)
    return bool(((inside < low) | (inside > high)).any())


def _breaks(rule: Rule, letters: np.ndarray, begun: int) -> bool:
    state = rule.start
    for position, letter in enumerate(letters.tolist()):
        if position >= begun and rule.forbids(state, letter):
            return True
        state = rule.step(state, letter)
    return not rule.accepts(state)


class _Constraining(Steering):
    def __init__(self, controls: Constrained, starts: Sequence[np.ndarray], indices: range) -> None:
        self.controls, self.indices, self.alternatives = controls, indices, False
        automaton = controls.automaton
        letters = [start.astype(np.int64) - len(SPECIALS) for start in starts]
        self.states = np.array([automaton.walk(0, start) for start in letters])
        self.positions = np.array([len(start) for start in starts])
        self.held = _Held(controls, letters) if controls.shares else None

    def adjust(self, logits: Tensor, drawing: Tensor) -> Tensor:
        rows = drawing.numpy().nonzero()[0]
        letters, ends = self._letters(rows), self._may_end(rows)
        barren = ~(letters.any(1) | ends)
        if barren.all() if self.alternatives else barren.any():
            self._refuse(rows[barren.argmax()])
        allowed = np.ones(logits.shape, bool)
        allowed[rows, len(SPECIALS) :], allowed[rows, EOS] = letters, ends
        logits = logits.masked_fill(~torch.from_numpy(allowed), -torch.inf)
        logits[:, len(SPECIALS) :] += self.controls.weights
        return logits

    def advance(self, codes: Tensor, drawing: Tensor) -> None:
        rows = (drawing & (codes != EOS)).numpy().nonzero()[0]
        letters = codes.numpy()[rows] - len(SPECIALS)
        if self.held is not None:
            self.held.take(rows, letters, self.positions[rows])
        self.states[rows] = self.controls.automaton.moves[self.states[rows], letters]
        self.positions[rows] += 1

    def select(self, rows: Tensor) -> None:
        self.alternatives, chosen = True, rows.numpy()
        self.states, self.positions = self.states[chosen], self.positions[chosen]
        if self.held is not None:
            self.held.texts, self.held.counts = self.held.texts[chosen], self.held.counts[chosen]

    def _letters(self, rows: np.ndarray) -> np.ndarray:
        """Which letters may follow, ``(rows, letters)``."""
        automaton, viability = self.controls.automaton, self.controls.viability
        states, left = self.states[rows], self.controls.longest - self.positions[rows]
        numbers = viability.row(np.maximum(left - 1, 0))
        viable = viability.rows[numbers[:, None], automaton.moves[states]]
        allowed = viable & ~automaton.forbidden[states] & (left > 0)[:, None]
        if self.held is not None:
            self.held.narrow(allowed, rows, self.positions[rows], states, left)
        return allowed

    def _may_end(self, rows: np.ndarray) -> np.ndarray:
        long_enough = self.positions[rows] >= self.controls.shortest
        if self.controls.language.open_ended:
            return np.zeros(len(rows), bool)
        return long_enough & self.controls.automaton.accepting[self.states[rows]]

    def _refuse(self, row: int) -> None:
        which = "any beginning of the beam" if self.alternatives else f"sample {self.indices[row]}"
        raise ConfigError(
            f"sample.constraints cannot all be kept: nothing may follow in {which} at "
            f"position {self.positions[row] + 1} of {self.controls.longest} ({self.controls}); loosen one, "
            "or change sample.prime or sample.length"
        )


class _Held:
    """What the windows of each row hold."""

    def __init__(self, controls: Constrained, starts: Sequence[np.ndarray]) -> None:
        # Here, because it is compiled code, which few runs need.
        from pipeline.generation.constrained import window_composition

        self.compiled, shares = window_composition, controls.shares
        # A sequence of a known length that is no longer than a window is one window.
        most = controls.length if controls.language.open_ended else max(s.length for s in shares)
        lengths = [min(share.length, most) for share in shares]
        bounds = [share.bounds(length) for share, length in zip(shares, lengths, strict=True)]
        letters = range(len(controls.language))
        self.windows = window_composition.Windows(
            np.array(lengths),
            np.array([[letter in share.letters for letter in letters] for share in shares]),
            *np.array(bounds).T.copy(),
        )
        viable = controls.viability
        self.ways = window_composition.Ways(
            controls.automaton.moves, controls.automaton.forbidden, viable.rows, viable.first, viable.period
        )
        self.free = len(shares) == 1 and len(controls.automaton.moves) == 1
        longest = max([controls.length, *(len(start) for start in starts)])
        self.texts = np.zeros((len(starts), longest + 1), np.uint16)
        self.counts = np.zeros((len(starts), len(shares)), np.int64)
        for row, start in enumerate(starts):
            self.texts[row, : len(start)] = start
            for which, length in enumerate(lengths):
                recent = start[max(0, len(start) - length) :]
                self.counts[row, which] = self.windows.members[which][recent].sum()

    def narrow(
        self, allowed: np.ndarray, rows: np.ndarray, positions: np.ndarray, states: np.ndarray,
        left: np.ndarray,
    ) -> None:  # fmt: skip
        """Strike out letters that the windows forbid, ``(rows, letters)``."""
        self.compiled.allow(
            self.ways, self.windows, self.counts, self.texts, rows, positions, states, left, self.free,
            allowed,
        )  # fmt: skip

    def take(self, rows: np.ndarray, letters: np.ndarray, positions: np.ndarray) -> None:
        lengths, members = self.windows.lengths, self.windows.members
        self.texts[rows, positions] = letters
        for which, length in enumerate(lengths):
            gone = np.where(positions >= length, members[which][self.texts[rows, positions - length]], False)
            self.counts[rows, which] += members[which][letters].astype(np.int64) - gone


def build_logits_processors(
    constraints: Sequence[Constraint], language: Language, length: int, repetition: Repetition | None = None
) -> Controls | None:
    """All that steers samples of at most so many symbols; None where nothing does. Raises ConfigError."""
    parts: list[Controls] = [repetition] if repetition is not None else []
    if constraints:
        parts.append(Constrained(constraints, language, length))
    return Several(tuple(parts)) if len(parts) > 1 else next(iter(parts), None)
