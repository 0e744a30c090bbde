"""Notes, bars and problems of a parsed tune, with exact times in ticks."""

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

WHOLE = 2**9 * 3**2 * 5 * 7
"""Ticks in a whole note, divisible by the lengths of tune books: triplets of 256th notes, quintuplets."""

Ticks = int | Fraction


class Note(NamedTuple):
    """A note, chord or rest in written order, repeats not played."""

    pitches: tuple[int, ...]
    """MIDI note numbers, none for a rest."""
    onset: Ticks
    duration: Ticks
    bar: int
    """The number of its bar, from 0."""
    start: int
    """The offset in the body."""
    tied: bool = False
    """Whether a tie leads to the next note."""
    marks: str = ""
    """The ornaments before the note."""


class Bar(NamedTuple):
    """The music between two bar lines."""

    onset: Ticks
    duration: Ticks
    full: Ticks | None
    """The length of a full bar; None in free meter."""
    meter: str
    left: str
    """The bar line before it as written, "" for none."""
    right: str
    """The bar line after it."""
    start: int
    """The offset in the body where its music starts."""
    end: int
    """The offset where its music ends (half-open)."""
    ending: str = ""
    """The numbers of the ending that it begins, as written; "" for none."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A reason why a tune is not valid."""

    reason: str
    """A short phrase that can be counted."""
    start: int
    """The offset in the body."""
    detail: str = ""
    """The text found there, or a figure."""


@dataclass(frozen=True, slots=True)
class ParsedMusic:
    """The notes and bars of a tune in written order, and the problems of its body."""

    notes: tuple[Note, ...]
    bars: tuple[Bar, ...]
    problems: tuple[Problem, ...]
    alterations: tuple[int, ...] = ()
    """Semitones of each note's accidental, written or not, with the notes of chords and grace notes."""


def opens_section(bar_line: str) -> bool:
    """Whether a part starts at this bar line, or a first or second ending."""
    return bar_line in ("", "||", "|]", "[|") or ":" in bar_line


def ending_numbers(ending: str) -> list[int]:
    """The numbers in an ending as written, such as "1,3" for an ending that is played twice."""
    return [int(digit) for digit in ending if digit.isdigit()]
