"""Performs a tune: phrases swell, accents, the swing of its kind, articulation, and a little variation.

Read next: `ornaments.py` and `accompaniment.py`, which add notes.
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
from pipeline.domains.music.render.ornaments import NoteContext, Ornamenter, TimedPitch
from pipeline.domains.music.render.playback import grace_pitches, played_bars, played_measures, played_notes

QUARTER = WHOLE // 4
_ARCHES = {8: 0.10, 4: 0.06, 2: 0.03}
"""Bars of a phrase, and how much louder its middle is than its ends, as a share of full loudness."""
_MIN_LOUDNESS, _DOWNBEAT, _BEAT, _OCTAVE, _VARIATION = 0.50, 0.09, 0.04, 0.04, 0.012
"""Loudness, as shares of full loudness: the least, and how much a downbeat, another beat, a pitch an octave
above the mean, and a standard deviation of chance add."""
_STACCATO, _DANCE, _LEGATO, _BREATH = 0.45, 0.90, 0.97, 0.82
"""Share of its length that a note sounds: staccato, in dances, in `_LEGATO_KINDS`, and before a breath."""
_DELAY_S, _CUT_S = 0.006, 0.055
"""Standard deviation of onsets, and the length of a cut."""
_MIN_GAP = 0.02
"""Quarters from one onset to the next, at least."""
_LEGATO_KINDS = frozenset({"air", "waltz"})
_SWING_KINDS = frozenset({"hornpipe", "clog", "barndance"})
_SWING, _LILT = Fraction(1, 8), Fraction(1, 24)
"""Delay, as a share of the beat, of the second of two notes in `_SWING_KINDS`, and of the second of three in
compound meters."""


@dataclass(frozen=True, slots=True)
class PlayedNote:
    """A note or chord: MIDI pitches, onset and length in quarters, and loudness from 0 to 1.

    `swells` says that it is long enough to swell and fade. `marks` are its marks in ABC, such as "." and "~".
    """

    pitches: tuple[int, ...]
    onset: float
    length: float
    loudness: float
    swells: bool = False
    marks: str = ""


@dataclass(frozen=True, slots=True)
class PlayedPart:
    """The notes of one player in playing order: as notated, and as they sound."""

    written: tuple[PlayedNote, ...]
    sounding: tuple[PlayedNote, ...]


@dataclass(frozen=True, slots=True)
class Performance:
    """The parts of a performance, the bar lines in quarters, and the tempo in quarters a minute."""

    parts: tuple[PlayedPart, ...]
    bar_lines: tuple[float, ...]
    tempo: float


def perform(tune: Tune, seed: str, accompanied: bool = False) -> Performance:
    """Perform a valid tune with its repeats, and an accompaniment where asked for.

    `seed` sets the random variation; it should differ between tunes.
    """
    bars = tune.parsed.bars
    order = [bars[index] for index in played_bars(bars)]
    beat = fields.beat_length(tune.meter)
    tempo = fields.beats_per_minute(tune.meter, tune.rhythm) * float(beat) * 4
    performer = _TunePerformer(tune, order, tempo, random.Random(seed))
    melody = performer.play_melody()
    parts = (melody, performer.play_accompaniment()) if accompanied else (melody,)
    bar_lines = tuple(float(onset + length) / QUARTER for onset, _, length in played_measures(order))
    return Performance(parts, bar_lines, tempo)


class _TunePerformer:
    """Plays the melody and the accompaniment of a tune: they share its bars as played, its tempo and phrases.

    A bar is given by its index in the order of playing.
    """

    def __init__(self, tune: Tune, order: Sequence[Bar], tempo: float, rng: random.Random) -> None:
        self.tune, self.order, self.rng = tune, order, rng
        self.quarters_per_second = tempo / 60
        self.onsets: list[Ticks] = [0]
        self.numbers: list[int] = []
        number = 0
        for bar in order:
            self.onsets.append(self.onsets[-1] + bar.duration)
            self.numbers.append(number)
            number += not is_pickup(bar)

    def play_melody(self) -> PlayedPart:
        """Play the tune with its ornaments."""
        notes = [note for note in played_notes(self.tune) if note.pitches]
        mean_pitch = sum(max(note.pitches) for note in notes) / max(len(notes), 1)
        graces = grace_pitches(self.tune)
        ornamenter = Ornamenter(self.tune, _CUT_S * self.quarters_per_second, self.rng)
        written: list[PlayedNote] = []
        sounding: list[PlayedNote] = []
        last: tuple[int, ...] = ()
        for note, bar in zip(notes, self._find_bars([note.onset for note in notes]), strict=True):
            offset = self._find_offset(note.onset, bar)
            loudness = self._shape_loudness(offset, bar) + _OCTAVE * (max(note.pitches) - mean_pitch) / 12
            plain = PlayedNote(note.pitches, float(note.onset) / QUARTER, float(note.duration) / QUARTER,
                               _limit(loudness), marks=note.marks)  # fmt: skip
            written.append(plain)
            context = NoteContext(note.marks, graces.get(note.start, ()), note.pitches == last, offset == 0,
                                  float(note.duration / _find_eighth(self.order[bar])))  # fmt: skip
            timed = self._set_time(plain, note, bar)
            sounding += self._add_ornament(timed, ornamenter, context)
            last = note.pitches
        return PlayedPart(tuple(written), tuple(_remove_overlaps(sounding)))

    def play_accompaniment(self) -> PlayedPart:
        """Play chords that accompany the tune, more softly than its melody."""
        chords = list(accompany(self.tune))
        written = []
        for chord, bar in zip(chords, self._find_bars([chord.onset for chord in chords]), strict=True):
            shape = self._shape_loudness(self._find_offset(chord.onset, bar), bar) - _MIN_LOUDNESS
            written.append(PlayedNote(
                chord.pitches, float(chord.onset) / QUARTER, float(chord.length) / QUARTER,
                _limit(chord.loudness + shape / 2),
            ))  # fmt: skip
        onsets = [max(note.onset + self._draw_delay(), 0.0) for note in written]
        sounding = [replace(note, onset=onset, length=note.length * _DANCE)
                    for note, onset in zip(written, onsets, strict=True)]  # fmt: skip
        return PlayedPart(tuple(written), tuple(_remove_overlaps(sounding)))

    def _find_bars(self, onsets: Sequence[Ticks]) -> Iterator[int]:
        """Yield the bar of each onset; onsets ascend."""
        bar = 0
        for onset in onsets:
            while bar + 1 < len(self.order) and self.onsets[bar + 1] <= onset:
                bar += 1
            yield bar

    def _find_offset(self, onset: Ticks, bar: int) -> Ticks:
        """Ticks from the start of the full bar."""
        return beat_offset(self.order[bar], self.order[bar].onset + onset - self.onsets[bar])

    def _shape_loudness(self, offset: Ticks, number: int) -> float:
        bar = self.order[number]
        full = bar.full or bar.duration or WHOLE
        # An upbeat belongs to the phrase after it.
        bars = max(self.numbers[number] + float(offset) / float(full) - is_pickup(bar), 0.0)
        arches = sum(height * math.sin(math.pi * (bars % count) / count) for count, height in _ARCHES.items())
        beat = fields.beat_length(bar.meter) * WHOLE
        accent = _DOWNBEAT if offset % full == 0 else (_BEAT if offset % beat == 0 else 0.0)
        return _MIN_LOUDNESS + arches + accent + self.rng.gauss(0, _VARIATION)

    def _set_time(self, plain: PlayedNote, note: Note, bar: int) -> PlayedNote:
        """The note with onset and length as they sound."""
        start = self._swing(note.onset, bar)
        end = self._swing(note.onset + note.duration, bar)
        share = _LEGATO if self.tune.rhythm in _LEGATO_KINDS else _DANCE
        if "." in note.marks:
            share = _STACCATO
        elif self.numbers[bar] % 4 == 3 and note.onset + note.duration >= self.onsets[bar + 1]:
            share = _BREATH
        start = max(start + self._draw_delay(), 0.0)
        return replace(plain, onset=start, length=(end - start) * share)

    def _add_ornament(
        self, note: PlayedNote, ornamenter: Ornamenter, context: NoteContext
    ) -> list[PlayedNote]:
        """The notes that sound for a note; a chord has no ornament."""
        if len(note.pitches) > 1:
            return [note]
        made = ornamenter.play(TimedPitch(max(note.pitches), note.onset, note.length), context)
        swells = len(made) == 1 and note.length > 0.6 * self.quarters_per_second
        return [replace(note, pitches=(sound.pitch,), onset=sound.onset, length=sound.length, swells=swells)
                for sound in made]  # fmt: skip

    def _draw_delay(self) -> float:
        """A random delay in quarters, of at most two standard deviations."""
        return max(-2.0, min(2.0, self.rng.gauss(0, 1))) * _DELAY_S * self.quarters_per_second

    def _swing(self, onset: Ticks, number: int) -> float:
        """The time in quarters at which an onset is played.

        The second of two swung notes is late, as in a hornpipe, and the second of three a little, as in a
        jig.
        """
        bar, offset = self.order[number], self._find_offset(onset, number)
        late: Ticks = 0
        if self.tune.rhythm in _SWING_KINDS and bar.full is not None:
            pair = Fraction(bar.full, 4)
            late = pair * _SWING if offset % pair == pair / 2 else 0
        elif fields.is_compound(bar.meter) and self.tune.rhythm not in _LEGATO_KINDS:
            beat = fields.beat_length(bar.meter) * WHOLE
            late = beat * _LILT if offset % beat == beat / 3 else 0
        return float(onset + late) / QUARTER


def _find_eighth(bar: Bar) -> Ticks:
    """The length of the shortest usual note: an eighth, or an eighth of a bar in simple duple meters."""
    return Fraction(bar.full, 8) if bar.full and bar.meter in ("2/4", "4/4", "2/2") else Fraction(WHOLE, 8)


def _limit(loudness: float) -> float:
    return round(min(max(loudness, 0.15), 1.0), 4)


def _remove_overlaps(notes: Sequence[PlayedNote]) -> Iterator[PlayedNote]:
    """Yield the notes with ascending onsets, each ended before the next one."""
    onsets: list[float] = []
    for note in notes:
        onsets.append(max(note.onset, onsets[-1] + _MIN_GAP) if onsets else note.onset)
    for note, onset, following in zip(notes, onsets, [*onsets[1:], math.inf], strict=True):
        available = following - onset - _MIN_GAP / 4
        pitches = tuple(sorted(set(note.pitches)))
        yield replace(
            note, pitches=pitches, onset=onset, length=max(min(note.length, available), _MIN_GAP / 2)
        )
