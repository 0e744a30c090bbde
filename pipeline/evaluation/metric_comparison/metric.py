"""A metric: counts of each unit of a group, and the number or profile that any sum of counts gives."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.evaluation.metric_comparison.divergence import jensen_shannon

CountFunction = Callable[[Any], np.ndarray]
"""Counts of a `MetricGroup` that add up over its units: ``(units, bins)``."""
SHARE = "(%"
"""The beginning of the unit of a share, in the name of a metric."""


@dataclass(frozen=True)
class Metric:
    """One number, or one profile with a distance, that is measured in every group.

    Parameters
    ----------
    name
        The name in tables and plots, with the unit in parentheses.
    count
        Gives counts that add up over the units of a group, ``(units, bins)``.
    value
        Makes a number ``(...)`` or a profile ``(..., n)`` of any sum of counts ``(..., bins)``.
    distance
        The distance of two profiles along the last axis; None where `value` is a number.
    kept_by_shuffling
        A shuffle that keeps the counts of dinucleotides keeps this metric too.
    size_dependent
        The value depends on how much is measured, so that subsamples of equal size must give it.
    axis
        The positions of a profile's points along the x axis, where these are not their indices.
    family
        Metrics of one family are nested, and count as one.
    constant_in_references
        All references have the same value, so that only the samples can differ.
    plot_only
        The metric is drawn but not tabulated, and no mixture is looked for.
    signed
        The value is a difference, which may be negative.
    """

    name: str
    count: CountFunction
    value: Callable[[np.ndarray], np.ndarray]
    distance: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    kept_by_shuffling: bool = False
    size_dependent: bool = False
    axis: tuple[float, ...] = ()
    family: str = ""
    constant_in_references: bool = False
    plot_only: bool = False
    signed: bool = False

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the largest number or distance that is possible; a share is from 0 to 100 percent."""
        if self.distance is not None:
            return 0.0, 1.0 if self.distance is jensen_shannon else np.inf
        if SHARE in self.name:
            return -100.0 if self.signed else 0.0, 100.0
        return -np.inf, np.inf

    def measure_distance(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """The distance of two profiles, or the absolute difference of two numbers."""
        return np.abs(one - other) if self.distance is None else self.distance(one, other)
