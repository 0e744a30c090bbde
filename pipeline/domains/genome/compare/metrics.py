"""The metrics of the comparison table, in its order; the modules of this package define them."""

from collections.abc import Mapping, Sequence
from functools import cache, partial

import numpy as np

from pipeline.domains.genome.compare import (
    composition,
    low_complexity,
    mutual_information,
    reading_frames,
    repeats,
    spectra,
)
from pipeline.evaluation.metric_comparison.divergence import jensen_shannon, proportions
from pipeline.evaluation.metric_comparison.metric import CountFunction, Metric
from pipeline.evaluation.metric_comparison.sequence_set import SequenceSet

GC = "GC content (%)"
CPG = "CpG observed/expected"
DINUCLEOTIDES = "dinucleotide odds ratios, distance δ* × 1000"
CODONS = "codon usage in ORFs, JS distance"
KMER_LENGTHS = range(1, 9)
WINDOWS = (100, 500)
"""Bases of the windows whose GC content is compared."""

FIRST_BP = (50, 100)
"""Bases from the start of a sequence whose GC content is compared with that of the others."""
POSITIONS = 20
"""Points of the plot of GC content by position."""
POSITION_SHARES = "GC content by position (%)"
WINDOW_SHARES = "share of windows by their GC content (%)"
RUN_LENGTHS = "runs of one letter by their length"
TRACT_LENGTHS = "tandem repeats by their length"
ORF_LENGTHS = "ORFs by their length"
SYNONYMS = "relative synonymous codon usage"
INFORMATION = "mutual information by distance"
LONG_RUNS = f"bases in runs of {repeats.LONG_RUN} or more of one letter (%)"
TANDEM = "bases in tandem repeats, units of 2–6 (%)"
DUST = "bases of low complexity, DUST (%)"

_windows = {window: partial(composition.window_tally, window=window) for window in WINDOWS}


def gc_spread(window: int) -> str:
    """The name of the metric of windows of so many bases."""
    return f"GC spread between {window}-bp windows (standard deviation, %)"


def start_name(first: int) -> str:
    """The name of the metric of the first so many bases."""
    return f"GC content of the first {first} bp less that of the rest (%)"


def spectrum(k: int) -> str:
    """The name of the metric of k-mers."""
    return f"JS distance of {k}-mers"


def shared_information(band: tuple[int, int]) -> str:
    """The name of the metric of mutual information over a band of distances."""
    return f"mutual information at {band[0]}–{band[1]} bp (10⁻³ bits)"


def metrics(sequence_sets: Mapping[str, SequenceSet]) -> list[Metric]:
    """All metrics for which the sequences of every group are long enough."""
    shortest = min(int(sequence_set.lengths.max()) for sequence_set in sequence_sets.values())
    return [
        Metric(GC, composition.base_tally, composition.gc_content, kept_by_shuffling=True),
        *(
            Metric(gc_spread(window), count, composition.window_spread)
            for window, count in _windows.items()
            if window <= shortest
        ),
        *(
            Metric(
                start_name(first), partial(composition.start_tally, first=first),
                composition.start_difference, constant_in_references=True, signed=True,
            )
            for first in FIRST_BP
            if 2 * first <= shortest
        ),
        Metric(CPG, spectra.pair_tally, composition.cpg, kept_by_shuffling=True),
        Metric(
            DINUCLEOTIDES, spectra.pair_tally, composition.odds_ratios, composition.karlin_distance,
            kept_by_shuffling=True,
        ),
        *_spectra(),
        *_repeats(),
        *_frames(),
        *_mutual_information(sequence_sets),
    ]  # fmt: skip


def plotted_metrics(sequence_sets: Mapping[str, SequenceSet]) -> list[Metric]:
    """Metrics that are only plotted: curves and tables with a standard error for each point."""
    longest = mutual_information.usable_distance(list(sequence_sets.values()))
    frames = reading_frames.frame_tally
    plotted = partial(Metric, plot_only=True)
    found = [
        plotted(WINDOW_SHARES, _windows[WINDOWS[0]], composition.window_shares),
        plotted(RUN_LENGTHS, repeats.run_tally, repeats.runs_per_kb),
        plotted(TRACT_LENGTHS, repeats.tract_tally, repeats.longer_tracts_per_kb),
        plotted(ORF_LENGTHS, frames, reading_frames.longer_than),
        plotted(SYNONYMS, frames, _usage),
        *_positions(sequence_sets),
    ]
    if longest:
        curve = partial(_curve, bands=mutual_information.curve_bands(longest))
        middles = tuple((low * high) ** 0.5 for low, high in curve.keywords["bands"])
        found.append(plotted(INFORMATION, _count_apart(longest), curve, size_dependent=True, axis=middles))
    return found


def _positions(sequence_sets: Mapping[str, SequenceSet]) -> list[Metric]:
    """GC content by position, as far as half of the sequences of every group reach."""
    reach = min(
        int(np.median(sequence_set.offsets + sequence_set.lengths)) for sequence_set in sequence_sets.values()
    )
    width = max(10, reach // POSITIONS)
    bins = reach // width
    if bins < 2:
        return []
    middles = tuple(width * (place + 0.5) for place in range(bins))
    tally = partial(composition.position_tally, width=width, bins=bins)
    return [Metric(POSITION_SHARES, tally, composition.position_content, axis=middles, plot_only=True)]


def _spectra() -> list[Metric]:
    return [
        Metric(
            spectrum(k),
            partial(spectra.spectrum_tally, k=k),
            proportions,
            jensen_shannon,
            k <= 2,
            family="k-mers",
        )
        for k in KMER_LENGTHS
    ]


def _repeats() -> list[Metric]:
    return [
        Metric(LONG_RUNS, repeats.run_tally, repeats.long_run_share),
        Metric(TANDEM, repeats.tract_tally, repeats.tandem_share),
        Metric(DUST, low_complexity.dust_tally, low_complexity.dust_share),
    ]


def _frames() -> list[Metric]:
    tally, shortest = reading_frames.frame_tally, reading_frames.MIN_ORF_BP
    return [
        Metric(f"ORFs of {shortest} bp or more, per kb", tally, reading_frames.orfs_per_kb),
        Metric(f"mean length of ORFs of {shortest} bp or more (bp)", tally, reading_frames.mean_orf_length),
        Metric(CODONS, tally, reading_frames.codon_counts, jensen_shannon),
    ]


def _mutual_information(sequence_sets: Mapping[str, SequenceSet]) -> list[Metric]:
    longest = mutual_information.usable_distance(list(sequence_sets.values()))
    return [
        Metric(
            shared_information(band),
            _count_apart(longest),
            partial(_band_value, band=band),
            size_dependent=True,
        )
        for band in measured_bands(longest)
    ]


@cache
def _count_apart(longest: int) -> CountFunction:
    return partial(mutual_information.pair_tally, longest=longest)


def measured_bands(longest: int) -> list[tuple[int, int]]:
    """The bands of distances of which at least half is measured, by ratios; the last ends where that does."""
    cut = [(low, high, min(high, longest)) for low, high in mutual_information.BANDS]
    return [(low, stop) for low, high, stop in cut if stop**2 >= low * high]


def _usage(frames: np.ndarray) -> np.ndarray:
    return reading_frames.synonymous_usage(reading_frames.codon_counts(frames))


def _band_value(counts: np.ndarray, band: tuple[int, int]) -> np.ndarray:
    return mutual_information.band_mean(mutual_information.mutual_information(counts), band)


def _curve(counts: np.ndarray, bands: Sequence[tuple[int, int]]) -> np.ndarray:
    bits = mutual_information.mutual_information(counts)
    return np.stack([mutual_information.band_mean(bits, band) for band in bands], axis=-1)
