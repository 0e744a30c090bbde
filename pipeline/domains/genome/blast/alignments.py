"""The nearest samples' best alignments as text, with coordinates in the source chromosome."""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.domains.genome.blast.backend import Program
from pipeline.domains.genome.blast.query_results import SAMPLES, LocatedHit, QueryResult

SHOWN = 10
COLUMNS = 60
MAX_NAME = 24


def nearest_samples(searched: Sequence[QueryResult]) -> list[tuple[QueryResult, LocatedHit]]:
    """The samples that have a hit, each with its best; the smallest E-value first, then the highest score."""
    found = [(one, one.best) for one in searched if one.group == SAMPLES and one.best is not None]
    return sorted(found, key=lambda pair: (float(pair[1].hit.evalue), -float(pair[1].hit.bit_score)))


def write_alignments(searched: Sequence[QueryResult], program: Program, path: Path) -> Path | None:
    """Write the best alignments of the `SHOWN` nearest samples; None where there are none."""
    shown = [(one, best) for one, best in nearest_samples(searched) if best.hit.query_text][:SHOWN]
    if not shown:
        return None
    path.write_text(
        "\n\n".join("\n".join(_lines(one, best, program)) for one, best in shown) + "\n", encoding="utf-8"
    )
    return path


def _lines(one: QueryResult, found: LocatedHit, program: Program) -> Iterator[str]:
    hit = found.hit
    same = sum(map(str.__eq__, hit.query_text, hit.subject_text))
    gaps = sum("-" in pair for pair in zip(hit.query_text, hit.subject_text, strict=True))
    strand = f", strand {hit.strand}" if program.stranded else ""
    cut_out = "" if hit.subject == found.source else f", in {_plain(hit.subject)}"
    yield f"{_plain(one.name)} ({one.length:,} {program.unit})"
    yield f"{_plain(found.source)}, {found.start:,} to {found.end:,}{strand}{cut_out}"
    yield (
        f"E = {hit.evalue}, {hit.bit_score} bits, identical {same} of {hit.length} "
        f"({hit.identity_percent}%), gaps {gaps}, query coverage {found.coverage:.1f}%"
    )
    yield ""
    forward = hit.strand == "+"
    rows = (
        _AlignmentRow(_plain(one.name), hit.query_start, 1),
        _AlignmentRow(_plain(found.source), found.start if forward else found.end, 1 if forward else -1),
    )
    margin = max(len(row.name) for row in rows)
    digits = max(len(str(place)) for place in (hit.query_end, found.end))
    for start in range(0, len(hit.query_text), COLUMNS):
        query, subject = (text[start : start + COLUMNS] for text in (hit.query_text, hit.subject_text))
        yield rows[0].line(query, margin, digits)
        yield f"{'':{margin + digits + 3}}{_midline(query, subject, program)}".rstrip()
        yield rows[1].line(subject, margin, digits)
        yield ""


class _AlignmentRow:
    """One sequence of an alignment, line by line: its name, and the position of its next letter."""

    def __init__(self, name: str, place: int, step: int) -> None:
        self.name, self.place, self.step = name[:MAX_NAME], place, step

    def line(self, text: str, margin: int, digits: int) -> str:
        letters = len(text) - text.count("-")
        first, self.place = self.place, self.place + self.step * letters
        # A line of gaps alone has no last letter; it shows the position before it, as in BLAST.
        return f"{self.name:{margin}} {first:>{digits}}  {text}  {self.place - self.step}"


def _midline(query: str, subject: str, program: Program) -> str:
    """A bar for equal bases; for proteins the letter where they are equal, and + where alike."""
    if program.stranded:
        return "".join("|" if a == b else " " for a, b in zip(query, subject, strict=True))
    alike = _positive_pairs()
    return "".join(
        a if a == b else "+" if (a, b) in alike else " " for a, b in zip(query, subject, strict=True)
    )


@cache
def _positive_pairs() -> frozenset[tuple[str, str]]:
    """Pairs of letters with a score above 0 in BLOSUM62, the default matrix of blastp.

    Source: S. Henikoff, J. G. Henikoff, PNAS 89 (1992) 10915.
    """
    from Bio.Align import substitution_matrices

    scores: Any = substitution_matrices.load("BLOSUM62")
    return frozenset((a, b) for a in scores.alphabet for b in scores.alphabet if scores[a, b] > 0)


def _plain(name: str) -> str:
    """A name on one line, whatever is in it."""
    return "".join(letter if letter.isprintable() else " " for letter in name)
