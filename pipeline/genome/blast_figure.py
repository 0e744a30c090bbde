"""The picture of a calibrated search: the best E-values of every group as cumulative curves."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.plots import colour, new_figure, save_svg

SMALLEST_EVALUE = 1e-180
"""BLAST prints 0.0 for anything smaller."""
STYLES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)), (0, (8, 3)))
"""Lines differ in dashes too, for eyes and printers that do not tell the colours."""


def cumulative(evalues: Mapping[str, Sequence[float]], limit: float, path: Path) -> Path:
    """For each group the share of sequences with a best E-value at most so large, on a logarithmic axis that
    ends at `limit`; a curve ends there at the share that has any hit."""
    figure = new_figure(6.4, 3.4)
    axes = figure.subplots()
    finite = [value for values in evalues.values() for value in values if value <= limit]
    smallest = max(min(finite, default=limit), SMALLEST_EVALUE)
    # A decade more on both sides, so that the first step and the last stand clear of the frame.
    left, right = 10 ** (math.floor(math.log10(smallest)) - 0.5), limit * 10**0.3
    for number, (name, values) in enumerate(evalues.items()):
        if not values:
            continue
        steps = np.sort([max(value, SMALLEST_EVALUE) for value in values if value <= limit])
        heights = np.arange(1, len(steps) + 1) / len(values)
        hits = f"{name} ({len(steps)} of {len(values)} with a hit)"
        axes.step(
            [left, *steps, right], [0, *heights, heights[-1] if len(steps) else 0], where="post",
            color=colour(name), ls=STYLES[number % len(STYLES)], lw=2 if number == 0 else 1.5, label=hits,
            zorder=3 if number == 0 else 2,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlim(left, right)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("best E-value of a sequence (left: nearer to what was searched)")
    axes.set_ylabel("share of sequences up to there")
    axes.legend(loc="upper left", fontsize=8)
    return save_svg(figure, path)
