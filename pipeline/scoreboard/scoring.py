"""Which group of sequences is nearest to the real ones, measure by measure, and whether chance explains the
rest.

A measure is one number, or a profile (a spectrum, say) with a distance. Profiles look further apart the
fewer letters they come from. So every group is measured in random halves of equal size
(`pools.draw_halves`), against what is left of the real sequences without such a half; this half, which is
real too, shows how far apart chance alone puts them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.scoreboard.pools import REPLICATES, Pool, draw_halves

REAL = "held-out real"
SAMPLES = "samples"
SHUFFLED = "shuffled"
FEWEST_LETTERS = 200
"""Halves of fewer letters share words by luck alone."""
NOISE_ERRORS = 3.0
"""Differences up to so many standard errors are called noise: three in a thousand exceed it by chance."""
TELL_APART = 2.0
"""Groups are called equally near where their distances differ by at most so many standard errors."""
INTERVAL_ERRORS = 1.96
"""Standard errors on each side of a value in an interval of 95%."""

Counts = Callable[[Pool], np.ndarray]


@dataclass(frozen=True)
class Measure:
    """`count` gives what adds up over units, ``(units, bins)``; `value` makes of any sum ``(..., bins)`` a
    number ``(...)`` or a profile ``(..., n)``, and then `distance` compares two profiles along the last
    axis.

    `kept_by_shuffling`: a shuffle that keeps the counts of dinucleotides keeps this. `biased`: the number
    itself depends on how much was measured, so that halves of equal size must give it.
    """

    name: str
    count: Counts
    value: Callable[[np.ndarray], np.ndarray]
    distance: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    kept_by_shuffling: bool = False
    biased: bool = False
    at: tuple[float, ...] = ()
    """Where along an axis the points of a profile stand, where that is not their number."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """What a measure found in one group: the `value` of all its sequences, of a number also its standard
    error, and how far from real sequences it is in every replicate, ``(replicates,)``, where there are
    such."""

    value: np.ndarray
    error: np.ndarray
    apart: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Row:
    """One measure of all groups; `floor` is how far real sequences is from itself in every replicate."""

    measure: Measure
    groups: Mapping[str, Estimate]
    floor: np.ndarray | None = None

    @property
    def nulls(self) -> list[str]:
        """The groups that are neither real nor the samples."""
        return [name for name in self.groups if name not in (REAL, SAMPLES)]

    def distance(self, name: str) -> float:
        """How far from real sequences a group is: the mean distance, or for a number the difference."""
        if self.measure.distance is None:
            return abs(float(self.groups[name].value - self.groups[REAL].value))
        return float(self.groups[name].apart.mean())

    def errors_away(self, name: str) -> float:
        """How much further from real sequences than these are from themselves, in standard errors; below 0:
        no further."""
        if self.measure.distance is None:
            error = np.hypot(self.groups[name].error, self.groups[REAL].error)
            return _ratio(self.distance(name), float(error))
        excess = self.groups[name].apart - self.floor
        return _ratio(float(excess.mean()), float(excess.std()))

    def beyond_noise(self, name: str) -> bool:
        """Whether a group differs from real sequences by more than chance explains."""
        return self.errors_away(name) > NOISE_ERRORS

    def nearest(self) -> list[str]:
        """The group nearest to real sequences, and after it those that cannot be told from it."""
        ranked = sorted((name for name in self.groups if name != REAL), key=self.distance)
        return [name for name in ranked if name == ranked[0] or not self._further(name, ranked[0])]

    def _further(self, name: str, than: str) -> bool:
        difference = self.distance(name) - self.distance(than)
        one, other = self.groups[name], self.groups[than]
        if self.measure.distance is None:
            error = float(np.hypot(one.error, other.error))
        else:
            error = float((one.apart - other.apart).std())
        return difference > TELL_APART * error

    @property
    def tells(self) -> bool:
        """Whether anything can be learned: a null that differs from real sequences is seen to differ."""
        others = [name for name in self.groups if name != REAL]
        return REAL in self.groups and any(self.beyond_noise(name) for name in others)


def score(pools: Mapping[str, Pool], measures: Sequence[Measure], rng: np.random.Generator) -> list[Row]:
    """One row for each measure that the groups' sequences are long enough for."""
    halves = _Halves(pools, rng)
    counted: dict[tuple[Counts, str], np.ndarray] = {}
    rows = []
    for number, measure in enumerate(measures):
        for name, pool in pools.items():
            if (measure.count, name) not in counted:
                counted[measure.count, name] = measure.count(pool)
        counts = {name: counted[measure.count, name] for name in pools}
        if all(each.any() for each in counts.values()):
            rows.append(halves.row(measure, counts))
        # Tables of long words are large, and needed no more.
        if not any(later.count == measure.count for later in measures[number + 1 :]):
            for name in pools:
                del counted[measure.count, name]
    return rows


class _Halves:
    """The random halves of every group, the same for all measures."""

    def __init__(self, pools: Mapping[str, Pool], rng: np.random.Generator) -> None:
        sizes = {name: pool.unit_sizes for name, pool in pools.items()}
        self.size = min(each.sum() for each in sizes.values()) / 2
        self.drawn = {name: draw_halves(each, self.size, rng) for name, each in sizes.items()}
        # Of a group larger than two halves the spread between halves is not yet the error of the whole.
        share = {name: self.size / each.sum() for name, each in sizes.items()}
        self.scale = {name: np.sqrt(each / (1 - each)) for name, each in share.items()}

    def row(self, measure: Measure, counts: Mapping[str, np.ndarray]) -> Row:
        first = {name: _values(measure, self.drawn[name][0], each) for name, each in counts.items()}
        floor = real = None
        compare = measure.distance or _difference
        if REAL in first:
            other = self.drawn[REAL][1]
            real = _values(measure, 1 - other, counts[REAL])
            floor = compare(_values(measure, other, counts[REAL]), real)
        groups = {}
        for name, drawn in first.items():
            whole = drawn.mean(axis=0) if measure.biased else measure.value(counts[name].sum(axis=0))
            error = drawn.std(axis=0) * (1 if measure.biased else self.scale[name])
            apart = None
            if real is not None and name != REAL:
                apart = compare(drawn, real)
            groups[name] = Estimate(whole, error, apart)
        return Row(measure, groups, floor)


def _values(measure: Measure, weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
    # Replicates in portions bound the memory that tables of long words take.
    portion = max(1, 2_000_000 // counts.shape[1])
    parts = (weights[at : at + portion] for at in range(0, REPLICATES, portion))
    return np.concatenate([measure.value(part.astype(counts.dtype) @ counts) for part in parts])


def _difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.abs(one - other)


def _ratio(difference: float, error: float) -> float:
    if error > 0:
        return difference / error
    return np.inf if difference > 0 else 0.0
