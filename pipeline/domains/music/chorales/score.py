"""Chorales as pieces to be played, and as choir scores on two staves."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from pipeline.domains.music.chorales.bars import Bars, guess_bars
from pipeline.domains.music.chorales.voices import NAMES, VOICES, Chorale, VoiceNote, from_text
from pipeline.domains.music.piece import Key, Meter, NoteEvent, Part, Piece, Tempo
from pipeline.domains.music.render.phrasing import Performance
from pipeline.domains.music.render.piece_playing import perform_piece
from pipeline.domains.music.render.piece_record import PieceRecord

if TYPE_CHECKING:
    from music21.stream import Measure, Score, Voice
    from music21.stream import Part as Staff

CHOIR = 52
"""General MIDI's choir, from 0."""
QUARTERS_PER_MINUTE = 80
TICKS_PER_QUARTER = 480
_VELOCITIES = (84, 74, 74, 80)
_FIFTHS_BELOW = {False: 3, True: 2}
"""How far down the line of fifths from a major (False) or minor key's signature notes are spelled."""
_PRINTED = (1, 2, 3, 4, 6, 8, 12, 16)
"""Lengths that one note or rest can have, in sixteenths."""


@dataclass(frozen=True, kw_only=True)
class ChoraleRecord(PieceRecord):
    """A finished chorale; `step` is its grid: 16, 8 or 4."""

    step: int = 16

    @classmethod
    def of(
        cls, name: str, symbols: tuple[str, ...], chorale: Chorale, step: int, metadata: Mapping[str, str]
    ) -> "ChoraleRecord":
        """The record with its notes."""
        metadata = {**metadata, "step": str(step)}
        return cls(name, symbols, metadata, piece=to_piece(chorale, step // 4), step=step)

    def to_score(self) -> "Score":
        """A choir score on two staves, in the key that music21 hears."""
        return choir_score(from_text(self.text), self.step // 4)

    def performance(self, seed: str) -> Performance:
        """By four singers."""
        return perform_piece(self.piece, seed)


def to_piece(chorale: Chorale, steps_per_quarter: int) -> Piece:
    """The notes of the four voices, with the bars that are guessed."""
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


def heard_key(chorale: Chorale) -> Key:
    """The key by music21's analysis of how long each pitch class sounds."""
    from music21 import note, stream

    heard = stream.Stream()
    for each in chorale.notes:
        heard.append(note.Note(each.pitch, quarterLength=each.length / 4))
    found = heard.analyze("key")
    sharps = found.sharps - 12 * (found.sharps > 7) + 12 * (found.sharps < -7)
    return Key(0, sharps, found.mode == "minor")


def spelled(pitch: int, key: Key) -> str:
    """A note's name for music21, as the key has it, or as its dominants and leading notes do.

    >>> spelled(68, Key(0, 0, minor=True)), spelled(70, Key(0, -3)), spelled(59, Key(0, -7))
    ('G#4', 'B-4', 'C-4')
    """
    lowest = key.sharps - _FIFTHS_BELOW[key.minor]
    place = lowest + (7 * pitch - lowest) % 12 + 1
    alteration = place // 7
    sign = "#" * alteration + "-" * -alteration
    return f"{'FCGDAEB'[place % 7]}{sign}{(pitch - alteration) // 12 - 1}"


def choir_score(chorale: Chorale, steps_per_quarter: int) -> "Score":
    """Soprano and alto on one staff, tenor and bass on the other."""
    from music21 import layout, stream

    key, bars = heard_key(chorale), guess_bars(chorale, steps_per_quarter)
    score = stream.Score()
    for number in (0, 2):
        score.insert(0, _Staff(chorale, number, key, bars, steps_per_quarter).engraved())
    score.insert(0, layout.StaffGroup(list(score.parts), symbol="bracket", barTogether=True))
    return score


@dataclass(frozen=True)
class _Staff:
    """Two voices from number `first` on."""

    chorale: Chorale
    first: int
    key: Key
    bars: Bars
    steps_per_quarter: int

    @cached_property
    def sixteenths(self) -> int:
        """Of a step."""
        return 4 // self.steps_per_quarter

    def engraved(self) -> "Staff":
        from music21 import bar, clef, instrument, key, meter, stream

        staff = stream.Part()
        staff.insert(0, instrument.Choir())
        staff.partAbbreviation = ". ".join([*VOICES[self.first : self.first + 2], ""]).strip()
        staff.partName = f"{NAMES[self.first]}, {NAMES[self.first + 1].lower()}"
        length = len(self.chorale) * self.sixteenths
        lines = [4 * line for line in self.bars.lines(-(-length // 4))]
        first = 0 if self.bars.upbeat else 1
        for number, (start, stop) in enumerate(pairwise([*lines, length]), start=first):
            measure = self._measure(number, start, stop)
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

    def _measure(self, number: int, start: int, stop: int) -> "Measure":
        from music21 import stream

        measure = stream.Measure(number=number)
        for voice, stem in ((self.first, "up"), (self.first + 1, "down")):
            measure.insert(0, self._voice(voice, stem, start, stop))
        return measure

    def _voice(self, number: int, stem: str, start: int, stop: int) -> "Voice":
        """What a voice has between two bar lines, in sixteenths."""
        from music21 import note, stream, tie

        voice = stream.Voice(id=str(number % 2 + 1))
        for pitch, first, last, begins, ends in self._printed(number, start, stop):
            if pitch is None:
                made = note.Rest()
            else:
                made = note.Note(spelled(pitch, self.key), stemDirection=stem)
                if not (begins and ends):
                    made.tie = tie.Tie("start" if begins else "stop" if ends else "continue")
            made.quarterLength = (last - first) / 4
            voice.insert((first - start) / 4, made)
        return voice

    def _printed(
        self, number: int, start: int, stop: int
    ) -> Iterator[tuple[int | None, int, int, bool, bool]]:
        """Pitch, None for a rest, start and stop of each printed note; whether the heard one begins and ends
        with it."""
        reached = start
        for each in self._inside(number, start, stop):
            if each.onset > reached:
                for first, last in _printable(reached, each.onset):
                    yield None, first, last, True, True
            first_inside, last_inside = max(each.onset, start), min(each.onset + each.length, stop)
            for first, last in _printable(first_inside, last_inside):
                yield each.pitch, first, last, first == each.onset, last == each.onset + each.length
            reached = last_inside
        for first, last in _printable(reached, stop):
            yield None, first, last, True, True

    def _inside(self, number: int, start: int, stop: int) -> Iterator[VoiceNote]:
        for note in self.chorale.notes:
            scaled = note._replace(onset=note.onset * self.sixteenths, length=note.length * self.sixteenths)
            if note.voice == number and scaled.onset < stop and scaled.onset + scaled.length > start:
                yield scaled


def _printable(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Lengths that can be printed, where quarters start on quarters or at least on eighths.

    >>> list(_printable(0, 5)), list(_printable(2, 6)), list(_printable(3, 7))
    ([(0, 4), (4, 5)], [(2, 6)], [(3, 4), (4, 7)])
    """
    while start < stop:
        length = stop - start
        on_grid = start % 4 == 0 or (start % 2 == 0 and length <= 4) or start % 4 + length <= 4
        if length in _PRINTED and on_grid:
            last = stop
        elif start % 4:
            last = min(stop, start + 4 - start % 4)
        else:
            last = start + max(each for each in _PRINTED if each < length or each == length)
        yield start, last
        start = last
