"""Rhythm, hands and loudness for notes that have none: what a pianist would make of a bare list.

Single notes are eighths and full chords quarters, on the beat; each hand holds what it plays until it plays
again. It is a reading of the notes, not something learned.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from pipeline.domains.music.piano.notes import chords
from pipeline.domains.music.piece import Meter, NoteEvent, Part, Piece, Tempo

EIGHTHS_PER_BAR = 8
QUARTERS_PER_MINUTE = 96
TICKS_PER_EIGHTH = 240
FULL = 3
"""Notes of a full chord."""
LONGEST = {0: 4, 1: 8}
"""Eighths that the right hand (0) and the left hand (1) hold a note at most."""
REACH = 12
"""Semitones that one hand spans."""
BORDER = 58
"""Chords within reach of one hand whose middle lies below are the left one's."""
_SOFTEST, _SWELL, _DOWNBEAT, _BEAT, _TOP = 52, 16, 12, 5, 8
_PHRASE_EIGHTHS = 4 * EIGHTHS_PER_BAR


class _Struck(NamedTuple):
    onset: int
    pitches: tuple[int, ...]


def to_piece(notes: Sequence[int]) -> Piece:
    """The notes in time, in 4/4, played by two hands."""
    times = list(_in_time(chords(notes)))
    end = -(-(times[-1].onset + EIGHTHS_PER_BAR // 2) // EIGHTHS_PER_BAR) * EIGHTHS_PER_BAR
    found: list[NoteEvent] = []
    for hand in (0, 1):
        struck = [_Struck(each.onset, mine) for each in times if (mine := _hands(each.pitches)[hand])]
        for each, following in pairwise([*struck, _Struck(end, ())]):
            length = min(following.onset - each.onset, LONGEST[hand]) if following.pitches else (
                end - each.onset)  # fmt: skip
            found += [
                NoteEvent(each.onset * TICKS_PER_EIGHTH, pitch, length * TICKS_PER_EIGHTH,
                          _velocity(each, pitch, hand), hand)
                for pitch in each.pitches
            ]  # fmt: skip
    return Piece(
        notes=tuple(sorted(found)),
        ticks_per_quarter=2 * TICKS_PER_EIGHTH,
        parts=(Part("Right hand"), Part("Left hand")),
        tempos=(Tempo(0, 60_000_000 // QUARTERS_PER_MINUTE),),
        meters=(Meter(0),),
    )


def _in_time(groups: Sequence[tuple[int, ...]]) -> Iterator[_Struck]:
    """Onsets in eighths; what stands before a full chord off the beat waits for it."""
    now = 0
    for pitches in groups:
        if len(pitches) >= FULL:
            now += now % 2
        yield _Struck(now, pitches)
        now += 2 if len(pitches) >= FULL else 1


def _hands(pitches: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What the right and the left hand play of a chord: all in one where it reaches, else apart at the widest
    gap."""
    if pitches[-1] - pitches[0] <= REACH:
        right = sum(pitches) / len(pitches) >= BORDER
        return (pitches, ()) if right else ((), pitches)
    gaps = [(high - low, at) for at, (low, high) in enumerate(pairwise(pitches), start=1)]
    at = max(gaps)[1]
    return pitches[at:], pitches[:at]


def _velocity(struck: _Struck, pitch: int, hand: int) -> int:
    """Louder on the beats, in the middle of a phrase of four bars, and in the top voice."""
    swell = _SWELL * math.sin(math.pi * (struck.onset % _PHRASE_EIGHTHS) / _PHRASE_EIGHTHS)
    beat = _DOWNBEAT if struck.onset % EIGHTHS_PER_BAR == 0 else _BEAT if struck.onset % 2 == 0 else 0
    top = _TOP if hand == 0 and pitch == struck.pitches[-1] else 0
    return round(_SOFTEST + swell + beat + top)
