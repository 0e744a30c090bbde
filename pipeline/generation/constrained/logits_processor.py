"""What steers the drawing of symbols: it changes the logits of each step, given what was drawn so far.

Read next: `constraints.py`, what can be asked for.
"""

import abc
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from pipeline.errors import ConfigError


class Steering(abc.ABC):
    """Steers the rows of one block, from their primes on."""

    @abc.abstractmethod
    def adjust(self, logits: Tensor, drawing: Tensor) -> Tensor:
        """New logits ``(rows, vocab_size)`` for those given, float64; rows not in `drawing` are as they were.

        Raises ConfigError where nothing may follow.
        """

    @abc.abstractmethod
    def advance(self, codes: Tensor, drawing: Tensor) -> None:
        """Take note of the codes ``(rows,)`` that were drawn, in the rows in `drawing`."""

    def select(self, rows: Tensor) -> None:
        """Go on with these rows ``(n,)``, in this order, as alternatives to each other: rows may be repeated
        or left out, and only where nothing may follow in any of them is that an error.

        Raises ConfigError where this cannot be steered, as under what only re-weights.
        """
        raise ConfigError(f"sample.beam cannot search under {type(self).__name__.strip('_').lower()}")


class Controls(abc.ABC):
    """Begins a steering for each block."""

    checks_all = False
    """Whether `problem` finds all that is not kept, and nothing else is changed."""

    def problem(self, codes: np.ndarray, begun: int) -> str | None:
        """What a whole sequence does not keep, after the first `begun` codes, which were given; None where it
        keeps all."""
        return None

    @abc.abstractmethod
    def begin(self, starts: Sequence[np.ndarray], indices: range) -> Steering:
        """Steer rows that begin with these codes: the first are the samples of these `indices`, the others
        are never drawn."""
