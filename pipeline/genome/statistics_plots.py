"""The pictures of `statistics.py`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.plots import colour, new_figure, save_svg

WEAK = "#d6d3d1"


def gc_distribution(shares: Mapping[str, Sequence[float]], path: Path) -> Path:
    """A box for each group over the GC content of its sequences (0 to 1), with the sequences as points."""
    figure = new_figure(6.4, 0.9 + 0.45 * len(shares))
    axes = figure.subplots()
    names = list(shares)[::-1]
    rng = np.random.default_rng(0)
    for row, name in enumerate(names):
        values = np.asarray(shares[name]) * 100
        shown = values[:: max(1, len(values) // 200)]
        height = row + rng.uniform(-0.18, 0.18, len(shown))
        axes.scatter(shown, height, s=6, color=colour(name), alpha=0.35, lw=0)
        axes.boxplot(
            values, positions=[row], vert=False, widths=0.55, showfliers=False, manage_ticks=False,
            medianprops={"color": colour(name), "linewidth": 2},
        )  # fmt: skip
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("GC content of a sequence, %")
    return save_svg(figure, path)


def divergence(
    series: Mapping[str, Sequence[float]], floor: Sequence[float], lengths: Sequence[int], path: Path
) -> Path:
    """A line for each group over k, values in bits on a logarithmic axis; the noise floor dashed."""
    figure = new_figure()
    axes = figure.subplots()
    for name, values in series.items():
        if len(values) == len(lengths):
            # A logarithmic axis has no zero.
            axes.plot(lengths, np.maximum(values, 1e-7), marker="o", ms=4, color=colour(name), label=name)
    axes.plot(lengths, np.maximum(floor, 1e-7), color="black", ls="--", lw=1, label="real against itself")
    axes.set_yscale("log")
    axes.set_xticks(lengths)
    axes.set_xlabel("k")
    axes.set_ylabel("divergence from held-out real, bits")
    axes.legend()
    return save_svg(figure, path)


def spectrum(real: np.ndarray, samples: np.ndarray, k: int, path: Path) -> Path:
    """Each k-mer's share in the samples against its share in real DNA; counts have shape (4**k,)."""
    figure = new_figure(4.2, 3.8)
    axes = figure.subplots()
    x, y = real / real.sum() * 100, samples / samples.sum() * 100
    low = min(x[x > 0].min(), y[y > 0].min())
    high = max(x.max(), y.max())
    axes.plot([low, high], [low, high], color=WEAK, lw=1, zorder=1)
    x, y = np.maximum(x, low), np.maximum(y, low)
    axes.scatter(x, y, s=8, color=colour("samples"), alpha=0.7, lw=0, zorder=2)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(f"share of each {k}-mer in held-out real DNA, %")
    axes.set_ylabel("share in the samples, %")
    return save_svg(figure, path)
