"""Which group of sequences is nearest to the real ones, metric by metric, and whether chance explains the
rest.

A metric is one number, or a profile (a spectrum, say) with a distance. Profiles look further apart the fewer
letters they come from. So every group is measured in random shares of equal size (`pools.draw_halves`). The
real sequences are cut in two by whole blocks: a share of one half shows how far from the other half chance
alone puts what is real; a group differs where its shares are further from that other half.

With few independent blocks an error is itself uncertain. Differences in standard errors are therefore made
those of a normal distribution that chance exceeds as seldom (Student 1908; degrees of freedom by Welch,
Biometrika 34 (1947) 28).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from pipeline.evaluation.metric_comparison.student import as_normal, ratio, welch
from pipeline.evaluation.metric_comparison.subsampling import REPLICATES, Halves, draw_halves

REAL = "held-out real"
SAMPLES = "samples"
SHUFFLED = "shuffled"
CONTROL = "training real"
"""The positive control: real sequences of the training split, cut like the samples."""
MIN_LETTERS = 200
"""Halves of fewer letters share words by luck alone."""
NOISE_ERRORS = 3.0
"""Differences up to so many standard errors are called noise: three in a thousand exceed it by chance."""
TELL_APART = 2.0
"""Groups are called equally near where their distances differ by at most so many standard errors."""
INTERVAL_ERRORS = 1.96
"""Standard errors on each side of a value in an interval of 95%."""
CHAIN, RANDOM = "Markov", "random"
"""The first word of the name of the Markov chain; the name of letters that are equally likely."""
MIXTURES = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5)
"""Shares of what is not real, of which the smallest that would be found is looked for."""


class Group(Protocol):
    """What is counted: a `Pool`, or pieces of music."""

    @property
    def unit_sizes(self) -> np.ndarray:
        """How much each unit weighs, ``(units,)``."""


Counts = Callable[[Any], np.ndarray]
"""What adds up over the units of a group: ``(units, bins)``."""
Mixer = Callable[[float], Group]
"""The control group with such a share of its letters replaced by random ones."""


@dataclass(frozen=True)
class Measure:
    """`count` gives what adds up over units, ``(units, bins)``; `value` makes of any sum ``(..., bins)`` a
    number ``(...)`` or a profile ``(..., n)``, and then `distance` compares two profiles along the last
    axis.

    `kept_by_shuffling`: a shuffle that keeps the counts of dinucleotides keeps this. `biased`: the number
    itself depends on how much was measured, so that shares of equal size must give it. Metrics of one
    `family` are nested, and count as one. `alike`: all references are alike in it, so that only the samples
    can differ. `plotted`: it is only drawn, and no mixture is looked for.
    """

    name: str
    count: Counts
    value: Callable[[np.ndarray], np.ndarray]
    distance: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    kept_by_shuffling: bool = False
    biased: bool = False
    at: tuple[float, ...] = ()
    """Where along an axis the points of a profile stand, where that is not their number."""
    family: str = ""
    alike: bool = False
    plotted: bool = False


@dataclass(frozen=True, eq=False)
class Estimate:
    """What a measure found in one group: the `value` of all its sequences, its standard error, and how far
    from real sequences it is in every replicate, ``(replicates,)``, where there are such. `scale` and
    `freedom` are those of its `Halves`."""

    value: np.ndarray
    error: np.ndarray
    apart: np.ndarray | None = None
    scale: float = 1.0
    freedom: float = np.inf


@dataclass(frozen=True, eq=False)
class Row:
    """One measure of all groups; `floor` is how far real sequences is from itself in every replicate.

    `found_mixture` is the smallest of `MIXTURES` that would have been found to differ, None where none would
    have been; `mixed` says of what the mixtures had such a share: "random" letters, sequences of a baseline,
    or nothing where none was tried.
    """

    measure: Measure
    groups: Mapping[str, Estimate]
    floor: np.ndarray | None = None
    found_mixture: float | None = None
    mixed: str = ""

    @property
    def nulls(self) -> list[str]:
        """The baselines: groups that are neither real nor the samples."""
        return [name for name in self.groups if name not in (REAL, SAMPLES, CONTROL)]

    def distance(self, name: str) -> float:
        """How far from real sequences a group is: the mean distance, or for a number the difference."""
        if self.measure.distance is None:
            return abs(float(self.groups[name].value - self.groups[REAL].value))
        return float(self.groups[name].apart.mean())

    def errors_away(self, name: str) -> float:
        """How much further from real sequences than these are from themselves, in standard errors; below 0:
        no further."""
        mine, real = self.groups[name], self.groups[REAL]
        if self.measure.distance is None:
            errors = np.array([mine.error, real.error], float)
            away = ratio(self.distance(name), float(np.hypot(*errors)))
            return as_normal(away, welch(errors**2, (mine.freedom, real.freedom)))
        excess = mine.apart - self.floor
        away = ratio(float(excess.mean()), float(excess.std()) * max(mine.scale, real.scale))
        return as_normal(away, min(mine.freedom, real.freedom))

    def beyond_noise(self, name: str) -> bool:
        """Whether a group differs from real sequences by more than chance explains."""
        return self.errors_away(name) > NOISE_ERRORS

    def nearest(self) -> list[str]:
        """The group nearest to real sequences, and after it those that cannot be told from it; the control,
        which is real, left out."""
        ranked = sorted((name for name in self.groups if name not in (REAL, CONTROL)), key=self.distance)
        return [name for name in ranked if name == ranked[0] or not self.further(name, ranked[0])]

    def further(self, name: str, than: str) -> bool:
        """Whether one group is further from real sequences than another one by more than chance explains."""
        difference = self.distance(name) - self.distance(than)
        one, other = self.groups[name], self.groups[than]
        if self.measure.distance is None:
            error = float(np.hypot(one.error, other.error))
        else:
            error = float((one.apart - other.apart).std())
        return difference > TELL_APART * error

    @property
    def testable(self) -> bool:
        """Whether a difference could be found, as the references alone say: a baseline, or a mixture of real
        sequences with random letters, is found to differ; or none of these can, by what is measured, or
        there are none. The shuffled group is made of the samples, so it counts only where no mixture was
        tried."""
        if REAL not in self.groups:
            return False
        if self.measure.alike or self.found_mixture is not None or not (self.nulls or self.mixed):
            return True
        if any(self.beyond_noise(name) for name in self.nulls if name != SHUFFLED or not self.mixed):
            return True
        return self.measure.kept_by_shuffling and self.mixed != RANDOM


def score(
    groups: Mapping[str, Group], measures: Sequence[Measure], rng: np.random.Generator,
    blocks: Mapping[str, np.ndarray] | None = None, mixer: Mixer | None = None,
) -> list[Row]:  # fmt: skip
    """One row for each measure that the groups' sequences are long enough for.

    `blocks` says of a group which block each unit is from ``(units,)``; without it, units are independent.
    Where there is a control among the groups, the smallest mixture is looked for that would have been found
    to differ: of real sequences with random letters, by a `mixer`, or else with whole sequences of the Markov
    chain.
    """
    halves = _Shares(groups, rng, blocks or {})
    tallies = _Tallies(groups, mixer)
    rows = []
    for number, measure in enumerate(measures):
        counts = {name: tallies.of(measure.count, name) for name in groups}
        if all(each.any() for each in counts.values()):
            rows.append(halves.row(measure, counts, tallies))
        # Tables of long words are large, and needed no more.
        if not any(later.count == measure.count for later in measures[number + 1 :]):
            tallies.forget(measure.count)
    return rows


@dataclass
class _Tallies:
    """The counts of each group, and of mixtures of the control by their share of random letters."""

    groups: Mapping[str, Group]
    mixer: Mixer | None
    mixtures: dict[float, Group] = field(default_factory=dict)
    counted: dict[tuple[Counts, str | float], np.ndarray] = field(default_factory=dict)

    def of(self, count: Counts, which: str | float) -> np.ndarray:
        """The counts of a group, by its name, or of a mixture."""
        if (count, which) not in self.counted:
            self.counted[count, which] = count(self._group(which))
        return self.counted[count, which]

    @property
    def mixed(self) -> str:
        """What is mixed into real sequences: `RANDOM` letters, sequences of a baseline, or nothing."""
        if not {CONTROL, REAL} <= set(self.groups):
            return ""
        return RANDOM if self.mixer else next((name for name in self.groups if name.startswith(CHAIN)), "")

    def mixture(self, count: Counts, level: float) -> np.ndarray:
        """The counts of a mixture of such a share, in as many units as the control has."""
        if self.mixer is not None:
            return self.of(count, level)
        mixed, strange = self.of(count, CONTROL).copy(), self.of(count, self.mixed)
        places = np.linspace(0, len(mixed) - 1, round(level * len(mixed))).round().astype(int)
        mixed[places] = strange[np.arange(len(places)) % len(strange)]
        return mixed

    def _group(self, which: str | float) -> Group:
        if isinstance(which, str):
            return self.groups[which]
        if which not in self.mixtures:
            self.mixtures[which] = self.mixer(which)
        return self.mixtures[which]

    def forget(self, count: Counts) -> None:
        """Drop what was counted so."""
        for key in [key for key in self.counted if key[0] == count]:
            del self.counted[key]


class _Shares:
    """The random halves and shares of every group, the same for all measures."""

    def __init__(
        self, groups: Mapping[str, Group], rng: np.random.Generator, blocks: Mapping[str, np.ndarray]
    ) -> None:
        sizes = {name: group.unit_sizes for name, group in groups.items()}
        size = min(each.sum() for each in sizes.values()) / 2
        self.drawn = {
            name: draw_halves(each, blocks.get(name, np.arange(len(each))), size, rng)
            for name, each in sizes.items()
        }

    def row(self, measure: Measure, counts: Mapping[str, np.ndarray], tallies: _Tallies) -> Row:
        floor = real = None
        if REAL in counts:
            real = _values(measure, self.drawn[REAL].rest, counts[REAL])
            own = _values(measure, self.drawn[REAL].share, counts[REAL])
            floor = (measure.distance or _difference)(own, real)
        groups = {
            name: self._estimate(measure, self.drawn[name], each, None if name == REAL else real)
            for name, each in counts.items()
        }
        row = Row(measure, groups, floor)
        return self._with_mixture(row, real, tallies) if tallies.mixed and not measure.plotted else row

    # ._with_mixture(row, real, tallies)

    @staticmethod
    def _estimate(measure: Measure, drawn: Halves, counts: np.ndarray, real: np.ndarray | None) -> Estimate:
        shares = _values(measure, drawn.share, counts)
        halves = shares if drawn.half is drawn.share else _values(measure, drawn.half, counts)
        whole = shares.mean(axis=0) if measure.biased else measure.value(counts.sum(axis=0))
        apart = None if real is None else (measure.distance or _difference)(shares, real)
        return Estimate(whole, halves.std(axis=0) * drawn.scale, apart, drawn.scale, drawn.freedom)

    def _with_mixture(self, row: Row, real: np.ndarray, tallies: _Tallies) -> Row:
        """The row with the smallest mixture that would have been found, by bisection: more random letters are
        taken to be found more easily."""
        measure = row.measure

        def found(level: float) -> bool:
            mixed = tallies.mixture(measure.count, level)
            estimate = self._estimate(measure, self.drawn[CONTROL], mixed, real)
            groups = {CONTROL: _as_if_real(estimate, row), REAL: row.groups[REAL]}
            return Row(measure, groups, row.floor).beyond_noise(CONTROL)

        low, high = 0, len(MIXTURES)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if found(MIXTURES[middle]) else (middle + 1, high)
        smallest = MIXTURES[low] if low < len(MIXTURES) else None
        return replace(row, found_mixture=smallest, mixed=tallies.mixed)


def _as_if_real(mixture: Estimate, row: Row) -> Estimate:
    """A mixture moved by as much as its base, the control, is away from held-out sequences by chance."""
    control, real = row.groups[CONTROL], row.groups[REAL]
    apart = mixture.apart - control.apart.mean() + row.floor.mean()
    return replace(mixture, value=mixture.value - control.value + real.value, apart=apart)


def _values(measure: Measure, weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
    # Replicates in portions bound the memory that tables of long words take.
    portion = max(1, 2_000_000 // counts.shape[1])
    parts = (weights[at : at + portion] for at in range(0, REPLICATES, portion))
    return np.concatenate([measure.value(part.astype(counts.dtype) @ counts) for part in parts])


def _difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.abs(one - other)
