"""Rows of a BLAST search in the twelve columns of BLAST's "outfmt 6", with the digits that BLAST prints.

Source: the BLAST Command Line Applications User Manual; for the digits, what BLAST+ 2.12 printed.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from pipeline.errors import ToolError

COLUMNS = (
    "qseqid", "sseqid", "pident", "length", "mismatch", "gapopen",
    "qstart", "qend", "sstart", "send", "evalue", "bitscore",
)  # fmt: skip
TEXT_COLUMNS = ("qseq", "sseq")


@dataclass(frozen=True, slots=True)
class Hit:
    """One local alignment. Coordinates count from 1, both ends included; `subject_start` is beyond
    `subject_end` where the subject's other strand was hit. Figures with decimals are kept as printed; the
    aligned texts, with - for gaps, are empty where they are not known."""

    query: str
    subject: str
    identity_percent: str
    length: int
    mismatches: int
    gap_openings: int
    query_start: int
    query_end: int
    subject_start: int
    subject_end: int
    evalue: str
    bit_score: str
    query_text: str = ""
    subject_text: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """The twelve columns."""
        return tuple(str(getattr(self, name)) for name in _FIELDS)

    @property
    def row(self) -> str:
        """The columns, joined by tabs."""
        return "\t".join(self.cells)

    @property
    def strand(self) -> str:
        """+ or -, of the subject."""
        return "+" if self.subject_start <= self.subject_end else "-"


_FIELDS = tuple(field.name for field in fields(Hit))[: len(COLUMNS)]


def parse_hit(line: str, where: str) -> Hit:
    """A row of twelve columns, or of fourteen with the aligned texts. Raises ToolError for anything else."""
    cells = line.rstrip("\n").split("\t")
    try:
        whole, (evalue, bits, *texts) = [int(cell) for cell in cells[3:10]], cells[10:]
        numbers = [float(number) for number in (cells[2], evalue, bits)]
        if len(texts) not in (0, len(TEXT_COLUMNS)) or not all(map(math.isfinite, numbers)):
            raise ValueError
        if min(whole[3:]) < 1 or whole[0] < 1 or whole[3] > whole[4]:
            raise ValueError
    except (ValueError, IndexError):
        raise ToolError(f"{where}: not a row of a BLAST table: {line.strip()[:80]!r}") from None
    return Hit(
        cells[0], cells[1], cells[2], whole[0], whole[1], whole[2], whole[3], whole[4], whole[5], whole[6],
        evalue, bits, *texts,
    )  # fmt: skip


def read_hits(path: Path) -> Iterator[Hit]:
    """Stream the hits of a table without a header. Raises ToolError where a line is not one."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip() and not line.startswith("#"):
                yield parse_hit(line, f"{path}:{number}")


def format_evalue(value: float) -> str:
    """The digits that BLAST prints.

    >>> [format_evalue(value) for value in (0.0, 4.5351e-37, 0.0123, 0.3061, 1.068, 27.3)]
    ['0.0', '4.54e-37', '0.012', '0.31', '1.1', '27']
    """
    if value < 1e-180:
        return "0.0"
    limits = ((0.0009, "{:.2e}"), (0.1, "{:.3f}"), (1.0, "{:.2f}"), (10.0, "{:.1f}"))
    return next((form for limit, form in limits if value < limit), "{:.0f}").format(value)


def format_bits(value: float) -> str:
    """The digits that BLAST prints, which cuts large scores instead of rounding them.

    >>> [format_bits(value) for value in (28.336, 147.9)]
    ['28.3', '147']
    """
    if value > 99_999:
        return f"{value:.3e}"
    return str(int(value)) if value > 99.9 else f"{value:.1f}"
