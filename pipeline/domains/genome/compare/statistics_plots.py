"""The plots of `statistics.py`, with captions that explain how to read them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.domains.genome.compare import feature_plots
from pipeline.domains.genome.compare import metrics as named
from pipeline.domains.genome.compare.composition import DINUCLEOTIDES, DISTINCT, FREQUENT, RARE, WINDOW_BIN
from pipeline.domains.genome.compare.reading_frames import MIN_ORF_BP
from pipeline.domains.genome.compare.repeats import MIN_TRACT
from pipeline.domains.genome.encoding import BASES
from pipeline.evaluation.metric_comparison.groups import REAL, SAMPLES
from pipeline.evaluation.metric_comparison.plots import (
    MAX_DRAWN_ERRORS,
    MetricResults,
    band,
    mark,
    overview,
    save_with_legend,
    spectra_distance,
)
from pipeline.evaluation.metric_comparison.result import INTERVAL_ERRORS, NOISE_ERRORS, MetricResult
from pipeline.evaluation.plots import colour, new_figure, save_svg
from pipeline.records import QUALITY, ReportSection

WEAK = "#d6d3d1"
LEVEL = "#a8a29e"
TICKS = [digit * 10.0**power for power in range(-4, 2) for digit in (1, 2, 5)]


CAPTIONS = {
    "metric_overview": (
        "Distance from real DNA",
        f"In standard errors. Up to {NOISE_ERRORS:g}, shaded, a difference is noise. Groups further than "
        f"{MAX_DRAWN_ERRORS} are drawn at the right end.",
    ),
    "gc_windows": (
        "GC content of windows",
        f"Adjacent windows of {named.WINDOWS[0]} bp, with 95% bands. GC content varies more between windows "
        "of real DNA than in any model with a short memory.",
    ),
    "gc_positions": (
        "GC content by position",
        "From the start of a sequence, with 95% bands. Real sequences start at random places, so that their "
        "curve has no slope. A slope at the left end shows samples that start in an atypical state.",
    ),
    "dinucleotides": (
        "Dinucleotides",
        "Observed over expected frequency of each dinucleotide on both strands (Karlin and Burge's ρ*), with "
        f"95% intervals. Below {RARE} a dinucleotide is called rare, above {FREQUENT} frequent.",
    ),
    "kmer_distance": (
        "k-mers, distance from real DNA",
        "Jensen-Shannon distance from one half of the held-out real DNA, for equally many bases of every "
        "group, with 95% bands. The other half of the real DNA shows the smallest distance to expect.",
    ),
    "kmer_spectrum": (
        "Every 4-mer",
        "Each point is a 4-mer with its reverse complement. On the line it is equally frequent in the "
        "samples and in real DNA.",
    ),
    "repeats": (
        "Runs, tandem repeats, low complexity",
        "Left: runs of one base. Middle: exact tandem repeats with units of 2 to 6 bases, at least 3 copies "
        f"and {MIN_TRACT} bp. Right: shares of bases in runs of 6 or more, in such repeats, and of low "
        "complexity (symmetric DUST). Bands and intervals: 95%.",
    ),
    "orf_lengths": (
        "Open reading frames",
        "From ATG to stop, in all six frames, with 95% bands. Short reading frames are common by chance; "
        "long ones are due to genes.",
    ),
    "codon_usage": (
        "Codon usage",
        f"Relative synonymous codon usage (RSCU) in ORFs of {MIN_ORF_BP} bp or more: the count of a codon "
        "over the mean count of the codons for the same amino acid. 1 is no preference.",
    ),
    "mutual_information": (
        "Mutual information",
        "Information that a base gives about the base at a distance, corrected for chance, with 95% bands, "
        "up to the distance at which all groups have enough pairs. It falls to 0 in models with a short "
        "memory, but not in shuffled sequences, which keep the composition of each sequence.",
    ),
}


def draw_all(rows: MetricResults, scored: Sequence[MetricResult], out_dir: Path) -> list[ReportSection]:
    """Draw every plot for which there is data, the overview first."""
    groups = set(scored[0].groups)
    real = REAL in groups and len(groups) > 1
    plots = (
        ("metric_overview", lambda path: overview(scored, path), real),
        ("gc_windows", lambda path: gc_windows(rows, path), named.WINDOW_SHARES in rows),
        ("gc_positions", lambda path: gc_positions(rows, path), named.POSITION_SHARES in rows),
        ("dinucleotides", lambda path: dinucleotides(rows, path), named.DINUCLEOTIDES in rows),
        ("kmer_distance", lambda path: kmer_distance(rows, path), real),
        ("kmer_spectrum", lambda path: kmer_spectrum(rows, path),
         {REAL, SAMPLES} <= groups and named.spectrum(4) in rows),
        ("repeats", lambda path: feature_plots.repeats(rows, path), named.RUN_LENGTHS in rows),
        ("orf_lengths", lambda path: feature_plots.orf_lengths(rows, path), named.ORF_LENGTHS in rows),
        ("codon_usage", lambda path: feature_plots.codon_usage(rows, path), named.SYNONYMS in rows),
        ("mutual_information", lambda path: feature_plots.mutual_information(rows, path),
         named.INFORMATION in rows),
    )  # fmt: skip
    return [
        ReportSection(CAPTIONS[name][0], (draw(out_dir / f"{name}.svg"),), CAPTIONS[name][1], part=QUALITY)
        for name, draw, wanted in plots
        if wanted
    ]


def kmer_distance(rows: MetricResults, path: Path) -> Path:
    """The distance from real DNA over k."""
    names = {k: named.spectrum(k) for k in named.KMER_LENGTHS}
    return spectra_distance({k: rows[name] for k, name in names.items() if name in rows}, path)


def gc_windows(rows: MetricResults, path: Path) -> Path:
    """The distribution of the GC content of windows, a line for each group."""
    groups = rows[named.WINDOW_SHARES].groups
    figure = new_figure()
    axes = figure.subplots()
    bins = len(next(iter(groups.values())).value)
    values = 100 * (np.arange(bins) * WINDOW_BIN + (WINDOW_BIN - 1) / 2) / named.WINDOWS[0]
    for name, each in groups.items():
        band(axes, values, each.value, each.standard_error, name, markers=False)
    seen = values[sum(each.value for each in groups.values()) > 0.05]
    axes.set_xlim(seen.min() - 2, seen.max() + 2)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(f"GC content of a {named.WINDOWS[0]}-bp window (%)")
    axes.set_ylabel("share of windows (%)")
    return save_with_legend(axes, path)


def gc_positions(rows: MetricResults, path: Path) -> Path:
    """The GC content over the position in a sequence, a line for each group."""
    row = rows[named.POSITION_SHARES]
    figure = new_figure()
    axes = figure.subplots()
    for name, each in row.groups.items():
        band(axes, row.metric.axis, each.value, each.standard_error, name, markers=False)
    axes.set_xlabel("position in the sequence (bp)")
    axes.set_ylabel("GC content (%)")
    return save_with_legend(axes, path)


def dinucleotides(rows: MetricResults, path: Path) -> Path:
    """Odds ratios of the ten dinucleotides of both strands, by group, as points with intervals."""
    figure = new_figure(7.2, 3.2)
    axes = figure.subplots()
    names = [_both_strands(DINUCLEOTIDES[number]) for number in DISTINCT]
    for level in (RARE, FREQUENT):
        axes.axhline(level, color=LEVEL, lw=1, ls=(0, (4, 3)), zorder=1)
    axes.axhline(1, color=LEVEL, lw=1, zorder=1)
    groups = rows[named.DINUCLEOTIDES].groups
    for place, (name, each) in enumerate(groups.items()):
        x = np.arange(len(names)) + 0.17 * (place - (len(groups) - 1) / 2)
        reach = INTERVAL_ERRORS * each.standard_error
        axes.errorbar(x, each.value, reach, ls="", lw=1.2, label=name, zorder=3, **mark(name))
    axes.set_xticks(range(len(names)), names)
    axes.grid(axis="x", visible=False)
    axes.set_ylabel("odds ratio ρ*")
    return save_with_legend(axes, path, len(groups))


def _both_strands(dinucleotide: str) -> str:
    other = dinucleotide.translate(str.maketrans(BASES, BASES[::-1]))[::-1]
    return dinucleotide if other == dinucleotide else f"{dinucleotide}/{other}"


def kmer_spectrum(rows: MetricResults, path: Path) -> Path:
    """Each 4-mer's share in the samples against its share in real DNA."""
    figure = new_figure(4.2, 3.8)
    axes = figure.subplots()
    groups = rows[named.spectrum(4)].groups
    x, y = 100 * groups[REAL].value, 100 * groups[SAMPLES].value
    low, high = min(x[x > 0].min(), y[y > 0].min()), max(x.max(), y.max())
    axes.plot([low, high], [low, high], color=WEAK, lw=1, zorder=1)
    x, y = np.maximum(x, low), np.maximum(y, low)
    axes.scatter(x, y, s=8, color=colour(SAMPLES), alpha=0.7, lw=0, zorder=2)
    ticks = [tick for tick in TICKS if low <= tick <= high]
    for axis, scale in ((axes.xaxis, axes.set_xscale), (axes.yaxis, axes.set_yscale)):
        scale("log")
        axis.set_ticks([], minor=True)
        axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xlabel("share of a 4-mer in held-out real DNA (%)")
    axes.set_ylabel("share in the samples (%)")
    return save_svg(figure, path)
