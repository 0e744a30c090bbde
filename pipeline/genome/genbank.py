"""Read the sequences of GenBank files through Biopython, forgiving what it forgives.

Read next: `stretches.py`.
"""

import logging
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.domain import Rejection
from pipeline.errors import DataError
from pipeline.genome.fasta import ANY_LETTERS, IUPAC, PLAIN
from pipeline.genome.features import Names, genbank_regions, no_features
from pipeline.genome.files import Letters, Part, Title, open_text, printable
from pipeline.genome.regions import Region, select_regions

log = logging.getLogger(__name__)


def is_genbank(head: bytes) -> bool:
    """Whether the first bytes are GenBank: a LOCUS line first, or after the preamble of a release file."""
    lines = head.lstrip().split(b"\n")
    return not lines[0].startswith(b">") and any(line.startswith(b"LOCUS  ") for line in lines)


def read_genbank(
    path: Path, allowed: bytes = ANY_LETTERS, kinds: Sequence[str] = ()
) -> Iterator[Part]:
    """Yield each record's title and its letters; a record without a sequence has only a title.

    Where `kinds` of features are named, these instead, each as a record. Upper case: GenBank writes all bases
    small, so there is no soft mask. Raises DataError where Biopython cannot read the file, for a protein, for
    a letter that is not one of `allowed`, and where no feature of the kinds is there.
    """
    there, names = Counter(), Names()
    with open_text(path) as stream, warnings.catch_warnings(record=True) as said:
        # Biopython's findings belong into the log, once each, not on the user's screen.
        warnings.simplefilter("always")
        for number, record in enumerate(_parse(path, stream), start=1):
            kind = str(record.annotations.get("molecule_type", ""))
            if kind.lower() == "protein":
                raise DataError(f"{path}: record {record.id} is a protein; this domain reads DNA and RNA")
            name = record.id if record.id and record.id != "<unknown id>" else record.name
            name = "_".join(printable(name).split()) or f"unnamed_{number}"
            title = Title(name, printable(record.description), 0)
            bases = _letters(record)
            odd = bases.translate(None, allowed)
            if odd:
                raise DataError(
                    f"{path}: record {name}, base {bases.index(odd[:1]) + 1}: symbol {odd[:1].decode()!r} "
                    f"is not an IUPAC nucleotide ({IUPAC.decode()}); correct the file"
                )
            parts = [title, Letters(bases, plain=not bases.translate(None, PLAIN))] if bases else [title]
            if not kinds:
                yield from parts
                continue
            there.update(feature.type for feature in record.features)
            found = list(genbank_regions(record, title.name, kinds, names)) if bases else []
            yield from (each for each in found if isinstance(each, Rejection))
            if regions := [each for each in found if isinstance(each, Region)]:
                yield from select_regions(parts, regions, str(path))
    if kinds and not any(there[kind] for kind in kinds):
        raise DataError(no_features(path, kinds, there))
    for text in sorted({str(warning.message) for warning in said}):
        log.warning("%s: %s", path, text)


def _parse(path: Path, stream: object) -> Iterator:
    from Bio import SeqIO

    number = 0
    try:
        for record in SeqIO.parse(stream, "genbank"):
            number += 1
            yield record
    # The parser raises many kinds of error on what it does not expect.
    except Exception as error:
        raise DataError(
            f"{path}: record {number + 1} is not valid GenBank ({error}); correct it, or give it as FASTA"
        ) from error
    if not number:
        raise DataError(f"{path}: no GenBank record is in this file; a record starts with a LOCUS line")


def _letters(record: object) -> bytes:
    from Bio.Seq import UndefinedSequenceError

    try:
        return bytes(record.seq).upper()
    except UndefinedSequenceError:  # only a CONTIG line, which names other files
        return b""
