"""The pictures of `statistics.py`, each with a sentence on how to read it."""

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
        "How far from real DNA",
        f"In standard errors; up to {NOISE_ERRORS:g}, shaded, is noise. Groups further than "
        f"{MAX_DRAWN_ERRORS} stand at the right end.",
    ),
    "gc_windows": (
        "GC content of windows",
        f"Windows of {named.WINDOWS[0]} bp side by side, with 95% bands. Real DNA has richer and poorer "
        "stretches than any model with a short memory.",
    ),
    "gc_positions": (
        "GC content by position",
        "From the start of a sequence, with 95% bands. Real sequences are cut at any place, and have none: "
        "a slope at the left end shows samples that start from an untypical state.",
    ),
    "dinucleotides": (
        "Dinucleotides",
        "How much oftener than its letters explain a dinucleotide occurs, on both strands (Karlin and "
        f"Burge's ρ*), with 95% intervals; below {RARE} it is called rare, above {FREQUENT} frequent.",
    ),
    "kmer_distance": (
        "k-mers, distance from real DNA",
        "Jensen-Shannon distance from one half of the held-out real DNA, in shares of equally many bases, "
        "with 95% bands. Real against itself, a share of the other half, is as low as a group can come.",
    ),
    "kmer_spectrum": (
        "Every 4-mer",
        "One dot a 4-mer and its reverse complement; on the line it is as frequent in the samples as in real "
        "DNA.",
    ),
    "repeats": (
        "Runs, tandem repeats, low complexity",
        "Left: runs of one letter. Middle: exact tandem repeats with units of 2 to 6 bases, at least 3 "
        f"copies and {MIN_TRACT} bp. Right: shares of bases in runs of 6 and more, in such repeats, and "
        "of low complexity (symmetric DUST). Bands and intervals: 95%.",
    ),
    "orf_lengths": (
        "Open reading frames",
        "From ATG to stop, in all six frames, with 95% bands. Chance leaves many short ones; genes leave "
        "long ones.",
    ),
    "codon_usage": (
        "Codon usage",
        f"In ORFs of {MIN_ORF_BP} bp and more: each codon's use over the mean of those for the same "
        "amino acid (RSCU); 1 is no preference.",
    ),
    "mutual_information": (
        "Mutual information",
        "How much a base tells of the base so many positions on, chance taken off, with 95% bands, up to the "
        "distance that all groups have pairs enough for. Models with a short memory fall to 0; a shuffle "
        "does not, for it keeps what each sequence's own composition tells.",
    ),
}


def draw_all(rows: MetricResults, scored: Sequence[MetricResult], out_dir: Path) -> list[ReportSection]:
    """Every picture for which there is something to show, the overview first."""
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
