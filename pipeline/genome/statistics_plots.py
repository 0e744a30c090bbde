"""The pictures of `statistics.py` and of `blast.py`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.plots import colour, new_figure, save_svg

WEAK = "#d6d3d1"
TICKS = [digit * 10.0**power for power in range(-4, 2) for digit in (1, 2, 5)]


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
    ticks = [tick for tick in TICKS if low <= tick <= high]
    for axis, scale in ((axes.xaxis, axes.set_xscale), (axes.yaxis, axes.set_yscale)):
        scale("log")
        axis.set_ticks([], minor=True)
        axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xlabel(f"share of each {k}-mer in held-out real DNA, %")
    axes.set_ylabel("share in the samples, %")
    return save_svg(figure, path)
