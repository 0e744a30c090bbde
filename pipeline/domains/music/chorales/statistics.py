"""Do the samples sound like chorales: counterpoint, chords, leaps and lengths on one scoreboard.

Read next: `counterpoint.py` (what is counted); `pipeline/evaluation/metric_comparison` (how it is compared).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from pipeline.domains.music.chorales.counterpoint import (
    FIFTH,
    OCTAVE,
    chords,
    crossings,
    leaps,
    lengths,
    out_of_range,
    parallels,
    wide_gaps,
)
from pipeline.domains.music.chorales.voices import Chorale, NotAChorale, from_text
from pipeline.evaluation.metric_comparison.comparison import compare_metrics
from pipeline.evaluation.metric_comparison.conclusions import ComparisonTerms, list_warnings, summarize
from pipeline.evaluation.metric_comparison.divergence import jensen_shannon, proportions
from pipeline.evaluation.metric_comparison.groups import SAMPLES
from pipeline.evaluation.metric_comparison.metric import Metric
from pipeline.evaluation.metric_comparison.table import collect_figures, format_caption, write_table
from pipeline.records import QUALITY, DomainOutput, Record, ReportSection

FEWEST = 4
"""Chorales in each group; with fewer there are no halves to compare."""
TERMS = ComparisonTerms("steps", "chorales", "real chorales", ("parallel fifths", "JS distance of chords"))
Row = Callable[[Chorale], Sequence[int] | np.ndarray]


@dataclass(frozen=True, eq=False)
class Group:
    """The chorales of a group, counted one by one."""

    chorales: Sequence[Chorale]

    @property
    def unit_sizes(self) -> np.ndarray:
        """Steps of each, ``(chorales,)``."""
        return np.array([len(each) for each in self.chorales])

    @property
    def blocks(self) -> np.ndarray:
        """Each piece is a block of its own, ``(chorales,)``."""
        return np.arange(len(self.chorales))

    def rows(self, of: Row) -> np.ndarray:
        """A row of counts for each, ``(chorales, bins)``."""
        return np.array([of(each) for each in self.chorales], float)


def measures() -> list[Metric]:
    """All measures. A shuffle keeps how often each step follows another."""
    return [
        _number("parallel fifths (% of moves)", partial(parallels, interval=FIFTH)),
        _number("parallel octaves and unisons (% of moves)", partial(parallels, interval=OCTAVE)),
        _number("voices crossed (% of steps)", crossings),
        _number("notes outside the usual ranges (%)", out_of_range),
        _number("upper voices over an octave apart (% of steps)", wide_gaps),
        _profile("JS distance of chords above the bass", chords),
        _profile("JS distance of the voices' leaps", leaps),
        _profile("JS distance of the voices' note lengths", lengths),
    ]


def _number(name: str, of: Row) -> Metric:
    return Metric(name, partial(Group.rows, of=of), _percent)


def _profile(name: str, of: Row) -> Metric:
    return Metric(name, partial(Group.rows, of=of), proportions, jensen_shannon)


def _percent(counts: np.ndarray) -> np.ndarray:
    return 100 * counts[..., 0] / np.maximum(counts[..., 1], 1e-9)


def compare_groups(
    records: Sequence[Record], groups: Mapping[str, Sequence[Record]], out_dir: Path
) -> DomainOutput:
    """Write `statistics.tsv` and plots into `out_dir`; what is no chorale in a group is left out."""
    found = {name: list(_read(group)) for name, group in ({SAMPLES: records} | dict(groups)).items()}
    found = {name: chorales for name, chorales in found.items() if chorales}
    enough = bool(found) and min(map(len, found.values())) >= FEWEST
    # Nothing but the data may change the numbers, so that the seed is none of the run's.
    rng = np.random.default_rng(0)
    rows = (
        compare_metrics({name: Group(each) for name, each in found.items()}, measures(), rng)
        if enough
        else []
    )
    table = write_table(found, rows, out_dir / "statistics.tsv", TERMS)
    plots = _plots(found, rows, out_dir)
    warned = tuple(list_warnings(rows, TERMS))
    return DomainOutput(
        sections=(
            ReportSection("Statistics beside real chorales", (table,), format_caption(TERMS), part=QUALITY),
            *((ReportSection("Counterpoint beside real chorales", plots, part=QUALITY),) if plots else ()),
        ),
        summary=(*warned, *summarize(found, rows, TERMS)),
        warnings=warned,
        figures=collect_figures(rows),
        files=(table, *plots),
    )


def _read(records: Iterable[Record]) -> Iterable[Chorale]:
    for record in records:
        try:
            yield from_text(record.text)
        except NotAChorale:
            continue


def _plots(groups: Mapping[str, Sequence[Chorale]], rows: list, out_dir: Path) -> tuple[Path, ...]:
    if not rows:
        return ()
    from pipeline.evaluation.metric_comparison.plots import overview
    from pipeline.evaluation.plots import spread

    fifths = {name: [float(_percent(np.array(parallels(each, FIFTH)))) for each in group]
              for name, group in groups.items()}  # fmt: skip
    return (
        overview(rows, out_dir / "metric_overview.svg"),
        spread(fifths, "parallel fifths, % of moves", out_dir / "parallel_fifths.svg"),
    )
