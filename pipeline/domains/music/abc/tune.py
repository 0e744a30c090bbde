"""A tune in our normal form, its notes and bars with exact times, and a checker that names every problem.

What passes `check` is safe to hand to music21 and verovio, which raise, fall silent or abort on some of
what does not. Times are in ticks, `WHOLE` to a whole note: integers where they can be, so that bars are
compared exactly and fast, else fractions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.abc_notation import Token, tokenize
from pipeline.domains.music.abc.notes import (
    WHOLE,
    Bar,
    Problem,
    Reading,
    Ticks,
    ending_numbers,
    opens_section,
)
from pipeline.domains.music.abc.reader import read_notes


@dataclass(frozen=True)
class Tune:
    """A tune: normalised meter, unit note length and key (see `fields`), and a body in one voice; `rhythm`,
    such as reel or jig, where it is known."""

    meter: str
    unit: str
    key: str
    body: str
    metadata: dict[str, str] = field(default_factory=dict, compare=False)
    rhythm: str = ""

    @property
    def header(self) -> str:
        """The fields in their fixed order, one a line: three, or four where the rhythm is known."""
        rhythm = f"R:{self.rhythm}\n" if self.rhythm else ""
        return f"{rhythm}M:{self.meter}\nL:{self.unit}\nK:{self.key}\n"

    @property
    def text(self) -> str:
        """The sequence that is learned: header and body."""
        return self.header + self.body

    @cached_property
    def tokens(self) -> list[Token]:
        """The tokens of the body."""
        return tokenize(self.body)

    @cached_property
    def reading(self) -> Reading:
        """Notes, bars and problems."""
        return read_notes(self.tokens, self.meter, self.unit, self.key)

    def check(self) -> tuple[Problem, ...]:
        """All that keeps the tune from being played and engraved as written; empty for a valid tune."""
        reading = self.reading
        found = [
            *reading.problems,
            *_bar_problems(reading),
            *_upbeat_problems(reading),
            *_repeat_problems(reading),
            *_ending_problems(reading),
        ]
        if not any(note.pitches for note in reading.notes):
            found.insert(0, Problem("no notes", 0))
        elif not reading.bars or not reading.bars[-1].right:
            found.append(Problem("no final bar line", len(self.body)))
        elif all(bar.full is not None and bar.duration < bar.full for bar in reading.bars):
            # Each short bar alone could be an upbeat or its complement; a tune of nothing else is none.
            found.append(Problem("no full bar", 0))
        return tuple(found)

    @classmethod
    def from_text(cls, text: str) -> "Tune":
        """The tune of a learned sequence.

        Raises ValueError, with a short countable reason first, where the header is not `Tune.header`.
        """
        rhythm, text = _rhythm(text)
        lines = text.split("\n", 3)
        names = [line[:2] for line in lines[:3]]
        if names != ["M:", "L:", "K:"] or len(lines) < 4:
            raise ValueError("header is not M:, L:, K:")
        try:
            meter = fields.normalise_meter(lines[0][2:])
            unit, key = fields.normalise_unit(lines[1][2:], meter), fields.normalise_key(lines[2][2:])
        except ValueError as error:
            raise ValueError("header values are not known") from error
        if [meter, unit, key] != [line[2:] for line in lines[:3]]:
            raise ValueError("header values are not in normal form")
        return cls(meter, unit, key, lines[3], rhythm=rhythm)


def _rhythm(text: str) -> tuple[str, str]:
    """What R: says in the first line, if that is there, and the other lines."""
    if not text.startswith("R:"):
        return "", text
    first, _, rest = text.partition("\n")
    rhythm = first[2:]
    if fields.normalise_rhythm(rhythm) != rhythm:
        raise ValueError("header values are not in normal form")
    return rhythm, rest


def _is_edge(bar: Bar) -> bool:
    """Whether the bar may be short: a pick-up, the end of a part, or a half of a bar split between them."""
    return opens_section(bar.left) or opens_section(bar.right) or bool(bar.ending)


def _bar_problems(reading: Reading) -> Iterator[Problem]:
    for index, bar in enumerate(reading.bars):
        if bar.full is None:
            continue
        if bar.duration > bar.full:
            yield Problem("bar too long", bar.start, f"bar {index + 1}: {_fraction(bar.duration)}")
        elif bar.duration < bar.full and not _is_edge(bar) and not _next_is_ending(reading.bars, index):
            yield Problem("bar too short", bar.start, f"bar {index + 1}: {_fraction(bar.duration)}")


def repeated_upbeats(bars: Sequence[Bar]) -> list[Ticks]:
    """For each bar the upbeat that begins its section, which a repeat sign plays again; 0 for none."""
    found: list[Ticks] = []
    upbeat: Ticks = 0
    for bar in bars:
        begins = opens_section(bar.left) and not bar.ending
        if begins:
            upbeat = bar.duration if bar.full is not None and bar.duration < bar.full else 0
        found.append(0 if begins else upbeat)
    return found


def _upbeat_problems(reading: Reading) -> Iterator[Problem]:
    """A bar before a repeat sign is short by the upbeat that the repeat plays again."""
    for index, (bar, upbeat) in enumerate(zip(reading.bars, repeated_upbeats(reading.bars), strict=True)):
        if upbeat and bar.right.startswith(":") and bar.full is not None:
            both = bar.duration + upbeat
            if bar.duration <= bar.full < both:
                detail = f"bar {index + 1}: {_fraction(both)}"
                yield Problem("bar too long with its upbeat", bar.start, detail)


def _next_is_ending(bars: tuple[Bar, ...], index: int) -> bool:
    return index + 1 < len(bars) and bool(bars[index + 1].ending)


def _fraction(ticks: Ticks) -> str:
    return f"{Fraction(ticks) / WHOLE} of a whole note"


def _repeat_problems(reading: Reading) -> Iterator[Problem]:
    """Repeats pair up: what `|:` opens is closed before the next opens."""
    open_at: int | None = None
    for bar in reading.bars:
        if bar.left.endswith(":"):
            if open_at is not None:
                yield Problem("repeat opened twice", bar.start)
            open_at = bar.start
        if bar.right.startswith(":"):
            open_at = None
    if open_at is not None:
        yield Problem("repeat not closed", open_at)


def _ending_problems(reading: Reading) -> Iterator[Problem]:
    """First endings close with a repeat sign, second endings follow at once."""
    inside = awaited = 0
    for bar in reading.bars:
        numbers = ending_numbers(bar.ending)
        if numbers:
            if inside == 1 or numbers[0] != (awaited or 1):
                yield Problem("endings out of order", bar.start, bar.ending)
            inside = numbers[-1]
        elif awaited:
            yield Problem("second ending missing", bar.start)
        awaited = 0
        if bar.right.startswith(":"):
            awaited = 2 if inside == 1 else 0
            inside = 0
        elif bar.right in ("||", "|]"):
            if inside == 1:
                yield Problem("first ending without a repeat", bar.start)
            inside = 0
    if inside == 1 or awaited:
        yield Problem("second ending missing", reading.bars[-1].start)
