"""Which group of sequences is nearest to real ones, measure by measure, and whether chance explains the rest.

A measure is one number, or a profile (a histogram, say) with a distance. What is counted adds up over
*units*, such as tunes, so that any share of a group is a weighted sum of rows. Profiles look further apart
the less they come from; so every group is measured in random shares of equal size, each against what is left
of the real sequences. A share of the real ones, drawn in the same way, shows how far apart chance alone puts
them.

The spread between halves drawn without replacement is the standard error of the whole. Source: J. Shao,
C. F. J. Wu, Annals of Statistics 17 (1989) 1176, the delete-d jackknife with d = n / 2.

Read next: `scoretable.py`, which puts it in words.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

REAL, SAMPLES, SHUFFLED = "held-out real", "samples", "shuffled"
REPLICATES = 100
"""Random shares; their spread is then known to 7 percent."""
NOISE_ERRORS = 3.0
"""Differences up to so many standard errors are called noise: three in a thousand exceed it by chance."""
TELL_APART = 2.0
"""Groups are called equally near where their distances differ by at most so many standard errors."""


@dataclass(frozen=True)
class Measure:
    """`count` makes of a group what adds up over its units, ``(units, bins)``; `value` makes of any sum
    ``(..., bins)`` a number ``(...)`` or a profile ``(..., n)``, and then `distance` compares two profiles
    along the last axis. `unit` is that of a number; `kept_by_shuffling`: by it shuffled sequences are like
    real ones."""

    name: str
    count: Callable[[Any], np.ndarray]
    value: Callable[[np.ndarray], np.ndarray]
    distance: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    kept_by_shuffling: bool = False
    unit: str = ""


@dataclass(frozen=True, eq=False)
class Estimate:
    """What a measure found in one group: the `value` of all of it, the standard `error` of that value, or of
    the distance of a profile, and in every replicate the distance from real sequences, ``(replicates,)``,
    where there are some."""

    value: np.ndarray
    error: float
    apart: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Row:
    """One measure of all groups. `groups[REAL].apart` is how far real ones are from themselves."""

    measure: Measure
    groups: Mapping[str, Estimate]

    @property
    def nulls(self) -> list[str]:
        """The groups that are neither real nor the samples."""
        return [name for name in self.groups if name not in (REAL, SAMPLES)]

    @property
    def is_number(self) -> bool:
        """Whether the measure is one number, not a profile."""
        return self.measure.distance is None

    @property
    def floor(self) -> float:
        """How far real sequences are from as many other real ones."""
        return float(self.groups[REAL].apart.mean())

    def distance(self, name: str) -> float:
        """How far from real sequences a group is: the mean distance, or for a number the difference."""
        if self.is_number:
            return abs(float(self.groups[name].value - self.groups[REAL].value))
        return float(self.groups[name].apart.mean())

    def errors_away(self, name: str) -> float:
        """How much further from real sequences than these from themselves, in standard errors; below 0: no
        further."""
        difference = self.distance(name) - (0 if self.is_number else self.floor)
        error = float(np.hypot(self.groups[name].error, self.groups[REAL].error))
        if error > 0:
            return difference / error
        return np.inf if difference > 0 else 0.0

    def beyond_noise(self, name: str) -> bool:
        """Whether a group differs from real sequences by more than chance explains."""
        return self.errors_away(name) > NOISE_ERRORS

    def nearest(self) -> list[str]:
        """The group nearest to real sequences, and after it those that cannot be told from it."""
        ranked = sorted((name for name in self.groups if name != REAL), key=self.distance)
        return [name for name in ranked if name == ranked[0] or not self._further(name, ranked[0])]

    def _further(self, name: str, than: str) -> bool:
        error = float(np.hypot(self.groups[name].error, self.groups[than].error))
        return self.distance(name) - self.distance(than) > TELL_APART * error

    @property
    def tells(self) -> bool:
        """Whether anything can be learned: some group is seen to differ from real sequences."""
        return any(self.beyond_noise(name) for name in self.groups if name != REAL)


def score(
    groups: Mapping[str, Any], sizes: Mapping[str, np.ndarray], measures: Sequence[Measure]
) -> list[Row]:
    """One row for each measure that finds something in every group; none without real sequences.

    `sizes` has the size of each unit of each group, ``(units,)``: bases, or 1 for a tune. Nothing but the
    data changes the numbers: the random shares are always the same.
    """
    if REAL not in groups:
        return []
    shares = _Shares(sizes)
    rows = []
    for measure in measures:
        counts = {name: measure.count(group) for name, group in groups.items()}
        if all(each.any() for each in counts.values()):
            rows.append(shares.row(measure, counts))
    return rows


class _Shares:
    """The random shares of every group, the same for all measures."""

    def __init__(self, sizes: Mapping[str, np.ndarray]) -> None:
        rng = np.random.default_rng(0)
        size = min(each.sum() for each in sizes.values()) / 2
        self.drawn = {name: _draw(each, size, rng) for name, each in sizes.items()}
        # Of a group larger than two shares the spread between shares is not yet the error of the whole.
        parts = {name: size / each.sum() for name, each in sizes.items()}
        self.scale = {name: float(np.sqrt(part / (1 - part))) for name, part in parts.items()}

    def row(self, measure: Measure, counts: Mapping[str, np.ndarray]) -> Row:
        values = {name: _values(measure, self.drawn[name], each) for name, each in counts.items()}
        others = _values(measure, 1 - self.drawn[REAL], counts[REAL])
        compare = measure.distance or (lambda one, other: np.abs(one - other))
        groups = {}
        for name, drawn in values.items():
            apart = compare(drawn, others)
            spread = drawn if measure.distance is None else apart
            error = float(spread.std()) * self.scale[name]
            groups[name] = Estimate(measure.value(counts[name].sum(axis=0)), error, apart)
        return Row(measure, groups)


def _draw(sizes: np.ndarray, size: float, rng: np.random.Generator) -> np.ndarray:
    """Random shares of units, of `size` each, without replacement: weights ``(replicates, units)``; the unit
    with which a share is full counts in part."""
    order = rng.random((REPLICATES, len(sizes))).argsort(axis=1)
    ordered = sizes[order]
    before = ordered.cumsum(axis=1) - ordered
    weights = np.clip((size - before) / ordered, 0, 1)
    return np.take_along_axis(weights, order.argsort(axis=1), 1)


def _values(measure: Measure, weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
    # Replicates in portions bound the memory that long tables take.
    portion = max(1, 2_000_000 // counts.shape[1])
    parts = (weights[at : at + portion] for at in range(0, REPLICATES, portion))
    return np.concatenate([measure.value(part.astype(counts.dtype) @ counts) for part in parts])


def shares(counts: np.ndarray) -> np.ndarray:
    """Each row over its sum; a row of zeros stays one."""
    return counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1e-12)


def mean(sums: np.ndarray) -> np.ndarray:
    """Of a sum and how many were summed ``(..., 2)``, the mean ``(...)``; 0 of none."""
    return sums[..., 0] / np.maximum(sums[..., 1], 1e-12)


def jensen_shannon(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Jensen-Shannon distance of distributions along the last axis: 0 where two are the same, 1 where they
    share nothing.

    Source: D. Endres, J. Schindelin, IEEE Transactions on Information Theory 49 (2003) 1858.
    """
    middle = (first + second) / 2
    bits = _bits(first, middle) + _bits(second, middle)
    return np.sqrt(np.clip(bits / 2, 0, 1))


def _bits(some: np.ndarray, middle: np.ndarray) -> np.ndarray:
    ratio = np.divide(some, middle, out=np.ones_like(some), where=some > 0)
    return (some * np.log2(ratio)).sum(axis=-1)
