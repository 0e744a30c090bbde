"""The result of one metric: the estimate of every group, and which groups differ from real sequences.

With few independent blocks a standard error is itself uncertain. A difference in standard errors is therefore
converted to that of a normal distribution which chance exceeds equally seldom (Student 1908; degrees of
freedom by Welch, Biometrika 34 (1947) 28).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.metric_comparison.groups import CONTROL, RANDOM, REAL, SAMPLES, SHUFFLED
from pipeline.evaluation.metric_comparison.metric import Metric
from pipeline.evaluation.metric_comparison.student import as_normal, ratio, welch

NOISE_ERRORS = 3.0
"""Differences of at most this many standard errors are noise: chance exceeds it in three of a thousand."""
EQUAL_DISTANCE_ERRORS = 2.0
"""Groups are equally near where their distances differ by at most this many standard errors."""
INTERVAL_ERRORS = 1.96
"""Standard errors on each side of a value in an interval of 95%."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """The value of one metric in one group.

    `value` is that of all its sequences. `distances` ``(replicates,)`` are those of its subsamples from real
    sequences; None where there are no real sequences, or the group is these. `scale` and `degrees_of_freedom`
    are those of its `Subsamples`.
    """

    value: np.ndarray
    standard_error: np.ndarray
    distances: np.ndarray | None = None
    scale: float = 1.0
    degrees_of_freedom: float = np.inf


@dataclass(frozen=True, eq=False)
class MetricResult:
    """One metric of all groups.

    `self_distances` ``(replicates,)`` are the distances of real sequences from real sequences.
    `min_detected_mixture` is the smallest of `MIXTURES` that is found to differ; None where none is.
    `mixed_in` says what the mixtures contain: "random" symbols, sequences of a baseline, or "" without
    mixtures.
    """

    metric: Metric
    groups: Mapping[str, Estimate]
    self_distances: np.ndarray | None = None
    min_detected_mixture: float | None = None
    mixed_in: str = ""

    @property
    def baselines(self) -> list[str]:
        """The groups that are neither real nor the samples."""
        return [name for name in self.groups if name not in (REAL, SAMPLES, CONTROL)]

    @property
    def mean_self_distance(self) -> float:
        """The mean distance of real sequences from real sequences. Raises ValueError without any."""
        if self.self_distances is None:
            raise ValueError(f"{self.metric.name}: no held-out sequences to compare with")
        return float(self.self_distances.mean())

    def distances(self, name: str) -> np.ndarray:
        """The distances of a group's subsamples from real sequences ``(replicates,)``. Raises ValueError
        where there are none."""
        found = self.groups[name].distances
        if found is None:
            raise ValueError(f"{self.metric.name}: {name} has no distance from held-out sequences")
        return found

    def distance(self, name: str) -> float:
        """The mean distance of a group from real sequences, or for a number the difference."""
        if self.metric.distance is None:
            return abs(float(self.groups[name].value - self.groups[REAL].value))
        return float(self.distances(name).mean())

    def standard_errors_from_real(self, name: str) -> float:
        """How much further a group is from real sequences than these are from themselves, in standard
        errors; 0 or less: no further."""
        group, real = self.groups[name], self.groups[REAL]
        if self.metric.distance is None:
            errors = np.array([group.standard_error, real.standard_error], float)
            away = ratio(self.distance(name), float(np.hypot(*errors)))
            return as_normal(away, welch(errors**2, (group.degrees_of_freedom, real.degrees_of_freedom)))
        excess = self.distances(name) - self.self_distances
        away = ratio(float(excess.mean()), float(excess.std()) * max(group.scale, real.scale))
        return as_normal(away, min(group.degrees_of_freedom, real.degrees_of_freedom))

    def differs_from_real(self, name: str) -> bool:
        """Whether a group differs from real sequences by more than chance explains."""
        return self.standard_errors_from_real(name) > NOISE_ERRORS

    def nearest(self) -> list[str]:
        """The group nearest to real sequences, then the groups that are indistinguishable from it; without
        the control, which is real."""
        ranked = sorted((name for name in self.groups if name not in (REAL, CONTROL)), key=self.distance)
        return [name for name in ranked if name == ranked[0] or not self.is_further(name, ranked[0])]

    def is_further(self, name: str, than: str) -> bool:
        """Whether a group is further from real sequences than another one by more than chance explains."""
        difference = self.distance(name) - self.distance(than)
        if self.metric.distance is None:
            one, other = self.groups[name], self.groups[than]
            error = float(np.hypot(one.standard_error, other.standard_error))
        else:
            error = float((self.distances(name) - self.distances(than)).std())
        return difference > EQUAL_DISTANCE_ERRORS * error

    @property
    def testable(self) -> bool:
        """Whether this metric can find a difference, as the references alone show.

        It can where a baseline or a mixture of real sequences is found to differ, and where neither is
        expected to. The shuffled group is made of the samples, so it counts only without mixtures.
        """
        if REAL not in self.groups:
            return False
        expected = self.baselines or self.mixed_in
        if self.metric.constant_in_references or self.min_detected_mixture is not None or not expected:
            return True
        if any(
            self.differs_from_real(name) for name in self.baselines if name != SHUFFLED or not self.mixed_in
        ):
            return True
        return self.metric.kept_by_shuffling and self.mixed_in != RANDOM
