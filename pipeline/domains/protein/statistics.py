"""Do the samples look like proteins: one scoreboard of measures beside those of the reference groups, and its
plots.

Read next: `metrics.py` (what is measured); `pipeline/evaluation/metric_comparison` (how it is compared).
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
"""Of a group; with fewer there are no halves to compare."""
PLOTS_CAPTION = (
    "Bars: the middle half of the proteins; lines: medians. Hydropathy by the scale of Kyte and Doolittle, "
    "the mean of a protein (GRAVY). Low complexity by SEG, before its last trimming: somewhat more than "
    "segmasker masks."
)
SEED = 0
"""Nothing but the data may change the numbers, so that the seed is none of the run's."""
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
    said, warned = tuple(summarize(groups, rows, TERMS)), tuple(list_warnings(rows, TERMS))
    return DomainOutput(
        sections=(
            ReportSection("Statistics beside real proteins", (table,), format_caption(TERMS), part=QUALITY),
            ReportSection(
                "Composition and properties beside real proteins", plots, PLOTS_CAPTION, part=QUALITY
            ),
        ),
        summary=(*warned, *said),
        conclusions=said[:2],
        warnings=warned,
        figures=collect_figures(rows),
        files=(table, *plots),
    )


def _mixer(texts: Sequence[str]) -> Callable[[float], SequenceSet]:
    """Pools of these proteins with such a share of their residues drawn again, each amino acid as likely."""

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
