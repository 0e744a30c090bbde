"""Compares records by metrics that count their sequences of symbols, as of chorales and piano pieces."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.domains.music.compare.piece_set import PieceSet
from pipeline.evaluation.metric_comparison.comparison import compare_metrics
from pipeline.evaluation.metric_comparison.conclusions import ComparisonTerms, list_warnings, summarize
from pipeline.evaluation.metric_comparison.groups import SAMPLES
from pipeline.evaluation.metric_comparison.metric import Metric
from pipeline.evaluation.metric_comparison.table import collect_figures, format_caption, write_table
from pipeline.records import QUALITY, DomainOutput, Record, ReportSection

MIN_PIECES = 4
"""Pieces in each group; fewer cannot be halved."""

Sequences = Mapping[str, Sequence[Any]]
"""Parsed records by the name of their group."""


@dataclass(frozen=True)
class SequenceComparison:
    """The comparison of one domain.

    Parameters
    ----------
    parse
        Makes of the text of a record the sequence that the metrics count. Raises ValueError where the text
        is not valid; the record is then left out.
    metrics
        The metrics; each counts a row for each sequence.
    terms
        The nouns of tables and conclusions.
    draw
        Draws further plots of the sequences into a folder, and returns their files.
    """

    parse: Callable[[str], Any]
    metrics: Sequence[Metric]
    terms: ComparisonTerms
    draw: Callable[[Sequences, Path], tuple[Path, ...]] | None = None

    def compare(
        self, records: Sequence[Record], groups: Mapping[str, Sequence[Record]], out_dir: Path
    ) -> DomainOutput:
        """Compare samples with groups of references, and write `statistics.tsv` and plots into `out_dir`."""
        parsed = {name: list(self._parse(group)) for name, group in {SAMPLES: records, **groups}.items()}
        parsed = {name: sequences for name, sequences in parsed.items() if sequences}
        enough = bool(parsed) and min(map(len, parsed.values())) >= MIN_PIECES
        sets = {name: PieceSet(each, np.array(list(map(len, each)))) for name, each in parsed.items()}
        # The figures depend on the data alone, so the seed is not that of the run.
        rng = np.random.default_rng(0)
        results = compare_metrics(sets, self.metrics, rng) if enough else []
        table = write_table(parsed, results, out_dir / "statistics.tsv", self.terms)
        plots = self._draw(parsed, results, out_dir) if results else ()
        caption, real = format_caption(self.terms), self.terms.real
        warnings = tuple(list_warnings(results, self.terms))
        return DomainOutput(
            sections=(
                ReportSection(f"Statistics compared with {real}", (table,), caption, part=QUALITY),
                *((ReportSection(f"Distance from {real}", plots, part=QUALITY),) if plots else ()),
            ),
            summary=(*warnings, *summarize(parsed, results, self.terms)),
            warnings=warnings,
            figures=collect_figures(results),
            files=(table, *plots),
        )

    def _parse(self, records: Sequence[Record]) -> Iterator[Any]:
        for record in records:
            try:
                yield self.parse(record.text)
            except ValueError:
                continue

    def _draw(self, parsed: Sequences, results: list, out_dir: Path) -> tuple[Path, ...]:
        # Loads matplotlib, which takes a second.
        from pipeline.evaluation.metric_comparison.plots import overview

        more = self.draw(parsed, out_dir) if self.draw is not None else ()
        return (overview(results, out_dir / "metric_overview.svg"), *more)
