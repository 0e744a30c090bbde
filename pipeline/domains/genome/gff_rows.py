"""The rows of an annotation: GFF3, GTF, and the GFF2 of JGI and others, recognised by their ninth column.

Source: https://github.com/The-Sequence-Ontology/Specifications/blob/master/gff3.md; GTF 2.2
(https://mblab.wustl.edu/GTF22.html). Read next: `annotation.py`, which joins rows.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

from pipeline.domains.genome.files import read_lines
from pipeline.domains.genome.spans import Span, position
from pipeline.errors import DataError

_EQUALS = re.compile(r"\s*[^\s=;\"]+=")
"""The start of the attributes in GFF3."""
_PAIR = re.compile(r'([^\s;"]+)\s+(?:"([^"]*)"|([^\s;"]+))\s*(?:;|$)')
"""An attribute of GTF or GFF2."""
_GROUPS = (
    "transcript_id", "proteinId", "protein_id", "transcriptId", "transcript", "mRNA", "name", "Name",
    "Parent", "gene_id", "gene", "Gene", "Sequence",
)  # fmt: skip
"""Attributes that join rows without ID and Parent, the most specific first."""
_BIOTYPES = ("biotype", "gene_biotype", "transcript_biotype", "gene_type", "transcript_type")
_NO = ("false", "no", "0")


@dataclass(frozen=True, slots=True)
class GffRow:
    """A row: `own` is the ID of its feature, `parents` are those of the features that it is a part of."""

    line: int
    sequence: str
    kind: str
    span: Span
    phase: str
    own: str
    parents: tuple[str, ...]
    about: Mapping[str, str]
    gtf: bool


@dataclass
class GffTable:
    """The content of a file: the rows of the selected kinds, and the data that they depend on."""

    path: Path
    rows: dict[str, list[GffRow]] = field(default_factory=lambda: defaultdict(list))
    there: Counter[str] = field(default_factory=Counter)
    """The number of rows of each kind."""
    circles: dict[str, int] = field(default_factory=dict)
    """The lengths of the circular sequences."""
    places: dict[tuple[str, str], list[Span]] = field(default_factory=lambda: defaultdict(list))
    """The spans of features that have parts, by sequence and ID."""
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    pseudo: set[str] = field(default_factory=set)
    """IDs of pseudo genes and their transcripts."""

    def parts(self, kinds: Sequence[str]) -> dict[tuple[str, str], list[GffRow]]:
        """The rows of these kinds, by sequence and the ID of what they are a part of."""
        found: dict[tuple[str, str], list[GffRow]] = defaultdict(list)
        for kind in kinds:
            for row in self.rows[kind]:
                for parent in row.parents:
                    found[row.sequence, parent].append(row)
        return found

    @cached_property
    def stops(self) -> dict[tuple[str, str], list[GffRow]]:
        """The stop codons of GTF, by sequence and transcript."""
        return self.parts(("stop_codon",))

    def is_pseudo(self, row: GffRow) -> bool:
        """Whether a row, or what it is a part of, is marked as a pseudo gene."""
        waiting, seen = [row.own, *row.parents], set()
        while waiting:
            name = waiting.pop()
            if name and name in self.pseudo:
                return True
            if name not in seen:
                seen.add(name)
                waiting += self.parents.get(name, ())
        return _is_pseudo(row)


def read_table(path: Path, wanted: Collection[str], parts: Collection[str]) -> GffTable:
    """The rows of the `wanted` kinds, and the places of all features but the `parts` of others.

    Raises DataError, with the line, for what is no row.
    """
    table = GffTable(path)
    for number, line in enumerate(read_lines(path), start=1):
        if line.startswith(("##FASTA", ">")):
            break
        if not line.strip() or line.startswith("#"):
            continue
        row = _row(line, path, number)
        table.there[row.kind] += 1
        if row.kind in wanted:
            table.rows[row.kind].append(row)
        if row.own:
            table.parents.setdefault(row.own, row.parents)
            if row.kind not in parts:
                table.places[row.sequence, row.own].append(row.span)
            if _is_pseudo(row):
                table.pseudo.add(row.own)
        if row.about.get("Is_circular", "").lower() == "true":
            table.circles[row.sequence] = row.span.stop
    return table


def _row(line: str, path: Path, number: int) -> GffRow:
    columns = line.split("\t")
    if len(columns) != 9 or not 1 <= position(columns[3]) <= position(columns[4]):
        raise DataError(
            f"{path}:{number}: a row of GFF3 has nine columns parted by tabs, the fourth and fifth a start "
            "(from 1) and an end; correct the file"
        )
    sequence, _, kind, start, stop, _, strand, phase, text = columns
    about, is_gff3 = _attributes(text)
    own, parents = _links(kind, about, is_gff3)
    span = Span(int(start) - 1, int(stop), "-" if strand == "-" else "+")
    gtf = not is_gff3 and "transcript_id" in about
    return GffRow(number, unquote(sequence), kind, span, phase, own, parents, about, gtf)


def _attributes(text: str) -> tuple[dict[str, str], bool]:
    """The ninth column by name, and whether it is that of GFF3.

    >>> _attributes("ID=a%3Bb;Parent=c,d")
    ({'ID': 'a%3Bb', 'Parent': 'c,d'}, True)
    >>> _attributes('name "est.1"; proteinId 12')
    ({'name': 'est.1', 'proteinId': '12'}, False)
    """
    text = text.strip()
    if _EQUALS.match(text):
        pairs = (pair.split("=", 1) for pair in text.split(";") if "=" in pair)
        return {name.strip(): value.strip() for name, value in pairs}, True
    found = {name: quoted or plain for name, quoted, plain in _PAIR.findall(text)}
    # The oldest dialect has nothing but the name of a group.
    return found or ({"Name": text.strip('";')} if text not in ("", ".") else {}), False


def _links(kind: str, about: Mapping[str, str], is_gff3: bool) -> tuple[str, tuple[str, ...]]:
    """The ID of a row's own feature, and those of the features that it is a part of."""
    if is_gff3:
        own, parents = unquote(about.get("ID", "")), about.get("Parent", "")
        if own or parents:
            return own, tuple(unquote(parent) for parent in parents.split(",") if parent)
    if kind in ("transcript", "gene") and f"{kind}_id" in about:
        above = about.get("gene_id", "") if kind == "transcript" else ""
        return about[f"{kind}_id"], (above,) if above else ()
    group = next((about[name] for name in _GROUPS if about.get(name)), "")
    return "", (unquote(group),) if group else ()


def _is_pseudo(row: GffRow) -> bool:
    about = row.about
    if row.kind.lower().startswith("pseudogen") or "pseudogene" in about:
        return True
    if "pseudo" in about and about["pseudo"].lower() not in _NO:
        return True
    return any("pseudogene" in about.get(name, "").lower() for name in _BIOTYPES)


def splicing_order(rows: Sequence[GffRow]) -> list[GffRow] | None:
    """The rows of a trans-spliced feature in the order in which they are joined; None of any other."""
    trans_spliced = any(
        "trans" in (text := row.about.get("exception", "").lower()) and "splic" in text for row in rows
    )
    parts = [position(row.about.get("part", "").partition("/")[0]) for row in rows]
    if min(parts) > 0:
        return [rows[at] for at in sorted(range(len(rows)), key=lambda at: parts[at])]
    ordered = any(row.about.get("is_ordered", "").lower() == "true" for row in rows)
    return list(rows) if trans_spliced or ordered else None
