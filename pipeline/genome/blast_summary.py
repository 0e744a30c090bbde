"""What a search found, in a table, a picture and a few lines: the best hit of every sequence, by group."""

import csv
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.domain import Exhibit, Findings
from pipeline.genome.hits import Hit

SAMPLES = "samples"
COLUMNS = (
    "group", "sequence", "length", "hits", "best_hit", "evalue", "bit_score", "identity_percent",
    "aligned_length", "query_coverage_percent", "subject_start", "subject_end",
)  # fmt: skip
SMALLEST_EVALUE = 1e-180
"""BLAST prints 0.0 for anything smaller."""


@dataclass(frozen=True, slots=True)
class Searched:
    """One query: its group, name and length, its best hit if there is one, and how many hits there are."""

    group: str
    name: str
    length: int
    best: Hit | None
    hits: int


def summarise(searched: Sequence[Searched], limit: float, what: str, out_dir: Path) -> Findings:
    """Write `blast_summary.tsv` and a plot; E-values up to `limit` are listed, `what` says what was done."""
    table = _write_table(searched, out_dir / "blast_summary.tsv")
    evalues = {group: _evalues(searched, group) for group in dict.fromkeys(one.group for one in searched)}
    plot = _plot(evalues, limit, out_dir / "blast_evalues.svg")
    best = best_sample(searched)
    figures: dict[str, float | str | None] = {"best E-value": best.best.evalue if best else None}
    for group, values in evalues.items():
        figures[f"median best E-value, {group}"] = _number(_median(values, limit))
    return Findings(
        exhibits=(
            Exhibit("Best BLAST hit of every sequence", (table,), what),
            Exhibit("Best E-values", (plot,), f"{what} Further right: less likely to be found by chance."),
        ),
        summary=(_best_line(best, searched, limit), _medians_line(evalues, limit)),
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
    from pipeline.genome.statistics_plots import spread

    shown = {
        group: [-math.log10(min(max(value, SMALLEST_EVALUE), limit)) for value in values]
        for group, values in evalues.items()
    }
    return spread(shown, f"−log10 of a sequence's best E-value (no hit: {-math.log10(limit):.1f})", path)


def _best_line(best: Searched | None, searched: Sequence[Searched], limit: float) -> str:
    if best is None:
        count = sum(one.group == SAMPLES for one in searched)
        return f"BLAST: no hit below E = {limit:g} for any of {count} samples, as for random sequence"
    hit = best.best
    return (
        f"BLAST: best E-value {hit.evalue} ({best.name} against {hit.subject}, "
        f"{float(hit.identity_percent):.1f}% over {hit.length} bp)"
    )


def _medians_line(evalues: Mapping[str, Sequence[float]], limit: float) -> str:
    parts = []
    for group, values in evalues.items():
        value = _median(values, limit)
        parts.append(f"{group} {value:.2g}" if math.isfinite(value) else f"{group} no hit")
    return f"BLAST, median of the best E-values: {', '.join(parts)}"
