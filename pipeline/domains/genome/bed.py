"""BED files: regions, or the features that the blocks of BED12 spell out.

Source: https://samtools.github.io/hts-specs/BEDv1.pdf. Read next: `spans.py`.
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.data.unique_names import UniqueNames
from pipeline.domains.genome.files import COMPRESSIONS, printable, read_lines
from pipeline.domains.genome.spans import Region, Span, in_reading_order, position
from pipeline.errors import DataError
from pipeline.records import Notice

_NAMES = (".bed", *(f".bed.{suffix}" for suffix in (*COMPRESSIONS.values(), "bgz")))
TRANSCRIPTS = ("mRNA", "transcript")
KINDS = (*TRANSCRIPTS, "CDS", "exon")
"""The features that a line with blocks has: all blocks joined, their coding part joined, or each block."""


class BedLine(NamedTuple):
    """A line of BED: its span, and of BED12 its blocks and their coding part, all from 0, half-open."""

    number: int
    sequence: str
    span: Span
    name: str
    thick: tuple[int, int]
    blocks: tuple[tuple[int, int], ...]


def is_bed(text: object) -> bool:
    """Whether a region of the user's is the name of a BED file."""
    return str(text).strip().lower().endswith(_NAMES)


def read_bed(path: Path) -> list[Region]:
    """The regions of a BED file: name, start and end (half-open from 0), and in its sixth column a strand.

    Raises DataError, with the line, for what is not BED.
    """
    found = [Region(each.sequence, (each.span,), f"{path}:{each.number}") for each in _lines(path)]
    return list(dict.fromkeys(found))


def block_notice(path: Path) -> Notice | None:
    """Return a notice where lines of a BED file have blocks, which regions ignore; else None."""
    count = sum(len(line.blocks) > 1 for line in _lines(path))
    if not count:
        return None
    return Notice(
        str(path),
        f"{count:,} lines have blocks (BED12), and their whole spans are learned; to splice the blocks give "
        "the file as domain.annotation, with domain.features=transcript, CDS or exon",
    )


def bed_features(path: Path, kinds: Sequence[str]) -> list[Region]:
    """The features of BED12 lines, spliced in the direction of their strand.

    Raises DataError where a kind is none of `KINDS`, and for what is not BED.
    """
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise DataError(
            f"{path}: BED has no feature {' or '.join(unknown)}; its lines give {', '.join(KINDS)} "
            "(domain.features)"
        )
    names, found = UniqueNames(), []
    for line in _lines(path):
        for kind in kinds:
            for spans in _spans(line, kind):
                name = names.unique("_".join(printable(line.name).split()) or f"{line.sequence}_{kind}")
                about = (("feature", kind), ("strand", line.span.strand))
                found.append(Region(line.sequence, spans, f"{path}:{line.number}", name, about))
    if not found:
        raise DataError(f"{path}: no feature {' or '.join(kinds)} is in this BED file")
    return found


def _spans(line: BedLine, kind: str) -> list[tuple[Span, ...]]:
    strand = line.span.strand
    blocks = [Span(start, stop, strand) for start, stop in line.blocks]
    if kind == "exon":
        return [(block,) for block in blocks]
    if kind == "CDS":
        low, high = line.thick
        cut = ((max(block.start, low), min(block.stop, high)) for block in blocks)
        blocks = [Span(start, stop, strand) for start, stop in cut if start < stop]
    return [in_reading_order(blocks)] if blocks else []


def _lines(path: Path) -> Iterator[BedLine]:
    empty = True
    for number, text in enumerate(read_lines(path), start=1):
        columns = text.split("\t" if "\t" in text else None)
        if not text.strip() or _is_header(columns):
            continue
        empty = False
        yield _line(columns, f"{path}:{number}", number)
    if empty:
        raise DataError(f"{path}: no region is in this BED file")


def _is_header(columns: Sequence[str]) -> bool:
    """Comments, and lines of a track's settings; a sequence may well be called track or browser."""
    if columns[0].startswith("#"):
        return True
    numbers = len(columns) > 2 and min(map(position, columns[1:3])) >= 0
    return columns[0].partition(" ")[0] in ("track", "browser") and not numbers


def _line(columns: Sequence[str], where: str, number: int) -> BedLine:
    start, stop = map(position, columns[1:3]) if len(columns) > 2 else (-1, -1)
    if not 0 <= start < stop:
        raise DataError(
            f"{where}: a line of BED has a name, a start (from 0) and an end above it, parted by "
            "tabs; correct the file"
        )
    strand = columns[5].strip() if len(columns) > 5 else "."
    misplaced = [n for n, text in enumerate(columns[3:5], start=4) if text.strip() in ("+", "-")]
    if strand not in ("+", "-", "."):
        raise DataError(f"{where}: column 6 of BED is a strand (+, - or .), found {strand[:40]!r}")
    if misplaced and strand == ".":
        raise DataError(
            f"{where}: column {misplaced[0]} holds {columns[misplaced[0] - 1].strip()!r}, a strand; in BED "
            "column 4 is a name, column 5 a score and column 6 the strand: put in the missing columns"
        )
    name = columns[3] if len(columns) > 3 else ""
    span = Span(start, stop, "-" if strand == "-" else "+")
    blocks, thick = _blocks(columns, where, start, stop)
    return BedLine(number, columns[0], span, name, thick, blocks)


def _blocks(
    columns: Sequence[str], where: str, start: int, stop: int
) -> tuple[tuple[tuple[int, int], ...], tuple[int, int]]:
    """The blocks and the coding part of a line of BED12; of any other line its whole span, twice."""
    if len(columns) < 12:
        return ((start, stop),), (start, stop)
    sizes, starts = ([position(n) for n in columns[at].strip().strip(",").split(",")] for at in (10, 11))
    blocks = tuple((start + first, start + first + size) for first, size in zip(starts, sizes, strict=False))
    thick = position(columns[6]), position(columns[7])
    whole = len(sizes) == len(starts) == position(columns[9]) and min(*sizes, *starts, *thick) >= 0
    ascending = all(a[1] <= b[0] for a, b in itertools.pairwise(blocks))
    if not whole or not ascending or blocks[-1][1] > stop or min(sizes) < 1:
        raise DataError(
            f"{where}: the blocks of a BED12 line (columns 10 to 12: count, sizes, starts from column 2) "
            "must be as many as the count says, in order, and within the line; correct the file"
        )
    return blocks, thick
