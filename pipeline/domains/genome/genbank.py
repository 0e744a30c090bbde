"""Read the sequences of GenBank files through Biopython, forgiving what it forgives.

Read next: `known_intervals.py`.
"""

import logging
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.data.unique_names import UniqueNames
from pipeline.domains.genome.fasta import ANY_LETTERS, IUPAC, PLAIN
from pipeline.domains.genome.features import genbank_regions, no_features
from pipeline.domains.genome.files import Part, SequenceChunk, SequenceHeader, printable, read_lines
from pipeline.domains.genome.regions import select_regions
from pipeline.domains.genome.spans import Region
from pipeline.errors import DataError
from pipeline.records import Rejection

if TYPE_CHECKING:
    from Bio.SeqRecord import SeqRecord

log = logging.getLogger(__name__)

NO_SEQUENCE = "GenBank record without a sequence"
FETCH = "fetch it whole: from NCBI as 'GenBank (full)', or with rettype=gbwithparts"
MAX_RECORD_BYTES = 2**29
"""Largest record of GenBank; human chromosome 1 has 320 million bytes. The parser needs about four times as
much memory."""


def is_genbank(head: bytes) -> bool:
    """Whether the first bytes are GenBank: a LOCUS line first, or after the preamble of a release file."""
    lines = head.lstrip().split(b"\n")
    return not lines[0].startswith(b">") and any(line.startswith(b"LOCUS  ") for line in lines)


def read_genbank(
    path: Path, allowed: bytes = ANY_LETTERS, kinds: Sequence[str] = (), pseudo: bool = False
) -> Iterator[Part]:
    """Yield each record's title and its letters; a record without a sequence is a rejection.

    Where `kinds` of features are named, these instead, each as a record. Upper case: GenBank writes all bases
    small, so there is no soft mask. Raises DataError where Biopython cannot read the file, for a protein, for
    a letter that is not one of `allowed`, where no feature of the kinds is there, and where no record has a
    sequence.
    """
    there, names, lacking, number = Counter(), UniqueNames(), 0, 0
    with warnings.catch_warnings(record=True) as caught:
        # Warnings of Biopython go into the log, once each, not to the terminal.
        warnings.simplefilter("always")
        for number, record in enumerate(_parse(path), start=1):
            kind = str(record.annotations.get("molecule_type", ""))
            if kind.lower() == "protein":
                raise DataError(f"{path}: record {record.id} is a protein; this domain reads DNA and RNA")
            name = record.id if record.id and record.id != "<unknown id>" else record.name
            name = "_".join(printable(name).split()) or f"unnamed_{number}"
            title = SequenceHeader(name, printable(record.description), 0)
            bases = _letters(record)
            odd = bases.translate(None, allowed)
            if odd:
                raise DataError(
                    f"{path}: record {name}, base {bases.index(odd[:1]) + 1}: symbol {odd[:1].decode()!r} "
                    f"is not an IUPAC nucleotide ({IUPAC.decode()}); correct the file"
                )
            letters = SequenceChunk(bases, plain=not bases.translate(None, PLAIN), upper=True)
            parts = [title, letters]
            if not bases:
                lacking += 1
                yield Rejection(f"{path}:{name}", NO_SEQUENCE, f"{name} has no ORIGIN part; {FETCH}")
                continue
            if not kinds:
                yield from parts
                continue
            there.update(feature.type for feature in record.features)
            found = list(genbank_regions(record, title.name, kinds, names, pseudo))
            yield from (each for each in found if isinstance(each, Rejection))
            if regions := [each for each in found if isinstance(each, Region)]:
                yield from select_regions(parts, regions, str(path))
    if number and lacking == number:
        raise DataError(f"{path}: no record of this file has a sequence, only a CONTIG line; {FETCH}")
    if kinds and not any(there[kind] for kind in kinds):
        raise DataError(no_features(path, kinds, there))
    for text in sorted({_one_line(warning.message) for warning in caught}):
        log.warning("%s: %s", path, text)


class _LineReader:
    """The file as the parser asks for it, which holds a record whole: none may be without bound."""

    def __init__(self, path: Path) -> None:
        self.path, self.lines, self.size = path, read_lines(path), 0

    def read(self, _: int) -> str:
        """Return nothing: the parser calls it only to see whether the stream is text."""
        return ""

    def readline(self) -> str:
        """The next line with its end. Raises DataError within a record of more than `MAX_RECORD_BYTES`."""
        line = next(self.lines, None)
        if line is None:
            return ""
        self.size = 0 if line.startswith("//") else self.size + len(line) + 1
        if self.size > MAX_RECORD_BYTES:
            raise DataError(
                f"{self.path}: a record has more than {MAX_RECORD_BYTES:,} bytes, too many for memory; "
                "give it as FASTA, with its features as GFF3"
            )
        return f"{line}\n"


def _parse(path: Path) -> Iterator:
    from Bio import SeqIO

    number = 0
    try:
        for record in SeqIO.parse(_LineReader(path), "genbank"):
            number += 1
            yield record
    except DataError:
        raise
    # The parser raises many kinds of error on what it does not expect.
    except Exception as error:
        raise DataError(
            f"{path}: record {number + 1} is not valid GenBank ({_one_line(error)}); correct it, or give it "
            "as FASTA"
        ) from error
    if not number:
        raise DataError(f"{path}: no GenBank record is in this file; a record starts with a LOCUS line")


def _one_line(message: object) -> str:
    """Format a message of Biopython, which may quote the file, as one line."""
    return " ".join(printable(str(message)).split())[:300]


def _letters(record: "SeqRecord") -> bytes:
    from Bio.Seq import UndefinedSequenceError

    try:
        return b"" if record.seq is None else bytes(record.seq).upper()
    except UndefinedSequenceError:  # only a CONTIG line, which names other files
        return b""
