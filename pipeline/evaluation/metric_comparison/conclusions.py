"""The conclusions of a comparison in sentences: for each metric, and for all metrics together."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pipeline.evaluation.metric_comparison.groups import CONTROL, MARKOV, RANDOM, REAL, SAMPLES, SHUFFLED
from pipeline.evaluation.metric_comparison.mixtures import MIXTURES
from pipeline.evaluation.metric_comparison.result import MetricResult
from pipeline.evaluation.metric_comparison.subsampling import MIN_BLOCKS

MAX_NAMED = 4
"""Metrics that a line names."""
MIN_LOST = 2
"""Metrics on which the Markov chain is nearer: one may be chance."""
LOW_POWER_SHARE = 0.75
"""Where shuffled sequences are indistinguishable on this share of the metrics, the test has low power."""


@dataclass(frozen=True)
class ComparisonTerms:
    """The nouns of a domain that tables and conclusions use.

    `symbols` is the unit that is counted ("bases"), `subject` that which the metrics describe ("DNA"), and
    `real` the real sequences ("real DNA"). `headline_metrics` are the first words of metric names: of each,
    the last testable metric is reported at the end of a run.
    """

    symbols: str
    subject: str
    real: str
    headline_metrics: tuple[str, ...]


def conclude(result: MetricResult, terms: ComparisonTerms) -> str:
    """Whether the samples differ from real sequences beyond noise.

    Where they do, which groups are nearer or equally near. Where they do not, which mixture would have been
    found to differ.
    """
    if not {REAL, SAMPLES} <= set(result.groups):
        return ""
    if not result.differs_from_real(SAMPLES):
        return _no_difference(result, terms)
    text = f"differs from {terms.real}{_direction(result)}"
    if CONTROL in result.groups and result.differs_from_real(CONTROL):
        text += f"; so does {CONTROL}: the test split is not typical"
    if not result.baselines:
        return text
    nearest = result.nearest()
    if nearest == [SAMPLES]:
        return f"{text}; nearer than every baseline"
    if SAMPLES in nearest:
        return f"{text}; as near as {_join([name for name in nearest if name != SAMPLES])}"
    nearer = [name for name in result.baselines if result.distance(name) < result.distance(SAMPLES)]
    return f"{text}; {_join(nearer)} nearer"


def _no_difference(result: MetricResult, terms: ComparisonTerms) -> str:
    if not result.testable:
        missed = f": a mixture of {_mixture(result, MIXTURES[-1], terms)} would not be found"
        return f"not tested, too few {terms.symbols}{missed if result.mixed_in else ''}"
    text = "no difference found"
    if result.min_detected_mixture is not None:
        mixture = _mixture(result, result.min_detected_mixture, terms)
        text += f"; a mixture of about {mixture} would have been"
    equal = [name for name in result.baselines if not result.differs_from_real(name)]
    return f"{text}; none for {_join(equal)} either" if equal else text


def _mixture(result: MetricResult, share: float, terms: ComparisonTerms) -> str:
    random = result.mixed_in == RANDOM
    return f"{share:.0%} {f'random {terms.symbols}' if random else f'sequences of {result.mixed_in}'}"


def summarize(groups: Collection[str], results: Sequence[MetricResult], terms: ComparisonTerms) -> list[str]:
    """Lines for the end of a run.

    They say on how many metrics each group is indistinguishable from real sequences, on which metrics the
    samples are nearer or further than the Markov chain, and the values of `terms.headline_metrics`.
    """
    if not (REAL in groups and SAMPLES in groups):
        return []
    tested = _tested(results)
    if not tested:
        needed = "more valid samples (sample.count, or a better model) or a larger dataset.split.test"
        return [f"samples and held-out {terms.real}: too few {terms.symbols} to test; {needed} are needed"]
    lines = [_count_line(results, terms), *_compare_with_markov(_compared(results), terms)]
    for prefix in terms.headline_metrics:
        named = [result for result in tested if result.metric.name.startswith(prefix)]
        if named:
            lines.append(_value_line(named[-1], terms))
    return lines


def group_by_family(results: Sequence[MetricResult]) -> list[list[MetricResult]]:
    """The results by family: nested metrics count as one."""
    families: dict[str, list[MetricResult]] = {}
    for result in results:
        families.setdefault(result.metric.family or result.metric.name, []).append(result)
    return list(families.values())


def count_indistinguishable(results: Sequence[MetricResult], name: str) -> int:
    """On how many metrics a group is indistinguishable from real sequences."""
    families = group_by_family(results)
    return sum(not any(result.differs_from_real(name) for result in each) for each in families)


def _tested(results: Sequence[MetricResult]) -> list[MetricResult]:
    """The results that count, by the references alone."""
    return [result for result in results if result.testable and SAMPLES in result.groups]


def _compared(results: Sequence[MetricResult]) -> list[MetricResult]:
    """Those, and the others on which the samples differ nevertheless."""
    groups = {REAL, SAMPLES}
    return [
        each
        for each in results
        if groups <= set(each.groups) and (each.testable or each.differs_from_real(SAMPLES))
    ]


def _name_more(results: Sequence[MetricResult], tested: Sequence[MetricResult]) -> str:
    """The families of metrics on which the samples differ, and none of which counts."""
    counted = {each.metric.family or each.metric.name for each in tested}
    others = [each for each in _compared(results) if not each.testable]
    more = [each for each in others if (each.metric.family or each.metric.name) not in counted]
    names = [_short_name(each[-1]) for each in group_by_family(more)]
    return (
        f"; the samples also differ on {_some(names)}, not counted because no reference does" if names else ""
    )


def _has_low_power(tested: Sequence[MetricResult]) -> bool:
    """Whether shuffled sequences, too, are indistinguishable from real ones on most metrics."""
    if not tested or SHUFFLED not in tested[0].baselines:
        return False
    return count_indistinguishable(tested, SHUFFLED) >= LOW_POWER_SHARE * len(group_by_family(tested))


def _count_line(results: Sequence[MetricResult], terms: ComparisonTerms) -> str:
    tested = _tested(results)
    metrics = len(group_by_family(tested))
    others = [*tested[0].baselines, *([CONTROL] if CONTROL in tested[0].groups else [])]
    counts = ", ".join(f"{name} on {count_indistinguishable(tested, name)}" for name in others)
    count = f"{count_indistinguishable(tested, SAMPLES)} of {metrics} metrics of {terms.subject}"
    line = f"samples: indistinguishable from held-out {terms.real} on {count}"
    line = f"{line} ({counts})" if counts else line
    if _has_low_power(tested):
        line = f"{line}; too few held-out {terms.real} to conclude from"
    return f"{line}{_name_more(results, tested)}"


def _compare_with_markov(tested: Sequence[MetricResult], terms: ComparisonTerms) -> list[str]:
    """A line that names the metrics on which the samples, or the Markov chain, are nearer to real."""
    markov = _find_markov(tested)
    if markov is None:
        return []
    nearer = _name_lost(tested, markov, SAMPLES)
    further = _name_lost(tested, SAMPLES, markov)
    if not nearer and not further:
        return [f"samples and {markov}: neither is nearer to {terms.real} on any metric"]
    line = f"samples are nearer to {terms.real} than {markov} on {_some(nearer)}"
    return [f"{line}. {markov} is nearer on {_some(further)}"]


def list_warnings(results: Sequence[MetricResult], terms: ComparisonTerms) -> list[str]:
    """A warning with a remedy where the Markov chain is nearer to real sequences on more metrics than the
    samples are, and these differ from real ones on most metrics.

    Where few metrics can find a difference, the chain being nearer on `MIN_LOST` is enough.
    """
    tested, compared = _tested(results), _compared(results)
    markov = _find_markov(compared)
    if markov is None:
        return []
    metrics = len(group_by_family(compared))
    nearer, further = (len(_name_lost(compared, *pair)) for pair in ((markov, SAMPLES), (SAMPLES, markov)))
    most = 2 * count_indistinguishable(compared, SAMPLES) < metrics
    if further <= nearer or not (most or (_has_low_power(tested) and further >= MIN_LOST)):
        return []
    return [
        f"the samples are worse than those of {markov}: it is nearer to {terms.real} on {further} of "
        f"{metrics} metrics, the samples on {nearer}. Remedy: sample at temperature 1, or train longer"
    ]


def describe_largest_differences(
    results: Sequence[MetricResult], terms: ComparisonTerms, most: int = 3
) -> list[str]:
    """A line with the metrics in which the samples differ most from real sequences; none without any."""
    differing = [
        result
        for result in results
        if {REAL, SAMPLES} <= set(result.groups) and result.differs_from_real(SAMPLES)
    ]
    worst = sorted(differing, key=lambda result: -result.standard_errors_from_real(SAMPLES))[:most]
    values = "; ".join(_both_values(result, terms) for result in worst)
    return [f"most unlike {terms.real}: {values}"] if worst else []


def describe_block_shortage(blocks: Sequence[str] | None) -> list[str]:
    """A line where the held-out sequences are from too few blocks to estimate the spread between blocks.

    Nothing else is concluded then: one part of a genome is not typical of it.
    """
    number = len(set(blocks)) if blocks is not None else MIN_BLOCKS
    if number >= MIN_BLOCKS:
        return []
    return [
        f"the test split has {number} block{'s' * (number > 1)}, too few to compare samples with real DNA "
        f"({MIN_BLOCKS} are needed); a larger dataset.split.test, or more sequences, give more"
    ]


def format_value(result: MetricResult, name: str) -> str:
    """The value of a number, or the distance from real sequences; empty for the distance of these."""
    if result.metric.distance is None:
        return f"{float(result.groups[name].value):.4g}"
    return "" if result.groups[name].distances is None else f"{result.distance(name):.4g}"


def _find_markov(tested: Sequence[MetricResult]) -> str | None:
    """The name of the Markov chain's group."""
    names = (name for result in tested for name in result.baselines)
    return next((name for name in names if name.startswith(MARKOV)), None)


def _name_lost(tested: Sequence[MetricResult], worse: str, than: str) -> list[str]:
    """The metrics on which one group differs from real sequences and is further from them than another."""
    lost = ([result for result in each if _loses(result, worse, than)] for each in group_by_family(tested))
    worst = [max(each, key=lambda result: result.standard_errors_from_real(worse)) for each in lost if each]
    ranked = sorted(worst, key=lambda result: -result.standard_errors_from_real(worse))
    return [_short_name(result) for result in ranked]


def _short_name(result: MetricResult) -> str:
    """The name of a metric without its unit."""
    return result.metric.name.rstrip(")").partition(" (")[0]


def _loses(result: MetricResult, worse: str, than: str) -> bool:
    return result.differs_from_real(worse) and result.is_further(worse, than)


def _some(names: Sequence[str]) -> str:
    if not names:
        return "0 metrics"
    more = "; …" if len(names) > MAX_NAMED else ""
    return f"{len(names)} metric{'s' * (len(names) > 1)} ({'; '.join(names[:MAX_NAMED])}{more})"


def _both_values(result: MetricResult, terms: ComparisonTerms) -> str:
    """The value of the samples and that of real sequences, with the unit."""
    name, _, unit = result.metric.name.rstrip(")").partition(" (")
    if result.metric.distance is not None:
        itself = f"{terms.real} among themselves {result.mean_self_distance:.2g}"
        return f"{name} {result.distance(SAMPLES):.2g} ({itself})"
    unit = unit if unit == "%" else f" {unit}".rstrip()
    samples, real = (f"{float(result.groups[group].value):.3g}{unit}" for group in (SAMPLES, REAL))
    return f"{name} {samples} ({terms.real} {real})"


def _value_line(result: MetricResult, terms: ComparisonTerms) -> str:
    real = f"held-out real {format_value(result, REAL)}"
    if result.metric.distance is not None:
        real = f"real against itself {result.mean_self_distance:.4g}"
    samples = format_value(result, SAMPLES)
    return f"{result.metric.name}: samples {samples}, {real}. Conclusion: {conclude(result, terms)}"


def _direction(result: MetricResult) -> str:
    if result.metric.distance is not None:
        return ""
    return ": more" if result.groups[SAMPLES].value > result.groups[REAL].value else ": less"


def _join(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
