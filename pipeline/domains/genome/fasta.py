"""Stream FASTA in blocks: a gigabyte on one line and millions of tiny records take the same memory.

Source: the format as NCBI describes it (https://blast.ncbi.nlm.nih.gov/doc/blast-topics/); lines that start
with ``;``, ``#`` or ``!`` are comments, as Biopython's "fasta-blast" has them. Read next: `fasta_scanner.py`,
the loop over the bytes, and `known_intervals.py`.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from pipeline.domains.genome.fasta_scanner import (
    CUT_HEADER,
    EVENTS,
    FULL,
    NO_HEADER,
    ODD_SYMBOL,
    OTHER,
    SMALL,
    classify_bytes,
    scan,
)
from pipeline.domains.genome.files import (
    BLOCK_BYTES,
    SequenceChunk,
    SequenceHeader,
    printable,
    read_blocks,
    read_head,
)
from pipeline.errors import DataError

IUPAC = b"ACGTRYSWKMBDHVN"
"""Nucleotide codes. Source: IUPAC-IUB, Nucleic Acids Research 13 (1985) 3021."""
GAPS = b".-"
PLAIN = b"ACGTacgt"
BASES = b"ACGTU"
WHITESPACE = b"\n\r\t\v\f "
ANY_LETTERS = IUPAC + IUPAC.lower() + b"Uu" + GAPS
COMMENT_MARKS = b";#!"
MAX_TITLE_BYTES = 2**16
PROTEIN_ONLY = "EFIJLOPQXZ*"
"""Amino acid letters that no nucleotide has."""

PIR_MARKS = {b"P1;", b"F1;", b"DL;", b"DC;", b"RL;", b"RC;", b"N1;", b"N3;", b"XX;"}
TOO_LONG = "this header has more than 65,536 characters; is a line end missing?"

Describe = Callable[[str, bytes], str]
"""The message about a symbol that is not allowed, with a remedy."""

_COMMENTS = np.isin(np.arange(256), list(COMMENT_MARKS))


def read_fasta(
    path: Path,
    allowed: bytes = ANY_LETTERS,
    block_bytes: int = BLOCK_BYTES,
    describe: Describe | None = None,
) -> Iterator[SequenceHeader | SequenceChunk]:
    """Yield each record's title, then its letters in one or more pieces, each letter one of `allowed`.

    Raises DataError for a file that is missing, empty, damaged, binary or not FASTA, and with line and column
    (both from 1) for a letter that is not allowed, in the words of `describe`, by default those for bases.
    """
    head = read_head(path)
    return parse_fasta(path, head, read_blocks(path, block_bytes), allowed, 1, describe)


def parse_fasta(
    path: Path,
    head: bytes,
    blocks: Iterable[bytes],
    allowed: bytes = ANY_LETTERS,
    first_line: int = 1,
    describe: Describe | None = None,
) -> Iterator[SequenceHeader | SequenceChunk]:
    """The same for blocks of FASTA from anywhere, which start as `head` does, on `first_line` of the file."""
    scanner = _Scanner(path, allowed, first_line, old_mac=b"\r" in head and b"\n" not in head)
    scanner.describe = describe or _not_a_base
    for block in blocks:
        yield from scanner.feed(block)
    yield from scanner.finish()


class _Scanner:
    """The state of the parser between two blocks."""

    def __init__(self, path: Path, allowed: bytes, first_line: int, old_mac: bool) -> None:
        self.path, self.allowed, self.old_mac = path, allowed, old_mac
        self.classes = classify_bytes(PLAIN, allowed, WHITESPACE)
        self.place = np.array([first_line, 0, False, False], np.int64)
        self.letters = np.empty(0, np.uint8)
        self.events = np.empty((EVENTS, 5), np.int64)
        self.describe: Describe = _not_a_base
        self.titles = 0
        self.held = b""

    def feed(self, block: bytes) -> Iterator[SequenceHeader | SequenceChunk]:
        """Yield the items that the block completes; a header cut at the end of the block is held back."""
        if self.old_mac:
            block = block.replace(b"\r", b"\n")
        data, self.held = self.held + block, b""
        array = np.frombuffer(data, np.uint8)
        if len(self.letters) < len(data):
            self.letters = np.empty(len(data), np.uint8)
        position, why = 0, FULL
        while why == FULL:
            why, position, count, found, last = scan(
                array, position, self.classes, _COMMENTS, self.place, self.letters, self.events
            )
            text, done = self.letters[:count].tobytes(), 0
            for start, end, before, line, met in self.events[:found].tolist():
                if before > done:
                    yield SequenceChunk(text[done:before], not met & OTHER, not met & SMALL)
                done = before
                yield self.title(data[start + 1 : end], line)
            if count > done:
                yield SequenceChunk(text[done:] if done else text, not last & OTHER, not last & SMALL)
        self._stop(why, position, data)

    def _stop(self, why: int, position: int, data: bytes) -> None:
        """Remember what the block leaves open. Raises DataError for what cannot be read."""
        if why == ODD_SYMBOL:
            symbol = data[position : position + 1].decode("latin-1")
            raise self.error(position, f"symbol {symbol!r} {self.describe(symbol, self.allowed)}")
        if why == NO_HEADER:
            found = data[position : position + 20].split()[0].decode("latin-1")
            raise self.error(
                position, f"found {found!r} before any header; FASTA starts with a line such as '>name'"
            )
        if why == CUT_HEADER:
            self.held = data[position:]
            if len(self.held) > MAX_TITLE_BYTES:
                raise self.error(position, TOO_LONG)
        self.place[1] -= position

    def finish(self) -> Iterator[SequenceHeader]:
        """The header that ends the file without a line end."""
        if self.held:
            yield self.title(self.held[1:], int(self.place[0]))
        if not self.titles:
            raise DataError(f"{self.path}: no FASTA record is in it; a header is a line such as '>name'")

    def title(self, raw: bytes, line: int) -> SequenceHeader:
        if len(raw) > MAX_TITLE_BYTES:
            raise DataError(f"{self.path}:{line}:1: {TOO_LONG}")
        if raw[2:3] == b";" and raw[:3] in PIR_MARKS:
            raise DataError(
                f"{self.path}:{line}:1: '>{raw[:3].decode()}' is a header of the PIR (NBRF) format, not of "
                "FASTA; convert the file"
            )
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        self.titles += 1
        words = printable(text).split(None, 1)
        if len(words) == 2:
            return SequenceHeader(words[0], words[1].rstrip(), line)
        return SequenceHeader(words[0] if words else f"unnamed_{self.titles}", "", line)

    def error(self, position: int, what: str) -> DataError:
        line, line_start = int(self.place[0]), int(self.place[1])
        return DataError(f"{self.path}:{line}:{position - line_start + 1}: {what}")


def _not_a_base(symbol: str, allowed: bytes) -> str:
    codes = "ACGTU" if IUPAC[4:5] not in allowed else IUPAC.decode()
    remedy = remedy_for(symbol)
    if symbol.upper() in PROTEIN_ONLY:
        remedy = "is this a protein? this domain reads DNA and RNA"
    elif symbol.upper() in IUPAC.decode():
        remedy = "set domain.iupac=split or domain.iupac=random to read on"
    return f"is not an IUPAC nucleotide ({codes}); {remedy}"


def remedy_for(symbol: str) -> str:
    """The remedy for a symbol that is valid in no sequence."""
    if symbol == ">":
        return "a header must stand at the start of its line"
    if not symbol.isascii() or symbol < " ":
        return "save the file as plain text (ASCII or UTF-8)"
    return "correct the file"
