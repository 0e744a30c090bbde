"""The open reading frames of sequences as GFF3.

Each has the type ORF (SO:0000236), from start to stop codon: an ORF is a fact of the sequence, while a CDS
would claim that a protein is made of it. An ORF has no phase, which only CDS rows have.
Source: Generic Feature Format version 3, Sequence Ontology consortium, 1.26 (2020).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from pipeline.domains.genome.orfs import STANDARD_CODE, find_orfs
from pipeline.records import Record

FEATURE_TYPE = "ORF"
"""The term SO:0000236 of the Sequence Ontology."""
SEQID_LETTERS = ".:^*$@!+?|-"
"""Besides letters, digits, ``_`` and ``~`` all that the first column may hold unescaped."""
VALUE_LETTERS = " .:^*$@!+?|-()/<>'\"[]{}#"
"""Characters that an attribute may hold unescaped: not tab, line end, percent, ``;``, ``=``, ``&`` or
comma."""


def write_gff(records: Iterable[Record], path: Path, shortest_bp: int, table: int = STANDARD_CODE) -> int:
    """Write the complete open reading frames of at least `shortest_bp` bases; how many there are.

    `table` is the number of a genetic code at NCBI.

    Coordinates count from 1, both ends included; frames of the other strand are on ``-``.
    """
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write("##gff-version 3\n")
        for record in records:
            if not record.symbols:
                continue
            stream.write(f"##sequence-region {seqid(record.id)} 1 {len(record.symbols)}\n")
            for row in _rows(record, shortest_bp, table):
                stream.write(row + "\n")
                count += 1
    return count


def seqid(name: str) -> str:
    """A sequence's name as the first column has it: its first word, escaped.

    >>> seqid("chr;1>x")
    'chr%3B1%3Ex'
    """
    return quote(name.split()[0], safe=SEQID_LETTERS)


def attributes(values: dict[str, str]) -> str:
    """The ninth column.

    >>> attributes({"ID": "a;b", "Note": "open reading frame"})
    'ID=a%3Bb;Note=open reading frame'
    """
    return ";".join(f"{name}={quote(value, safe=VALUE_LETTERS)}" for name, value in values.items())


def _rows(record: Record, shortest_bp: int, table: int) -> Iterator[str]:
    name = record.id.split()[0]
    for number, orf in enumerate(find_orfs(str(record.symbols), shortest_bp, table=table), start=1):
        about = {
            "ID": f"{name}.orf{number}",
            "Name": f"orf{number}",
            "Note": f"open reading frame of {orf.length // 3 - 1} codons",
            "transl_table": str(table),
        }
        columns = (
            seqid(name), "sequence-pipeline", FEATURE_TYPE, orf.start + 1, orf.end, ".", orf.strand, ".",
            attributes(about),
        )  # fmt: skip
        yield "\t".join(map(str, columns))
