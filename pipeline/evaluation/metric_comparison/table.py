"""The results of a comparison as a table, as numbers by name, and the caption of the table."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.evaluation.metric_comparison.conclusions import ComparisonTerms, conclude, format_value
from pipeline.evaluation.metric_comparison.groups import REAL, SAMPLES
from pipeline.evaluation.metric_comparison.mixtures import MIXTURES
from pipeline.evaluation.metric_comparison.result import INTERVAL_ERRORS, NOISE_ERRORS, MetricResult

Groups = Mapping[str, Sequence[Any]]
"""Sequences by the name of their group."""
TEST_COLUMNS = (
    "real against itself", "interval of the samples", "nearest to real", "standard errors from real",
    "smallest mixture found", "tested",
)  # fmt: skip
"""The last columns of the table."""


def write_table(
    groups: Groups, results: Sequence[MetricResult], path: Path, terms: ComparisonTerms,
    counts: Mapping[str, Sequence[str]] = {}, untested: str = "",
) -> Path:  # fmt: skip
    """Write a tab-separated table with one row for each metric.

    Parameters
    ----------
    groups
        The sequences of each group; the first rows say how many there are and how long they are.
    results
        The results of `compare_metrics`.
    path
        The file to write.
    terms
        The nouns of the domain.
    counts
        Further rows by name, with a cell for each group.
    untested
        The conclusion of every metric where nothing can be concluded.

    Returns
    -------
    Path
        `path`.
    """
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, delimiter="\t", lineterminator="\n")
        table.writerow(("metric", "conclusion", *groups, *TEST_COLUMNS))
        measured = {result.metric.name for result in results}
        for name, cells in {**_count_sizes(groups, terms), **counts}.items():
            if name not in measured:
                table.writerow((name, "", *cells, *[""] * len(TEST_COLUMNS)))
        for result in results:
            cells = [format_value(result, name) if name in result.groups else "" for name in groups]
            # Without real sequences there are no distances.
            if any(cells):
                tests = _test_cells(result)
                if untested:
                    tests = (*tests[:2], *[""] * (len(TEST_COLUMNS) - 3), "no")
                table.writerow((result.metric.name, untested or conclude(result, terms), *cells, *tests))
    return path


def format_caption(terms: ComparisonTerms) -> str:
    """The caption of the table: what each column means."""
    shares = ", ".join(f"{level:.0%}" for level in MIXTURES)
    return (
        f"A number of each group. Where the metric is a distance: its distance from one half of the held-out "
        f"{terms.real}, in subsamples of equally many {terms.symbols}, half of the smallest group. JS: "
        "Jensen-Shannon distance, from 0 to 1. The held-out sequences are halved by whole blocks or records. "
        "Real against itself: a subsample of one half against the other half. Training real: the positive "
        "control. Interval: 95%, from random halves of the samples. Nearest: the group nearest to real, and "
        "the groups that are indistinguishable from it. No difference: up to "
        f"{NOISE_ERRORS:g} standard errors from {terms.real}. Smallest mixture: the smallest of {shares} "
        f"random {terms.symbols} in real sequences that is found to differ. Tested: whether a baseline or "
        "such a mixture is found to differ; the samples have no part in that."
    )


def collect_figures(results: Sequence[MetricResult]) -> dict[str, float | str | None]:
    """By metric: the samples' value, and the real value or the distance of real from itself."""
    figures: dict[str, float | str | None] = {}
    for result in results:
        if SAMPLES not in result.groups:
            continue
        name = result.metric.name
        if result.metric.distance is None:
            figures[name] = float(result.groups[SAMPLES].value)
            figures[f"{name}, real"] = float(result.groups[REAL].value) if REAL in result.groups else None
        elif result.self_distances is not None:
            figures[name] = result.distance(SAMPLES)
            figures[f"{name}, real"] = result.mean_self_distance
    return figures


def confidence_interval(result: MetricResult, name: str) -> tuple[float, float] | None:
    """The 95% interval of a number, or of a distance from real; None for the distance of real itself."""
    estimate = result.groups[name]
    if result.metric.distance is None:
        middle, reach = float(estimate.value), INTERVAL_ERRORS * float(estimate.standard_error)
    elif estimate.distances is not None:
        middle, reach = float(estimate.distances.mean()), INTERVAL_ERRORS * float(estimate.distances.std())
    else:
        return None
    low, high = result.metric.bounds
    return max(middle - reach, low), min(middle + reach, high)


def _count_sizes(groups: Groups, terms: ComparisonTerms) -> dict[str, list[str]]:
    lengths = [[len(sequence) for sequence in group] for group in groups.values()]
    return {
        "sequences": [str(len(each)) for each in lengths],
        terms.symbols: [str(sum(each)) for each in lengths],
        f"mean length ({terms.symbols})": [f"{np.mean(each):.1f}" if each else "" for each in lengths],
    }


def _test_cells(result: MetricResult) -> tuple[str, ...]:
    """The cells of `TEST_COLUMNS`."""
    itself = "" if result.self_distances is None else f"{result.mean_self_distance:.4g}"
    interval = confidence_interval(result, SAMPLES) if SAMPLES in result.groups else None
    between = "" if interval is None else f"{interval[0]:.4g} to {interval[1]:.4g}"
    if REAL not in result.groups:
        return itself, between, "", "", "", ""
    nearest = ", ".join(result.nearest()) if result.baselines else ""
    away = f"{result.standard_errors_from_real(SAMPLES):.2f}" if SAMPLES in result.groups else ""
    found = result.min_detected_mixture
    mixture = "" if not result.mixed_in else "none" if found is None else f"{found:.0%}"
    return itself, between, nearest, away, mixture, "yes" if result.testable else "no"
