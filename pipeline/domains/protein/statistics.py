"""Compare the samples with the reference groups of proteins: a table of metrics, conclusions and plots.

Read next: `metrics.py` (the metrics); `pipeline/evaluation/metric_comparison` (their comparison).
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.domains.protein.cleaning import STANDARD
from pipeline.domains.protein.metrics import WORD_LENGTHS, metrics, spectrum
from pipeline.domains.protein.properties import encode
from pipeline.evaluation.metric_comparison.comparison import MIN_SYMBOLS, compare_metrics
from pipeline.evaluation.metric_comparison.conclusions import ComparisonTerms, list_warnings, summarize
from pipeline.evaluation.metric_comparison.groups import CONTROL, REAL, SAMPLES
from pipeline.evaluation.metric_comparison.mixtures import mix_symbols
from pipeline.evaluation.metric_comparison.result import MetricResult
from pipeline.evaluation.metric_comparison.sequence_set import SequenceSet
from pipeline.evaluation.metric_comparison.table import collect_figures, format_caption, write_table
from pipeline.records import QUALITY, DomainOutput, ReportSection

MIN_PROTEINS = 4
"""Smaller groups are not compared, since they cannot be halved."""
PLOTS_CAPTION = (
    "Bars: the middle half of the proteins; lines: medians. Hydropathy: the mean of a protein on the scale "
    "of Kyte and Doolittle (GRAVY). Low complexity: SEG without its last step, the trimming, so that "
    "somewhat more residues count than segmasker masks."
)
SEED = 0
"""The seed does not depend on the run, so that the figures depend on the data alone."""
TERMS = ComparisonTerms("residues", "proteins", "real proteins", ("JS distance of ",))


def compare_groups(groups: Mapping[str, Sequence[str]], out_dir: Path) -> DomainOutput:
    """Write `statistics.tsv` and plots into `out_dir`; groups map a name to proteins."""
    groups = {name: [text for text in group if text] for name, group in groups.items() if any(group)}
    sequence_sets = {
        name: SequenceSet.encode(group, encode) for name, group in groups.items() if _is_enough(group)
    }
    mixer = _mixer(groups[CONTROL]) if CONTROL in sequence_sets else None
    rows = (
        compare_metrics(sequence_sets, metrics(), np.random.default_rng(SEED), mixer=mixer)
        if sequence_sets
        else []
    )
    table = write_table(groups, rows, out_dir / "statistics.tsv", TERMS)
    plots = _plots(groups, rows, out_dir)
    lines, warnings = tuple(summarize(groups, rows, TERMS)), tuple(list_warnings(rows, TERMS))
    return DomainOutput(
        sections=(
            ReportSection(
                "Statistics compared with real proteins", (table,), format_caption(TERMS), part=QUALITY
            ),
            ReportSection(
                "Composition and properties compared with real proteins", plots, PLOTS_CAPTION, part=QUALITY
            ),
        ),
        summary=(*warnings, *lines),
        conclusions=lines[:2],
        warnings=warnings,
        figures=collect_figures(rows),
        files=(table, *plots),
    )


def _mixer(texts: Sequence[str]) -> Callable[[float], SequenceSet]:
    """Return the function that replaces a share of the residues by uniform random ones, and encodes the
    result."""

    def mix(level: float) -> SequenceSet:
        rng = np.random.default_rng([SEED, round(1000 * level)])
        return SequenceSet.encode([mix_symbols(text, level, STANDARD, rng) for text in texts], encode)

    return mix


def _is_enough(group: Sequence[str]) -> bool:
    return len(group) >= MIN_PROTEINS and sum(map(len, group)) >= 2 * MIN_SYMBOLS


def _plots(
    groups: Mapping[str, Sequence[str]], rows: Sequence[MetricResult], out_dir: Path
) -> tuple[Path, ...]:
    # matplotlib takes a second to load, and only plots need it.
    from pipeline.domains.protein.plots import composition
    from pipeline.domains.protein.properties import gravy, low_complexity
    from pipeline.evaluation.metric_comparison.plots import overview, spectra_distance
    from pipeline.evaluation.plots import spread

    codes = {name: [encode(text) for text in group] for name, group in groups.items()}
    lengths = {name: [len(text) for text in group] for name, group in groups.items()}
    hydropathy = {name: [gravy(each) for each in group] for name, group in codes.items()}
    simple = {name: [100 * low_complexity(each).mean() for each in group] for name, group in codes.items()}
    drawn = [
        composition(groups, out_dir / "composition.svg"),
        spread(lengths, "length, residues", out_dir / "lengths.svg"),
        spread(hydropathy, "mean hydropathy (GRAVY)", out_dir / "hydropathy.svg"),
        spread(simple, "residues of low complexity, %", out_dir / "low_complexity.svg"),
    ]
    if rows and {REAL, SAMPLES} <= set(rows[0].groups):
        named = {row.metric.name: row for row in rows}
        spectra = {k: named[spectrum(k)] for k in WORD_LENGTHS if spectrum(k) in named}
        drawn.insert(0, overview(rows, out_dir / "metric_overview.svg"))
        drawn.append(spectra_distance(spectra, out_dir / "kmer_distance.svg"))
    return tuple(drawn)
