"""The escape weights of a Markov model, all orders together, from counts at held-out positions.

One order after another would not do: a repeat in the held-out data then lowers the weight of every order on
the way up, though the highest order alone predicts it. Together, a lower order keeps the weight that suits
the other positions. The likelihood is maximised by L-BFGS-B (Byrd et al., 1995), with gradients of our own.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from pipeline.models.ngram.markov import Counts

MIN_WEIGHT, MAX_WEIGHT = 2.0, 4096.0
"""Of one order, a context seen once gives its symbol at most a third of the probability; orders add up."""
PRIOR_WEIGHT, PRIOR_DEVIATION = 16.0, 2.0
"""Where held-out data say little: mean and standard deviation (in natural logarithms) of a log-normal prior.
So large a weight makes orders harmless that have seen each context once or twice."""
MAX_ITERATIONS, LAST_ITERATIONS = 5, 40
"""Of the optimiser at each order, which begins with the weights of the order below; and from the prior."""


@dataclass(frozen=True)
class _Level:
    """Counts at the positions whose context was seen, float32; `rows` are their places among the positions of
    the order below."""

    rows: np.ndarray
    own: np.ndarray
    totals: np.ndarray
    distinct: np.ndarray


class EscapeWeights:
    """Grows by one order at a time; `weights` are those that suit the orders added so far."""

    def __init__(self, positions: int, vocab_size: int) -> None:
        self.positions, self.vocab_size = positions, vocab_size
        self._levels: list[_Level] = []
        self._seen = np.arange(positions)
        self._logs = np.zeros(0)

    @property
    def weights(self) -> tuple[float, ...]:
        """One weight for each order."""
        return tuple(np.exp(self._logs).tolist())

    def add(self, counts: Counts) -> None:
        """Add the next order, by its counts at all positions, and adjust all weights."""
        own, totals, distinct = (each[self._seen] for each in counts)
        rows = np.flatnonzero(totals)
        self._seen = self._seen[rows]
        seen = (each[rows].astype(np.float32) for each in (own, totals, distinct))
        self._levels.append(_Level(rows, *seen))
        self._logs = np.append(self._logs, np.log(PRIOR_WEIGHT))
        self._optimise(self._logs, MAX_ITERATIONS)

    def begin_again(self) -> None:
        """Fit all weights from the prior: for the highest order, since those of the orders below it were
        found without it."""
        self._optimise(np.full(len(self._logs), np.log(PRIOR_WEIGHT)), LAST_ITERATIONS)

    def _optimise(self, start: np.ndarray, iterations: int) -> None:
        bounds = [(np.log(MIN_WEIGHT), np.log(MAX_WEIGHT))] * len(self._logs)
        options = {"maxiter": iterations, "maxcor": 10}
        self._logs = minimize(
            self._loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options
        ).x

    def log_probabilities(self) -> np.ndarray:
        """Log probability (nats) of each position, float64, by all orders added so far."""
        _, probabilities = self._forward(self._logs)
        found = probabilities[-1]
        for level, lower in zip(reversed(self._levels), reversed(probabilities[:-1]), strict=True):
            merged = lower.copy()
            merged[level.rows] = found
            found = merged
        return np.log(found.astype(np.float64))

    @property
    def seen(self) -> int:
        """Positions whose context of the highest order was seen."""
        return len(self._seen)

    def _loss(self, logs: np.ndarray) -> tuple[float, np.ndarray]:
        """Nats per position, with the prior, and their gradient by the logarithms of the weights."""
        escapes, probabilities = self._forward(logs)
        off = (logs - np.log(PRIOR_WEIGHT)) / PRIOR_DEVIATION
        loss, gradient = 0.5 * float(off @ off), off / PRIOR_DEVIATION
        # d loss / d P of each order, from the highest order down: rows that go on have it from above.
        above, above_rows = np.zeros(0, np.float32), np.zeros(0, np.int64)
        for order in range(len(self._levels) - 1, -1, -1):
            level, here = self._levels[order], probabilities[order + 1]
            slope, ends = -1 / here, np.ones(len(here), bool)
            slope[above_rows], ends[above_rows] = above, False
            loss -= float(np.log(here[ends]).sum(dtype=np.float64))
            scaled = slope * escapes[order] / (level.totals + escapes[order])
            moved = scaled * (probabilities[order][level.rows] - here)
            gradient[order] += float(moved.sum(dtype=np.float64))
            above, above_rows = scaled, level.rows
        loss += (self.positions - len(above_rows)) * np.log(self.vocab_size)
        return loss / self.positions, gradient / self.positions

    def _forward(self, logs: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """The escape counts of each order's positions; probabilities, those of the uniform order first."""
        escapes, probabilities = [], [np.full(self.positions, 1 / self.vocab_size, np.float32)]
        for level, weight in zip(self._levels, np.exp(logs), strict=True):
            escapes.append(np.float32(weight) * level.distinct)
            below = probabilities[-1][level.rows]
            probabilities.append((level.own + escapes[-1] * below) / (level.totals + escapes[-1]))
        return escapes, probabilities
