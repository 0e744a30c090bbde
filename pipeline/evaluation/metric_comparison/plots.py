"""Plots of a comparison, and the marks, bands and legends that a domain's own plots share with them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.evaluation.metric_comparison.groups import REAL
from pipeline.evaluation.metric_comparison.result import INTERVAL_ERRORS, NOISE_ERRORS, MetricResult
from pipeline.evaluation.plots import colour, group_style, new_figure, save_svg

MetricResults = Mapping[str, MetricResult]
"""Results by the name of their metric."""

MAX_DRAWN_ERRORS = 100
"""Larger differences, in standard errors, are drawn here."""


def mark(name: str) -> dict[str, Any]:
    """The style of a group's points, for ``plot`` and ``errorbar``."""
    style = group_style(name)
    return {"color": style.colour, "marker": style.marker, "ms": 4.5, "mew": 0}


def band(
    axes: Axes, x: Sequence[float] | np.ndarray, value: np.ndarray, error: np.ndarray, name: str,
    markers: bool = True,
) -> None:  # fmt: skip
    """Draw a line with its 95% band; `error` is the standard error of each value."""
    reach = INTERVAL_ERRORS * error
    axes.fill_between(x, value - reach, value + reach, color=colour(name), alpha=0.15, lw=0)
    style: dict[str, Any] = mark(name) if markers else {"color": colour(name)}
    axes.plot(x, value, lw=1.6, ls=group_style(name).dashes, label=name, **style)


def save_with_legend(axes: Axes, path: Path, columns: int = 1) -> Path:
    """Write the figure with a legend: inside the axes, or above them in several columns."""
    # `new_figure` makes no subfigures.
    figure = cast(Figure, axes.figure)
    if columns == 1:
        axes.legend()
    else:
        figure.legend(loc="outside upper center", ncols=columns)
    return save_svg(figure, path)


def overview(results: Sequence[MetricResult], path: Path) -> Path:
    """A line for each metric with a mark for each group: its standard errors from real sequences."""
    figure = new_figure(8.2, 1.0 + 0.21 * len(results))
    axes = figure.subplots()
    heights = np.arange(len(results))[::-1]
    axes.axvspan(0, NOISE_ERRORS, color="#e7e5e4", lw=0, zorder=0, label="noise")
    for name in results[0].groups:
        if name != REAL:
            away = [np.clip(each.standard_errors_from_real(name), 0, MAX_DRAWN_ERRORS) for each in results]
            axes.plot(away, heights, ls="", label=name, zorder=3, **mark(name), alpha=0.85)
    axes.set_xscale("symlog", linthresh=NOISE_ERRORS, linscale=1)
    axes.set_xticks([0, 1, 2, 3, 10, 30, 100], ["0", "1", "2", "3", "10", "30", "≥100"])
    axes.set_xticks([], minor=True)
    axes.set_xlim(-0.25, MAX_DRAWN_ERRORS * 1.25)
    axes.set_yticks(heights, [result.metric.name for result in results])
    axes.set_ylim(-0.7, len(results) - 0.3)
    axes.set_xlabel("difference from held-out real, in standard errors")
    figure.legend(loc="outside upper right", ncols=5)
    return save_svg(figure, path)


def spectra_distance(spectra: Mapping[int, MetricResult], path: Path) -> Path:
    """The distance from real sequences over k, a line for each group; real against itself is dashed."""
    figure = new_figure(6.4, 3.4)
    axes = figure.subplots()
    lengths, results = list(spectra), list(spectra.values())
    for name in results[0].groups:
        if name != REAL:
            distances = np.array([result.distances(name) for result in results])
            band(axes, lengths, distances.mean(axis=1), distances.std(axis=1), name)
    itself = [result.mean_self_distance for result in results]
    axes.plot(lengths, itself, color=colour(REAL), ls="--", lw=1.4, label="real against itself")
    if min(itself) > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xticks(lengths)
    axes.set_xlabel("k")
    axes.set_ylabel("Jensen-Shannon distance from real")
    return save_with_legend(axes, path)
