"""Every group of sequences compared with the real ones, metric by metric.

A metric is one number, or a profile (a spectrum, say) with a distance. Profiles differ more the fewer symbols
they come from. So every group is measured in random subsamples of equal size (`draw_subsamples`). The real
sequences are cut in two by whole blocks: the distance of a subsample of one half from the other half is what
chance alone gives. A group differs where its subsamples are further from that other half.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.evaluation.metric_comparison.groups import CONTROL, MARKOV, RANDOM, REAL, MetricGroup
from pipeline.evaluation.metric_comparison.metric import CountFunction, Metric
from pipeline.evaluation.metric_comparison.mixtures import MIXTURES, Mixer, mix_units
from pipeline.evaluation.metric_comparison.result import Estimate, MetricResult
from pipeline.evaluation.metric_comparison.subsampling import REPLICATES, Subsamples, draw_subsamples

MIN_SYMBOLS = 200
"""Halves of fewer symbols share k-mers by chance alone."""
MAX_VALUES = 2_000_000
"""Values that are computed at once, which bounds the memory of profiles with many bins."""


def compare_metrics(
    groups: Mapping[str, MetricGroup],
    metrics: Sequence[Metric],
    rng: np.random.Generator,
    mixer: Mixer | None = None,
) -> list[MetricResult]:
    """Compare the groups by each metric for which all of them have counts.

    Parameters
    ----------
    groups
        Groups by name; `REAL` is the one that the others are compared with.
    metrics
        The metrics, in the order of the results.
    rng
        Draws the subsamples.
    mixer
        Replaces a share of the control's symbols by random ones. With a control among the groups, the
        smallest mixture that is found to differ is looked for: of real sequences with random symbols by the
        mixer, else with whole sequences of the Markov chain.

    Returns
    -------
    list of MetricResult
        One for each metric that every group is long enough for.
    """
    subsampled = _SubsampledGroups(groups, rng)
    counts = _CountCache(groups, mixer)
    results = []
    for number, metric in enumerate(metrics):
        counted = {name: counts.count(metric.count, name) for name in groups}
        if all(each.any() for each in counted.values()):
            results.append(subsampled.compare(metric, counted, counts))
        # Counts of long k-mers take much memory.
        if not any(later.count == metric.count for later in metrics[number + 1 :]):
            counts.drop(metric.count)
    return results


@dataclass
class _CountCache:
    """The counts of each group, and of mixtures of the control by their share of random symbols."""

    groups: Mapping[str, MetricGroup]
    mixer: Mixer | None
    mixtures: dict[float, MetricGroup] = field(default_factory=dict)
    counted: dict[tuple[CountFunction, str | float], np.ndarray] = field(default_factory=dict)

    def count(self, function: CountFunction, key: str | float) -> np.ndarray:
        """The counts of a group, by its name, or of a mixture, by its share."""
        if (function, key) not in self.counted:
            self.counted[function, key] = function(self._find_group(key))
        return self.counted[function, key]

    def _find_group(self, key: str | float) -> MetricGroup:
        if isinstance(key, str):
            return self.groups[key]
        if key not in self.mixtures and self.mixer is not None:
            self.mixtures[key] = self.mixer(key)
        return self.mixtures[key]

    @property
    def mixed_in(self) -> str:
        """What is mixed into real sequences: `RANDOM` symbols, sequences of a baseline, or nothing."""
        if not {CONTROL, REAL} <= set(self.groups):
            return ""
        return RANDOM if self.mixer else next((name for name in self.groups if name.startswith(MARKOV)), "")

    def count_mixture(self, function: CountFunction, share: float) -> np.ndarray:
        """The counts of a mixture, in as many units as the control has."""
        if self.mixer is not None:
            return self.count(function, share)
        return mix_units(self.count(function, CONTROL), self.count(function, self.mixed_in), share)

    def drop(self, function: CountFunction) -> None:
        """Free the counts of this function."""
        for key in [key for key in self.counted if key[0] == function]:
            del self.counted[key]


class _SubsampledGroups:
    """The random subsamples of every group, the same for all metrics."""

    def __init__(self, groups: Mapping[str, MetricGroup], rng: np.random.Generator) -> None:
        sizes = {name: group.unit_sizes for name, group in groups.items()}
        size = min(each.sum() for each in sizes.values()) / 2
        self.drawn = {
            name: draw_subsamples(each, groups[name].blocks, size, rng) for name, each in sizes.items()
        }

    def compare(self, metric: Metric, counts: Mapping[str, np.ndarray], cache: _CountCache) -> MetricResult:
        """The result of one metric, with the smallest mixture that is found to differ."""
        real = self_distances = None
        if REAL in counts:
            real = _evaluate(metric, self.drawn[REAL].complement, counts[REAL])
            own = _evaluate(metric, self.drawn[REAL].matched, counts[REAL])
            self_distances = metric.measure_distance(own, real)
        groups = {
            name: _estimate(metric, self.drawn[name], each, None if name == REAL else real)
            for name, each in counts.items()
        }
        result = MetricResult(metric, groups, self_distances)
        if real is None or not cache.mixed_in or metric.plot_only:
            return result
        return self._find_min_mixture(result, real, cache)

    def _find_min_mixture(self, result: MetricResult, real: np.ndarray, cache: _CountCache) -> MetricResult:
        """The result with the smallest mixture that is found, by bisection: larger shares of random symbols
        are assumed to be found more easily."""
        metric = result.metric

        def is_detected(share: float) -> bool:
            counts = cache.count_mixture(metric.count, share)
            mixture = _estimate(metric, self.drawn[CONTROL], counts, real)
            groups = {CONTROL: _center_on_real(mixture, result), REAL: result.groups[REAL]}
            return MetricResult(metric, groups, result.self_distances).differs_from_real(CONTROL)

        low, high = 0, len(MIXTURES)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if is_detected(MIXTURES[middle]) else (middle + 1, high)
        smallest = MIXTURES[low] if low < len(MIXTURES) else None
        return replace(result, min_detected_mixture=smallest, mixed_in=cache.mixed_in)


def _estimate(metric: Metric, drawn: Subsamples, counts: np.ndarray, real: np.ndarray | None) -> Estimate:
    matched = _evaluate(metric, drawn.matched, counts)
    halves = matched if drawn.half is drawn.matched else _evaluate(metric, drawn.half, counts)
    value = matched.mean(axis=0) if metric.size_dependent else metric.value(counts.sum(axis=0))
    distances = None if real is None else metric.measure_distance(matched, real)
    return Estimate(value, halves.std(axis=0) * drawn.scale, distances, drawn.scale, drawn.degrees_of_freedom)


def _center_on_real(mixture: Estimate, result: MetricResult) -> Estimate:
    """A mixture without the difference that its base, the control, has from held-out sequences by chance."""
    control, real = result.groups[CONTROL], result.groups[REAL]
    distances = mixture.distances
    if distances is not None:
        distances = distances - result.distances(CONTROL).mean() + result.mean_self_distance
    return replace(mixture, value=mixture.value - control.value + real.value, distances=distances)


def _evaluate(metric: Metric, weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The metric of every replicate, of these weights of the units ``(replicates, units)``."""
    portion = max(1, MAX_VALUES // counts.shape[1])
    parts = (weights[at : at + portion] for at in range(0, REPLICATES, portion))
    return np.concatenate([metric.value(part.astype(counts.dtype) @ counts) for part in parts])
