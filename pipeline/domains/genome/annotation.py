"""Features of GFF3, GTF or GFF2 as regions: rows of one feature are joined, in the direction of its strand.

Coding rows are joined by Parent, transcripts are spliced by their exons. What a file leaves open is counts.
Read next: `gff_rows.py`, `regions.py`.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.data.unique_names import UniqueNames
from pipeline.domains.genome.features import PSEUDO, about_feature, no_features, one_word
from pipeline.domains.genome.gff_rows import GffRow, GffTable, read_table, splicing_order
from pipeline.domains.genome.spans import Region, Span, in_reading_order
from pipeline.errors import DataError
from pipeline.records import Notice, Rejection

JOINED = frozenset({
    "CDS", "five_prime_UTR", "three_prime_UTR", "five_prime_utr", "three_prime_utr", "UTR", "5UTR", "3UTR",
    "match_part", "start_codon", "stop_codon",
})  # fmt: skip
"""Kinds whose rows are parts of one feature."""
UTRS = tuple(kind for kind in sorted(JOINED) if "UTR" in kind.upper())
PLACES = "have rows on several strands or at several places: each place is a feature of its own"
NO_GROUP = "name neither an ID, a Parent nor a transcript: each of these rows is a feature of its own"
OWN_IDS = "have rows with IDs of their own: the rows of one Parent are joined"
NO_EXONS = "have no exon rows: these features hold their introns, if they have any"
STOPS = "got the stop codon that GTF keeps apart in stop_codon rows"

RowGroup = tuple[str, list[GffRow]]
"""A name, and the rows that are joined."""


@dataclass
class _NoticeCounts:
    """Notices about a file: for each text how many features it concerns, and the first of them."""

    path: Path
    kind: str = ""
    numbers: Counter[tuple[str, str]] = field(default_factory=Counter)
    first: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, text: str, name: str) -> None:
        self.numbers[self.kind, text] += 1
        self.first.setdefault((self.kind, text), name)

    def notices(self) -> Iterator[Notice]:
        for (kind, text), count in self.numbers.items():
            such = f", such as {one_word(self.first[kind, text])}"
            yield Notice(str(self.path), f"{count:,} {kind}{such}, {text}")


def is_transcript(kind: str) -> bool:
    """Whether features of a kind have exons: mRNA, tRNA, transcript and the like."""
    return kind.lower().endswith(("rna", "transcript"))


def gff_features(
    path: Path, kinds: Sequence[str], pseudo: bool = False
) -> tuple[list[Region], list[Rejection | Notice]]:
    """The features of these kinds of a file, the rejections, and the notices about it.

    Pseudo genes are left out unless `pseudo`, or a kind names them. Raises DataError, with the line, for what
    is no row, and where none of the kinds is there.
    """
    wanted = set(kinds)
    if any(map(is_transcript, kinds)):
        wanted |= {"exon", "CDS", *UTRS}
    if "CDS" in kinds:
        wanted.add("stop_codon")
    table = read_table(path, wanted, {*JOINED, "exon"})
    if not any(table.rows[kind] for kind in kinds):
        raise DataError(no_features(path, kinds, table.there))
    counts, names = _NoticeCounts(path), UniqueNames()
    regions: list[Region] = []
    left_out: list[Rejection | Notice] = []
    for kind in kinds:
        counts.kind = kind
        for name, rows in _groups(table, kind, counts):
            region = _region(table, kind, name, rows, names)
            if pseudo or "pseudo" in kind.lower() or not any(map(table.is_pseudo, rows)):
                regions.append(region)
            else:
                left_out.append(Rejection(f"{path}:{rows[0].line}", PSEUDO, region.name, everywhere=True))
    return regions, [*left_out, *counts.notices()]


def _groups(table: GffTable, kind: str, counts: _NoticeCounts) -> Iterator[RowGroup]:
    """The rows of each feature of a kind, under its name."""
    if is_transcript(kind):
        yield from _spliced(table, kind, counts)
    elif kind in JOINED:
        for group in _by_parent(table.rows[kind], counts):
            for name, rows in _loci(group, table, counts):
                yield name, _with_stop(rows, table, counts, name) if kind == "CDS" else rows
    else:
        for group in _by_id(table.rows[kind]):
            yield from _loci(group, table, counts)


def _by_id(rows: Sequence[GffRow]) -> list[RowGroup]:
    """Rows with one ID are one feature; a row without is one by itself."""
    groups: dict[str, list[GffRow]] = defaultdict(list)
    for row in rows:
        groups[row.own or f"\n{row.line}"].append(row)
    return [(_name(found, found[0].own), found) for found in groups.values()]


def _name(rows: Sequence[GffRow], name: str) -> str:
    """A feature's name, or one made of what is known of it."""
    first = rows[0]
    return name or (first.parents[0] if first.parents else f"{first.kind}_{first.line}")


def _by_parent(rows: Sequence[GffRow], counts: _NoticeCounts) -> Iterator[RowGroup]:
    """Rows of one Parent are one feature, unless they have the IDs of several.

    A row with several Parents is a part of a feature of each; features of the same rows come once.
    """
    groups: dict[tuple[str, str], list[GffRow]] = defaultdict(list)
    for row in rows:
        for parent in row.parents or ("",):
            groups[parent, "" if row.parents else row.own or f"\n{row.line}"].append(row)
    seen: set[tuple[int, ...]] = set()
    for (parent, _), found in groups.items():
        ids = Counter(row.own for row in found)
        if len(ids) == 1 or not parent:
            split = [(_name(found, found[0].own or parent), found)]
        elif _chained(found, ids):
            counts.add(OWN_IDS, parent)
            split = [(parent, found)]
        else:
            split = _by_id(found)
        if not parent and not found[0].own:
            counts.add(NO_GROUP, split[0][0])
        for name, each in split:
            lines = tuple(row.line for row in each)
            if lines not in seen:
                seen.add(lines)
                yield name, each


def _chained(rows: Sequence[GffRow], ids: Counter[str]) -> bool:
    """Whether rows with an ID each are parts of one feature: apart from each other, and of fitting phases."""
    if max(ids.values()) > 1 or len({(row.sequence, row.span.strand) for row in rows}) > 1:
        return False
    rows = sorted(rows, key=lambda row: row.span.start, reverse=rows[0].span.strand == "-")
    for one, other in itertools.pairwise(rows):
        low, high = sorted((one.span, other.span))
        if low.stop > high.start:
            return False
        if one.phase in ("0", "1", "2") and other.phase in ("0", "1", "2"):
            left = (one.span.stop - one.span.start - int(one.phase)) % 3
            if (3 - left) % 3 != int(other.phase):
                return False
    return True


def _loci(group: RowGroup, table: GffTable, counts: _NoticeCounts) -> Iterator[RowGroup]:
    """A group, or its parts where one name stands for features on several strands, or at several places."""
    name, rows = group
    if len(rows) == 1:
        yield group
        return
    if splicing_order(rows) is not None and len({row.sequence for row in rows}) == 1:
        yield group
        return
    split: dict[tuple[str, str, int], list[GffRow]] = defaultdict(list)
    for row in rows:
        around = [table.places.get((row.sequence, parent), ()) for parent in row.parents]
        places = [at for spans in around for at, span in enumerate(spans) if _within(row.span, span)]
        split[row.sequence, row.span.strand, places[0] if places else 0].append(row)
    if len(split) > 1:
        counts.add(PLACES, name)
    yield from ((name, each) for each in split.values())


def _within(inner: Span, outer: Span) -> bool:
    return inner.strand == outer.strand and outer.start <= inner.start and inner.stop <= outer.stop


def _with_stop(rows: list[GffRow], table: GffTable, counts: _NoticeCounts, name: str) -> list[GffRow]:
    """Coding rows of GTF with the stop codon behind them, which GFF3 has in its last row."""
    first = rows[0]
    if not first.gtf:
        return rows
    low, high = min(row.span.start for row in rows), max(row.span.stop for row in rows)
    more = [
        row for row in table.stops.get((first.sequence, first.parents[0]), ())
        if row.span.strand == first.span.strand
        and (row.span.start >= high if first.span.strand == "+" else row.span.stop <= low)
    ]  # fmt: skip
    if more:
        counts.add(STOPS, name)
    return [*rows, *more]


def _spliced(table: GffTable, kind: str, counts: _NoticeCounts) -> Iterator[RowGroup]:
    """Each transcript as its exons or, without any, as its coding and untranslated rows."""
    parts = table.parts(("exon",)), table.parts(("CDS", *UTRS))
    for row in table.rows[kind]:
        name = _name([row], row.own)
        for of_kind in parts:
            own = of_kind.get((row.sequence, row.own), ()) if row.own else ()
            if inside := [part for part in own if _within(part.span, row.span)]:
                yield name, inside
                break
        else:
            counts.add(NO_EXONS, name)
            yield name, [row]


def _region(table: GffTable, kind: str, name: str, rows: list[GffRow], names: UniqueNames) -> Region:
    """The rows of a feature, joined."""
    ordered = splicing_order(rows)
    strand = rows[0].span.strand
    if ordered is None:
        ordered = sorted(rows, key=lambda row: row.span.start, reverse=strand == "-")
    spans = [row.span for row in ordered]
    if len({row.kind for row in rows}) > 1:
        spans = _merged(spans)
    first, length = ordered[0], table.circles.get(rows[0].sequence)
    if length is not None and max(span.stop for span in spans) <= length:
        length = None
    if length is not None:
        spans = [part for span in spans for part in _wrapped(span, length, f"{table.path}:{first.line}")]
    about = about_feature(kind, first.span.strand, first.phase, 0)
    where = f"{table.path}:{min(row.line for row in rows)}"
    own = names.unique(one_word(name))
    return Region(first.sequence, tuple(spans), where, own, about, length=length)


def _merged(spans: Sequence[Span]) -> list[Span]:
    """Spans of one strand without those that touch or overlap, in reading order."""
    merged: list[Span] = []
    for span in sorted(spans, key=lambda span: span.start):
        if merged and span.start <= merged[-1].stop:
            merged[-1] = merged[-1]._replace(stop=max(span.stop, merged[-1].stop))
        else:
            merged.append(span)
    return list(in_reading_order(merged))


def _wrapped(span: Span, length: int, where: str) -> list[Span]:
    """A span of a circular sequence, which goes on at its start, in the order in which it is read."""
    if span.stop - span.start > length:
        raise DataError(f"{where}: a feature is longer than its circular sequence of {length:,} bases")
    start, stop = span.start % length, (span.stop - 1) % length + 1
    if start < stop:
        return [span._replace(start=start, stop=stop)]
    parts = [span._replace(start=start, stop=length), span._replace(start=0, stop=stop)]
    return parts if span.strand == "+" else parts[::-1]
