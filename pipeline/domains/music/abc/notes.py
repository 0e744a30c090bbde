"""Notes, bars and problems of a parsed tune, with exact times in ticks."""

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

WHOLE = 2**9 * 3**2 * 5 * 7
"""Ticks in a whole note: divisible by what tune books use, triplets of 256th notes and quintuplets too."""


Ticks = int | Fraction


class Note(NamedTuple):
    """A note, chord or rest that sounds or is silent for `duration` ticks from `onset` on, repeats not
    played. `pitches` are MIDI note numbers, none for a rest; `start` is the offset in the body; `tied`
    says that a tie leads on to the next note."""

    pitches: tuple[int, ...]
    onset: Ticks
    duration: Ticks
    bar: int
    start: int
    tied: bool = False
    marks: str = ""


class Bar(NamedTuple):
    """A bar between the bar lines `left` and `right` (as written, "" where there is none): its music
    stands from `start` to `end` in the body (half-open); `full` is the length that `meter` asks for, None in
    free meter."""

    onset: Ticks
    duration: Ticks
    full: Ticks | None
    meter: str
    left: str
    right: str
    start: int
    end: int
    ending: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a tune is not valid: a short countable reason, the offset in the body, and what stands there."""

    reason: str
    start: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a tune says: notes and bars in written order, and the problems met on the way; `alterations` has
    the semitones of the accidental, written or not, of each note, those of chords and grace notes too."""

    notes: tuple[Note, ...]
    bars: tuple[Bar, ...]
    problems: tuple[Problem, ...]
    alterations: tuple[int, ...] = ()


def opens_section(bar_line: str) -> bool:
    """Whether a part starts at this bar line, or a first or second ending."""
    return bar_line in ("", "||", "|]", "[|") or ":" in bar_line


def ending_numbers(ending: str) -> list[int]:
    """The numbers of an ending as written, "1,3" or "1-3" for one played several times."""
    return [int(digit) for digit in ending if digit.isdigit()]
