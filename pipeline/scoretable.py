"""A scoreboard as a table, as figures, and in a few lines, in the words of the domain that it is of.

Read next: `scoreboard.py`, where the rows come from.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.scoreboard import REAL, SAMPLES, SHUFFLED, Row

INTERVAL_ERRORS = 1.96
"""Standard errors on each side of a value in an interval of 95%."""
JUDGEMENT = ("real against itself", "interval of the samples", "nearest to real", "verdict")
"""The table's last columns."""
WORST = 3
"""So many measures by which the samples differ most are told at the end of a run."""


@dataclass(frozen=True)
class Words:
    """What real sequences are called, as in "like real tunes", and how their units are, as in "too few
    tunes"."""

    real: str
    units: str


def write_table(
    plain: Mapping[str, Mapping[str, str]],
    rows: Sequence[Row],
    groups: Sequence[str],
    words: Words,
    path: Path,
) -> Path:
    """Plain counts (name to group to text) above a row for each measure."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, delimiter="\t", lineterminator="\n")
        table.writerow(("measure", *groups, *JUDGEMENT))
        for name, cells in plain.items():
            table.writerow((name, *(cells.get(group, "") for group in groups), *[""] * len(JUDGEMENT)))
        for row in rows:
            cells = (_cell(row, name) if name in row.groups else "" for name in groups)
            table.writerow((full_name(row), *cells, *_judgement(row, words)))
    return path


def full_name(row: Row) -> str:
    """The measure's name with its unit."""
    return f"{row.measure.name}, {row.measure.unit}" if row.measure.unit else row.measure.name


def _cell(row: Row, name: str) -> str:
    """A number, or the distance from what is real, which has none from itself but the floor."""
    if row.is_number:
        return f"{float(row.groups[name].value):.4g}"
    return "" if name == REAL else f"{row.distance(name):.3f}"


def _judgement(row: Row, words: Words) -> tuple[str, ...]:
    floor = f"{row.floor:.4g}" if row.is_number else f"{row.floor:.3f}"
    if SAMPLES not in row.groups:
        return floor, "", "", ""
    estimate = row.groups[SAMPLES]
    middle = float(estimate.value) if row.is_number else row.distance(SAMPLES)
    reach = INTERVAL_ERRORS * estimate.error
    nearest = ", ".join(row.nearest()) if row.nulls else ""
    return floor, f"{middle - reach:.3g} to {middle + reach:.3g}", nearest, verdict(row, words)


def verdict(row: Row, words: Words) -> str:
    """Whether the samples differ from real sequences beyond noise, and which groups are nearer or as near, in
    words."""
    if not row.beyond_noise(SAMPLES):
        alike = [name for name in row.nulls if not row.beyond_noise(name)]
        told = SHUFFLED not in alike or row.measure.kept_by_shuffling
        so = f"; so {'is' if len(alike) == 1 else 'are'} {listed(alike)}" if alike else ""
        return f"like {words.real}{so}" if told else f"like {words.real}{so}: too few {words.units} to tell"
    said = _difference(row, words)
    if not row.nulls:
        return said
    nearest = row.nearest()
    if nearest == [SAMPLES]:
        return f"{said}, but nearer than every null"
    if SAMPLES in nearest:
        return f"{said}; as near as {listed([name for name in nearest if name != SAMPLES])}"
    nearer = [name for name in row.nulls if row.distance(name) < row.distance(SAMPLES)]
    return f"{said}; {listed(nearer)} {'is' if len(nearer) == 1 else 'are'} nearer"


def _difference(row: Row, words: Words) -> str:
    if not row.is_number:
        return f"unlike {words.real}"
    more = row.groups[SAMPLES].value > row.groups[REAL].value
    return f"{'more' if more else 'less'} than in {words.real}"


def summary_of(rows: Sequence[Row], words: Words) -> list[str]:
    """How many measures put each group within the noise of what is real, and by which the samples differ
    most."""
    told = [row for row in rows if row.tells and SAMPLES in row.groups]
    if not told:
        return [f"beside {words.real}: too few {words.units} to tell"]
    counts = {
        name: sum(name in row.groups and not row.beyond_noise(name) for row in told)
        for name in told[0].groups if name != REAL
    }  # fmt: skip
    others = ", ".join(f"{name} in {count}" for name, count in counts.items() if name != SAMPLES)
    beside = f" ({others})" if others else ""
    lines = [f"like {words.real} in {counts[SAMPLES]} of the {len(told)} measures that tell{beside}"]
    beyond = [row for row in told if row.beyond_noise(SAMPLES)]
    worst = sorted(beyond, key=lambda row: -row.errors_away(SAMPLES))[:WORST]
    if worst:
        lines.append(f"most unlike {words.real}: {'; '.join(_told(row, words) for row in worst)}")
    return lines


def _told(row: Row, words: Words) -> str:
    name = row.measure.name
    if not row.is_number:
        apart = f"{row.distance(SAMPLES):.2f} apart ({words.real} among themselves {row.floor:.2f})"
        return f"{name} {apart}"
    unit = row.measure.unit if row.measure.unit in ("", "%") else f" {row.measure.unit}"
    mine, real = (f"{float(row.groups[group].value):.3g}{unit}" for group in (SAMPLES, REAL))
    return f"{name} {mine} ({words.real} {real})"


def figures_of(rows: Sequence[Row]) -> dict[str, float | str | None]:
    """By measure: the samples' value, and that of what is real, or of what is real against itself."""
    figures: dict[str, float | str | None] = {}
    for row in rows:
        if SAMPLES in row.groups:
            name = full_name(row) if row.is_number else f"{row.measure.name}, distance"
            figures[name] = float(row.groups[SAMPLES].value) if row.is_number else row.distance(SAMPLES)
            figures[f"{name}, real"] = float(row.groups[REAL].value) if row.is_number else row.floor
    return figures


def listed(names: Sequence[str]) -> str:
    """Names in one phrase.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
