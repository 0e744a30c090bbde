"""Write sequences as FASTA, plain or in bgzip's blocks, with the indices that samtools and IGV use.

Sources: the SAM specification, section 4.1 (BGZF); the manual pages faidx(5) and bgzip(1), for ``.fai`` and
``.gzi``. Read next: `gff.py`, `bedgraph.py`.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from Bio.bgzf import BgzfBlocks, BgzfWriter

from pipeline.records import Record

FORMS = ("auto", "plain", "bgzf")
BGZF_ABOVE = 10_000_000
"""With more letters than this in all, "auto" compresses, since text editors open larger files slowly."""
HOW_MADE = ("model", "temperature", "seed", "index", "log_probability", "copied")


@dataclass(frozen=True)
class FastaStyle:
    """The format of the file: letters per line, one of `FORMS`, and for headers the description of the
    sequences ("synthetic DNA") and of a letter ("base")."""

    line_width: int
    form: str
    what: str
    letter: str


def write_fasta(records: Sequence[Record], out_dir: Path, style: FastaStyle) -> tuple[Path, ...]:
    """Write `samples.fasta` and its index, or `samples.fasta.gz` and its two; the sequences come first."""
    letters = sum(len(record.symbols) for record in records)
    bgzf = style.form == "bgzf" or (style.form == "auto" and letters > BGZF_ABOVE)
    path = out_dir / ("samples.fasta.gz" if bgzf else "samples.fasta")
    index = path.with_name(path.name + ".fai")
    with BgzfWriter(str(path)) if bgzf else path.open("wb") as stream, index.open("wb") as rows:
        _write_records(records, stream, rows, style)
    return (path, index, _write_block_index(path)) if bgzf else (path, index)


def format_fasta(record: Record, line_width: int) -> str:
    """One sequence under a header that is its id."""
    text = str(record.symbols)
    lines = (text[start : start + line_width] for start in range(0, len(text), line_width))
    return "".join(f"{line}\n" for line in (f">{record.id}", *lines))


def _write_records(
    records: Sequence[Record], stream: BinaryIO | BgzfWriter, rows: BinaryIO, style: FastaStyle
) -> None:
    """The records, and a row of the index for each: name, length, position, letters and bytes of a line."""
    position, width = 0, style.line_width
    for record in records:
        header = f">{record.id} {describe(record, style)}\n".encode("ascii", "replace")
        text = str(record.symbols).encode("ascii")
        lines = [text[start : start + width] + b"\n" for start in range(0, len(text), width)]
        stream.write(header)
        stream.write(b"".join(lines))
        position += len(header)
        line = min(width, len(text))
        rows.write(f"{record.id}\t{len(text)}\t{position}\t{line}\t{line + 1}\n".encode("ascii", "replace"))
        position += len(text) + len(lines)


def _write_block_index(path: Path) -> Path:
    """Write where each block of a BGZF file but the first begins, in the file and in its content."""
    with path.open("rb") as stream:
        starts = [(start, inside) for start, _, inside, length in BgzfBlocks(stream) if start and length]
    index = path.with_name(path.name + ".gzi")
    with index.open("wb") as out:
        out.write(struct.pack("<Q", len(starts)))
        for pair in starts:
            out.write(struct.pack("<QQ", *pair))
    return index


def describe(record: Record, style: FastaStyle) -> str:
    """Describe the sequence for a FASTA header: model, sampling settings and length."""
    made = record.metadata
    known = [f"{key}={made[key]}" for key in HOW_MADE if key in made]
    if "bits_per_symbol" in made:
        known.append(f"bits_per_{style.letter}={made['bits_per_symbol']}")
    if "complete" in made:
        known.append(f"complete={made['complete']}")
    text = " ".join([f"{style.what}, from no organism,", *known, f"length={len(record.symbols)}"])
    # A header is one line, and > or a control character in it misleads other programs.
    return "".join(letter if letter.isprintable() and letter != ">" else " " for letter in text)


def count_cut(records: Sequence[Record]) -> int:
    """Count the samples without an end of their own."""
    return sum(record.metadata.get("complete", "yes") != "yes" for record in records)


def describe_cut(records: Sequence[Record], noun: str) -> tuple[str, ...]:
    """The line of the summary about samples without an end of their own, if there are any."""
    count = count_cut(records)
    text = f"{count} of {len(records)} {noun} were cut at sample.length, before an end of their own"
    return (text,) if count else ()
