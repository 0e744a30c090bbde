"""Features of GenBank's feature table as regions, and the sequences inside a GFF3 file.

Spans of one feature are joined in the order of its strand, and the phase of a coding sequence is kept: how
many bases stand before its first whole codon. Read next: `annotation.py`, `regions.py`.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from pipeline.data.unique_names import UniqueNames
from pipeline.domains.genome.fasta import ANY_LETTERS, parse_fasta
from pipeline.domains.genome.files import (
    MAX_LINE_BYTES,
    SequenceChunk,
    SequenceHeader,
    printable,
    read_blocks,
)
from pipeline.domains.genome.spans import Region, Span, position
from pipeline.errors import DataError
from pipeline.records import Rejection

_NAMED_BY = ("protein_id", "transcript_id", "locus_tag", "gene", "standard_name", "label")
"""Qualifiers of GenBank's features that name them, the most telling first."""
_FASTA_PART = re.compile(rb"^(?:##FASTA.*\n|(?=>))", re.MULTILINE)
PSEUDO = "pseudo gene (domain.pseudo=true keeps it)"


def genbank_regions(
    record: Any, name: str, kinds: Sequence[str], names: UniqueNames, pseudo: bool
) -> Iterator[Region | Rejection]:
    """The features of these kinds of one record of Biopython's; a rejection for each that cannot be taken.

    Pseudo genes are left out unless `pseudo`.
    """
    length = len(record.seq)
    for feature in record.features:
        if feature.type not in kinds:
            continue
        called = next((feature.qualifiers[key][0] for key in _NAMED_BY if key in feature.qualifiers), "")
        own = names.unique(one_word(called or f"{name}_{feature.type}"))
        if reason := _why_not(feature, length, pseudo):
            yield Rejection(f"{name}:{own}", reason, str(feature.location))
            continue
        spans = tuple(
            Span(int(part.start), int(part.end), "-" if part.strand == -1 else "+")
            for part in feature.location.parts
        )
        phase = feature.qualifiers.get("codon_start", ["1"])[0]
        about = about_feature(feature.type, spans[0].strand, phase, 1)
        yield Region(name, spans, f"feature {own}", own, about)


def _why_not(feature: Any, length: int, pseudo: bool) -> str:
    """Why a feature cannot be taken from a record of so many bases; empty where it can."""
    if not pseudo and ("pseudo" in feature.qualifiers or "pseudogene" in feature.qualifiers):
        return PSEUDO
    parts = feature.location.parts if feature.location is not None else []
    if any(part.ref for part in parts):
        return "feature with a part in another record"
    if parts and all(int(part.start) == int(part.end) for part in parts):
        return "feature between two bases"
    whole = all(0 <= int(part.start) < int(part.end) <= length for part in parts)
    return "" if parts and whole else "feature not whole in its record"


def embedded_fasta(path: Path, allowed: bytes = ANY_LETTERS) -> Iterator[SequenceHeader | SequenceChunk]:
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
        "and this one as domain.annotation"
    )


def no_features(path: Path, kinds: Sequence[str], there: Counter[str]) -> str:
    """The message for a file without a feature of the requested kinds."""
    known = ", ".join(f"{printable(kind[:40])} ({count:,})" for kind, count in there.most_common(8))
    requested = " or ".join(kinds)
    return f"{path}: no feature {requested} is in it (domain.features); there are {known or 'none at all'}"


def one_word(name: str) -> str:
    """A name as one word of printable characters."""
    return "_".join(printable(name).split()) or "feature"


def about_feature(kind: str, strand: str, phase: str, first: int) -> tuple[tuple[str, str], ...]:
    """Metadata of a feature; its phase where it codes and says so, counted from `first`."""
    about = (("feature", kind), ("strand", strand))
    known = kind == "CDS" and 0 <= position(phase) - first <= 2
    return (*about, ("phase", str(position(phase) - first))) if known else about
