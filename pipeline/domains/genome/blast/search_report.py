"""Report a search: tables of hits, a plot, and a summary of the best hit of every sequence, by group."""

import csv
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.domains.genome.blast.alignments import SHOWN, nearest_samples, write_alignments
from pipeline.domains.genome.blast.backend import Program
from pipeline.domains.genome.blast.evalue_comparison import (
    MAX_P,
    GroupComparison,
    compare_groups,
    describe_comparisons,
)
from pipeline.domains.genome.blast.evalue_plot import draw_evalues
from pipeline.domains.genome.blast.query_results import SAMPLES, LocatedHit, QueryResult, write_hits
from pipeline.records import QUALITY, RESULTS, DomainOutput, ReportSection

COLUMNS = (
    "group", "sequence", "length", "hits", "best_hit", "evalue", "bit_score", "identity_percent",
    "aligned_length", "query_coverage_percent", "strand", "source", "source_start", "source_end",
)  # fmt: skip
CAPTION = (
    "An E-value is the number of equally good hits expected by chance for one sequence in a database of this "
    "size. The smallest E-value of N sequences is about N times smaller."
)
HITS_CAPTION = (
    "The twelve columns of BLAST's outfmt 6; then the strand of the subject (DNA only), the percentage of "
    "the query that is aligned with that subject, and the position in the source sequence."
)


BEST = "best E-value"
BEST_NOTE = "a very small E-value means a near-copy of a sequence in {}, not a better sample"


@dataclass(frozen=True)
class SearchDescription:
    """A search: the largest E-value that is listed, the database, and the method with its settings."""

    limit: float
    database: str
    method: str
    program: Program


def write_results(
    hits: Sequence[LocatedHit], searched: Sequence[QueryResult], search: SearchDescription, out_dir: Path
) -> DomainOutput:
    """Write `blast.tsv`, `blast_summary.tsv`, `blast_comparison.tsv`, `blast_evalues.svg` and, where a
    sample has a hit, `alignments.txt`."""
    evalues = {group: _evalues(searched, group) for group in dict.fromkeys(one.group for one in searched)}
    comparisons = compare_groups(evalues)
    stranded = search.program.stranded
    plot = draw_evalues(evalues, search.limit, out_dir / "blast_evalues.svg")
    groups = _write_groups(evalues, searched, comparisons, out_dir / "blast_comparison.tsv")
    aligned = write_alignments(searched, search.program, out_dir / "alignments.txt")
    summary = _write_summary(searched, stranded, out_dir / "blast_summary.tsv")
    table = write_hits(hits, out_dir / "blast.tsv", stranded)
    sections = [
        ReportSection(
            "Best E-values of the samples and of the reference groups", (plot,), CAPTION, part=QUALITY
        ),
        ReportSection(
            "Best E-values: samples compared with each group",
            (groups,),
            _groups_caption(comparisons),
            part=QUALITY,
        ),
        ReportSection("Best BLAST hit of every sequence", (summary,), search.method, part=RESULTS),
        ReportSection("BLAST hits of the samples", (table,), HITS_CAPTION),
    ]
    if aligned:
        caption = f"The best hits of the {SHOWN} nearest samples; positions are those in the source sequence."
        sections.insert(2, ReportSection("Alignments", (aligned,), caption))
    lines = [_best_line(searched, evalues, search), _medians_line(evalues, search.limit)]
    conclusions = describe_comparisons(comparisons, evalues, search.database) if len(evalues) > 1 else ()
    return DomainOutput(
        sections=tuple(sections),
        summary=(*lines, *conclusions),
        conclusions=conclusions[:1],
        figures=_figures(searched, evalues, comparisons, search.limit),
        notes={BEST: BEST_NOTE.format(search.database)},
        files=tuple(file for section in sections for file in section.files),
    )


def _figures(
    searched: Sequence[QueryResult],
    evalues: Mapping[str, Sequence[float]],
    comparisons: Sequence[GroupComparison],
    limit: float,
) -> dict[str, float | str | None]:
    best = next(iter(nearest_samples(searched)), None)
    figures: dict[str, float | str | None] = {BEST: best[1].hit.evalue if best else None}
    for group, values in evalues.items():
        if group != SAMPLES:
            figures[f"best E-value, {group}"] = _number(min(values))
        figures[f"median best E-value, {group}"] = _number(_median(values, limit))
    for each in comparisons:
        figures[f"p-value of best E-values, samples against {each.group}"] = each.p_value
    return figures


def _write_summary(searched: Sequence[QueryResult], stranded: bool, path: Path) -> Path:
    columns = [name for name in COLUMNS if stranded or name != "strand"]
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, delimiter="\t", lineterminator="\n")
        table.writerow(columns)
        for one in searched:
            cells: list = ["no hit"]
            if one.best is not None:
                hit, found = one.best.hit, one.best
                cells = [
                    hit.subject, hit.evalue, hit.bit_score, hit.identity_percent, hit.length,
                    f"{found.coverage:.1f}", *([hit.strand] if stranded else []),
                    found.source, found.start, found.end,
                ]  # fmt: skip
            empty = [""] * (len(columns) - 4 - len(cells))
            table.writerow((one.group, one.name, one.length, one.hits, *cells, *empty))
    return path


def _write_groups(
    evalues: Mapping[str, Sequence[float]],
    searched: Sequence[QueryResult],
    comparisons: Sequence[GroupComparison],
    path: Path,
) -> Path:
    known = {each.group: each for each in comparisons}
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, delimiter="\t", lineterminator="\n")
        table.writerow(
            ("group", "sequences", "with_a_hit", "best_evalue", "median_evalue", "median_identity_percent",
             "median_coverage_percent", "samples_smaller_share", "p_value", "samples_are")
        )  # fmt: skip
        for group, values in evalues.items():
            each = known.get(group)
            tested = (f"{each.superiority:.3f}", f"{each.p_value:.2g}", each.outcome) if each else ("",) * 3
            found = sum(map(math.isfinite, values))
            middle = _format_evalue(_median(values, math.inf))
            near = _nearness([one.best for one in searched if one.group == group and one.best])
            table.writerow((group, len(values), found, _format_evalue(min(values)), middle, *near, *tested))
    return path


def _nearness(best: Sequence[LocatedHit]) -> tuple[str, str]:
    """Return the medians of the identity and of the query coverage of the best hits."""
    if not best:
        return "", ""
    identity = statistics.median(float(one.hit.identity_percent) for one in best)
    return f"{identity:.1f}", f"{statistics.median(one.coverage for one in best):.1f}"


def _groups_caption(comparisons: Sequence[GroupComparison]) -> str:
    if not comparisons:
        return "Groups of fewer than five sequences are not tested."
    return (
        "Identity and coverage are medians over the best hits. samples_smaller_share: share of all pairs of "
        "a sample and a sequence of the group in which the sample has the smaller E-value; ties count half. "
        "p_value: Mann-Whitney test, two-sided, "
        f"Holm-corrected for {len(comparisons)} comparisons; groups differ up to {MAX_P:g}. "
        "A sequence without a hit has the largest E-value."
    )


def _evalues(searched: Sequence[QueryResult], group: str) -> list[float]:
    """Return the best E-values of a group; infinity for a sequence without a hit."""
    chosen = [one.best for one in searched if one.group == group]
    return [math.inf if best is None else float(best.hit.evalue) for best in chosen]


def _median(values: Sequence[float], limit: float) -> float:
    # The lower median: a mean of a number and infinity would be infinite.
    middle = statistics.median_low(values)
    return middle if middle <= limit else math.inf


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else "no hit"


def _best_line(
    searched: Sequence[QueryResult], evalues: Mapping[str, Sequence[float]], search: SearchDescription
) -> str:
    """List the best E-value of every group: the smallest of many E-values is small even by chance."""
    count, ordered = len(evalues.get(SAMPLES, ())), nearest_samples(searched)
    text = f"no hit below E = {search.limit:g} for any of {count} samples"
    if ordered:
        nearest_sample, hit = ordered[0][0], ordered[0][1].hit
        text = (
            f"best E-value {float(hit.evalue):.2g} ({nearest_sample.name} ~ {hit.subject}, "
            f"{float(hit.identity_percent):.1f}% over {hit.length} {search.program.unit})"
        )
    others = []
    for group, values in evalues.items():
        if group != SAMPLES:
            # The minimum over more sequences is smaller.
            number = f" (of {len(values)})" if len(values) != count else ""
            others.append(f"{group} {_format_evalue(min(values))}{number}")
    return f"BLAST against {search.database}: {'; '.join([text, *([', '.join(others)] if others else [])])}"


def _medians_line(evalues: Mapping[str, Sequence[float]], limit: float) -> str:
    parts = [f"{group} {_format_evalue(_median(values, limit))}" for group, values in evalues.items()]
    return f"BLAST, median of the best E-values: {', '.join(parts)}"


def _format_evalue(value: float) -> str:
    return f"{value:.2g}" if math.isfinite(value) else "no hit"
