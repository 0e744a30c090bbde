"""Originality of the samples: the longest exact match of each with the training data, on both strands, and
the share of its k-mers in the training data, compared with held-out real, Markov and shuffled sequences.

A genome has repeats, so that held-out sequences match the training data too: only longer or more frequent
matches of the samples are copying. Read next: `pipeline/evaluation/exact_matches.py`, which finds the
matches.
"""

import csv
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.domains.genome.blast.query_results import SubjectSequence
from pipeline.domains.genome.compare.originality_conclusions import (
    CopyStatistics,
    describe_copies,
    warn_of_copies,
)
from pipeline.domains.genome.compare.originality_plot import draw_matches
from pipeline.domains.genome.encoding import encode
from pipeline.evaluation.exact_matches import Matches, find_matches
from pipeline.evaluation.metric_comparison.groups import SAMPLES
from pipeline.records import QUALITY, DomainOutput, Record, References, Rejection, ReportSection
from pipeline.runtime.progress import bar

SIZES = (12, 16, 24, 32)
"""Values of k for the shares of k-mers."""
COMPLEMENT = np.array([3, 2, 1, 0], np.uint8)
COLUMNS = (
    "group", "sequence", "length", "longest_match_bp", "start", "end", "source", "source_start", "source_end",
    "strand", *(f"share_of_{k}_mers" for k in SIZES), "copied",
)  # fmt: skip
PLOT_CAPTION = "Further right: longer matches with the training data."
CAPTION = (
    "The longest exact match of each sequence with the training data, on either strand, longest first: start "
    "and end in the sequence, and in the source on its strand +, from 1, both included. share_of_k_mers: the "
    "share of the sequence's k-mers that occur in the training data, from 0 to 1."
)


@dataclass(frozen=True)
class MatchedGroup:
    """The sequences of one group with their matches, in the same order."""

    name: str
    records: Sequence[Record]
    matches: Matches

    def shares(self) -> np.ndarray:
        """The share of the k-mers of each sequence that occur in the training data, ``(sequences, sizes)``;
        NaN where a sequence is shorter than k."""
        sizes = np.array([len(record.symbols) for record in self.records])
        words = sizes[:, None] + 1 - np.array(SIZES)
        return np.where(words > 0, self.matches.shared / np.maximum(words, 1), np.nan)


class _TrainingSequences:
    """The training records as codes, read at each call, and the place of each in its source."""

    def __init__(self, records: Callable[[], Iterator[Record]]) -> None:
        self.records = records
        self.places: list[SubjectSequence] = []

    def __call__(self) -> Iterator[np.ndarray]:
        with bar("Looking for copies", unit="base") as progress:
            for number, record in enumerate(self.records()):
                if number == len(self.places):
                    self.places.append(SubjectSequence.of(record))
                yield encode(str(record.symbols))
                progress.update(len(record.symbols))

    def place(self, matches: Matches, number: int) -> tuple[str, int, int, str]:
        """Source, first and last base from 1, and strand of one match."""
        interval = self.places[matches.text[number]]
        first = interval.start + int(matches.text_start[number])
        last = first + int(matches.length[number]) - 1
        return interval.source, first, last, "-" if matches.reverse[number] else "+"


def audit_copies(
    records: Sequence[Record], references: References, max_copy_bp: int | None, out_dir: Path
) -> tuple[list[Record], DomainOutput]:
    """Find the samples' longest matches with the training records; write `originality.tsv`,
    `originality_summary.tsv` and a plot into `out_dir`.

    Samples with a longer match than `max_copy_bp` are dropped and become rejections. With None no sample is
    dropped: those with a longer match than usual in held-out real sequences get the metadata `copied`, the
    place of the match.
    """
    training = _TrainingSequences(references.training)
    groups = _with_matches({SAMPLES: records, **references.groups}, training)
    copies = CopyStatistics({group.name: group.matches.length for group in groups}, max_copy_bp)
    files = (
        _write_summary(groups, copies, out_dir / "originality_summary.tsv"),
        _write_rows(groups, copies, training, out_dir / "originality.tsv"),
        draw_matches(copies.lengths, copies.limit, out_dir / "originality.svg"),
    )
    kept, rejections = _split_copies(groups[0], copies, training)
    table, rows, plot = files
    lines = tuple(describe_copies(copies, _longest(groups[0], training)))
    warnings = tuple(warn_of_copies(copies))
    return kept, DomainOutput(
        sections=(
            ReportSection("Copies of the training data", (table,), copies.why, part=QUALITY),
            ReportSection("Longest exact matches", (plot,), PLOT_CAPTION, part=QUALITY),
            ReportSection("Longest exact match of every sequence", (rows,), CAPTION),
        ),
        summary=(*warnings, *lines),
        conclusions=lines[2:] if warnings else lines[1:] or lines,
        warnings=warnings,
        figures=_figures(copies),
        files=files,
        rejections=rejections,
    )


def _with_matches(groups: Mapping[str, Sequence[Record]], training: _TrainingSequences) -> list[MatchedGroup]:
    """Match all groups that have sequences, in one pass over the training data."""
    found = {name: list(group) for name, group in groups.items() if len(group)}
    queries = (encode(str(record.symbols)) for record in itertools.chain(*found.values()))
    batches = list(find_matches(queries, training, len(COMPLEMENT), SIZES, COMPLEMENT))
    whole = Matches(*(np.concatenate(column) for column in zip(*batches, strict=True)))
    stops = np.cumsum([len(group) for group in found.values()])
    parts = zip(*(np.split(column, stops[:-1]) for column in whole), strict=True)
    return [
        MatchedGroup(name, group, Matches(*part))
        for (name, group), part in zip(found.items(), parts, strict=True)
    ]


def _split_copies(
    samples: MatchedGroup, copies: CopyStatistics, training: _TrainingSequences
) -> tuple[list[Record], tuple[Rejection, ...]]:
    """Return the samples that are kept, and the rejections of the others."""
    kept, dropped = [], []
    for number, record in enumerate(samples.records):
        if samples.matches.length[number] <= copies.limit:
            kept.append(record)
            continue
        place = _format_place(*training.place(samples.matches, number))
        if copies.drops:
            dropped.append(Rejection(record.id, "copied", f"{samples.matches.length[number]} bp of {place}"))
        else:
            kept.append(replace(record, metadata={**record.metadata, "copied": place}))
    return kept, tuple(dropped)


def _format_place(source: str, first: int, last: int, strand: str) -> str:
    return f"{source}:{first}-{last}({strand})"


def _longest(samples: MatchedGroup, training: _TrainingSequences) -> str:
    """Describe the longest match of all samples."""
    number = int(samples.matches.length.argmax())
    if not samples.matches.length[number]:
        return "none"
    place = _format_place(*training.place(samples.matches, number))
    return f"{samples.matches.length[number]} bp, {samples.records[number].id} at {place}"


def _write_rows(
    groups: Sequence[MatchedGroup], copies: CopyStatistics, training: _TrainingSequences, path: Path
) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, delimiter="\t", lineterminator="\n")
        table.writerow(COLUMNS)
        for group in groups:
            shares = group.shares()
            for number in np.argsort(-group.matches.length, kind="stable"):
                record, length = group.records[number], int(group.matches.length[number])
                first = int(group.matches.start[number]) + 1
                place = (first, first + length - 1, *training.place(group.matches, number)) if length else ()
                found = [*place, *[""] * (6 - len(place))]
                cells = ["" if np.isnan(share) else f"{share:.4f}" for share in shares[number]]
                copied = "yes" if length > copies.limit else "no"
                table.writerow((group.name, record.id, len(record.symbols), length, *found, *cells, copied))
    return path


def _write_summary(groups: Sequence[MatchedGroup], copies: CopyStatistics, path: Path) -> Path:
    """A row for each group: its longest matches, how many are above the limit, mean shares of k-mers."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, delimiter="\t", lineterminator="\n")
        shares = (f"mean_share_of_{k}_mers" for k in SIZES)
        names = ("group", "sequences", "median_longest_match_bp", "95_percent_up_to_bp", "longest_match_bp")
        table.writerow((*names, f"matches_above_{copies.limit}_bp", *shares))
        for group in groups:
            lengths = group.matches.length
            usual = [f"{np.quantile(lengths, q, method='inverted_cdf'):g}" for q in (0.5, 0.95, 1.0)]
            known = np.ma.masked_invalid(group.shares()).mean(axis=0).filled(np.nan)
            cells = ["" if np.isnan(share) else f"{share:.4g}" for share in known]
            table.writerow((group.name, len(lengths), *usual, copies.above(group.name), *cells))
    return path


def _figures(copies: CopyStatistics) -> dict[str, float | str | None]:
    figures: dict[str, float | str | None] = {"samples copied": copies.above(SAMPLES)}
    for name, lengths in copies.lengths.items():
        figures[f"median longest exact match (bp), {name}"] = float(np.median(lengths))
    figures["longest exact match (bp), samples"] = int(copies.lengths[SAMPLES].max())
    return figures
