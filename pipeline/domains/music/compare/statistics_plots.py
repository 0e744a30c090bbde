"""Plots of the comparison of tunes and pieces: the overview of all metrics, and distributions."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from pipeline.domains.music.compare.note_metrics import (
    BAR_SIMILARITY,
    DEGREES,
    INTERVALS,
    LENGTHS,
    MAX_DISTANCE_BARS,
    MAX_INTERVAL,
)
from pipeline.domains.music.compare.note_table import STEPS
from pipeline.domains.music.compare.structure_plots import draw_structure
from pipeline.evaluation.metric_comparison.plots import mark, overview
from pipeline.evaluation.metric_comparison.result import MetricResult
from pipeline.evaluation.plots import colour, group_style, new_figure, save_svg
from pipeline.records import QUALITY, ReportSection

_DEGREE_NAMES = ("1", "b2", "2", "b3", "3", "4", "#4", "5", "b6", "6", "b7", "7")
_LENGTHS_SHOWN = 10
"""The commonest note lengths."""
_CAPTION = (
    "Each mark is a group. A group in the grey band is indistinguishable from real music. The samples should "
    "be there, and shuffled ones outside."
)


def draw_all(results: Sequence[MetricResult], out_dir: Path) -> list[ReportSection]:
    """Draw the overview and the distributions of the metrics that were measured."""
    by_name = {result.metric.name: result for result in results}
    plots = tuple(
        draw(by_name[name], out_dir / file)
        for name, (file, draw) in _DISTRIBUTIONS.items()
        if name in by_name
    )
    board = overview(results, out_dir / "metric_overview.svg")
    return [
        ReportSection("Distance from real music", (board,), _CAPTION, part=QUALITY),
        *draw_structure(by_name, out_dir),
        *((ReportSection("Notes compared with real music", plots, part=QUALITY),) if plots else ()),
    ]


def draw_bars(axes: Axes, result: MetricResult, chosen: Sequence[int], labels: Sequence[str]) -> None:
    """Draw chosen bins of a distribution, a bar for each group."""
    width = 0.8 / len(result.groups)
    for number, (name, estimate) in enumerate(result.groups.items()):
        positions = np.arange(len(chosen)) + (number - (len(result.groups) - 1) / 2) * width
        axes.bar(positions, estimate.value[list(chosen)], width, color=colour(name), label=name)
    axes.set_xticks(range(len(chosen)), labels)
    axes.set_ylabel("share of notes")
    axes.legend()


def _draw_degrees(result: MetricResult, path: Path) -> Path:
    figure = new_figure()
    axes = figure.subplots()
    draw_bars(axes, result, range(12), _DEGREE_NAMES)
    axes.set_xlabel("degree of the scale")
    return save_svg(figure, path)


def _draw_intervals(result: MetricResult, path: Path) -> Path:
    figure = new_figure()
    axes = figure.subplots()
    intervals = range(-MAX_INTERVAL, MAX_INTERVAL + 1)
    labels = [f"{interval:+d}" if interval % 3 == 0 else "" for interval in intervals]
    draw_bars(axes, result, range(len(intervals)), labels)
    axes.set_xlabel("semitones to the next note")
    return save_svg(figure, path)


def _draw_lengths(result: MetricResult, path: Path) -> Path:
    figure = new_figure()
    axes = figure.subplots()
    total = np.sum([estimate.value for estimate in result.groups.values()], axis=0)
    common = sorted(int(number) for number in np.argsort(-total)[:_LENGTHS_SHOWN])
    draw_bars(axes, result, common, [_format_fraction(number) for number in common])
    axes.set_xlabel("of a quarter note")
    return save_svg(figure, path)


def _format_fraction(steps: int) -> str:
    divisor = int(np.gcd(steps, STEPS)) or 1
    return str(steps // divisor) if divisor == STEPS else f"{steps // divisor}/{STEPS // divisor}"


def _draw_bar_similarity(result: MetricResult, path: Path) -> Path:
    figure = new_figure()
    axes = figure.subplots()
    distances = range(1, MAX_DISTANCE_BARS + 1)
    for name, estimate in result.groups.items():
        style = {**mark(name), "ls": group_style(name).dashes, "lw": 1.6, "ms": 3}
        axes.plot(distances, 100 * estimate.value, label=name, **style)
    axes.set_xticks(distances)
    axes.set_xlabel("distance in bars, as notated")
    axes.set_ylabel("time with the same pitch, %")
    axes.legend()
    return save_svg(figure, path)


_DISTRIBUTIONS: Mapping = {
    DEGREES: ("scale_degrees.svg", _draw_degrees),
    INTERVALS: ("intervals.svg", _draw_intervals),
    LENGTHS: ("note_lengths.svg", _draw_lengths),
    BAR_SIMILARITY: ("bar_similarity.svg", _draw_bar_similarity),
}
