"""A scoreboard as a table and as figures."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.evaluation.metric_comparison.comparison import (
    INTERVAL_ERRORS,
    MIXTURES,
    NOISE_ERRORS,
    REAL,
    SAMPLES,
    Row,
)
from pipeline.evaluation.metric_comparison.conclusions import Groups, Words, shown, verdict

JUDGEMENT = (
    "real against itself", "interval of the samples", "nearest to real", "standard errors from real",
    "smallest mixture found", "tested",
)  # fmt: skip
"""The table's last columns."""


def write_table(
    groups: Groups, rows: Sequence[Row], path: Path, words: Words, counts: Mapping[str, Sequence[str]] = {},
    untested: str = "",
) -> Path:  # fmt: skip
    """How large the groups are, other counts by name with a cell for each group, then a row for each
    measure; its verdict is `untested` where nothing can be concluded."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, delimiter="\t", lineterminator="\n")
        table.writerow(("measure", "verdict", *groups, *JUDGEMENT))
        measured = {row.measure.name for row in rows}
        for name, cells in {**_sizes(groups, words), **counts}.items():
            if name not in measured:
                table.writerow((name, "", *cells, *[""] * len(JUDGEMENT)))
        for row in rows:
            cells = [shown(row, name) if name in row.groups else "" for name in groups]
            # Without real sequences there are no distances.
            if any(cells):
                judgement = _judgement(row)
                if untested:
                    judgement = (*judgement[:2], *[""] * (len(JUDGEMENT) - 3), "no")
                table.writerow((row.measure.name, untested or verdict(row, words), *cells, *judgement))
    return path


def caption_of(words: Words) -> str:
    """What the columns are, for the report."""
    return (
        "A number of each group, or where the metric says distance how far it is from one half of the "
        f"held-out {words.real}, in shares of equally many {words.letters}, half of the smallest group; JS: "
        "Jensen-Shannon, from 0 to 1. The held-out sequences are halved by whole blocks or records, and real "
        "against itself is a share of one half against the other half. Training real is the positive "
        "control. Interval: 95%, from random halves of the samples. Nearest: the group nearest to real, and "
        "those that cannot be told from it. No difference: up to "
        f"{NOISE_ERRORS:g} standard errors from {words.real}. Smallest mixture: the least of "
        f"{', '.join(f'{level:.0%}' for level in MIXTURES)} random {words.letters} in real sequences that is "
        "found to differ. Tested: whether a baseline or such a mixture is found to differ; the samples have "
        "no part in that."
    )


def figures_of(rows: Sequence[Row]) -> dict[str, float | str | None]:
    """By measure: the samples' value, and that of what is real, or of what is real against itself."""
    figures: dict[str, float | str | None] = {}
    for row in rows:
        if SAMPLES not in row.groups:
            continue
        name, number = row.measure.name, row.measure.distance is None
        if number:
            figures[name] = float(row.groups[SAMPLES].value)
            figures[f"{name}, real"] = float(row.groups[REAL].value) if REAL in row.groups else None
        elif row.floor is not None:
            figures[name] = row.distance(SAMPLES)
            figures[f"{name}, real"] = float(row.floor.mean())
    return figures


def interval(row: Row, name: str) -> tuple[float, float] | None:
    """The 95% interval of a number, or of a distance from what is real; None for the distance of that."""
    estimate = row.groups[name]
    if row.measure.distance is None:
        middle, reach = float(estimate.value), INTERVAL_ERRORS * float(estimate.error)
    elif estimate.apart is not None:
        middle, reach = float(estimate.apart.mean()), INTERVAL_ERRORS * float(estimate.apart.std())
    else:
        return None
    lowest = 0.0 if row.measure.distance is not None else -np.inf
    return max(middle - reach, lowest), middle + reach


def _sizes(groups: Groups, words: Words) -> dict[str, list[str]]:
    lengths = [[len(text) for text in group] for group in groups.values()]
    return {
        "sequences": [str(len(each)) for each in lengths],
        words.letters: [str(sum(each)) for each in lengths],
        f"mean length ({words.letters})": [f"{np.mean(each):.1f}" if each else "" for each in lengths],
    }


def _judgement(row: Row) -> tuple[str, ...]:
    floor = "" if row.floor is None else f"{float(row.floor.mean()):.4g}"
    found = interval(row, SAMPLES) if SAMPLES in row.groups else None
    between = "" if found is None else f"{found[0]:.4g} to {found[1]:.4g}"
    if REAL not in row.groups:
        return floor, between, "", "", "", ""
    nearest = ", ".join(row.nearest()) if row.nulls else ""
    away = f"{row.errors_away(SAMPLES):.2f}" if SAMPLES in row.groups else ""
    mixture = "" if not row.mixed else "none" if row.found_mixture is None else f"{row.found_mixture:.0%}"
    return floor, between, nearest, away, mixture, "yes" if row.testable else "no"
