"""Pictures of a scoreboard, and what those of a domain have in common with them: marks, bands, legends."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from pipeline.evaluation.metric_comparison.comparison import (
    INTERVAL_ERRORS,
    NOISE_ERRORS,
    REAL,
    Row,
)
from pipeline.evaluation.plots import colour, group_style, new_figure, save_svg

Rows = Mapping[str, Row]
"""By the name of the measure."""

FURTHEST_ERRORS = 100
"""Standard errors beyond which the overview draws everything in one place."""


def mark(name: str) -> dict[str, Any]:
    """How the points of a group look, for ``plot`` and ``errorbar``."""
    style = group_style(name)
    return {"color": style.colour, "marker": style.marker, "ms": 4.5, "mew": 0}


def band(
    axes: Axes,
    x: Sequence[float] | np.ndarray,
    value: np.ndarray,
    error: np.ndarray,
    name: str,
    markers: bool = True,
) -> None:
    """A line with its 95% band."""
    reach = INTERVAL_ERRORS * error
    axes.fill_between(x, value - reach, value + reach, color=colour(name), alpha=0.15, lw=0)
    style = mark(name) if markers else {"color": colour(name)}
    axes.plot(x, value, lw=1.6, ls=group_style(name).dashes, label=name, **style)


def save_with_legend(axes: Axes, path: Path, columns: int = 1) -> Path:
    """Write the figure with a legend: inside the axes, or above them in several columns."""
    if columns == 1:
        axes.legend()
    else:
        axes.figure.legend(loc="outside upper center", ncols=columns)
    return save_svg(axes.figure, path)


def overview(rows: Sequence[Row], path: Path) -> Path:
    """A line for each measure, a mark for each group, by how many standard errors it is away from the
    real ones."""
    figure = new_figure(8.2, 1.0 + 0.21 * len(rows))
    axes = figure.subplots()
    places = np.arange(len(rows))[::-1]
    axes.axvspan(0, NOISE_ERRORS, color="#e7e5e4", lw=0, zorder=0, label="noise")
    for name in rows[0].groups:
        if name != REAL:
            away = [np.clip(row.errors_away(name), 0, FURTHEST_ERRORS) for row in rows]
            axes.plot(away, places, ls="", label=name, zorder=3, **mark(name), alpha=0.85)
    axes.set_xscale("symlog", linthresh=NOISE_ERRORS, linscale=1)
    axes.set_xticks([0, 1, 2, 3, 10, 30, 100], ["0", "1", "2", "3", "10", "30", "≥100"])
    axes.set_xticks([], minor=True)
    axes.set_xlim(-0.25, FURTHEST_ERRORS * 1.25)
    axes.set_yticks(places, [row.measure.name for row in rows])
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.set_xlabel("how far from held-out real, in standard errors")
    figure.legend(loc="outside upper right", ncols=5)
    return save_svg(figure, path)


def spectra_distance(spectra: Mapping[int, Row], path: Path) -> Path:
    """The distance from real sequences over k, a line for each group, and real against itself dashed."""
    figure = new_figure(6.4, 3.4)
    axes = figure.subplots()
    lengths, rows = list(spectra), list(spectra.values())
    for name in rows[0].groups:
        if name != REAL:
            apart = np.array([row.groups[name].apart for row in rows])
            band(axes, lengths, apart.mean(axis=1), apart.std(axis=1), name)
    floor = [row.floor.mean() for row in rows]
    axes.plot(lengths, floor, color=colour(REAL), ls="--", lw=1.4, label="real against itself")
    if min(floor) > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xticks(lengths)
    axes.set_xlabel("k")
    axes.set_ylabel("Jensen-Shannon distance from real")
    return save_with_legend(axes, path)
