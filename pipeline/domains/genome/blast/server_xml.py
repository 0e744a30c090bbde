"""Parse the XML of NCBI (by Biopython) and of EBI into hits."""

import io
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree
from xml.parsers.expat import ExpatError

from pipeline.domains.genome.blast.hits import Hit, format_bits, format_evalue


def read_ncbi(content: bytes) -> list[Hit]:
    """The hits of an answer in NCBI's XML ("outfmt 5"). Raises ValueError where it is cut off or no such."""
    from Bio import Blast

    found = []
    try:
        with Blast.parse(io.BytesIO(content)) as records:
            for record in records:
                query = record.query.description.split(None, 1)[0]
                for subject in record:
                    found += [_ncbi_hit(query, subject.target.name, part) for part in subject]
    except (Blast.CorruptedXMLError, Blast.NotXMLError, ExpatError) as error:
        raise ValueError(str(error)) from error
    except (AttributeError, LookupError, TypeError, AssertionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    return found


def _ncbi_hit(query: str, subject: str, part) -> Hit:  # noqa: ANN001
    """Biopython counts from 0 and between letters, and turns the subject's ends where its strand does."""
    (subject_from, *_, subject_to), (query_from, *_, query_to) = part.coordinates.tolist()
    forward = subject_from <= subject_to
    ends = (subject_from + 1, subject_to) if forward else (subject_from, subject_to + 1)
    return _hit(
        (query, subject),
        (query_from + 1, query_to, *ends),
        (part.annotations["evalue"], part.annotations["bit score"]),
        (part[1], part[0]),
    )


def read_ebi(content: bytes, query: str) -> list[Hit]:
    """The hits of one search in EBI's XML. Raises ValueError where it is cut off or no such."""
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise ValueError(str(error)) from error
    if _name(root) != "EBIApplicationResult":
        raise ValueError(f"<{_name(root)}> is not a result of a search")
    try:
        return [
            _ebi_hit(query, subject.get("ac") or subject.attrib["id"], part)
            for subject in _all(root, "hit")
            for part in _all(subject, "alignment")
        ]
    except (LookupError, StopIteration, TypeError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _ebi_hit(query: str, subject: str, part: ElementTree.Element) -> Hit:
    values = {_name(child): child for child in part}
    rows = values["querySeq"], values["matchSeq"]
    ends = [int(row.attrib[end]) for row in rows for end in ("start", "end")]
    figures = float(_text(values["expectation"])), float(_text(values["bits"]))
    return _hit((query, subject), ends, figures, (_text(rows[0]), _text(rows[1])))


def _text(element: ElementTree.Element) -> str:
    return (element.text or "").strip()


def _hit(
    names: tuple[str, str], ends: Sequence[int], figures: tuple[float, float], rows: tuple[str, str]
) -> Hit:
    """A row from an alignment as text; BLAST's counts follow from it."""
    if len(rows[0]) != len(rows[1]) or not rows[0]:
        raise ValueError("an alignment whose rows differ in length")
    length, same = len(rows[0]), sum(map(str.__eq__, *rows))
    # A gap opening is a gap whose left neighbour is none.
    openings = sum(row[at] == "-" != row[at - 1] for row in rows for at in range(1, length))
    gaps = sum(row.count("-") for row in rows)
    query_start, query_end, subject_start, subject_end = ends
    return Hit(
        names[0], names[1], f"{100 * same / length:.3f}", length, length - same - gaps, openings,
        query_start, query_end, subject_start, subject_end,
        format_evalue(figures[0]), format_bits(figures[1]), rows[0], rows[1],
    )  # fmt: skip


def _name(element: ElementTree.Element) -> str:
    """Without the namespace."""
    return element.tag.rpartition("}")[2]


def _all(parent: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    return (element for element in parent.iter() if _name(element) == name)
