"""Spans of a sequence, and regions made of them. Read next: `regions.py`, `bed.py`, `annotation.py`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

_POSITION = re.compile(r"[0-9]{1,15}")


class Span(NamedTuple):
    """A part of a sequence, half-open from 0; on the - strand it is read backwards, complemented."""

    start: int
    stop: int
    strand: str = "+"


@dataclass(frozen=True, slots=True)
class Region:
    """The part of a sequence that becomes one record, with its name, if it has one, and its metadata
    (`about`).

    `literal` is the text that a user wrote, which may be the name of a whole sequence. `length` is the length
    that the sequence must have, where the spans depend on it.
    """

    sequence: str
    spans: tuple[Span, ...]
    where: str
    name: str = ""
    about: tuple[tuple[str, str], ...] = field(default=())
    literal: str = ""
    length: int | None = None

    @property
    def bounds(self) -> tuple[int, int]:
        """Its first base, and the one behind its last, along the sequence."""
        return min(span.start for span in self.spans), max(span.stop for span in self.spans)

    @property
    def location(self) -> str:
        """The location, from 1, in the notation of INSDC's feature table."""
        parts = [f"{span.start + 1}..{span.stop}" for span in self.spans]
        if {span.strand for span in self.spans} == {"-"}:
            return f"complement({_join(parts[::-1])})"
        marks = ("complement({})" if span.strand == "-" else "{}" for span in self.spans)
        return _join([mark.format(part) for mark, part in zip(marks, parts, strict=True)])


def _join(parts: Sequence[str]) -> str:
    return f"join({','.join(parts)})" if len(parts) > 1 else parts[0]


def position(text: str) -> int:
    """A whole number of a table's column; -1 for anything else."""
    return int(text) if _POSITION.fullmatch(text) else -1


def in_reading_order(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Spans of one strand, in the order in which that strand is read."""
    return tuple(sorted(spans, key=lambda span: span.start, reverse=spans[0].strand == "-"))
