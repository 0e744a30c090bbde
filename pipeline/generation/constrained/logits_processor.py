"""The one interface for everything that changes logits before a symbol is chosen.

A `LogitsProcessor` holds settings and tables; for each batch it starts a `BatchProcessor`, which holds the
state of the rows. Where compiled code draws, it reads the tables of a `GrammarConstraint` instead; the tests
compare both.
"""

import abc
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from torch import Tensor

from pipeline.errors import ConfigError


class BatchProcessor(abc.ABC):
    """Processes the logits of one batch, step by step, from the primes on."""

    setting: ClassVar[str] = "constraints"
    """The setting that asks for this processor."""

    @abc.abstractmethod
    def process(self, logits: Tensor, drawing: Tensor) -> Tensor:
        """Change the logits of one step.

        Parameters
        ----------
        logits
            Float64, ``(rows, vocab_size)``, on the CPU.
        drawing
            The rows that draw a symbol, ``(rows,)`` bool. Other rows keep their logits.

        Returns
        -------
        Tensor
            New logits; minus infinity forbids a code.

        Raises
        ------
        ConfigError
            No code may follow.
        """

    @abc.abstractmethod
    def advance(self, codes: Tensor, drawing: Tensor) -> None:
        """Update the state of the rows in `drawing` by the codes ``(rows,)`` that they drew."""

    def reorder(self, rows: Tensor) -> None:
        """Replace the batch by these of its rows ``(n,)``, in this order; rows may be repeated or left out.

        From then on the rows are alternatives to each other, as in a beam search. That no code may follow is
        an error only where it holds for all rows.

        Raises
        ------
        ConfigError
            This processor does not suit a beam search.
        """
        raise ConfigError(f"sample.beam cannot search under {self.setting}; leave one of them out")


class LogitsProcessor(abc.ABC):
    """Settings and tables from which a `BatchProcessor` starts for each batch."""

    is_constraint = False
    """Whether `find_violation` finds everything that this processor forbids, and it re-weights nothing."""

    def find_violation(self, codes: np.ndarray, prime_length: int) -> str | None:
        """The constraint that a whole sequence breaks; None where it keeps all.

        The first `prime_length` codes were given.
        """
        return None

    @abc.abstractmethod
    def start_batch(self, primes: Sequence[np.ndarray], indices: range) -> BatchProcessor:
        """Start a batch whose rows begin with these codes.

        The first rows are the samples of these `indices`; further rows are never drawn.
        """


class LogitsProcessorList(LogitsProcessor):
    """Processors that are applied one after the other."""

    def __init__(self, parts: Sequence[LogitsProcessor]) -> None:
        self.parts = tuple(parts)

    @staticmethod
    def join(*parts: LogitsProcessor | None) -> LogitsProcessor | None:
        """One processor for all that are given; None where there are none."""
        given = [part for part in parts if part is not None]
        return LogitsProcessorList(given) if len(given) > 1 else next(iter(given), None)

    def find_violation(self, codes: np.ndarray, prime_length: int) -> str | None:
        return next(filter(None, (part.find_violation(codes, prime_length) for part in self.parts)), None)

    def start_batch(self, primes: Sequence[np.ndarray], indices: range) -> BatchProcessor:
        return _BatchProcessorList([part.start_batch(primes, indices) for part in self.parts])


class _BatchProcessorList(BatchProcessor):
    def __init__(self, parts: list[BatchProcessor]) -> None:
        self.parts = parts

    def process(self, logits: Tensor, drawing: Tensor) -> Tensor:
        for part in self.parts:
            logits = part.process(logits, drawing)
        return logits

    def advance(self, codes: Tensor, drawing: Tensor) -> None:
        for part in self.parts:
            part.advance(codes, drawing)

    def reorder(self, rows: Tensor) -> None:
        for part in self.parts:
            part.reorder(rows)
