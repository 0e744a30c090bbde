"""Groups of pieces for the metric comparison, and metrics that count a row of numbers for each piece."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np

from pipeline.evaluation.metric_comparison.divergence import jensen_shannon, proportions
from pipeline.evaluation.metric_comparison.metric import Metric

Piece = TypeVar("Piece")
CountPiece = Callable[[Any], Any]
"""Counts of one piece: a row of numbers, which add up over pieces."""


@dataclass(frozen=True, eq=False)
class PieceSet(Generic[Piece]):
    """The pieces of one group, as a `MetricGroup`: each piece is a unit and a block.

    Parameters
    ----------
    pieces
        The pieces, in the form that the metrics count.
    weights
        How much each piece weighs ``(pieces,)``, such as its number of notes; None: all weigh the same.
    """

    pieces: Sequence[Piece]
    weights: np.ndarray | None = None

    @property
    def unit_sizes(self) -> np.ndarray:
        """The weights of the pieces, ``(pieces,)``."""
        return np.ones(len(self.pieces)) if self.weights is None else self.weights

    @property
    def blocks(self) -> np.ndarray:
        """The number of each piece, ``(pieces,)``, since pieces are independent."""
        return np.arange(len(self.pieces))


def count_rows(group: PieceSet, count_piece: CountPiece) -> np.ndarray:
    """The counts of each piece, ``(pieces, bins)``."""
    return np.array([count_piece(piece) for piece in group.pieces], float)


def mean(sums: np.ndarray) -> np.ndarray:
    """The mean ``(...)`` of a sum and the number of its terms ``(..., 2)``; 0 without terms."""
    return sums[..., 0] / np.maximum(sums[..., 1], 1e-12)


def percentage(sums: np.ndarray) -> np.ndarray:
    """The percentage ``(...)`` of one count in another ``(..., 2)``; 0 where the other is 0."""
    return 100 * sums[..., 0] / np.maximum(sums[..., 1], 1e-9)


def distribution_metric(name: str, count_piece: CountPiece, kept_by_shuffling: bool = False) -> Metric:
    """A metric that compares distributions of counts by their Jensen-Shannon distance."""
    count = partial(count_rows, count_piece=count_piece)
    return Metric(name, count, proportions, jensen_shannon, kept_by_shuffling)


def mean_metric(name: str, measure_piece: CountPiece, kept_by_shuffling: bool = False) -> Metric:
    """The mean over pieces; `measure_piece` gives a number and its weight: 1, or 0 where it is undefined."""
    count = partial(count_rows, count_piece=measure_piece)
    return Metric(name, count, mean, kept_by_shuffling=kept_by_shuffling)


def percentage_metric(name: str, count_piece: CountPiece, kept_by_shuffling: bool = False) -> Metric:
    """A percentage over all pieces; `count_piece` gives the counts of the part and of the whole."""
    count = partial(count_rows, count_piece=count_piece)
    return Metric(name, count, percentage, kept_by_shuffling=kept_by_shuffling)
