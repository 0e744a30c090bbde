"""How a tune is played: loudness that swells over each phrase, accents on the beats, notes let go early."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.music import fields
from pipeline.music.layout import beat_offset
from pipeline.music.playing import played_bars, played_measures, played_notes
from pipeline.music.tune import WHOLE, Bar, Note, Ticks, Tune

QUARTER = WHOLE // 4
PHRASE_BARS = 4
_SOFTEST, _SWELL, _DOWNBEAT, _BEAT, _HUMAN = 0.50, 0.20, 0.12, 0.05, 0.02
_STACCATO, _DETACHED, _LONG = 0.5, 0.88, 0.95


@dataclass(frozen=True, slots=True)
class PlayedNote:
    """A note or chord with onset and lengths in quarters: as written, and as it sounds; loudness 0 to 1."""

    pitches: tuple[int, ...]
    onset: float
    length: float
    sounding: float
    loudness: float


@dataclass(frozen=True, slots=True)
class Performance:
    """The notes in playing order, the bar lines in quarters, and the tempo in quarters a minute."""

    notes: tuple[PlayedNote, ...]
    bar_lines: tuple[float, ...]
    tempo: float


def perform(tune: Tune, seed: str) -> Performance:
    """Play a valid tune, repeats and all; `seed` is that of the slight unevenness of a human hand, and
    names the tune, so that the hand differs from one to the next."""
    bars = tune.reading.bars
    order = [bars[index] for index in played_bars(bars)]
    onsets = _bar_onsets(order)
    hand = random.Random(seed)
    notes = tuple(_played(note, onset, bar, place, hand) for note, onset, bar, place in
                  _with_bars(played_notes(tune), order, onsets) if note.pitches)  # fmt: skip
    bar_lines = tuple(float(onset + length) / QUARTER for onset, _, length in played_measures(order))
    beat = fields.beat_length(tune.meter)
    tempo = fields.beats_per_minute(tune.meter, tune.rhythm) * float(beat) * 4
    return Performance(notes, bar_lines, tempo)


def _bar_onsets(order: Sequence[Bar]) -> list[Ticks]:
    onsets: list[Ticks] = [0]
    for bar in order:
        onsets.append(onsets[-1] + bar.duration)
    return onsets


def _with_bars(
    notes: Sequence[Note], order: Sequence[Bar], onsets: Sequence[Ticks]
) -> Iterator[tuple[Note, Ticks, Bar, int]]:
    """Each note with its bar's onset in playing time, its bar, and the number of that bar as played."""
    place = 0
    for note in notes:
        while place + 1 < len(order) and onsets[place + 1] <= note.onset:
            place += 1
        yield note, onsets[place], order[place], place


def _played(note: Note, bar_onset: Ticks, bar: Bar, place: int, hand: random.Random) -> PlayedNote:
    offset = beat_offset(bar, bar.onset + note.onset - bar_onset)
    beat = fields.beat_length(bar.meter) * WHOLE
    full = bar.full or WHOLE
    phase = ((place % PHRASE_BARS) + float(offset) / float(full)) / PHRASE_BARS
    loudness = _SOFTEST + _SWELL * math.sin(math.pi * min(phase, 1.0)) + hand.uniform(-_HUMAN, _HUMAN)
    loudness += _DOWNBEAT if offset % full == 0 else (_BEAT if offset % beat == 0 else 0.0)
    share = _STACCATO if "." in note.marks else (_LONG if note.duration >= beat else _DETACHED)
    length = float(note.duration) / QUARTER
    return PlayedNote(
        note.pitches, float(note.onset) / QUARTER, length, length * share, round(min(loudness, 1.0), 4)
    )
