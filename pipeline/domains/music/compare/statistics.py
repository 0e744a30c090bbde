"""Do the samples sound like tunes: one scoreboard of measures beside those of the reference groups.

Read next: `note_measures.py` and `form.py` (what is measured), `evaluation/scoreboard` (how it is compared),
`overlap.py` (the same as mgeval compares it), `statistics_plots.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.domains.music.abc.tune_text import parse_tune
from pipeline.domains.music.compare.form import form_measures
from pipeline.domains.music.compare.note_measures import Pieces, note_measures
from pipeline.domains.music.compare.note_table import TuneNotes
from pipeline.domains.music.compare.overlap import write_overlap
from pipeline.domains.music.compare.structure import MAX_USUAL_BARS, loops, structure_measures
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

FEWEST = 8
"""Fewer pieces tell nothing."""
MOST = 500
"""More, of each group, tell nothing new."""
CHANCE = 0.05
"""Significance level of the warning of loops."""
TERMS = ComparisonTerms("tunes", "melody and form", "real tunes", ())
CAPTION = (
    "A number is the mean over the tunes of a group; of a distribution, its distance from that of real tunes "
    "is shown: Jensen-Shannon, 0 to 1, or of the likeness of bars the mean difference. Held-out tunes are "
    "halved at random. Real against itself: as many tunes of one half as half of the smallest group has, and "
    "the other half. Training real: the positive control. Interval: 95%. No difference: up to three standard "
    "errors from real tunes. Smallest mixture: the share of Markov tunes among real ones that is found to "
    "differ. Tested: whether a baseline or such a mixture is."
)
OVERLAP_CAPTION = (
    "As mgeval has it: do the distances between real tunes and those of the group look like distances among "
    "real tunes? Overlap area: 1 for quite alike. KL divergence: 0 for quite alike, in nats."
)


@dataclass
class _Group:
    """How many sequences there are, how many of them are valid tunes, and the notes of those that can be
    read, of at most `MOST`."""

    sequences: int
    valid: int
    pieces: list[TuneNotes]


def compare_groups(
    records: Sequence[Record], groups: Mapping[str, Sequence[Record]], out_dir: Path
) -> DomainOutput:
    """Write `statistics.tsv`, `overlap.tsv` and plots into `out_dir`; nothing in a group, however broken, is
    an error."""
    read = {name: _read(group) for name, group in ({SAMPLES: records} | dict(groups)).items() if group}
    pieces = {name: Pieces(group.pieces) for name, group in read.items()}
    # The samples here are those that were kept, so their validity says nothing.
    valid = ["" if name == SAMPLES else f"{each.valid / each.sequences:.1%}" for name, each in read.items()]
    of_all = {"sequences": [str(each.sequences) for each in read.values()], "valid as they come": valid}
    found = compare_pieces(pieces, [*form_measures(), *structure_measures()], out_dir, TERMS, of_all)
    warned = tuple(filter(None, (loop_warning(pieces, records),)))
    summary, conclusions = (*found.summary, *warned), (*found.conclusions, *warned)
    return replace(found, summary=summary, conclusions=conclusions)


def loop_warning(groups: Mapping[str, Pieces], records: Sequence[Record]) -> str | None:
    """A line for the end of the run where more of the samples loop than chance explains; None elsewhere.

    Chance: Fisher's exact test, one-sided, against the held-out real tunes.
    """
    if not {SAMPLES, REAL} <= set(groups) or not groups[SAMPLES].pieces or not groups[REAL].pieces:
        return None
    (mine, of_mine), (real, of_real) = (_looping(groups[name]) for name in (SAMPLES, REAL))
    # SciPy takes a while to load.
    from scipy.stats import fisher_exact

    if fisher_exact([[mine, of_mine - mine], [real, of_real - real]], "greater").pvalue >= CHANCE:
        return None
    return (
        f"{mine} of {of_mine} tunes loop ({mine / of_mine:.0%}; held-out real tunes {real / of_real:.0%}): a "
        f"phrase three times in a row, or more than {MAX_USUAL_BARS} bars{_loop_remedy(records)}"
    )


def _looping(group: Pieces) -> tuple[int, int]:
    """How many tunes loop, and how many there are."""
    return sum(loops(piece.tune) for piece in group.pieces), len(group.pieces)


def _loop_remedy(records: Sequence[Record]) -> str:
    """A low temperature is the usual cause of loops."""
    temperatures = [float(r.metadata["temperature"]) for r in records if "temperature" in r.metadata]
    if not temperatures or min(temperatures) >= 1:
        return ""
    return f"; they were drawn at temperature {min(temperatures):g}, and sample.temperature=1 loops least"


def compare_pieces(
    groups: Mapping[str, Pieces], more: Sequence[Metric], out_dir: Path, words: ComparisonTerms,
    counts: Mapping[str, Sequence[str]],
) -> DomainOutput:  # fmt: skip
    """The scoreboard of groups of pieces of any kind, by the measures of notes and by `more`."""
    return scoreboard(groups, lambda shown: [*note_measures(shown), *more], out_dir, words, counts)


def scoreboard(
    groups: Mapping[str, Pieces], measures_of: Callable[[Mapping[str, Pieces]], list[Metric]],
    out_dir: Path, words: ComparisonTerms, counts: Mapping[str, Sequence[str]],
) -> DomainOutput:  # fmt: skip
    """The scoreboard of groups of pieces by the measures that suit them; `counts`, with a cell for each
    group, stand above it."""
    shown = {name: group for name, group in groups.items() if len(group.pieces) >= FEWEST}
    enough = REAL in shown and SAMPLES in shown
    # Nothing but the data may change the numbers, so that the seed is none of the run's.
    rows = compare_metrics(shown, measures_of(shown), np.random.default_rng(0)) if enough else []
    notes = {name: [piece.pitches for piece in group.pieces] for name, group in groups.items()}
    table = write_table(notes, rows, out_dir / "statistics.tsv", replace(words, symbols="notes"), counts)
    overlap = write_overlap(shown, [row.metric for row in rows], out_dir / "overlap.tsv")
    plots = _plots(rows, out_dir)

    def said(caption: str) -> str:
        return caption.replace(TERMS.symbols, words.symbols)

    counted, warned = tuple(summarize(groups, rows, words)), tuple(list_warnings(rows, words))
    return DomainOutput(
        sections=(
            ReportSection(f"Statistics beside {words.real}", (table,), said(CAPTION), part=QUALITY),
            *plots,
            *(
                (ReportSection(f"Overlap with {words.real}", (overlap,), said(OVERLAP_CAPTION)),)
                if overlap
                else ()
            ),
        ),
        summary=(*warned, *counted, *describe_largest_differences(rows, words)),
        conclusions=counted[:2],
        warnings=warned,
        figures=collect_figures(rows),
        files=(table, *((overlap,) if overlap else ()), *(file for plot in plots for file in plot.files)),
    )


def _read(records: Sequence[Record]) -> _Group:
    chosen = np.unique(np.linspace(0, len(records) - 1, MOST).round().astype(int))
    group = _Group(len(chosen), 0, [])
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


def _plots(rows: Sequence[MetricResult], out_dir: Path) -> list[ReportSection]:
    if not rows:
        return []
    # matplotlib takes a second to load, and only plots need it.
    from pipeline.domains.music.compare.statistics_plots import draw_all

    return draw_all(rows, out_dir)
