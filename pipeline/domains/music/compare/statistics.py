"""Compares tunes and pieces with reference groups by metrics of notes, form and structure.

Read next: `note_metrics.py`, `form.py` and `structure.py` (the metrics), `overlap.py` (the comparison of
mgeval), `statistics_plots.py`, and `pipeline/evaluation/metric_comparison` (how groups are compared).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from pipeline.domains.music.abc.tune_text import parse_tune
from pipeline.domains.music.compare.form import form_metrics
from pipeline.domains.music.compare.note_metrics import note_metrics
from pipeline.domains.music.compare.note_table import NoteTable, TuneNotes
from pipeline.domains.music.compare.overlap import write_overlap
from pipeline.domains.music.compare.piece_set import PieceSet
from pipeline.domains.music.compare.structure import MAX_USUAL_BARS, is_looping, structure_metrics
from pipeline.evaluation.metric_comparison.comparison import compare_metrics
from pipeline.evaluation.metric_comparison.conclusions import (
    ComparisonTerms,
    describe_largest_differences,
    list_warnings,
    summarize,
)
from pipeline.evaluation.metric_comparison.groups import REAL, SAMPLES
from pipeline.evaluation.metric_comparison.metric import Metric
from pipeline.evaluation.metric_comparison.result import MetricResult
from pipeline.evaluation.metric_comparison.table import collect_figures, write_table
from pipeline.records import QUALITY, DomainOutput, Record, ReportSection

MIN_PIECES = 8
"""Pieces of a group that is compared, at least."""
MAX_PIECES = 500
"""Tunes of a group that are measured, at most, evenly chosen."""
SIGNIFICANCE = 0.05
"""Significance level of the warning of loops."""
TERMS = ComparisonTerms("tunes", "melody and form", "real tunes", ())
CAPTION = (
    "A number is the mean over the tunes of a group. Of a distribution its distance from that of real tunes "
    "is shown: the Jensen-Shannon distance, from 0 to 1, or for the similarity of bars the mean difference. "
    "Held-out tunes are halved at random. Real against itself: one half against a subsample of the other "
    "half, with half as many tunes as the smallest group. Training real: the positive control. Interval: "
    "95%. No difference: up to three standard errors from real tunes. Smallest mixture: the share of Markov "
    "tunes among real ones that is found to differ. Tested: whether a baseline or such a mixture is."
)
OVERLAP_CAPTION = (
    "As in mgeval: the distances from real tunes to those of the group, compared with the distances among "
    "real tunes. Overlap area: 1 for equal distributions. KL divergence: 0 for equal distributions, in nats."
)


@dataclass
class _TuneGroup:
    """The numbers of measured sequences and of valid tunes, and the notes of those that can be parsed."""

    sequences: int
    valid: int
    pieces: list[TuneNotes]


@dataclass(frozen=True)
class GroupComparison:
    """Groups of pieces to compare.

    Parameters
    ----------
    groups
        The pieces by the name of their group.
    terms
        The nouns of tables and conclusions.
    counts
        Further rows of the table by name, with a cell for each group.
    """

    groups: Mapping[str, PieceSet]
    terms: ComparisonTerms
    counts: Mapping[str, Sequence[str]]

    def compare(
        self, choose_metrics: Callable[[Mapping[str, PieceSet]], Sequence[Metric]], out_dir: Path
    ) -> DomainOutput:
        """Compare the groups by the metrics that `choose_metrics` gives for them.

        Writes `statistics.tsv`, `overlap.tsv` and plots. Groups of fewer than `MIN_PIECES` pieces are counted
        but not compared.
        """
        compared = {name: group for name, group in self.groups.items() if len(group.pieces) >= MIN_PIECES}
        enough = REAL in compared and SAMPLES in compared
        # The figures depend on the data alone, so the seed is not that of the run.
        rng = np.random.default_rng(0)
        results = compare_metrics(compared, choose_metrics(compared), rng) if enough else []
        table = self._write_table(results, out_dir)
        overlap = write_overlap(compared, [result.metric for result in results], out_dir / "overlap.tsv")
        plots = _draw(results, out_dir)
        summary, real = tuple(summarize(self.groups, results, self.terms)), self.terms.real
        warnings, overlaps = tuple(list_warnings(results, self.terms)), [overlap] if overlap else []
        return DomainOutput(
            sections=(
                ReportSection(
                    f"Statistics compared with {real}", (table,), self._adapt(CAPTION), part=QUALITY
                ),
                *plots,
                *(
                    ReportSection(f"Overlap with {real}", (path,), self._adapt(OVERLAP_CAPTION))
                    for path in overlaps
                ),
            ),
            summary=(*warnings, *summary, *describe_largest_differences(results, self.terms)),
            conclusions=summary[:2],
            warnings=warnings,
            figures=collect_figures(results),
            files=(table, *overlaps, *(file for plot in plots for file in plot.files)),
        )

    def _write_table(self, results: Sequence[MetricResult], out_dir: Path) -> Path:
        notes = {name: [piece.pitches for piece in group.pieces] for name, group in self.groups.items()}
        terms = replace(self.terms, symbols="notes")
        return write_table(notes, results, out_dir / "statistics.tsv", terms, self.counts)

    def _adapt(self, caption: str) -> str:
        """A caption for tunes in the nouns of these groups."""
        return caption.replace(TERMS.symbols, self.terms.symbols)


def compare_tunes(
    records: Sequence[Record], groups: Mapping[str, Sequence[Record]], out_dir: Path
) -> DomainOutput:
    """Compare samples of tunes with groups of references, and warn where the samples loop.

    Writes `statistics.tsv`, `overlap.tsv` and plots. A record that cannot be parsed is counted as not valid.
    """
    parsed = {name: _parse_tunes(group) for name, group in {SAMPLES: records, **groups}.items() if group}
    sets = {name: PieceSet(group.pieces) for name, group in parsed.items()}
    # The samples here are those that were kept, so their share of valid tunes says nothing.
    valid = ["" if name == SAMPLES else f"{each.valid / each.sequences:.1%}" for name, each in parsed.items()]
    counts = {"sequences": [str(each.sequences) for each in parsed.values()], "valid before repair": valid}
    comparison = GroupComparison(sets, TERMS, counts)
    output = comparison.compare(
        lambda compared: [*note_metrics(compared), *form_metrics(), *structure_metrics()], out_dir
    )
    warnings = tuple(filter(None, (loop_warning(sets, records),)))
    summary, conclusions = (*output.summary, *warnings), (*output.conclusions, *warnings)
    return replace(output, summary=summary, conclusions=conclusions)


def compare_pieces(
    groups: Mapping[str, Sequence[NoteTable]], metrics: Sequence[Metric] | None, terms: ComparisonTerms,
    out_dir: Path,
) -> DomainOutput:  # fmt: skip
    """Compare groups of pieces, each as a table of its notes; `metrics` None: those of notes and bars."""
    sets = {
        name: PieceSet([piece for piece in group if len(piece.pitches)]) for name, group in groups.items()
    }
    counts = {"sequences": [str(len(group)) for group in groups.values()]}
    comparison = GroupComparison(sets, terms, counts)
    return comparison.compare(note_metrics if metrics is None else lambda _: metrics, out_dir)


def loop_warning(groups: Mapping[str, PieceSet[TuneNotes]], records: Sequence[Record]) -> str | None:
    """A warning where significantly more samples than held-out real tunes loop, else None.

    The test is Fisher's exact test, one-sided.
    """
    if not {SAMPLES, REAL} <= set(groups) or not groups[SAMPLES].pieces or not groups[REAL].pieces:
        return None
    (looping, samples), (real_looping, real) = (_count_looping(groups[name]) for name in (SAMPLES, REAL))
    # SciPy takes a while to load.
    from scipy.stats import fisher_exact

    table = [[looping, samples - looping], [real_looping, real - real_looping]]
    _, p_value = cast("tuple[float, float]", fisher_exact(table, "greater"))
    if p_value >= SIGNIFICANCE:
        return None
    return (
        f"{looping} of {samples} tunes loop ({looping / samples:.0%}; held-out real tunes "
        f"{real_looping / real:.0%}): a phrase three times in a row, or more than {MAX_USUAL_BARS} bars"
        f"{_suggest_temperature(records)}"
    )


def _count_looping(group: PieceSet[TuneNotes]) -> tuple[int, int]:
    """The numbers of looping tunes and of all tunes."""
    return sum(is_looping(piece.tune) for piece in group.pieces), len(group.pieces)


def _suggest_temperature(records: Sequence[Record]) -> str:
    """The remedy for samples of a low temperature, the usual cause of loops."""
    temperatures = [float(r.metadata["temperature"]) for r in records if "temperature" in r.metadata]
    if not temperatures or min(temperatures) >= 1:
        return ""
    return (
        f"; they were sampled at temperature {min(temperatures):g}; sample.temperature=1 gives fewest loops"
    )


def _parse_tunes(records: Sequence[Record]) -> _TuneGroup:
    chosen = np.unique(np.linspace(0, len(records) - 1, MAX_PIECES).round().astype(int))
    group = _TuneGroup(len(chosen), 0, [])
    for number in chosen:
        try:
            tune = parse_tune(records[number].text)
        except ValueError:
            continue
        group.valid += not tune.check()
        notes = TuneNotes.of_tune(tune)
        if len(notes.pitches):
            group.pieces.append(notes)
    return group


def _draw(results: Sequence[MetricResult], out_dir: Path) -> list[ReportSection]:
    if not results:
        return []
    # Loads matplotlib, which takes a second.
    from pipeline.domains.music.compare.statistics_plots import draw_all

    return draw_all(results, out_dir)
