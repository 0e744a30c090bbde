"""Compare the best E-values of the samples with those of each reference group, by a rank test.

The test is that of H. B. Mann and D. R. Whitney, Annals of Mathematical Statistics 18 (1947) 50, two-sided,
with S. Holm's correction for several comparisons, Scandinavian Journal of Statistics 6 (1979) 65. The size
of an effect is the probability of superiority: how often, of a sample and a sequence of the group taken at
random, the sample has the smaller E-value, equal ones counted half.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.domains.genome.blast.query_results import SAMPLES

REAL = "held-out real"
MIN_RANKED = 5
"""Smaller groups are not tested: a rank test of so few values has hardly any power."""
MAX_P = 0.05
"""Two groups differ where the corrected p-value is at most this."""


@dataclass(frozen=True, slots=True)
class GroupComparison:
    """The samples compared with one reference group: the share of pairs in which the sample has the smaller
    E-value, and the Holm-corrected p-value."""

    group: str
    superiority: float
    p_value: float

    @property
    def outcome(self) -> str:
        """better, worse, or not distinguishable."""
        if self.p_value > MAX_P:
            return "not distinguishable"
        return "better" if self.superiority > 0.5 else "worse"


def compare_groups(evalues: Mapping[str, Sequence[float]]) -> list[GroupComparison]:
    """Compare the samples with every group of at least `MIN_RANKED` sequences. A sequence without a hit has
    an infinite E-value, which has the largest rank."""
    samples = evalues.get(SAMPLES, ())
    others = {
        group: values
        for group, values in evalues.items()
        if group != SAMPLES and min(len(values), len(samples)) >= MIN_RANKED
    }
    ranked = {group: mann_whitney(samples, values) for group, values in others.items()}
    corrected = holm_correction([p_value for _, p_value in ranked.values()])
    return [
        GroupComparison(group, share, p_value)
        for (group, (share, _)), p_value in zip(ranked.items(), corrected, strict=True)
    ]


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """Return the share of pairs in which `first` has the smaller value, and the two-sided p-value.

    >>> share, p_value = mann_whitney([1, 2, 3, 4, 5], [6, 7, 8, 9, float("inf")])
    >>> share, round(p_value, 4)
    (1.0, 0.0079)
    """
    from scipy.stats import mannwhitneyu

    # The test depends on ranks alone, which are finite.
    places = np.unique(np.concatenate([first, second]), return_inverse=True)[1]
    if not places.any():
        return 0.5, 1.0
    found = mannwhitneyu(places[: len(first)], places[len(first) :], alternative="two-sided")
    return 1 - float(found.statistic) / (len(first) * len(second)), float(found.pvalue)


def holm_correction(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for multiple comparisons; their order stays.

    >>> holm_correction([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    corrected = np.empty(len(p_values))
    factors = np.arange(len(p_values), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(np.asarray(p_values)[order] * factors), 1)
    return corrected.tolist()


def describe_comparisons(
    comparisons: Sequence[GroupComparison], evalues: Mapping[str, Sequence[float]], database: str
) -> tuple[str, ...]:
    """Summarize the comparison with the baselines, and list the result for every group."""
    count = len(evalues.get(SAMPLES, ()))
    if not comparisons:
        return (f"BLAST: too few sequences to compare the best hits of the samples ({count}) with others",)
    parts = []
    for outcome, phrase in (
        ("better", "better than those of"),
        ("worse", "worse than those of"),
        ("not distinguishable", "indistinguishable from those of"),
    ):
        named = [_format_comparison(each) for each in comparisons if each.outcome == outcome]
        if named:
            parts.append(f"{phrase} {_join_names(named)}")
    return (
        f"BLAST: {describe_outcome(comparisons, database)}",
        f"BLAST: the samples' best hits are {'; '.join(parts)}; p of a rank test, Holm-corrected",
    )


def describe_outcome(comparisons: Sequence[GroupComparison], database: str) -> str:
    """Summarize the comparison with the baselines, which are all groups except held-out real."""
    baselines = {each.group: each.outcome for each in comparisons if each.group != REAL}
    better = [group for group, outcome in baselines.items() if outcome == "better"]
    worse = [group for group, outcome in baselines.items() if outcome == "worse"]
    if not baselines:
        return "there is no baseline to compare the samples with"
    if not better and not worse:
        others = _join_names(list(baselines), "or")
        return f"the samples' best hits in {database} are indistinguishable from those of {others}"
    parts = []
    if better:
        parts.append(f"nearer to {database} than {_join_names(better)}")
    if worse:
        parts.append(f"farther from {database} than {_join_names(worse)}")
    rest = [group for group in baselines if group not in better + worse]
    others = f", but indistinguishable from {_join_names(rest, 'or')}" if rest else ""
    return f"the samples are {' and '.join(parts)}{others}"


def _format_comparison(each: GroupComparison) -> str:
    return (
        f"{each.group} (smaller E-value in {each.superiority:.0%} of pairs, {_format_p_value(each.p_value)})"
    )


def _format_p_value(value: float) -> str:
    if value < 1e-16:
        return "p < 1e-16"
    return f"p = {value:.1g}" if value < 0.1 else f"p = {value:.2f}"


def _join_names(names: Sequence[str], last: str = "and") -> str:
    """
    >>> _join_names(["a", "b", "c"])
    'a, b and c'
    """
    return f" {last} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
