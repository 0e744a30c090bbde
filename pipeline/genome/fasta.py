"""Stream FASTA in blocks: a gigabyte on one line and millions of tiny records take the same memory.

Source: the format as NCBI describes it (https://blast.ncbi.nlm.nih.gov/doc/blast-topics/); lines that start
with ``;``, ``#`` or ``!`` are comments, as Biopython's "fasta-blast" has them. Read next: `stretches.py`.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import DataError
from pipeline.genome.files import BLOCK_BYTES, BYTE_ORDER_MARK, Letters, Title, read_blocks, read_head

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

_COMMENT = re.compile(rb"^[;#!][^\n]*", re.MULTILINE)
_PIR = re.compile(rb"(?:P1|F1|DL|DC|RL|RC|N1|N3|XX);")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


def read_fasta(
    path: Path, allowed: bytes = ANY_LETTERS, block_bytes: int = BLOCK_BYTES
) -> Iterator[Title | Letters]:
    """Yield each record's title, then its letters in one or more pieces, each letter one of `allowed`.

    Raises DataError for a file that is missing, empty, damaged, binary or not FASTA, and with line and column
    (both from 1) for a letter that is not allowed.
    """
    head = read_head(path)
    scanner = _Scanner(path, allowed, old_mac=b"\r" in head and b"\n" not in head)
    skip = len(BYTE_ORDER_MARK) if head.startswith(BYTE_ORDER_MARK) else 0
    for block in read_blocks(path, block_bytes):
        yield from scanner.feed(block[skip:])
        skip = max(0, skip - len(block))
    yield from scanner.finish()


class _Scanner:
    """Where we are in the file, between two blocks."""

    def __init__(self, path: Path, allowed: bytes, old_mac: bool) -> None:
        self.path = path
        self.allowed = allowed + WHITESPACE
        self.old_mac = old_mac
        self.line, self.column = 1, 1
        self.titles = 0
        self.in_comment = False
        self.held = b""

    def feed(self, block: bytes) -> Iterator[Title | Letters]:
        """What the block completes; a header cut by the block's end is held back."""
        if self.old_mac:
            block = block.replace(b"\r", b"\n")
        data, self.held = self.held + block, b""
        position = 0
        while position < len(data):
            if self.column == 1 and data[position] == ord(">"):
                end = data.find(b"\n", position)
                if (end if end >= 0 else len(data)) - position > MAX_TITLE_BYTES:
                    raise self.error("this header has more than 65,536 characters; is a line end missing?")
                if end < 0:
                    self.held = data[position:]
                    return
                yield self.title(data[position + 1 : end])
                position = end + 1
            else:
                end = data.find(b"\n>", position) + 1 or len(data)
                found = self.letters(data[position:end])
                if found.bases:
                    yield found
                position = end

    def finish(self) -> Iterator[Title]:
        """The header that ends the file without a line end."""
        if self.held:
            yield self.title(self.held[1:])
        if not self.titles:
            raise DataError(f"{self.path}: no FASTA record is in it; a header is a line such as '>name'")

    def title(self, raw: bytes) -> Title:
        if _PIR.match(raw):
            raise self.error(
                f"'>{raw[:3].decode()}' is a header of the PIR (NBRF) format, not of FASTA; convert the file"
            )
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        self.titles += 1
        name, *description = _CONTROL.sub(" ", text).split(None, 1) or [f"unnamed_{self.titles}"]
        found = Title(name, description[0].rstrip() if description else "", self.line)
        self.line += 1
        return found

    def letters(self, part: bytes) -> Letters:
        """The letters of a piece that starts where we are and ends before a header or at a block's end."""
        text = self.without_comments(part) if self.in_comment else part
        rest = text.translate(None, PLAIN + b"\n")
        odd = rest.translate(None, self.allowed)
        if odd and any(mark in odd for mark in COMMENT_MARKS):
            text = self.without_comments(text)
            rest = text.translate(None, PLAIN + b"\n")
            odd = rest.translate(None, self.allowed)
        if not self.titles and text.strip():
            self.skip(text[: len(text) - len(text.lstrip())])
            found = text.split(maxsplit=1)[0][:20].decode("latin-1")
            raise self.error(f"found {found!r} before any header; FASTA starts with a line such as '>name'")
        if odd:
            raise self.symbol_error(text)
        self.skip(part)
        if not rest:
            return Letters(text.replace(b"\n", b""), plain=True)
        bases = text.translate(None, WHITESPACE)
        return Letters(bases, plain=not rest.strip(WHITESPACE))

    def without_comments(self, part: bytes) -> bytes:
        """The piece with comments taken out of their lines, whose ends stay, so that positions hold."""
        first = b""
        if self.in_comment or self.column > 1:
            first, mark, part = part.partition(b"\n")
            first, part = (b"" if self.in_comment else first), mark + part
            self.in_comment = self.in_comment and not mark
        if not self.in_comment:
            last = part[part.rfind(b"\n") + 1 :]
            whole_lines = b"\n" in part or not first
            self.in_comment = whole_lines and last[:1] in (b";", b"#", b"!")
        return first + _COMMENT.sub(b"", part)

    def skip(self, part: bytes) -> None:
        """Move line and column behind the piece."""
        lines = part.count(b"\n")
        self.line += lines
        self.column = len(part) - part.rfind(b"\n") if lines else self.column + len(part)

    def symbol_error(self, text: bytes) -> DataError:
        wrong = re.search(b"[^" + re.escape(self.allowed) + b"]", text)
        start = wrong.start() if wrong else 0
        self.skip(text[:start])
        symbol = text[start : start + 1].decode("latin-1")
        codes = "ACGTU" if IUPAC[4:5] not in self.allowed else IUPAC.decode()
        return self.error(f"symbol {symbol!r} is not an IUPAC nucleotide ({codes}); {_remedy(symbol)}")

    def error(self, what: str) -> DataError:
        return DataError(f"{self.path}:{self.line}:{self.column}: {what}")


def _remedy(symbol: str) -> str:
    if symbol.upper() in PROTEIN_ONLY:
        return "is this a protein? this domain reads DNA and RNA"
    if symbol.upper() in IUPAC.decode():
        return "set domain.iupac=split or domain.iupac=random to read on"
    if symbol == ">":
        return "a header must stand at the start of its line"
    if not symbol.isascii() or symbol < " ":
        return "save the file as plain text (ASCII or UTF-8)"
    return "correct the file"
