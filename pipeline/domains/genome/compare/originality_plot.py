"""The plot of `originality.py`."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pipeline.evaluation.plots import colour, group_style, new_figure, save_svg

MANY_DIGITS, FEW_DIGITS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8), (1, 2, 5)
"""Digits of the ticks, for an axis of less than a decade and of more."""


def draw_matches(lengths: Mapping[str, np.ndarray], limit: int, path: Path) -> Path:
    """Draw for each group the percentage of sequences whose longest match has at least x bases; a vertical
    line marks the limit above which a match is a copy."""
    figure = new_figure()
    axes = figure.subplots()
    for name, values in lengths.items():
        found, counts = np.unique(np.maximum(values, 1), return_counts=True)
        shares = 100 * np.cumsum(counts[::-1])[::-1] / len(values)
        places, heights = np.r_[1, found, found[-1]], np.r_[100, shares, 0]
        style = {"color": colour(name), "ls": group_style(name).dashes, "lw": 1.8}
        axes.step(places, heights, where="pre", label=f"{name} ({len(values)})", **style)
    axes.axvline(limit, color="black", lw=1, label=f"limit, {limit} bp")
    low = min(min(values.min() for values in lengths.values()), limit)
    high = max(max(values.max() for values in lengths.values()), limit)
    axes.set_xscale("log")
    axes.set_xlim(max(low, 1) * 0.9, high * 1.15)
    axes.xaxis.set_ticks([], minor=True)
    digits = MANY_DIGITS if high < 10 * max(low, 1) else FEW_DIGITS
    ticks = [digit * 10**power for power in range(7) for digit in digits]
    ticks = [tick for tick in ticks if max(low, 1) * 0.9 <= tick <= high * 1.15]
    axes.xaxis.set_ticks(ticks, [f"{tick:,g}" for tick in ticks])
    axes.set_ylim(0, 103)
    axes.set_xlabel("longest exact match with the training data, at least (bp)")
    axes.set_ylabel("sequences, %")
    axes.legend()
    return save_svg(figure, path)
