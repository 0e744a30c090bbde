"""Features of an annotation as regions: of GenBank's feature table, or of a GFF3 file.

Spans of one feature are joined in the order of its strand, and the phase of a coding sequence is kept: how
many bases stand before its first whole codon. Read next: `regions.py`.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pipeline.domain import Rejection
from pipeline.errors import DataError
from pipeline.genome.fasta import ANY_LETTERS, parse_fasta
from pipeline.genome.files import MAX_LINE_BYTES, Letters, Title, printable, read_blocks, read_lines
from pipeline.genome.regions import Region, Span, position

_NAMED_BY = ("protein_id", "transcript_id", "locus_tag", "gene", "standard_name", "label")
"""Qualifiers of GenBank's features that name them, the most telling first."""
_JOINED = {"CDS", "mRNA", "tRNA", "rRNA", "five_prime_UTR", "three_prime_UTR", "match_part"}
_FASTA_PART = re.compile(rb"^(?:##FASTA.*\n|(?=>))", re.MULTILINE)
_TRANSCRIPT = re.compile(r'transcript_id "([^"]+)"')
"""What joins the rows of GTF, the older relative of GFF3."""

_Key = tuple[str, str, str]
"""Sequence, kind, and name of a feature."""


class Names:
    """Names made unique by a number behind those that were given before."""

    def __init__(self) -> None:
        self._given: Counter[str] = Counter()

    def unique(self, name: str) -> str:
        """The name, or the name with a number; one word of printable characters."""
        name = "_".join(printable(name).split()) or "feature"
        self._given[name] += 1
        return name if self._given[name] == 1 else self.unique(f"{name}.{self._given[name]}")


def genbank_regions(
    record: Any, name: str, kinds: Sequence[str], names: Names
) -> Iterator[Region | Rejection]:
    """The features of these kinds of one record of Biopython's; a rejection for one not whole in it."""
    length = len(record.seq)
    for feature in record.features:
        if feature.type not in kinds:
            continue
        called = next((feature.qualifiers[key][0] for key in _NAMED_BY if key in feature.qualifiers), "")
        own = names.unique(called or f"{name}_{feature.type}")
        parts = feature.location.parts if feature.location is not None else []
        spans = tuple(
            Span(int(part.start), int(part.end), "-" if part.strand == -1 else "+") for part in parts
        )
        whole = all(0 <= span.start < span.stop <= length for span in spans)
        if not parts or not whole or any(part.ref for part in parts):
            yield Rejection(f"{name}:{own}", "feature not whole in its record", str(feature.location))
            continue
        phase = feature.qualifiers.get("codon_start", ["1"])[0]
        yield Region(name, spans, f"feature {own}", own, _about(feature.type, spans[0].strand, phase, 1))


def gff_regions(path: Path, kinds: Sequence[str]) -> list[Region]:
    """The features of these kinds of a GFF3 file; rows with one ID are one feature, whose spans are joined.

    Coding rows without an ID are joined by their parent, those of GTF by their transcript. Raises DataError,
    with the line, for what is neither, and where none of the kinds is there.
    Source: https://github.com/The-Sequence-Ontology/Specifications/blob/master/gff3.md
    """
    rows: dict[_Key, list[tuple[Span, str, int]]] = {}
    there: Counter[str] = Counter()
    for number, line in enumerate(read_lines(path), start=1):
        if line.startswith(("##FASTA", ">")):
            break
        if not line.strip() or line.startswith("#"):
            continue
        columns = _columns(line, path, number)
        there[columns[2]] += 1
        if columns[2] in kinds:
            span = Span(int(columns[3]) - 1, int(columns[4]), "-" if columns[6] == "-" else "+")
            rows.setdefault(_key(columns, number), []).append((span, columns[7], number))
    if not rows:
        raise DataError(no_features(path, kinds, there))
    names = Names()
    return [_joined(path, key, found, names) for key, found in rows.items()]


def embedded_fasta(path: Path, allowed: bytes = ANY_LETTERS) -> Iterator[Title | Letters]:
    """The sequences that a GFF3 file holds after its ##FASTA line. Raises DataError where it holds none."""
    blocks, held, line = read_blocks(path), b"", 1
    for block in blocks:
        held += block
        if found := _FASTA_PART.search(held):
            line += held.count(b"\n", 0, found.end())
            rest = held[found.end() :]
            yield from parse_fasta(path, rest, chain([rest], blocks), allowed, line)
            return
        end = held.rfind(b"\n") + 1
        line += held.count(b"\n", 0, end)
        held = held[end:]
        if len(held) > MAX_LINE_BYTES:
            raise DataError(f"{path}:{line}: this line has more than {MAX_LINE_BYTES:,} bytes; is it GFF3?")
    raise DataError(
        f"{path}: this GFF file holds annotations but no ##FASTA part; give the FASTA file as dataset.path, "
        "and this one as dataset.annotation"
    )


def no_features(path: Path, kinds: Sequence[str], there: Counter[str]) -> str:
    """The message for a file without a feature of the kinds asked for."""
    known = ", ".join(f"{printable(kind[:40])} ({count:,})" for kind, count in there.most_common(8))
    asked = " or ".join(kinds)
    return f"{path}: no feature {asked} is in it (dataset.features); there are {known or 'none at all'}"


def _columns(line: str, path: Path, number: int) -> list[str]:
    columns = line.split("\t")
    if len(columns) != 9 or not 1 <= position(columns[3]) <= position(columns[4]):
        raise DataError(
            f"{path}:{number}: a row of GFF3 has nine columns parted by tabs, the fourth and fifth a start "
            "(from 1) and an end; correct the file"
        )
    return columns


def _key(columns: Sequence[str], number: int) -> _Key:
    told = dict(pair.split("=", 1) for pair in columns[8].strip().split(";") if "=" in pair)
    transcript = _TRANSCRIPT.search(columns[8])
    own = told.get("ID", "")
    if not own and columns[2] in _JOINED:
        own = transcript[1] if transcript else told.get("Parent", "")
    return unquote(columns[0]), columns[2], unquote(own) or f"{columns[2]}_{number}"


def _joined(path: Path, key: _Key, found: list[tuple[Span, str, int]], names: Names) -> Region:
    sequence, kind, own = key
    strand = found[0][0].strand
    found = sorted(found, key=lambda row: row[0].start, reverse=strand == "-")
    spans = tuple(row[0] for row in found)
    about = _about(kind, strand, found[0][1], 0)
    return Region(sequence, spans, f"{path}:{found[0][2]}", names.unique(own), about)


def _about(kind: str, strand: str, phase: str, first: int) -> tuple[tuple[str, str], ...]:
    """Metadata of a feature; its phase where it codes and says so, counted from `first`."""
    about = (("feature", kind), ("strand", strand))
    known = kind == "CDS" and 0 <= position(phase) - first <= 2
    return (*about, ("phase", str(position(phase) - first))) if known else about
