"""Chorales as pieces for the renders, and as choir scores on two staves."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from pipeline.domains.music.chorales.bars import Bars, guess_bars
from pipeline.domains.music.chorales.voices import NAMES, VOICES, Chorale, VoiceNote, parse_chorale
from pipeline.domains.music.piece import Key, Meter, NoteEvent, Part, Piece, Tempo
from pipeline.domains.music.render.phrasing import Performance
from pipeline.domains.music.render.piece_playing import perform_piece
from pipeline.domains.music.render.piece_record import PieceRecord
from pipeline.domains.music.render.staves import analyse_key
from pipeline.records import Symbols

if TYPE_CHECKING:
    from music21.stream import Measure, Score, Voice
    from music21.stream import Part as Staff

CHOIR = 52
"""General MIDI's choir, from 0."""
QUARTERS_PER_MINUTE = 80
TICKS_PER_QUARTER = 480
_VELOCITIES = (84, 74, 74, 80)
_FIFTHS_BELOW = {False: 3, True: 2}
"""The lowest note on the line of fifths in a major (False) and minor key, counted down from its signature."""
_PRINTABLE_LENGTHS = (1, 2, 3, 4, 6, 8, 12, 16)
"""Lengths of a single note or rest, in sixteenths."""


@dataclass(frozen=True, kw_only=True)
class ChoraleRecord(PieceRecord):
    """A finished chorale. `step` is its grid: steps of a whole note."""

    step: int = 16

    @classmethod
    def of_chorale(
        cls, name: str, symbols: Symbols, chorale: Chorale, step: int, metadata: Mapping[str, str]
    ) -> "ChoraleRecord":
        """The record of a chorale with its piece."""
        metadata = {**metadata, "step": str(step)}
        return cls(name, symbols, metadata, piece=to_piece(chorale, step // 4), step=step)

    def to_score(self) -> "Score":
        """Write the chorale as a choir score on two staves, in the key that music21 finds."""
        return choir_score(parse_chorale(self.text), self.step // 4)

    def performance(self, seed: str) -> Performance:
        """Perform the chorale by four singers."""
        return perform_piece(self.piece, seed)


def to_piece(chorale: Chorale, steps_per_quarter: int) -> Piece:
    """The piece of the four voices, with estimated bars."""
    ticks = TICKS_PER_QUARTER // steps_per_quarter
    notes = (
        NoteEvent(note.onset * ticks, note.pitch, note.length * ticks, _VELOCITIES[note.voice], note.voice)
        for note in chorale.notes
    )
    bars = guess_bars(chorale, steps_per_quarter)
    first = (Meter(0, bars.upbeat, 4),) if bars.upbeat else ()
    return Piece(
        notes=tuple(sorted(notes)),
        ticks_per_quarter=TICKS_PER_QUARTER,
        parts=tuple(Part(name, CHOIR) for name in NAMES),
        tempos=(Tempo(0, 60_000_000 // QUARTERS_PER_MINUTE),),
        meters=(*first, Meter(bars.upbeat * TICKS_PER_QUARTER, bars.quarters, 4)),
    )


def detect_chorale_key(chorale: Chorale) -> Key:
    """The key that music21 finds, with at most seven sharps or flats."""
    sharps, minor = analyse_key((note.pitch, note.length / 4) for note in chorale.notes)
    return Key(0, sharps - 12 * (sharps > 7) + 12 * (sharps < -7), minor)


def spell(pitch: int, key: Key) -> str:
    """The name of a MIDI pitch for music21: the spelling in the key, its dominants and leading notes.

    >>> spell(68, Key(0, 0, minor=True)), spell(70, Key(0, -3)), spell(59, Key(0, -7))
    ('G#4', 'B-4', 'C-4')
    """
    lowest = key.sharps - _FIFTHS_BELOW[key.minor]
    fifths = lowest + (7 * pitch - lowest) % 12 + 1
    alteration = fifths // 7
    sign = "#" * alteration + "-" * -alteration
    return f"{'FCGDAEB'[fifths % 7]}{sign}{(pitch - alteration) // 12 - 1}"


def choir_score(chorale: Chorale, steps_per_quarter: int) -> "Score":
    """A score with soprano and alto on one staff, tenor and bass on the other."""
    from music21 import layout, stream

    key, bars = detect_chorale_key(chorale), guess_bars(chorale, steps_per_quarter)
    score = stream.Score()
    for number in (0, 2):
        score.insert(0, _StaffWriter(chorale, number, key, bars, steps_per_quarter).write())
    score.insert(0, layout.StaffGroup(list(score.parts), symbol="bracket", barTogether=True))
    return score


class _PrintedNote(NamedTuple):
    """A printed note, or a rest, with start and stop in sixteenths.

    A sounding note may be printed as several tied ones: `is_start` and `is_end` mark the first and the last.
    """

    pitch: int | None
    start: int
    stop: int
    is_start: bool = True
    is_end: bool = True


@dataclass(frozen=True)
class _StaffWriter:
    """Writes two voices, number `first` and the next, on one staff."""

    chorale: Chorale
    first: int
    key: Key
    bars: Bars
    steps_per_quarter: int

    @cached_property
    def sixteenths(self) -> int:
        """Sixteenths of a step."""
        return 4 // self.steps_per_quarter

    def write(self) -> "Staff":
        """The staff with its measures and beams."""
        from music21 import bar, clef, instrument, key, meter, stream

        staff = stream.Part()
        staff.insert(0, instrument.Choir())
        staff.partAbbreviation = ". ".join([*VOICES[self.first : self.first + 2], ""]).strip()
        staff.partName = f"{NAMES[self.first]}, {NAMES[self.first + 1].lower()}"
        length = len(self.chorale) * self.sixteenths
        lines = [4 * line for line in self.bars.lines(-(-length // 4))]
        first = 0 if self.bars.upbeat else 1
        for number, (start, stop) in enumerate(pairwise([*lines, length]), start=first):
            measure = self._write_measure(number, start, stop)
            if start == 0:
                measure.insert(0, clef.TrebleClef() if self.first == 0 else clef.BassClef())
                measure.insert(0, key.KeySignature(self.key.sharps))
                measure.insert(0, meter.TimeSignature(f"{self.bars.quarters}/4"))
                if self.bars.upbeat:
                    measure.padAsAnacrusis()
            staff.append(measure)
        measure.rightBarline = bar.Barline("final")
        staff.makeBeams(inPlace=True, setStemDirections=False)
        return staff

    def _write_measure(self, number: int, start: int, stop: int) -> "Measure":
        from music21 import stream

        measure = stream.Measure(number=number)
        for voice, stem in ((self.first, "up"), (self.first + 1, "down")):
            measure.insert(0, self._write_voice(voice, stem, start, stop))
        return measure

    def _write_voice(self, number: int, stem: str, start: int, stop: int) -> "Voice":
        """The notes and rests of a voice between two bar lines, given in sixteenths."""
        from music21 import note, stream, tie

        voice = stream.Voice(id=str(number % 2 + 1))
        for each in self._split_notes(number, start, stop):
            if each.pitch is None:
                made = note.Rest()
            else:
                made = note.Note(spell(each.pitch, self.key), stemDirection=stem)
                if not (each.is_start and each.is_end):
                    made.tie = tie.Tie("start" if each.is_start else "stop" if each.is_end else "continue")
            made.quarterLength = (each.stop - each.start) / 4
            voice.insert((each.start - start) / 4, made)
        return voice

    def _split_notes(self, number: int, start: int, stop: int) -> Iterator[_PrintedNote]:
        """Split the notes and rests of a voice into printable lengths."""
        reached = start
        for each in self._find_notes(number, start, stop):
            end = each.onset + each.length
            for first, last in _split_length(reached, max(each.onset, reached)):
                yield _PrintedNote(None, first, last)
            for first, last in _split_length(max(each.onset, start), min(end, stop)):
                yield _PrintedNote(each.pitch, first, last, first == each.onset, last == end)
            reached = min(end, stop)
        for first, last in _split_length(reached, stop):
            yield _PrintedNote(None, first, last)

    def _find_notes(self, number: int, start: int, stop: int) -> Iterator[VoiceNote]:
        """Yield the notes of a voice that sound between two times, with times in sixteenths."""
        for note in self.chorale.notes:
            scaled = note._replace(onset=note.onset * self.sixteenths, length=note.length * self.sixteenths)
            if note.voice == number and scaled.onset < stop and scaled.onset + scaled.length > start:
                yield scaled


def _split_length(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Split an interval of sixteenths into printable lengths.

    Quarters start on quarters, or at least on eighths.

    >>> list(_split_length(0, 5)), list(_split_length(2, 6)), list(_split_length(3, 7))
    ([(0, 4), (4, 5)], [(2, 6)], [(3, 4), (4, 7)])
    """
    while start < stop:
        length = stop - start
        on_grid = start % 4 == 0 or (start % 2 == 0 and length <= 4) or start % 4 + length <= 4
        if length in _PRINTABLE_LENGTHS and on_grid:
            last = stop
        elif start % 4:
            last = min(stop, start + 4 - start % 4)
        else:
            last = start + max(each for each in _PRINTABLE_LENGTHS if each <= length)
        yield start, last
        start = last
