"""The style of every plot: small SVG figures whose bytes depend on the data only."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class GroupStyle:
    """The colour, the dashes of lines and the marker of a group of sequences, for matplotlib."""

    colour: str
    dashes: Any
    marker: str


GROUP_STYLES = {
    "samples": GroupStyle("#c2410c", "-", "o"),
    "held-out real": GroupStyle("#0f766e", (0, (6, 2)), "s"),
    "training real": GroupStyle("#65a30d", (0, (3, 1, 1, 1)), "v"),
    "Markov": GroupStyle("#4f46e5", (0, (5, 2, 1, 2)), "D"),
    "shuffled": GroupStyle("#9ca3af", (0, (1, 1.2)), "^"),
}
"""By the first word of a group's name: a group has one style in all figures of a report."""
COLOURS = {name: style.colour for name, style in GROUP_STYLES.items()}
OTHER_COLOURS = ("#4f46e5", "#a16207", "#be185d", "#0369a1")
MAX_POINTS = 200
"""Points of a group that `spread` shows."""

matplotlib.rcParams.update({
    "font.family": "DejaVu Sans", "font.size": 9.0, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.color": "#e5e7eb", "grid.linewidth": 0.6, "axes.axisbelow": True,
    "legend.frameon": False, "svg.hashsalt": "pipeline", "svg.fonttype": "path",
})  # fmt: skip


def group_style(group: str) -> GroupStyle:
    """The style of a group of sequences."""
    known = (style for name, style in GROUP_STYLES.items() if group.startswith(name))
    return next(known, GroupStyle(OTHER_COLOURS[sum(group.encode()) % len(OTHER_COLOURS)], (0, (8, 3)), "P"))


def colour(group: str) -> str:
    """The colour of a group of sequences."""
    return group_style(group).colour


def new_figure(width_in: float = 6.4, height_in: float = 3.2) -> Figure:
    """An empty figure; sizes in inches. Draw on ``figure.subplots()``, then `save_svg`."""
    return Figure(figsize=(width_in, height_in), layout="constrained")


def save_svg(figure: Figure, path: Path) -> Path:
    """Write the figure without a date, so that the same data gives the same bytes."""
    figure.savefig(path, format="svg", metadata={"Date": None})
    return path


def learning_curves(
    rows: Iterable[Mapping[str, float]], path: Path, unit_name: str, baseline: Mapping[str, float]
) -> Path:
    """Bits per symbol of the training and validation splits against steps, the gap between them, the
    baselines as horizontal lines, and the learning rate.

    A row has ``step`` and some of ``train_bits``, ``validation_bits`` and ``learning_rate``; `unit_name` is
    what one symbol is called, `baseline` maps a name to bits.
    """
    figure = new_figure(height_in=3.8)
    axes, below = figure.subplots(2, sharex=True, height_ratios=(4, 1))
    rows = list(rows)
    train, validation, rate = (
        _curve(rows, name) for name in ("train_bits", "validation_bits", "learning_rate")
    )
    below.plot(rate[0], rate[1], color=OTHER_COLOURS[3], lw=1.2)
    axes.plot(*train, color="#d1d5db", lw=0.8)
    smooth = _means_between(train[0], train[1], validation[0])
    axes.plot(validation[0], smooth, color="#6b7280", lw=1.4, label="training")
    marker = "o" if validation.shape[1] <= 60 else ""
    axes.plot(
        validation[0],
        validation[1],
        color=COLOURS["samples"],
        lw=1.8,
        marker=marker,
        ms=3,
        label="validation",
    )
    if validation.shape[1]:
        gap = f"gap, {validation[1][-1] - smooth[-1]:+.3f} at the end"
        axes.fill_between(
            validation[0], smooth, validation[1], color=COLOURS["samples"], alpha=0.1, label=gap
        )
        step, bits = validation[:, validation[1].argmin()]
        axes.plot(step, bits, "o", ms=9, mfc="none", color=COLOURS["samples"], label=f"best, {bits:.3f}")
    for number, (name, bits) in enumerate(baseline.items()):
        style = {"color": OTHER_COLOURS[number % len(OTHER_COLOURS)], "lw": 1.2, "ls": (0, (5, 3))}
        axes.axhline(bits, label=f"{name}, {bits:.3f}", **style)
    _limit_axis(axes, train[1], validation[1], list(baseline.values()))
    below.set_xlabel("training step")
    below.set_ylabel("learning rate")
    axes.set_ylabel(f"bits per {unit_name}")
    axes.legend(loc="upper right")
    return save_svg(figure, path)


def rate_search(rows: Iterable[Mapping[str, float]], chosen: float, path: Path, unit_name: str) -> Path:
    """The smoothed loss while the learning rate rose, and the chosen rate.

    A row has ``learning_rate`` and ``bits``.
    """
    figure = new_figure()
    axes = figure.subplots()
    rates, bits = np.array([(row["learning_rate"], row["bits"]) for row in rows]).T
    axes.semilogx(rates, bits, color=COLOURS["samples"], lw=1.8)
    axes.axvline(chosen, color=OTHER_COLOURS[0], lw=1.2, ls=(0, (5, 3)), label=f"chosen, {chosen:g}")
    axes.set_xlabel("learning rate")
    axes.set_ylabel(f"bits per {unit_name}")
    axes.legend(loc="upper left")
    return save_svg(figure, path)


def spread(values: Mapping[str, Sequence[float]], label: str, path: Path) -> Path:
    """A row for each group: its values as points, the middle half as a bar, the median as a line."""
    figure = new_figure(6.4, 0.9 + 0.45 * len(values))
    axes = figure.subplots()
    names = list(values)[::-1]
    rng = np.random.default_rng(0)
    for row, name in enumerate(names):
        shown = np.asarray(values[name])
        if not len(shown):
            continue
        low, median, high = np.quantile(shown, (0.25, 0.5, 0.75))
        axes.barh(row, high - low, 0.55, low, color=colour(name), alpha=0.2, zorder=2)
        axes.vlines(median, row - 0.275, row + 0.275, color=colour(name), lw=2, zorder=4)
        points = shown[:: max(1, len(shown) // MAX_POINTS)]
        height = row + rng.uniform(-0.18, 0.18, len(points))
        axes.scatter(points, height, s=7, color=colour(name), alpha=0.5, lw=0, zorder=3)
    axes.set_yticks(range(len(names)), [f"{name} ({len(values[name])})" for name in names])
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xlabel(label)
    return save_svg(figure, path)


def _curve(rows: Iterable[Mapping[str, float]], name: str) -> np.ndarray:
    """Steps and values ``(2, points)`` of the rows with a finite value."""
    points = [(row["step"], row[name]) for row in rows if np.isfinite(row.get(name, np.nan))]
    return np.array(points, float).reshape(-1, 2).T


def _means_between(steps: np.ndarray, values: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The mean value between the end before and each end; NaN where there is none."""
    number = np.searchsorted(ends, steps)
    inside = number < len(ends)
    sums, counts = (np.bincount(number[inside], each, len(ends)) for each in (values[inside], None))
    return np.divide(sums, counts, out=np.full(len(ends), np.nan), where=counts > 0)


def _limit_axis(axes: Axes, train: np.ndarray, validation: np.ndarray, levels: list[float]) -> None:
    """Leave out the first steps, whose large values would flatten the rest of the curve."""
    shown = np.concatenate([train, validation, levels])
    if len(shown) and len(train) > 20:
        low, high = shown.min(), max([*train[len(train) // 20 :], *validation, *levels])
        axes.set_ylim(low - 0.06 * (high - low), high + 0.12 * (high - low))
