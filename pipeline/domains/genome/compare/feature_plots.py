"""Plots of repeats, open reading frames, codon usage and mutual information."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from pipeline.domains.genome.compare import metrics as named
from pipeline.domains.genome.compare.reading_frames import MIN_ORF_BP, SENSE
from pipeline.domains.genome.compare.repeats import MIN_TRACT
from pipeline.domains.genome.orfs import CODONS, amino_acids
from pipeline.evaluation.metric_comparison.plots import MetricResults, band, mark, save_with_legend
from pipeline.evaluation.metric_comparison.result import INTERVAL_ERRORS, Estimate
from pipeline.evaluation.plots import new_figure, save_svg

RAREST_PER_KB = 0.004
"""The lowest rate that plots of rates show."""


def repeats(rows: MetricResults, path: Path) -> Path:
    """Runs of one letter and tandem repeats by length, and the shares of bases in them."""
    figure = new_figure(9.6, 3.2)
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 1.1))
    runs, tracts = rows[named.RUN_LENGTHS].groups, rows.get(named.TRACT_LENGTHS)
    _rates(left, runs, 1, "length of the run (bp)", "runs per kb")
    if tracts is not None:
        label = "length of the repeat (bp)"
        _rates(middle, tracts.groups, MIN_TRACT, label, "as long or longer, per kb")
    shown = {
        "in runs\nof 6+": named.LONG_RUNS, "in tandem\nrepeats": named.TANDEM,
        "low\ncomplexity": named.DUST,
    }  # fmt: skip
    shown = {label: rows[name].groups for label, name in shown.items() if name in rows}
    for place, name in enumerate(runs):
        x = np.arange(len(shown)) + 0.15 * (place - (len(runs) - 1) / 2)
        values = [float(groups[name].value) for groups in shown.values()]
        reach = [INTERVAL_ERRORS * float(groups[name].standard_error) for groups in shown.values()]
        right.errorbar(x, values, reach, ls="", lw=1.2, **mark(name))
    right.set_xticks(range(len(shown)), shown)
    right.set_ylim(bottom=0)
    right.grid(axis="x", visible=False)
    right.set_ylabel("share of all bases (%)")
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=len(runs))
    return save_svg(figure, path)


def orf_lengths(rows: MetricResults, path: Path) -> Path:
    """ORFs of each length or longer, a line for each group."""
    figure = new_figure()
    axes = figure.subplots()
    groups = rows[named.ORF_LENGTHS].groups
    label = "length with the stop codon (codons)"
    _rates(axes, groups, MIN_ORF_BP // 3, label, "ORFs as long or longer, per kb")
    return save_with_legend(axes, path)


def codon_usage(rows: MetricResults, path: Path) -> Path:
    """Relative synonymous codon usage as a heat map: groups by codons, these by amino acid."""
    figure = new_figure(9.6, 2.1)
    axes = figure.subplots()
    groups = rows[named.SYNONYMS].groups
    letters = [amino_acids()[number] for number in SENSE]
    order = sorted(range(len(SENSE)), key=lambda place: (letters[place], place))
    table = np.array([each.value[order] for each in groups.values()])
    image = axes.imshow(table, aspect="auto", cmap="PuOr_r", vmin=0, vmax=2, interpolation="none")
    axes.grid(visible=False)
    axes.set_yticks(range(len(groups)), groups)
    axes.set_xticks(range(len(order)), [CODONS[SENSE[place]] for place in order], rotation=90, fontsize=7)
    ordered = [letters[place] for place in order]
    for letter in dict.fromkeys(ordered):
        first, number = ordered.index(letter), ordered.count(letter)
        axes.text(first + (number - 1) / 2, -0.75, letter, ha="center", fontsize=8)
        axes.axvline(first - 0.5, color="white", lw=1.5)
    axes.tick_params(length=0)
    figure.colorbar(image, label="RSCU", extend="max", pad=0.01)
    return save_svg(figure, path)


def mutual_information(rows: MetricResults, path: Path) -> Path:
    """Mutual information over distance, a line for each group."""
    groups = rows[named.INFORMATION].groups
    figure = new_figure(6.4, 3.6)
    axes = figure.subplots()
    middles = rows[named.INFORMATION].metric.axis
    for name, each in groups.items():
        band(axes, middles, each.value, each.standard_error, name, markers=False)
    axes.axhline(0, color="black", lw=0.8)
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=0.1, linscale=0.6)
    axes.set_yticks([0, 0.1, 1, 10, 100], ["0", "0.1", "1", "10", "100"])
    ticks = (1, 3, 10, 30, 100, 300, 1000, 2000)
    axes.set_xticks(ticks, map(str, ticks))
    axes.set_xticks([], minor=True)
    axes.set_xlim(0.9, 1.1 * middles[-1])
    highest = max(float(each.value.max()) for each in groups.values())
    axes.set_ylim(-0.15, 2 * max(highest, 0.1))
    axes.set_xlabel("distance between two bases (bp)")
    axes.set_ylabel("mutual information (10⁻³ bits)")
    return save_with_legend(axes, path)


def _rates(axes: Axes, groups: Mapping[str, Estimate], first: int, label: str, rate: str) -> None:
    """Rates per kb by length, from length `first` up to where they end, on a logarithmic axis."""
    last = first + 1
    for name, each in groups.items():
        seen = np.flatnonzero(each.value > RAREST_PER_KB)
        last = max(last, int(seen[-1]) if len(seen) else first)
        lengths = np.arange(first, len(each.value))
        value = np.where(each.value > 0, each.value, np.nan)
        band(axes, lengths, value[first:], each.standard_error[first:], name, markers=False)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlim(first, last)
    axes.set_ylim(bottom=RAREST_PER_KB)
    axes.set_xlabel(label)
    axes.set_ylabel(rate)
