"""Compare sampled genes with real ones: starts, stops, frame, lengths and codons of whole coding sequences.

All metrics are of frame 0, from the first base of a record to its last. Read next: `reading_frames.py`, which
finds reading frames anywhere; `pipeline/evaluation/metric_comparison` (the comparison of groups).
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from pipeline.domains.genome.encoding import encode, words
from pipeline.domains.genome.orfs import STANDARD_CODE, codon_set, stop_codons
from pipeline.evaluation.metric_comparison.comparison import MIN_SYMBOLS, compare_metrics
from pipeline.evaluation.metric_comparison.conclusions import ComparisonTerms
from pipeline.evaluation.metric_comparison.divergence import jensen_shannon, proportions
from pipeline.evaluation.metric_comparison.groups import REAL, SAMPLES
from pipeline.evaluation.metric_comparison.metric import Metric
from pipeline.evaluation.metric_comparison.sequence_set import SequenceSet
from pipeline.evaluation.metric_comparison.table import collect_figures, format_caption, write_table
from pipeline.records import QUALITY, DomainOutput, ReportSection

STARTS = ("ATG", "GTG", "TTG")
"""Start codons of bacteria; other genes begin with the first of them."""
GENES, BASES, START, STOP, OPEN, COMPLETE = range(6)
"""Columns of `gene_tally`."""
NAMES = {
    START: "begin with ATG, GTG or TTG (%)",
    STOP: "end with a stop codon in frame 0 (%)",
    OPEN: "open in frame 0: no stop codon before the last codon (%)",
    COMPLETE: "begin with a start, open in frame 0, end with a stop (%)",
}
LENGTH_EDGES = np.geomspace(30, 30_000, 25)
"""Bounds of the classes of lengths in bases, eight for a factor of ten."""
MIN_SEQUENCES = 4
"""Smaller groups are not compared, since they cannot be halved."""
CODING_SHARE = 0.5
"""Real sequences count as coding where at least this share ends with a stop codon in frame 0."""
TERMS = ComparisonTerms("bases", "genes", "real genes", ())


def gene_tally(sequence_set: SequenceSet, table: int = STANDARD_CODE) -> np.ndarray:
    """Count by unit ``(units, 6)``: sequences, their bases, and those with each property of `NAMES`.

    A sequence ends with a stop codon in frame 0 where its length is a multiple of three, too. `table` is the
    number of a genetic code at NCBI.
    """
    starts, stops = codon_set(STARTS), stop_codons(table)
    tally = np.zeros((sequence_set.units, 6))
    for unit, codes in sequence_set.sequences():
        codons = _codons(codes)
        if not len(codons):
            tally[unit, [GENES, BASES]] += 1, len(codes)
            continue
        start, stop = starts[codons[0]], len(codes) % 3 == 0 and stops[codons[-1]]
        is_open = not stops[codons[:-1]].any()
        tally[unit] += 1, len(codes), start, stop, is_open, start and stop and is_open
    return tally


def length_tally(sequence_set: SequenceSet) -> np.ndarray:
    """Count the sequences of each unit in each class of lengths, ``(units, classes)``."""
    classes = np.searchsorted(LENGTH_EDGES, sequence_set.lengths, side="right")
    return sequence_set.tally(sequence_set.starts, classes, len(LENGTH_EDGES) + 1)


def codon_tally(sequence_set: SequenceSet) -> np.ndarray:
    """Counts of the 64 codons of frame 0, without the last one, ``(units, 64)``."""
    tally = np.zeros((sequence_set.units, 65))
    for unit, codes in sequence_set.sequences():
        tally[unit] += np.bincount(_codons(codes)[:-1], minlength=65)
    return tally[:, :64]


def third_gc(codons: np.ndarray) -> np.ndarray:
    """The share of G and C at third codon positions, in percent, from counts ``(..., 64)``."""
    last = np.arange(64) % 4
    strong = codons[..., (last == 1) | (last == 2)].sum(axis=-1)
    return 100 * strong / np.maximum(codons.sum(axis=-1), 1e-9)


def metrics(table: int = STANDARD_CODE) -> list[Metric]:
    """All metrics of whole coding sequences. A shuffle keeps the length and both end bases."""
    tally = partial(gene_tally, table=table)
    return [
        *(Metric(name, tally, partial(_share, column=column)) for column, name in NAMES.items()),
        Metric("mean length of a gene (bp)", tally, _mean_length, kept_by_shuffling=True),
        Metric(
            "gene lengths, JS distance", length_tally, proportions, jensen_shannon, kept_by_shuffling=True
        ),
        Metric("codon usage in frame 0, JS distance", codon_tally, proportions, jensen_shannon),
        Metric("GC at third codon positions (%)", codon_tally, third_gc),
    ]


def are_coding(sequences: Sequence[str], table: int = STANDARD_CODE) -> bool:
    """Whether sequences look like whole coding sequences."""
    if not sequences:
        return False
    total = gene_tally(SequenceSet.encode(sequences, encode), table).sum(axis=0)
    return bool(total[STOP] >= CODING_SHARE * total[GENES])


def compare_genes(
    groups: Mapping[str, Sequence[str]], out_dir: Path, table: int = STANDARD_CODE
) -> DomainOutput:
    """Write `genes.tsv` and a plot of lengths; groups map a name to sequences from start to stop."""
    groups = {name: [text for text in group if text] for name, group in groups.items() if any(group)}
    sequence_sets = {
        name: SequenceSet.encode(group, encode) for name, group in groups.items() if _is_enough(group)
    }
    rows = compare_metrics(sequence_sets, metrics(table), np.random.default_rng(0)) if sequence_sets else []
    written = write_table(groups, rows, out_dir / "genes.tsv", TERMS)
    # matplotlib takes a second to load, and only plots need it.
    from pipeline.evaluation.plots import spread

    lengths = {name: [len(text) for text in group] for name, group in groups.items()}
    plot = spread(lengths, "length, bases", out_dir / "gene_lengths.svg")
    totals = {
        name: gene_tally(SequenceSet.encode(group, encode), table).sum(axis=0).astype(int)
        for name, group in groups.items()
    }
    lines, warnings = tuple(_counts(totals)), tuple(_warn_of_few(totals))
    return DomainOutput(
        sections=(
            ReportSection(
                "Genes compared with held-out real genes", (written,), format_caption(TERMS), part=QUALITY
            ),
            ReportSection(
                "Lengths of genes",
                (plot,),
                "Bars: the middle half of the genes; lines: medians.",
                part=QUALITY,
            ),
        ),
        summary=(*warnings, *lines),
        conclusions=lines[:1],
        warnings=warnings,
        figures=collect_figures(rows),
        files=(written, plot),
    )


def _warn_of_few(totals: Mapping[str, np.ndarray]) -> list[str]:
    """A warning with a remedy where the share of whole genes is less than half that of real sequences."""
    if not {SAMPLES, REAL} <= set(totals) or totals[REAL][GENES] < MIN_SEQUENCES:
        return []
    (count, complete), (real_count, real) = (totals[name][[GENES, COMPLETE]] for name in (SAMPLES, REAL))
    if 2 * complete * real_count >= real * count:
        return []
    return [
        f"only {complete} of {count} samples are whole genes, of held-out real ones {real} of {real_count}. "
        "Remedy: train longer; the reading frame is learned late"
    ]


def _counts(totals: Mapping[str, np.ndarray]) -> list[str]:
    """Summarize how many sequences of each group are whole genes, and which properties the samples have."""
    whole = ", ".join(f"{each[COMPLETE]} of {each[GENES]} {name}" for name, each in totals.items())
    lines = [f"whole genes, with a start codon, a stop codon and none between in frame 0: {whole}"]
    if SAMPLES in totals:
        count, _, start, stop, is_open, _ = totals[SAMPLES]
        lines.append(
            f"of {count} {SAMPLES} {start} begin with ATG, GTG or TTG, {is_open} are open in frame 0, {stop} "
            "end with a stop codon in frame 0"
        )
    return lines


def _is_enough(group: Sequence[str]) -> bool:
    return len(group) >= MIN_SEQUENCES and sum(map(len, group)) >= 2 * MIN_SYMBOLS


def _codons(codes: np.ndarray) -> np.ndarray:
    """The numbers of the codons of frame 0; 64 where one has a letter that is no base."""
    return np.minimum(words(codes, 3)[::3], 64)


def _share(counts: np.ndarray, column: int) -> np.ndarray:
    return 100 * counts[..., column] / np.maximum(counts[..., GENES], 1e-9)


def _mean_length(counts: np.ndarray) -> np.ndarray:
    return counts[..., BASES] / np.maximum(counts[..., GENES], 1e-9)
