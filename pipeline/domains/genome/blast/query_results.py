"""Summarize the rows of a search by query: the best hit, its coverage, and its place on a chromosome."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from pipeline.domains.genome.blast.hits import COLUMNS, Hit
from pipeline.errors import ToolError
from pipeline.records import Record

SAMPLES = "samples"
_PLACE = re.compile(r"(.+):([1-9]\d*)-([1-9]\d*)")
Query = tuple[str, Record]
"""A group and one of its sequences."""


@dataclass(frozen=True, slots=True)
class SubjectSequence:
    """A sequence of the database: its name, and the position of its first symbol in its source, from 1."""

    name: str
    source: str
    start: int = 1

    @classmethod
    def of(cls, record: Record) -> "SubjectSequence":
        """Locate a training record, which is all or part of a chromosome. Where the name of the source is
        itself an interval, as ``chr4:1001-2000``, positions are those of the chromosome."""
        metadata = record.metadata
        source, start = metadata.get("source", record.id), int(metadata.get("start", 1))
        place = _PLACE.fullmatch(source)
        if place:
            return cls(record.id, place[1], int(place[2]) + start - 1)
        return cls(record.id, source, start)


@dataclass(frozen=True, slots=True)
class LocatedHit:
    """A hit under the names that the user knows. `coverage` is the percentage of the query in any alignment
    with the same subject; `start` and `end` are the hit's first and last letter in the source."""

    hit: Hit
    coverage: float
    source: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class QueryResult:
    """One query: its group, name and length, its best hit if there is one, and how many hits there are."""

    group: str
    name: str
    length: int
    best: LocatedHit | None
    hits: int


def write_numbered_fasta(records: Iterable[Record], path: Path, mark: str) -> Path:
    """Write the sequences under numbers, since BLAST misreads some names."""
    with path.open("w", encoding="ascii") as stream:
        for number, record in enumerate(records):
            stream.write(f">{mark}{number}\n{record.symbols}\n")
    return path


def collect_results(
    hits: Iterable[Hit], queries: Sequence[Query], subjects: Sequence[SubjectSequence] | None = None
) -> tuple[list[LocatedHit], list[QueryResult]]:
    """The samples' hits, and the best hit of every query. Sequences are called q0, q1 ... in the order of
    `queries`, and t0, t1 ... in that of `subjects`; where these are None, subjects keep their names.

    Raises ToolError where a hit names a sequence that BLAST was not given.
    """
    best: dict[int, LocatedHit] = {}
    counts: dict[int, int] = {}
    kept = []
    for number, found in _locate_hits(hits, queries, subjects):
        counts[number] = counts.get(number, 0) + 1
        if number not in best or float(found.hit.evalue) < float(best[number].hit.evalue):
            best[number] = found
        if queries[number][0] == SAMPLES:
            kept.append(_without_text(found))
    searched = [
        QueryResult(group, record.id, len(record.symbols), best.get(number), counts.get(number, 0))
        for number, (group, record) in enumerate(queries)
    ]
    return kept, searched


def _locate_hits(
    hits: Iterable[Hit], queries: Sequence[Query], subjects: Sequence[SubjectSequence] | None
) -> Iterator[tuple[int, LocatedHit]]:
    """Yield each hit with its query's number. BLAST lists the alignments of two sequences one after
    another."""
    for (query, subject), group in groupby(hits, key=lambda hit: (hit.query, hit.subject)):
        alignments = list(group)
        try:
            number = int(query.removeprefix("q"))
            record = queries[number][1]
            place = SubjectSequence(subject, subject)
            if subjects is not None:
                place = subjects[int(subject.removeprefix("t"))]
            longest = max(hit.query_end for hit in alignments)
            if number < 0 or longest > len(record.symbols):
                raise ValueError
        except (ValueError, IndexError):
            raise ToolError(
                f"BLAST names the sequences {query[:80]!r} and {subject[:80]!r}, which it was not given; "
                "set another blast.program"
            ) from None
        coverage = 100 * count_covered(alignments) / len(record.symbols)
        for hit in alignments:
            ends = sorted((hit.subject_start, hit.subject_end))
            named = replace(hit, query=record.id, subject=place.name)
            yield number, LocatedHit(named, coverage, place.source, *(place.start + end - 1 for end in ends))


def count_covered(alignments: Iterable[Hit]) -> int:
    """Count the letters of the query in at least one of the alignments."""
    total, reached = 0, 0
    for start, end in sorted((hit.query_start, hit.query_end) for hit in alignments):
        total += max(end - max(start - 1, reached), 0)
        reached = max(reached, end)
    return total


def _without_text(found: LocatedHit) -> LocatedHit:
    return replace(found, hit=replace(found.hit, query_text="", subject_text=""))


def write_hits(found: Iterable[LocatedHit], path: Path, stranded: bool) -> Path:
    """A table with a line of column names: the twelve of BLAST's outfmt 6, the strand of the subject where
    there are two, the query's coverage by all alignments with that subject, and the place in the source."""
    extra = (*(("sstrand",) if stranded else ()), "qcovs", "source", "source_start", "source_end")
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, delimiter="\t", lineterminator="\n")
        table.writerow((*COLUMNS, *extra))
        for one in found:
            strand = (one.hit.strand,) if stranded else ()
            table.writerow((*one.hit.cells, *strand, f"{one.coverage:.1f}", one.source, one.start, one.end))
    return path
