"""Plots of the scoreboard of tunes: how far every group is from real ones, and the profiles themselves."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from pipeline.domains.music.compare.note_measures import DEGREES, INTERVALS, LAGS, LENGTHS, LIKENESS, WIDEST
from pipeline.domains.music.compare.note_table import STEPS
from pipeline.domains.music.compare.structure_plots import draw_structure
from pipeline.evaluation.metric_comparison.plots import mark, overview
from pipeline.evaluation.metric_comparison.result import MetricResult
from pipeline.evaluation.plots import colour, group_style, new_figure, save_svg
from pipeline.records import QUALITY, ReportSection

_DEGREE_NAMES = ("1", "b2", "2", "b3", "3", "4", "#4", "5", "b6", "6", "b7", "7")
_BARS_SHOWN = 10
"""Note lengths, the commonest ones."""


def draw_all(rows: Sequence[MetricResult], out_dir: Path) -> list[ReportSection]:
    """The overview, and the profiles that there are."""
    by_name = {row.metric.name: row for row in rows}
    drawn = [
        draw(by_name[name], out_dir / file) for name, (file, draw) in _PROFILES.items() if name in by_name
    ]
    caption = (
        "Each mark is a group; in the grey band it is indistinguishable from real ones. The samples should "
        "lie there, shuffled ones outside."
    )
    board = overview(rows, out_dir / "metric_overview.svg")
    return [
        ReportSection("How far from real", (board,), caption, part=QUALITY),
        *draw_structure(by_name, out_dir),
        *((ReportSection("Notes beside those of real ones", tuple(drawn), part=QUALITY),) if drawn else ()),
    ]


def _bars(axes: Axes, row: MetricResult, chosen: Sequence[int], labels: Sequence[str]) -> None:
    width = 0.8 / len(row.groups)
    for number, (name, estimate) in enumerate(row.groups.items()):
        places = np.arange(len(chosen)) + (number - (len(row.groups) - 1) / 2) * width
        axes.bar(places, estimate.value[list(chosen)], width, color=colour(name), label=name)
    axes.set_xticks(range(len(chosen)), labels)
    axes.set_ylabel("share of notes")
    axes.legend()


def _draw_degrees(row: MetricResult, path: Path) -> Path:
    figure = new_figure()
    axes = figure.subplots()
    _bars(axes, row, range(12), _DEGREE_NAMES)
    axes.set_xlabel("degree of the scale")
    return save_svg(figure, path)


def _draw_intervals(row: MetricResult, path: Path) -> Path:
    figure = new_figure()
    axes = figure.subplots()
    steps = range(-WIDEST, WIDEST + 1)
    _bars(axes, row, range(len(steps)), [f"{step:+d}" if step % 3 == 0 else "" for step in steps])
    axes.set_xlabel("semitones to the next note")
    return save_svg(figure, path)


def _draw_lengths(row: MetricResult, path: Path) -> Path:
    figure = new_figure()
    axes = figure.subplots()
    total = sum(estimate.value for estimate in row.groups.values())
    common = sorted(int(number) for number in np.argsort(-total)[:_BARS_SHOWN])
    _bars(axes, row, common, [_fraction(number) for number in common])
    axes.set_xlabel("of a quarter note")
    return save_svg(figure, path)


def _fraction(steps: int) -> str:
    divisor = int(np.gcd(steps, STEPS)) or 1
    return str(steps // divisor) if divisor == STEPS else f"{steps // divisor}/{STEPS // divisor}"


def _draw_likeness(row: MetricResult, path: Path) -> Path:
    figure = new_figure()
    axes = figure.subplots()
    for name, estimate in row.groups.items():
        style = {**mark(name), "ls": group_style(name).dashes, "lw": 1.6, "ms": 3}
        axes.plot(range(1, LAGS + 1), 100 * estimate.value, label=name, **style)
    axes.set_xticks(range(1, LAGS + 1))
    axes.set_xlabel("bars apart, as written")
    axes.set_ylabel("time with the same pitch, %")
    axes.legend()
    return save_svg(figure, path)


_PROFILES: Mapping = {
    DEGREES: ("scale_degrees.svg", _draw_degrees),
    INTERVALS: ("intervals.svg", _draw_intervals),
    LENGTHS: ("note_lengths.svg", _draw_lengths),
    LIKENESS: ("likeness_of_bars.svg", _draw_likeness),
}
