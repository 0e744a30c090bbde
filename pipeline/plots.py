"""One look for every plot: small SVG figures whose bytes depend on nothing but the data."""

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

COLOURS = {"samples": "#c2410c", "held-out real": "#0f766e", "shuffled": "#9ca3af"}
OTHER_COLOURS = ("#4f46e5", "#a16207", "#be185d", "#0369a1")

matplotlib.rcParams.update({
    "font.family": "DejaVu Sans", "font.size": 9.0, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.color": "#e5e7eb", "grid.linewidth": 0.6, "axes.axisbelow": True,
    "legend.frameon": False, "svg.hashsalt": "pipeline", "svg.fonttype": "path",
})  # fmt: skip


def colour(group: str) -> str:
    """The colour of a group of sequences, the same in every plot of a report."""
    return COLOURS.get(group) or OTHER_COLOURS[sum(group.encode()) % len(OTHER_COLOURS)]


def new_figure(width_in: float = 6.4, height_in: float = 3.2) -> Figure:
    """An empty figure; sizes in inches. Draw on ``figure.subplots()``, then `save_svg`."""
    return Figure(figsize=(width_in, height_in), layout="constrained")


def save_svg(figure: Figure, path: Path) -> Path:
    """Write the figure without a date, so that the same data gives the same bytes."""
    figure.savefig(path, format="svg", metadata={"Date": None})
    return path
