"""Adds rhythm, hands and velocities to the flat form by simple rules. Nothing of it is learned.

Single notes are eighths. Full chords are quarters, on the beat. Each hand holds notes until its next ones.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from pipeline.domains.music.piano.notes import group_chords
from pipeline.domains.music.piece import Meter, NoteEvent, Part, Piece, Tempo

EIGHTHS_PER_BAR = 8
QUARTERS_PER_MINUTE = 96
TICKS_PER_EIGHTH = 240
FULL_CHORD_NOTES = 3
"""Notes of a full chord, at least."""
MAX_EIGHTHS = {0: 4, 1: 8}
"""Eighths for which the right hand (0) and the left hand (1) hold a note, at most."""
HAND_SPAN = 12
"""Semitones that one hand reaches."""
MIN_RIGHT_MEAN = 58
"""Mean pitch of a chord of the right hand, at least, where one hand plays the whole chord."""
_MIN_VELOCITY, _SWELL, _DOWNBEAT, _BEAT, _TOP = 52, 16, 12, 5, 8
"""The least velocity, and what the middle of a phrase, a downbeat, another beat and the top voice add."""
_PHRASE_EIGHTHS = 4 * EIGHTHS_PER_BAR


class _TimedChord(NamedTuple):
    """A chord with its onset in eighths."""

    onset: int
    pitches: tuple[int, ...]


def to_piece(notes: Sequence[int]) -> Piece:
    """The piece of the notes, in 4/4, for two hands."""
    chords = list(_set_times(group_chords(notes)))
    end = -(-(chords[-1].onset + EIGHTHS_PER_BAR // 2) // EIGHTHS_PER_BAR) * EIGHTHS_PER_BAR
    events: list[NoteEvent] = []
    for hand in (0, 1):
        of_hand = [_TimedChord(each.onset, _split_hands(each.pitches)[hand]) for each in chords]
        played = [each for each in of_hand if each.pitches]
        for each, following in pairwise([*played, _TimedChord(end, ())]):
            length = min(following.onset - each.onset, MAX_EIGHTHS[hand]) if following.pitches else (
                end - each.onset)  # fmt: skip
            events += [
                NoteEvent(each.onset * TICKS_PER_EIGHTH, pitch, length * TICKS_PER_EIGHTH,
                          _choose_velocity(each, pitch, hand), hand)
                for pitch in each.pitches
            ]  # fmt: skip
    return Piece(
        notes=tuple(sorted(events)),
        ticks_per_quarter=2 * TICKS_PER_EIGHTH,
        parts=(Part("Right hand"), Part("Left hand")),
        tempos=(Tempo(0, 60_000_000 // QUARTERS_PER_MINUTE),),
        meters=(Meter(0),),
    )


def _set_times(chords: Sequence[tuple[int, ...]]) -> Iterator[_TimedChord]:
    """Yield the chords with their onsets; a full chord waits for the next beat."""
    now = 0
    for pitches in chords:
        if len(pitches) >= FULL_CHORD_NOTES:
            now += now % 2
        yield _TimedChord(now, pitches)
        now += 2 if len(pitches) >= FULL_CHORD_NOTES else 1


def _split_hands(pitches: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The notes of the right and of the left hand.

    One hand plays all notes that it reaches; a wider chord is divided at its widest gap.
    """
    if pitches[-1] - pitches[0] <= HAND_SPAN:
        is_right = sum(pitches) / len(pitches) >= MIN_RIGHT_MEAN
        return (pitches, ()) if is_right else ((), pitches)
    gaps = [(high - low, at) for at, (low, high) in enumerate(pairwise(pitches), start=1)]
    at = max(gaps)[1]
    return pitches[at:], pitches[:at]


def _choose_velocity(chord: _TimedChord, pitch: int, hand: int) -> int:
    """The velocity of a note: higher on beats, inside a phrase of four bars, and in the top voice."""
    swell = _SWELL * math.sin(math.pi * (chord.onset % _PHRASE_EIGHTHS) / _PHRASE_EIGHTHS)
    beat = _DOWNBEAT if chord.onset % EIGHTHS_PER_BAR == 0 else _BEAT if chord.onset % 2 == 0 else 0
    top = _TOP if hand == 0 and pitch == chord.pitches[-1] else 0
    return round(_MIN_VELOCITY + swell + beat + top)
