"""Parse the tokens of a tune into notes and bars, with one handler for each kind of token."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.abc_notation import (
    ALTERATIONS,
    SILENT_KINDS,
    Token,
    parse_length,
    parse_note,
    tokenize,
)
from pipeline.domains.music.abc.abc_notation import split_length as _split_length
from pipeline.domains.music.abc.bar_lines import join_bar_lines
from pipeline.domains.music.abc.notes import WHOLE, Bar, Note, ParsedMusic, Problem, Ticks

MIN_PITCH, MAX_PITCH = 21, 108
"""MIDI note numbers of the lowest and highest piano keys; pitches outside them are problems."""
MAX_NOTE_TICKS = 16 * WHOLE
"""Ticks of the longest note or rest; in free meter no bar limits a note."""

_TUPLET_TIME = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}  # §4.13; 5, 7 and 9 depend on the meter
UNCLOSED = {'"': "unclosed quote", "[": "unclosed chord", "{": "unclosed grace notes"}
"""The name of the problem that a single sign is."""
_ONE = Fraction(1)


@lru_cache(maxsize=65536)
def plain_ticks(length: str, unit: str) -> Ticks:
    """Ticks of a length as written; ValueError for a length of zero."""
    return to_int(parse_length(length) * Fraction(unit) * WHOLE)


def to_int(value: Ticks) -> Ticks:
    """An int wherever the value is whole: ints are compared and added many times faster than fractions."""
    return value.numerator if value.denominator == 1 else value


@lru_cache(maxsize=65536)
def note_parts(text: str) -> tuple[tuple[str, int], int | None, int, str]:
    """Step and octave, the accidental's semitones if any, the natural pitch, and the length as written."""
    head, length = _split_length(text)
    note = parse_note(head)
    return (note.step, note.octave), ALTERATIONS.get(note.accidental), note.natural_pitch, length


def parse_notes(tokens: Sequence[Token], meter: str, unit: str, key: str) -> ParsedMusic:
    """The notes, bars and problems of a tune's body; it never raises, for any body."""
    return _Parser(meter, unit, key).read(tokens)


class _Parser:
    """The state of the parser: position, accidentals that hold, and signs that wait for the next note."""

    def __init__(self, meter: str, unit: str, key: str) -> None:
        self.meter, self.unit = meter, unit
        self.signature = fields.signature(key)
        self.full = self._full(meter)
        self.altered: dict[str, int] = {}  # by step: an accidental holds in all octaves (§11.3)
        self.alterations: list[int] = []
        self.sounding: dict[tuple[str, int], int] = {}  # alterations of the last note or chord
        self.held: dict[tuple[str, int], int] = {}  # the same, where a tie leads on from it
        self.notes: list[Note] = []
        self.bars: list[Bar] = []
        self.problems: list[Problem] = []
        self.now: Ticks = 0
        self.bar_onset: Ticks = 0
        self.bar_start = 0
        self.left = self.ending = self.marks = ""
        self.factor, self.tuplet_left = _ONE, 0
        self.broken: Token | None = None
        self.tie_open = False
        self.handlers: dict[str, Callable[[Token], None]] = {
            "note": self._note, "rest": self._rest, "chord": self._chord, "bar": self._bar,
            "ending": self._ending, "tuplet": self._tuplet, "broken": self._broken, "tie": self._tie,
            "inline": self._inline, "field": self._inline, "mark": self._mark, "grace": self._grace,
            "overlay": self._unknown, "plus_chord": self._unknown, "unknown": self._unknown,
        }  # fmt: skip

    def read(self, tokens: Sequence[Token]) -> ParsedMusic:
        """Parse all tokens of a body."""
        ignored = SILENT_KINDS | {"string", "decoration", "slur_open", "slur_close"}
        for token in tokens:
            if token.kind not in ignored:
                self.handlers[token.kind](token)
        end = tokens[-1].start + len(tokens[-1].text) if tokens else 0
        self._expect_nothing(end, at_end=True)
        if self.now > self.bar_onset:
            self._close_bar("", end)
        return ParsedMusic(tuple(self.notes), tuple(self.bars), tuple(self.problems), tuple(self.alterations))

    @staticmethod
    def _full(meter: str) -> Ticks | None:
        length = fields.bar_length(meter)
        return None if length is None else to_int(length * WHOLE)

    def _problem(self, reason: str, token: Token) -> None:
        self.problems.append(Problem(reason, token.start, token.text[:20]))

    def _note(self, token: Token) -> None:
        self.sounding = {}
        pitch, length = self._pitch(token.text, token)
        self._sound((pitch,), length, token)

    def _rest(self, token: Token) -> None:
        self.sounding = {}
        if token.text[0] in "ZX":
            self._problem("rest of several bars", token)
            return
        self._sound((), token.text[1:], token)

    def _chord(self, token: Token) -> None:
        inside, outer = _split_length(token.text)
        parts = tokenize(inside[1:-1])
        written = [part for part in parts if part.kind == "note"]
        if any(part.kind == "unknown" for part in parts):
            self._problem("unknown symbol", token)
        if not written:
            self._problem("chord without notes", token)
            return
        self.sounding = {}
        pitches = tuple(self._pitch(part.text, token)[0] for part in written)
        try:
            length = str(parse_length(_split_length(written[0].text)[1]) * parse_length(outer))
        except ValueError:
            length = "0"
        self._sound(pitches, length, token)

    def _sound(self, pitches: tuple[int, ...], length: str, token: Token) -> None:
        """Add a note, chord or rest, with the signs that waited for it."""
        try:
            duration = plain_ticks(length, self.unit)
            if duration > MAX_NOTE_TICKS:
                self._problem("note too long", token)
                duration = MAX_NOTE_TICKS
        except ValueError:
            self._problem("length of zero", token)
            duration = 0
        if self.tuplet_left:
            duration = to_int(duration * self.factor)
            self.tuplet_left -= 1
        if self.broken is not None:
            duration = to_int(duration * self._break_rhythm(self.broken))
            self.broken = None
        if self.tie_open and (not self.notes or set(self.notes[-1].pitches).isdisjoint(pitches)):
            self._problem("tie to another pitch", token)
        self.tie_open = False
        self.held = {}
        self.notes.append(Note(pitches, self.now, duration, len(self.bars), token.start, marks=self.marks))
        self.marks = ""
        self.now += duration

    def _pitch(self, text: str, token: Token) -> tuple[int, str]:
        """The MIDI note number, and the length as written."""
        place, alteration, natural, length = note_parts(text)
        if alteration is not None:
            self.altered[place[0]] = alteration  # for the rest of the bar (§4.2)
        elif place in self.held:
            alteration = self.held[place]  # over a bar line a tie keeps it for its second note only
        else:
            alteration = self.altered.get(place[0], self.signature.get(place[0], 0))
        pitch = natural + alteration
        self.sounding[place] = alteration
        self.alterations.append(alteration)
        if not MIN_PITCH <= pitch <= MAX_PITCH:
            self._problem("pitch out of range", token)
        return pitch, length

    def _break_rhythm(self, token: Token) -> Fraction:
        """Change the note before a > or <, and return the factor of the note after it (§4.4)."""
        before, after = broken_factors(token.text)
        last = self.notes[-1]
        duration = to_int(last.duration * before)
        self.notes[-1] = last._replace(duration=duration)
        self.now = last.onset + duration
        return after

    def _broken(self, token: Token) -> None:
        if not self.notes or self.notes[-1].bar != len(self.bars) or self.broken is not None:
            self._problem("broken rhythm without two notes", token)
            return
        self.broken = token

    def _tie(self, token: Token) -> None:
        if not self.notes or not self.notes[-1].pitches:
            self._problem("tie without a note", token)
            return
        self.notes[-1] = self.notes[-1]._replace(tied=True)
        self.tie_open, self.held = True, self.sounding

    def _tuplet(self, token: Token) -> None:
        if self.tuplet_left:
            self._problem("tuplet inside a tuplet", token)
        (count, time), self.tuplet_left = tuplet_ratio(token.text, self.meter)
        self.factor = Fraction(time, count)

    def _ending(self, token: Token) -> None:
        if self.now > self.bar_onset:
            self._problem("ending inside a bar", token)
        self.ending = token.text.strip("[ ")

    def _bar(self, token: Token) -> None:
        self._expect_nothing(token.start)
        if self.now > self.bar_onset:
            self._close_bar(token.text, token.start)
        elif self.ending:
            self._problem("empty ending", token)
        elif token.text != self.left:
            # Of two bar lines with nothing between them the stronger one counts.
            self.left = join_bar_lines(self.left, token.text)
            if self.bars:
                self.bars[-1] = self.bars[-1]._replace(right=self.left)
        self.bar_start = token.start + len(token.text)

    def _close_bar(self, line: str, end: int) -> None:
        self.bars.append(
            Bar(self.bar_onset, self.now - self.bar_onset, self.full, self.meter, self.left, line,
                self.bar_start, end, self.ending)
        )  # fmt: skip
        self.left, self.ending, self.bar_onset = line, "", self.now
        self.altered.clear()

    def _expect_nothing(self, at: int, at_end: bool = False) -> None:
        """Name the signs that still wait for a note at a bar line; a tie may wait until the end."""
        if self.broken is not None:
            self._problem("broken rhythm without two notes", self.broken)
        if self.tuplet_left:
            self.problems.append(Problem("tuplet not complete", at))
        if at_end and self.tie_open:
            self.problems.append(Problem("tie without a second note", at))
        self.broken, self.tuplet_left = None, 0

    def _inline(self, token: Token) -> None:
        name, value = token.text.strip("[]").split(":", 1)
        try:
            if name == "K":
                self.signature = fields.signature(fields.normalise_key(value))
            elif name == "M":
                self.meter = fields.normalise_meter(value)
                self.full = self._full(self.meter)
            elif name == "L":
                self.unit = fields.normalise_unit(value, fields.FREE_METER)
        except ValueError:
            self._problem("unknown key, meter or unit inside", token)

    def _mark(self, token: Token) -> None:
        self.marks += token.text

    def _grace(self, token: Token) -> None:
        sounding, held = self.sounding, self.held
        self.held, self.sounding = {}, {}  # a tie leads past the grace notes
        for part in tokenize(token.text[1:-1]):
            if part.kind == "note":
                self._pitch(part.text, token)  # its accidental holds for the bar, too
            elif part.kind not in ("space", "unknown", "slur_open", "slur_close", "broken", "mark"):
                self._problem("grace notes hold something else", token)
            elif part.kind == "unknown" and part.text != "/":
                self._problem("unknown symbol", token)
        self.sounding, self.held = sounding, held

    def _unknown(self, token: Token) -> None:
        self._problem(UNCLOSED.get(token.text, "unknown symbol"), token)


@lru_cache(maxsize=64)
def broken_factors(text: str) -> tuple[Fraction, Fraction]:
    """The factors of the notes before and after >, <, >> and so on (§4.4).

    >>> [str(factor) for factor in broken_factors(">>")]
    ['7/4', '1/4']
    """
    short = Fraction(1, 2 ** len(text))
    return (2 - short, short) if text[0] == ">" else (short, 2 - short)


def tuplet_ratio(text: str, meter: str) -> tuple[tuple[int, int], int]:
    """A tuplet as (notes, in the time of how many), and the number of notes that it covers (§4.13).

    >>> tuplet_ratio("(3", "4/4"), tuplet_ratio("(5:4:6", "4/4")
    (((3, 2), 3), ((5, 4), 6))
    """
    count, time, reach, *_ = [int(part) if part else 0 for part in text[1:].split(":")] + [0, 0]
    time = time or _TUPLET_TIME.get(count) or (3 if fields.is_compound(meter) else 2)
    return (count, time), reach or count
