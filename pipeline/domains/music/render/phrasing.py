"""How a tune is played: loudness in arches over phrases, accents, the lilt of its kind, notes let go early.

Ornaments are those of `ornaments`; a second player is that of `accompaniment`.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.layout import beat_offset, is_pickup
from pipeline.domains.music.abc.notes import WHOLE, Bar, Note, Ticks
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.render.accompaniment import accompany
from pipeline.domains.music.render.ornaments import Ornamenter, Place, Sound
from pipeline.domains.music.render.playback import grace_pitches, played_bars, played_measures, played_notes

QUARTER = WHOLE // 4
_ARCHES = {8: 0.10, 4: 0.06, 2: 0.03}
"""Bars of a phrase, and how much louder its middle is than its ends, as a share of full loudness."""
_SOFTEST, _DOWNBEAT, _BEAT, _HIGHER, _HUMAN = 0.50, 0.09, 0.04, 0.04, 0.012
_STACCATO, _DANCED, _SUNG, _BREATH = 0.45, 0.90, 0.97, 0.82
_HAND_S, _QUICK_S = 0.006, 0.055
_SHORTEST = 0.02  # in quarters, from one onset to the next
_LEGATO = frozenset({"air", "waltz"})
_SWUNG = frozenset({"hornpipe", "clog", "barndance"})
_SWING, _LILT = Fraction(1, 8), Fraction(1, 24)


@dataclass(frozen=True, slots=True)
class PlayedNote:
    """A note or chord with onset and length in quarters and loudness from 0 to 1; `swells` where it is long
    enough to grow and fade; `marks` are those of its ABC."""

    pitches: tuple[int, ...]
    onset: float
    length: float
    loudness: float
    swells: bool = False
    marks: str = ""


@dataclass(frozen=True, slots=True)
class PlayedPart:
    """One player's notes in playing order: as written, and as they sound."""

    written: tuple[PlayedNote, ...]
    sounding: tuple[PlayedNote, ...]


@dataclass(frozen=True, slots=True)
class Performance:
    """Melody and, if asked for, accompaniment; the bar lines in quarters, the tempo in quarters a minute."""

    parts: tuple[PlayedPart, ...]
    bar_lines: tuple[float, ...]
    tempo: float


def perform(tune: Tune, seed: str, accompanied: bool = False) -> Performance:
    """Play a valid tune, repeats and all; `seed` is that of the slight unevenness of a human hand, and
    names the tune, so that the hand differs from one to the next."""
    bars = tune.parsed.bars
    order = [bars[index] for index in played_bars(bars)]
    beat = fields.beat_length(tune.meter)
    tempo = fields.beats_per_minute(tune.meter, tune.rhythm) * float(beat) * 4
    stage = _Stage(tune, order, tempo, random.Random(seed))
    parts = (stage.melody(), stage.accompaniment()) if accompanied else (stage.melody(),)
    bar_lines = tuple(float(onset + length) / QUARTER for onset, _, length in played_measures(order))
    return Performance(parts, bar_lines, tempo)


class _Stage:
    """What both players heed: the bars as played, the tempo, and the phrase that sounds."""

    def __init__(self, tune: Tune, order: Sequence[Bar], tempo: float, hand: random.Random) -> None:
        self.tune, self.order, self.hand = tune, order, hand
        self.per_second = tempo / 60
        self.onsets: list[Ticks] = [0]
        self.numbers: list[int] = []
        number = 0
        for bar in order:
            self.onsets.append(self.onsets[-1] + bar.duration)
            self.numbers.append(number)
            number += not is_pickup(bar)

    def melody(self) -> PlayedPart:
        """The tune with what its player makes of it."""
        heard = [note for note in played_notes(self.tune) if note.pitches]
        places = list(self._places(heard))
        middle = sum(max(note.pitches) for note in heard) / max(len(heard), 1)
        graces = grace_pitches(self.tune)
        ornamenter = Ornamenter(self.tune, _QUICK_S * self.per_second, self.hand)
        written: list[PlayedNote] = []
        sounding: list[PlayedNote] = []
        last: tuple[int, ...] = ()
        for note, place in zip(heard, places, strict=True):
            offset = self._offset(note, place)
            loudness = self._loudness(offset, place) + _HIGHER * (max(note.pitches) - middle) / 12
            plain = PlayedNote(note.pitches, float(note.onset) / QUARTER, float(note.duration) / QUARTER,
                               _within(loudness), marks=note.marks)  # fmt: skip
            written.append(plain)
            around = Place(note.marks, graces.get(note.start, ()), note.pitches == last, offset == 0,
                           float(note.duration / _eighth(self.order[place])))  # fmt: skip
            sounding += self._sound(plain, note, place, ornamenter, around)
            last = note.pitches
        return PlayedPart(tuple(written), tuple(_without_overlap(sounding)))

    def accompaniment(self) -> PlayedPart:
        """Chords under the tune, softer than it."""
        written = []
        for onset, length, pitches, loudness in accompany(self.tune):
            place = self._place(onset)
            offset = beat_offset(self.order[place], self.order[place].onset + onset - self.onsets[place])
            shape = self._loudness(offset, place) - _SOFTEST
            written.append(PlayedNote(pitches, float(onset) / QUARTER, float(length) / QUARTER,
                                      _within(loudness + shape / 2)))  # fmt: skip
        late = [max(note.onset + self._unevenness(), 0.0) for note in written]
        sounding = [replace(note, onset=onset, length=note.length * _DANCED)
                    for note, onset in zip(written, late, strict=True)]  # fmt: skip
        return PlayedPart(tuple(written), tuple(_without_overlap(sounding)))

    def _place(self, onset: Ticks) -> int:
        place = 0
        while place + 1 < len(self.order) and self.onsets[place + 1] <= onset:
            place += 1
        return place

    def _places(self, notes: Sequence[Note]) -> Iterator[int]:
        """Of each note the number of its bar, as played."""
        place = 0
        for note in notes:
            while place + 1 < len(self.order) and self.onsets[place + 1] <= note.onset:
                place += 1
            yield place

    def _offset(self, note: Note, place: int) -> Ticks:
        bar = self.order[place]
        return beat_offset(bar, bar.onset + note.onset - self.onsets[place])

    def _loudness(self, offset: Ticks, place: int) -> float:
        bar = self.order[place]
        full = bar.full or bar.duration or WHOLE
        # An upbeat belongs to the phrase that it leads into.
        bars = max(self.numbers[place] + float(offset) / float(full) - is_pickup(bar), 0.0)
        arches = sum(height * math.sin(math.pi * (bars % count) / count) for count, height in _ARCHES.items())
        beat = fields.beat_length(bar.meter) * WHOLE
        accent = _DOWNBEAT if offset % full == 0 else (_BEAT if offset % beat == 0 else 0.0)
        return _SOFTEST + arches + accent + self.hand.gauss(0, _HUMAN)

    def _sound(
        self, plain: PlayedNote, note: Note, place: int, ornamenter: Ornamenter, around: Place
    ) -> list[PlayedNote]:
        start = self._when(note.onset, place)
        until = self._when(note.onset + note.duration, place)
        share = _SUNG if self.tune.rhythm in _LEGATO else _DANCED
        if "." in note.marks:
            share = _STACCATO
        elif self.numbers[place] % 4 == 3 and note.onset + note.duration >= self.onsets[place + 1]:
            share = _BREATH
        start = max(start + self._unevenness(), 0.0)
        length = (until - start) * share
        if len(plain.pitches) > 1:
            return [replace(plain, onset=start, length=length)]
        made = ornamenter.play(Sound(plain.pitches[0], start, length), around)
        swells = len(made) == 1 and length > 0.6 * self.per_second
        return [replace(plain, pitches=(sound.pitch,), onset=sound.onset, length=sound.length, swells=swells)
                for sound in made]  # fmt: skip

    def _unevenness(self) -> float:
        return max(-2.0, min(2.0, self.hand.gauss(0, 1))) * _HAND_S * self.per_second

    def _when(self, onset: Ticks, place: int) -> float:
        """Quarters at which a moment comes: the second of two swung notes comes late, as in a hornpipe, and
        the second of three a little, as in a jig."""
        bar = self.order[place]
        offset = beat_offset(bar, bar.onset + onset - self.onsets[place])
        late: Ticks = 0
        if self.tune.rhythm in _SWUNG and bar.full is not None:
            pair = Fraction(bar.full, 4)
            late = pair * _SWING if offset % pair == pair / 2 else 0
        elif fields.is_compound(bar.meter) and self.tune.rhythm not in _LEGATO:
            beat = fields.beat_length(bar.meter) * WHOLE
            late = beat * _LILT if offset % beat == beat / 3 else 0
        return float(onset + late) / QUARTER


def _eighth(bar: Bar) -> Ticks:
    """The notes that run through a dance: eighths, or as many in a bar that is written in halved lengths."""
    return Fraction(bar.full, 8) if bar.full and bar.meter in ("2/4", "4/4", "2/2") else Fraction(WHOLE, 8)


def _within(loudness: float) -> float:
    return round(min(max(loudness, 0.15), 1.0), 4)


def _without_overlap(notes: Sequence[PlayedNote]) -> Iterator[PlayedNote]:
    """One after the other, each let go before the next, however uneven the hand."""
    onsets: list[float] = []
    for note in notes:
        onsets.append(max(note.onset, onsets[-1] + _SHORTEST) if onsets else note.onset)
    for note, onset, following in zip(notes, onsets, [*onsets[1:], math.inf], strict=True):
        room = following - onset - _SHORTEST / 4
        pitches = tuple(sorted(set(note.pitches)))
        yield replace(note, pitches=pitches, onset=onset, length=max(min(note.length, room), _SHORTEST / 2))
