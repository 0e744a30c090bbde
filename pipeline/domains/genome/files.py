"""Open sequence files, plain or compressed (recognised by content), in blocks. A file of another kind ends in
one clear error. Read next: `fasta.py`, `genbank.py`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import DataError
from pipeline.records import Notice, Rejection
from pipeline.runtime.files import find_fault
from pipeline.runtime.unpacking import open_unpacked

BLOCK_BYTES = 2**18
"""Read at a time: large enough to be fast, small enough to stay in the processor's cache."""

HEAD_BYTES = 2**14
"""Bytes that are read to recognise the format of a file."""

MAX_LINE_BYTES = 2**20
"""Longest line of a table, such as BED or GFF3, and of GenBank."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""The mark that some editors write before UTF-8 text."""

_MOLECULE = re.compile(r" (?:chromosome|plasmid|mitochondri|complete|isolate|contig|scaffold)")
"""The words that follow the organism in the title of a sequence."""

COMPRESSIONS = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zst"}
"""First bytes of a compressed file, and the name that xopen has for it."""

FOREIGN = (
    (b"PK\x03\x04", "a ZIP archive", "unpack it and give the sequence file inside"),
    (b"\x43\x27\x41\x1a", "a 2bit file", "decompress it, for it is read from many places"),
    (b"\x1a\x41\x27\x43", "a 2bit file", "decompress it, for it is read from many places"),
    (b"%PDF", "a PDF document", "save the sequence as plain text in FASTA format"),
    (b"BAM\x01", "a BAM file", "convert it with samtools fasta"),
    (b"\xff\xfe", "text in UTF-16", "save it as plain text (ASCII or UTF-8)"),
    (b"\xfe\xff", "text in UTF-16", "save it as plain text (ASCII or UTF-8)"),
    (b"<", "an HTML or XML page", "it may be the error page of a failed download; fetch the file again"),
    (b"@", "FASTQ or SAM (sequencing reads)", "convert it with seqtk seq -A or samtools fasta"),
    (b"ID   ", "an EMBL or Swiss-Prot file", "convert it to FASTA or GenBank"),
    (b"FASTA searches", "a report of the FASTA search program", "give the sequences, not the search result"),
    (b"##gff", "a GFF file (annotations)", "give the FASTA file, and this one as domain.annotation"),
)
"""First bytes of files that users confuse with FASTA: what it is, and what to do."""


@dataclass(slots=True)
class SequenceHeader:
    """The header of a record: its first word, the rest, and the line (from 1) where it stands.

    For a part of a record, `start` is the number of letters before it, and `about` is its metadata.
    """

    name: str
    description: str
    line: int
    start: int = 0
    whole: bool = True
    about: tuple[tuple[str, str], ...] = ()


def printable(text: str) -> str:
    """The text, with a space for every character that a terminal or a table would take for a command."""
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


@dataclass(slots=True)
class SequenceChunk:
    """Consecutive letters of a record, without white space.

    `plain`: nothing but ACGTacgt; `upper`: known to have none in lower case.
    """

    bases: bytes
    plain: bool
    upper: bool = False


Part = SequenceHeader | SequenceChunk | Rejection | Notice
"""An item of a reader: the header of a record, a chunk of its letters, a rejection, or a notice."""


def open_plain(path: Path) -> BinaryIO:
    """The file's content, decompressed where its first bytes say so. Raises DataError where it has none."""
    try:
        if fault := find_fault(path, "there is no such file; check the path (dataset.path=...)"):
            raise DataError(f"{path}: {fault}")
        with path.open("rb") as stream:
            magic = stream.read(6)
        if not magic:
            raise DataError(f"{path}: the file is empty; fetch or write it again")
        kinds = [kind for first, kind in COMPRESSIONS.items() if magic.startswith(first)]
        if not kinds:
            return path.open("rb")
        return open_unpacked(path, format=kinds[0])
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); check permissions") from error


def read_blocks(path: Path, block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The decompressed content in blocks, never empty ones, without a byte order mark at its start.

    Raises DataError where the file is missing, empty, unreadable or truncated.
    """
    blocks, start = _content(path, block_bytes), b""
    for block in blocks:
        start += block
        if len(start) >= len(BYTE_ORDER_MARK):
            break
    start = start.removeprefix(BYTE_ORDER_MARK) or next(blocks, b"")
    if not start:
        raise DataError(f"{path}: nothing is in this file; fetch, compress or write it again")
    yield start
    yield from blocks


def _content(path: Path, block_bytes: int) -> Iterator[bytes]:
    """The decompressed bytes, in blocks."""
    with open_plain(path) as stream:
        done = 0
        while True:
            try:
                block = stream.read(block_bytes)
            # Each decompressor has error classes of its own; nothing but reading happens here.
            except Exception as error:
                raise DataError(
                    f"{path}: the file is damaged or truncated after {done:,} bytes of content "
                    f"({error or type(error).__name__}); fetch or compress it again"
                ) from error
            if not block:
                return
            done += len(block)
            yield block


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a text, without their ends; a byte that is not UTF-8 becomes a mark.

    Raises DataError as `read_blocks` does, and for a line of more than `MAX_LINE_BYTES`.
    """
    held, number = b"", 1
    for block in read_blocks(path):
        data = held + block
        # Its other half may come with the next block.
        cut = b"\r" if data.endswith(b"\r") else b""
        text = data.removesuffix(cut).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, held = text.split(b"\n")
        held += cut
        number += len(lines)
        if len(held) > MAX_LINE_BYTES:
            raise DataError(
                f"{path}:{number}: this line has more than {MAX_LINE_BYTES:,} bytes; is a line end missing?"
            )
        for line in lines:
            yield line.decode("utf-8", "replace")
    if held:
        yield held.decode("utf-8", "replace").removesuffix("\r")


def peek(path: Path) -> bytes:
    """The first bytes of the content, whatever they are. Raises DataError as `read_blocks` does."""
    return next(read_blocks(path, HEAD_BYTES))


def read_head(path: Path) -> bytes:
    """The first bytes of the content. Raises DataError as `read_blocks` does, and for what is no sequence."""
    head = peek(path)
    refuse_foreign(path, head)
    return head


def refuse_foreign(path: Path, head: bytes) -> None:
    """Raise DataError where the first bytes are those of a binary file or of a known other format."""
    start = head.lstrip()
    for first, what, remedy in FOREIGN:
        if head.startswith(first) or start.startswith(first):
            raise DataError(f"{path}: this is {what}, where FASTA or GenBank is expected; {remedy}")
    odd = len(head.translate(None, bytes(range(32, 127)) + b"\t\n\r\f\v"))
    if b"\0" in head or (odd > len(head) / 10 and not start.startswith(b">")):
        raise DataError(f"{path}: this is a binary file, where FASTA or GenBank text is expected; convert it")


def name_organism(head: bytes) -> str | None:
    """The organism of the first record of a GenBank or FASTA file, by the file's first bytes.

    Of FASTA it is the title after its first word, up to what says which sequence it is; a title of one word
    names no organism.

    >>> name_organism(b">NC_000913.3 Escherichia coli str. K-12 substr. MG1655, complete genome")
    'Escherichia coli str. K-12 substr. MG1655'
    >>> name_organism(b">chr4") is None
    True
    """
    text = head.decode("utf-8", "replace").removeprefix("\ufeff")
    if found := re.search(r"^ {2}ORGANISM {2}(\S.*)$", text, re.MULTILINE):
        return printable(found[1].strip())
    found = re.match(r">\S+ +([A-Z][a-z]+ [a-z][^,\n]*)", text)
    return printable(_MOLECULE.split(found[1])[0].strip())[:80] if found else None
