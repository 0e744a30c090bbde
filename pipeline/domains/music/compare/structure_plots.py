"""Plots of the structure of tunes: shares of tunes with a property, lengths in bars, and keys."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.domains.music.compare import structure
from pipeline.evaluation.metric_comparison.result import INTERVAL_ERRORS, MetricResult
from pipeline.evaluation.plots import colour, new_figure, save_svg
from pipeline.records import QUALITY, ReportSection

SHARES = (
    structure.LOOPS, structure.LONG, structure.PARTS_ON_TONIC, structure.ENDS_ALIKE, structure.ACCIDENTALS,
    structure.ENDINGS,
)  # fmt: skip
KEYS_SHOWN = 14
"""The commonest keys."""
BINS = np.arange(0.5, structure.MAX_COUNTED_BARS + 1, 4)
"""Edges of the bins of lengths: 1 to 4 bars, 5 to 8, and so on."""
CAPTION = (
    "The structure of tunes as notated: shares of the tunes of each group with 95% intervals, lengths in "
    "bars, and keys. docs/explanation/tune-metrics.md defines each metric."
)


def draw_structure(by_name: Mapping[str, MetricResult], out_dir: Path) -> list[ReportSection]:
    """Draw the plots of those metrics of structure that were measured."""
    shares = [by_name[name] for name in SHARES if name in by_name]
    files = [_draw_shares(shares, out_dir / "tune_structure.svg")] if shares else []
    if structure.BARS in by_name:
        files.append(_draw_bars(by_name[structure.BARS], out_dir / "bars_in_a_tune.svg"))
    if structure.KEY_SHARES in by_name:
        files.append(_draw_keys(by_name[structure.KEY_SHARES], out_dir / "keys.svg"))
    return [ReportSection("Structure of the tunes", tuple(files), CAPTION, part=QUALITY)] if files else []


def _draw_shares(rows: Sequence[MetricResult], path: Path) -> Path:
    figure = new_figure(7.2, 0.9 + 0.55 * len(rows))
    axes = figure.subplots()
    groups = list(dict.fromkeys(name for row in rows for name in row.groups))
    height = 0.8 / len(groups)
    for number, name in enumerate(groups):
        estimates = [row.groups[name] for row in rows]
        positions = np.arange(len(rows)) + (number - (len(groups) - 1) / 2) * height
        value = np.array([float(each.value) for each in estimates])
        half_width = INTERVAL_ERRORS * np.array([float(each.standard_error) for each in estimates])
        below, above = np.minimum(half_width, value), np.minimum(half_width, 100 - value)
        axes.barh(positions, value, height, xerr=[below, above], color=colour(name), label=name,
                  error_kw={"lw": 0.8, "ecolor": "#374151"})  # fmt: skip
    axes.set_yticks(range(len(rows)), [row.metric.name.removesuffix(" (%)") for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("% of the tunes")
    figure.legend(loc="outside upper right", ncols=len(groups))
    return save_svg(figure, path)


def _draw_bars(row: MetricResult, path: Path) -> Path:
    figure = new_figure()
    axes = figure.subplots()
    lengths = np.arange(structure.MAX_COUNTED_BARS + 1)
    for name, estimate in row.groups.items():
        counts, _ = np.histogram(lengths, BINS, weights=estimate.value)
        axes.stairs(100 * counts, BINS, color=colour(name), lw=1.6, label=name)
    axes.axvline(structure.MAX_USUAL_BARS + 0.5, color="#6b7280", lw=1, ls=(0, (5, 3)))
    axes.set_xticks(range(0, structure.MAX_COUNTED_BARS + 1, 8))
    axes.set_xlabel(f"bars in a tune, as notated ({structure.MAX_COUNTED_BARS}: that many or more)")
    axes.set_ylabel("% of the tunes")
    axes.legend()
    return save_svg(figure, path)


def _draw_keys(row: MetricResult, path: Path) -> Path:
    figure = new_figure(7.2)
    axes = figure.subplots()
    total = np.sum([estimate.value for estimate in row.groups.values()], axis=0)
    common = [int(key) for key in np.argsort(-total, kind="stable")[:KEYS_SHOWN] if total[key]]
    width = 0.8 / len(row.groups)
    for number, (name, estimate) in enumerate(row.groups.items()):
        positions = np.arange(len(common)) + (number - (len(row.groups) - 1) / 2) * width
        axes.bar(positions, 100 * estimate.value[common], width, color=colour(name), label=name)
    axes.set_xticks(range(len(common)), [structure.KEYS[key] for key in common])
    axes.set_ylabel("% of the tunes")
    axes.legend()
    return save_svg(figure, path)
