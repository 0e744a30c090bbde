"""What a search found, in a table, a picture and a few lines: the best hit of every sequence, by group.

Whether the samples' hits are better than chance is told by a rank test of their best E-values against those
of shuffled sequences: H. B. Mann, D. R. Whitney, Annals of Mathematical Statistics 18 (1947) 50.
"""

import csv
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.domain import Exhibit, Findings
from pipeline.genome.hits import Hit

SAMPLES = "samples"
SHUFFLED = "shuffled"
COLUMNS = (
    "group", "sequence", "length", "hits", "best_hit", "evalue", "bit_score", "identity_percent",
    "aligned_length", "query_coverage_percent", "subject_start", "subject_end",
)  # fmt: skip
SMALLEST_EVALUE = 1e-180
"""BLAST prints 0.0 for anything smaller."""
FEWEST_RANKED = 5
"""Smaller groups are not tested: the normal approximation of the rank test is poor for them."""
LARGEST_P = 0.01
"""What a p-value may be at most for the samples to be called nearer than shuffled sequences."""
CAPTION = (
    "An E-value is the number of hits this good that chance alone would give one sequence in a database of "
    "this size; the smallest of N sequences is about N times smaller."
)


@dataclass(frozen=True, slots=True)
class Searched:
    """One query: its group, name and length, its best hit if there is one, and how many hits there are."""

    group: str
    name: str
    length: int
    best: Hit | None
    hits: int


def summarise(
    searched: Sequence[Searched], limit: float, database: str, what: str, out_dir: Path
) -> Findings:
    """Write `blast_summary.tsv` and a plot; E-values up to `limit` are listed, `database` says where was
    searched and `what` how."""
    table = _write_table(searched, out_dir / "blast_summary.tsv")
    evalues = {group: _evalues(searched, group) for group in dict.fromkeys(one.group for one in searched)}
    plot = _plot(evalues, limit, out_dir / "blast_evalues.svg")
    best = best_sample(searched)
    verdict, p_value = _verdict(evalues, database)
    figures: dict[str, float | str | None] = {"best E-value": best.best.evalue if best else None}
    for group, values in evalues.items():
        if group != SAMPLES:
            figures[f"best E-value, {group}"] = _number(min(values))
        figures[f"median best E-value, {group}"] = _number(_median(values, limit))
    if p_value is not None:
        figures["p-value, samples nearer than shuffled"] = p_value
    return Findings(
        exhibits=(
            Exhibit("Best BLAST hit of every sequence", (table,), f"{what} {CAPTION}"),
            Exhibit("Best E-values", (plot,), f"Further right: less likely to be found by chance. {CAPTION}"),
        ),
        summary=(_best_line(best, evalues, limit, database), _medians_line(evalues, limit), *verdict),
        figures=figures,
        files=(table, plot),
    )


def best_sample(searched: Sequence[Searched]) -> Searched | None:
    """The sample with the smallest E-value, of equal ones that with the largest score."""
    found = [one for one in searched if one.group == SAMPLES and one.best is not None]
    return min(found, key=lambda one: (float(one.best.evalue), -float(one.best.bit_score)), default=None)


def _write_table(searched: Sequence[Searched], path: Path) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, delimiter="\t", lineterminator="\n")
        table.writerow(COLUMNS)
        for one in searched:
            hit, cells = one.best, ["no hit"]
            if hit is not None:
                coverage = 100 * (hit.query_end - hit.query_start + 1) / one.length
                cells = [
                    hit.subject, hit.evalue, hit.bit_score, hit.identity_percent, hit.length,
                    f"{coverage:.1f}", hit.subject_start, hit.subject_end,
                ]  # fmt: skip
            empty = [""] * (len(COLUMNS) - 4 - len(cells))
            table.writerow((one.group, one.name, one.length, one.hits, *cells, *empty))
    return path


def _evalues(searched: Sequence[Searched], group: str) -> list[float]:
    """Best E-values of a group; infinity where nothing was found."""
    chosen = [one.best for one in searched if one.group == group]
    return [math.inf if best is None else float(best.evalue) for best in chosen]


def _median(values: Sequence[float], limit: float) -> float:
    # Of an even number the lower middle one, since the middle of a number and infinity is none.
    middle = statistics.median_low(values)
    return middle if middle <= limit else math.inf


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else "no hit"


def _plot(evalues: Mapping[str, Sequence[float]], limit: float, path: Path) -> Path:
    from pipeline.plots import spread

    shown = {
        group: [-math.log10(min(max(value, SMALLEST_EVALUE), limit)) for value in values]
        for group, values in evalues.items()
    }
    return spread(shown, f"−log10 of a sequence's best E-value (no hit: {-math.log10(limit):.1f})", path)


def _best_line(
    best: Searched | None, evalues: Mapping[str, Sequence[float]], limit: float, database: str
) -> str:
    """The best of every group side by side, since the smallest of many E-values is small by itself."""
    count = len(evalues.get(SAMPLES, ()))
    text = f"no hit below E = {limit:g} for any of {count} samples"
    if best is not None:
        hit = best.best
        text = (
            f"best E-value {float(hit.evalue):.2g} ({best.name} ~ {hit.subject}, "
            f"{float(hit.identity_percent):.1f}% over {hit.length} bp)"
        )
    others = []
    for group, values in evalues.items():
        if group != SAMPLES:
            # More sequences have a smaller smallest one.
            number = f" (of {len(values)})" if len(values) != count else ""
            others.append(f"{group} {_words(min(values))}{number}")
    return f"BLAST against {database}: {'; '.join([text, *([', '.join(others)] if others else [])])}"


def _medians_line(evalues: Mapping[str, Sequence[float]], limit: float) -> str:
    parts = [f"{group} {_words(_median(values, limit))}" for group, values in evalues.items()]
    return f"BLAST, median of the best E-values: {', '.join(parts)}"


def _words(value: float) -> str:
    return f"{value:.2g}" if math.isfinite(value) else "no hit"


def _verdict(evalues: Mapping[str, Sequence[float]], database: str) -> tuple[tuple[str, ...], float | None]:
    """A line in words and the p-value behind it, where there are shuffled sequences to compare with."""
    samples, shuffled = evalues.get(SAMPLES, ()), evalues.get(SHUFFLED, ())
    if not samples or not shuffled:
        return (), None
    if min(len(samples), len(shuffled)) < FEWEST_RANKED:
        return (f"BLAST: too few sequences to tell the samples from shuffled ones ({len(samples)})",), None
    p_value = smaller_p(samples, shuffled)
    nearer = "nearer to" if p_value <= LARGEST_P else "no nearer to"
    test = f"p = {p_value:.1g}, rank test of the best E-values"
    return (f"BLAST: the samples are {nearer} {database} than shuffled sequences ({test})",), p_value


def smaller_p(first: Sequence[float], second: Sequence[float]) -> float:
    """The one-sided p-value of the Mann-Whitney test that the values of `first` tend to be the smaller ones,
    by the normal approximation, corrected for ties and continuity; infinity is the worst rank.

    >>> f"{smaller_p([1, 2, 3, 4, 5], [6, 7, 8, 9, math.inf]):.4f}"
    '0.0061'
    """
    count, total = len(first), len(first) + len(second)
    _, places, ties = np.unique([*first, *second], return_inverse=True, return_counts=True)
    # Equal values share the mean of their ranks.
    ranks = (np.cumsum(ties) - (ties - 1) / 2)[places]
    above_mean = float(ranks[:count].sum()) - count * (total + 1) / 2
    tied = float((ties.astype(float) ** 3 - ties).sum()) / (total * (total - 1))
    variance = count * len(second) / 12 * (total + 1 - tied)
    if variance <= 0:
        return 1.0
    return 0.5 * math.erfc(-(above_mean + 0.5) / math.sqrt(2 * variance))
