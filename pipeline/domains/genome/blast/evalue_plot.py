"""Plot the best E-values of every group as cumulative curves."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.evaluation.plots import colour, group_style, new_figure, save_svg

MIN_EVALUE = 1e-180
"""BLAST prints 0.0 for anything smaller."""
TICKS = (1e-180, 1e-120, 1e-80, 1e-50, 1e-30, 1e-20, 1e-10, 1e-6, 1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0, 1000.0)


def draw_evalues(evalues: Mapping[str, Sequence[float]], limit: float, path: Path) -> Path:
    """Draw for each group the share of sequences whose best E-value is at most x. The axis ends at `limit`,
    where each curve reaches the share of sequences with a hit.

    The axis is the square root of the orders of magnitude below `limit`. On a logarithmic axis that reaches a
    copy's 1e-180, the E-values of chance, 0.001 to 10, would be one vertical line.
    """
    figure = new_figure(6.4, 3.4)
    axes = figure.subplots()
    finite = [value for values in evalues.values() for value in values if value <= limit]
    smallest = max(min([*finite, limit / 100]), MIN_EVALUE)
    left, right = smallest / 10, limit * 1.3
    for number, (name, values) in enumerate(evalues.items()):
        steps = np.sort([max(value, MIN_EVALUE) for value in values if value <= limit])
        heights = np.arange(1, len(steps) + 1) / max(len(values), 1)
        axes.step(
            [left, *steps, right], [0, *heights, heights[-1] if len(steps) else 0], where="post",
            color=colour(name), ls=group_style(name).dashes, lw=2 if number == 0 else 1.5,
            label=f"{name} ({len(steps)} of {len(values)} with a hit)", zorder=3 if number == 0 else 2,
        )  # fmt: skip
    axes.set_xscale("function", functions=_scale(right))
    axes.set_xlim(left, right)
    shown = _ticks(left, right)
    axes.set_xticks(shown, [f"{tick:g}" if tick >= 0.001 else _power(tick) for tick in shown])
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("best E-value of a sequence (left: nearer to the database)")
    axes.set_ylabel("share of sequences up to this E-value")
    axes.legend(loc="upper left", fontsize=8)
    return save_svg(figure, path)


def _scale(right: float) -> tuple[Callable, Callable]:
    """Return the map from an E-value to its position on the axis, and the inverse."""

    def place(values: np.ndarray) -> np.ndarray:
        return -np.sqrt(np.log10(right) - np.log10(np.clip(values, 1e-300, right)))

    def value(places: np.ndarray) -> np.ndarray:
        return 10.0 ** (np.log10(right) - np.square(places))

    return place, value


def _ticks(left: float, right: float) -> list[float]:
    """Choose those of `TICKS` whose labels do not overlap, from the right."""
    place = _scale(right)[0]
    room = 0.08 * (place(right) - place(left))
    shown: list[float] = []
    for tick in reversed(TICKS):
        if left <= tick <= right and (not shown or place(shown[-1]) - place(tick) >= room):
            shown.append(tick)
    return shown[::-1]


def _power(tick: float) -> str:
    return f"$10^{{{round(math.log10(tick))}}}$"
