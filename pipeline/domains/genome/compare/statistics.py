"""Compare the samples with the reference groups of DNA: a table of metrics, conclusions and plots.

Read next: `metrics.py` (the metrics), `pipeline/evaluation/metric_comparison` (their comparison),
`statistics_plots.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.domains.genome.compare import metrics as named
from pipeline.domains.genome.compare.sequence_sets import encode_sequences
from pipeline.domains.genome.encoding import BASES
from pipeline.evaluation.metric_comparison.comparison import MIN_SYMBOLS, compare_metrics
from pipeline.evaluation.metric_comparison.conclusions import (
    ComparisonTerms,
    describe_block_shortage,
    list_warnings,
    summarize,
)
from pipeline.evaluation.metric_comparison.groups import CONTROL, REAL
from pipeline.evaluation.metric_comparison.mixtures import mix_symbols
from pipeline.evaluation.metric_comparison.sequence_set import SequenceSet
from pipeline.evaluation.metric_comparison.table import collect_figures, format_caption, write_table
from pipeline.records import QUALITY, DomainOutput, ReportSection

SEED = 0
"""The seed does not depend on the run, so that the figures depend on the data alone."""
TERMS = ComparisonTerms("bases", "DNA", "real DNA", ("JS distance of ", "mutual information at "))


def compare_groups(
    groups: Mapping[str, Sequence[str]], out_dir: Path, blocks: Mapping[str, Sequence[str]] | None = None
) -> DomainOutput:
    """Write `statistics.tsv` and plots into `out_dir`; groups map a name to sequences of A, C, G and T, and
    `blocks` to the block of a genome that each sequence is from."""
    blocks = blocks or {}
    groups = {name: group for name, group in groups.items() if any(group)}
    large = {name: group for name, group in groups.items() if sum(map(len, group)) >= 2 * MIN_SYMBOLS}
    sequence_sets = {name: encode_sequences(group, blocks.get(name)) for name, group in large.items()}
    measured, drawn = (
        (named.metrics(sequence_sets), named.plotted_metrics(sequence_sets)) if sequence_sets else ([], [])
    )
    mixer = None
    if CONTROL in large:
        mixer = _mixer(large[CONTROL], blocks.get(CONTROL))
    rng = np.random.default_rng(SEED)
    results = compare_metrics(sequence_sets, [*measured, *drawn], rng, mixer) if sequence_sets else []
    rows = [row for row in results if row.metric in measured]
    few = tuple(describe_block_shortage(blocks.get(REAL)))
    untested = "not tested, too few test blocks" if few else ""
    table = write_table(groups, rows, out_dir / "statistics.tsv", TERMS, untested=untested)
    plots = []
    if results:
        # matplotlib takes a second to load, and only plots need it.
        from pipeline.domains.genome.compare.statistics_plots import draw_all

        plots = draw_all({row.metric.name: row for row in results}, rows, out_dir)
    lines = few or tuple(summarize(groups, rows, TERMS))
    warnings = () if few else tuple(list_warnings(rows, TERMS))
    return DomainOutput(
        sections=(
            ReportSection("Statistics compared with real DNA", (table,), format_caption(TERMS), part=QUALITY),
            *plots,
        ),
        summary=(*warnings, *lines),
        conclusions=lines[:2],
        warnings=warnings,
        figures=collect_figures(rows),
        files=(table, *(file for plot in plots for file in plot.files)),
    )


def _mixer(texts: Sequence[str], blocks: Sequence[str] | None) -> Callable[[float], SequenceSet]:
    """Return the function that replaces a share of the bases by uniform random bases, and encodes the
    result."""

    def mix(level: float) -> SequenceSet:
        rng = np.random.default_rng([SEED, round(1000 * level)])
        return encode_sequences([mix_symbols(text, level, BASES, rng) for text in texts], blocks)

    return mix
