"""A tune in its learned form, with its notes and bars, and a check that names every problem.

A tune that passes `check` is safe for music21 and verovio; other tunes make them raise, abort or fall silent.
Times are in ticks, `WHOLE` to a whole note: integers wherever possible, for exact and fast comparison, else
fractions.
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
    ParsedMusic,
    Problem,
    Ticks,
    ending_numbers,
    opens_section,
)
from pipeline.domains.music.abc.reader import parse_notes


@dataclass(frozen=True)
class Tune:
    """A tune in one voice; meter, unit note length, key and rhythm are normalised (see `fields`)."""

    meter: str
    unit: str
    key: str
    body: str
    metadata: dict[str, str] = field(default_factory=dict, compare=False)
    rhythm: str = ""
    """Such as reel or jig; "" where it is not known."""

    @property
    def header(self) -> str:
        """The header fields in their order, one a line: three, or four with a rhythm."""
        rhythm = f"R:{self.rhythm}\n" if self.rhythm else ""
        return f"{rhythm}M:{self.meter}\nL:{self.unit}\nK:{self.key}\n"

    @property
    def text(self) -> str:
        """The learned sequence: header and body."""
        return self.header + self.body

    @cached_property
    def tokens(self) -> list[Token]:
        """The tokens of the body."""
        return tokenize(self.body)

    @cached_property
    def parsed(self) -> ParsedMusic:
        """Notes, bars and problems."""
        return parse_notes(self.tokens, self.meter, self.unit, self.key)

    def check(self) -> tuple[Problem, ...]:
        """The problems that keep a tune from being played and engraved as written; none for a valid tune."""
        parsed = self.parsed
        found = [
            *parsed.problems,
            *_bar_problems(parsed),
            *_upbeat_problems(parsed),
            *_repeat_problems(parsed),
            *_ending_problems(parsed),
        ]
        if not any(note.pitches for note in parsed.notes):
            found.insert(0, Problem("no notes", 0))
        elif not parsed.bars or not parsed.bars[-1].right:
            found.append(Problem("no final bar line", len(self.body)))
        elif all(bar.full is not None and bar.duration < bar.full for bar in parsed.bars):
            # A short bar may be an upbeat, or may complete one; a tune needs other bars, too.
            found.append(Problem("no full bar", 0))
        return tuple(found)

    @classmethod
    def from_text(cls, text: str) -> "Tune":
        """The tune of a learned sequence.

        Raises ValueError, with a short countable reason first, where the header is not `Tune.header`.
        """
        rhythm, text = _split_rhythm(text)
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


def _split_rhythm(text: str) -> tuple[str, str]:
    """The rhythm of a first line R:, "" without one, and the other lines."""
    if not text.startswith("R:"):
        return "", text
    first, _, rest = text.partition("\n")
    rhythm = first[2:]
    if fields.normalise_rhythm(rhythm) != rhythm:
        raise ValueError("header values are not in normal form")
    return rhythm, rest


def _is_edge(bar: Bar) -> bool:
    """Whether the bar may be short: an upbeat, the end of a part, or half of a bar between two parts."""
    return opens_section(bar.left) or opens_section(bar.right) or bool(bar.ending)


def _bar_problems(parsed: ParsedMusic) -> Iterator[Problem]:
    for index, bar in enumerate(parsed.bars):
        if bar.full is None:
            continue
        if bar.duration > bar.full:
            yield Problem("bar too long", bar.start, f"bar {index + 1}: {_format_duration(bar.duration)}")
        elif bar.duration < bar.full and not _is_edge(bar) and not _next_is_ending(parsed.bars, index):
            yield Problem("bar too short", bar.start, f"bar {index + 1}: {_format_duration(bar.duration)}")


def repeated_upbeats(bars: Sequence[Bar]) -> list[Ticks]:
    """For each bar the length of the upbeat of its section, which a repeat plays again; 0 for none."""
    found: list[Ticks] = []
    upbeat: Ticks = 0
    for bar in bars:
        begins = opens_section(bar.left) and not bar.ending
        if begins:
            upbeat = bar.duration if bar.full is not None and bar.duration < bar.full else 0
        found.append(0 if begins else upbeat)
    return found


def _upbeat_problems(parsed: ParsedMusic) -> Iterator[Problem]:
    """A bar before a repeat sign leaves room for the upbeat that the repeat plays again."""
    for index, (bar, upbeat) in enumerate(zip(parsed.bars, repeated_upbeats(parsed.bars), strict=True)):
        if upbeat and bar.right.startswith(":") and bar.full is not None:
            both = bar.duration + upbeat
            if bar.duration <= bar.full < both:
                detail = f"bar {index + 1}: {_format_duration(both)}"
                yield Problem("bar too long with its upbeat", bar.start, detail)


def _next_is_ending(bars: tuple[Bar, ...], index: int) -> bool:
    return index + 1 < len(bars) and bool(bars[index + 1].ending)


def _format_duration(ticks: Ticks) -> str:
    return f"{Fraction(ticks) / WHOLE} of a whole note"


def _repeat_problems(parsed: ParsedMusic) -> Iterator[Problem]:
    """Each `|:` is closed before the next one."""
    open_at: int | None = None
    for bar in parsed.bars:
        if bar.left.endswith(":"):
            if open_at is not None:
                yield Problem("repeat opened twice", bar.start)
            open_at = bar.start
        if bar.right.startswith(":"):
            open_at = None
    if open_at is not None:
        yield Problem("repeat not closed", open_at)


def _ending_problems(parsed: ParsedMusic) -> Iterator[Problem]:
    """A first ending ends with a repeat sign, and its second ending follows at once."""
    inside = awaited = 0
    for bar in parsed.bars:
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
        yield Problem("second ending missing", parsed.bars[-1].start)
