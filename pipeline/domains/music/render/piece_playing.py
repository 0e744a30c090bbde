"""How a piece of several parts is played: arches over phrases, accents, an uneven hand, notes let go early.

For pieces whose notes were written or put together, not for those that were played by someone.
"""

import itertools
import math
import random
from collections.abc import Iterator

from pipeline.domains.music.piece import Meter, NoteEvent, Piece, Tempo
from pipeline.domains.music.render.phrasing import Performance, PlayedNote, PlayedPart

_PHRASE_BARS = 4
_ARCH, _DOWNBEAT, _HUMAN = 0.08, 0.05, 0.015
_HAND_QUARTERS = 0.012
_KEPT = 0.96
"""Share of a note's length that it sounds."""


def perform_piece(piece: Piece, seed: str) -> Performance:
    """Play every part of a piece; `seed` is that of the slight unevenness of a human hand, and names the
    piece, so that the hand differs from one to the next."""
    hand = random.Random(seed)
    meter = (piece.meters or (Meter(0),))[-1]
    parts = []
    for number in range(len(piece.parts)):
        written = tuple(_written(piece, meter, number))
        parts.append(PlayedPart(written, tuple(_sounding(note, hand) for note in written)))
    tempo = 60e6 / (piece.tempos or (Tempo(0),))[0].us_per_quarter
    return Performance(tuple(parts), tuple(_bar_lines(piece, meter)), tempo)


def _written(piece: Piece, meter: Meter, part: int) -> Iterator[PlayedNote]:
    """The notes of a part, those of one onset and length as one chord."""
    bar = _bar_quarters(meter)
    notes = (note for note in piece.notes if note.part == part)
    for (onset, length), together in itertools.groupby(sorted(notes, key=_place), key=_place):
        struck = list(together)
        start = (onset - meter.tick) / piece.ticks_per_quarter
        loudness = max(note.velocity for note in struck) / 127
        loudness += _ARCH * math.sin(math.pi * (start / bar % _PHRASE_BARS) / _PHRASE_BARS)
        loudness += _DOWNBEAT * (start % bar == 0)
        yield PlayedNote(
            tuple(note.pitch for note in struck), onset / piece.ticks_per_quarter,
            length / piece.ticks_per_quarter, round(min(max(loudness, 0.05), 1.0), 4),
        )  # fmt: skip


def _place(note: NoteEvent) -> tuple[int, int]:
    return note.onset, note.duration


def _sounding(note: PlayedNote, hand: random.Random) -> PlayedNote:
    late = abs(hand.gauss(0, _HAND_QUARTERS))
    loudness = min(max(note.loudness + hand.uniform(-_HUMAN, _HUMAN), 0.05), 1.0)
    return PlayedNote(
        note.pitches, round(note.onset + late, 4), round(max(note.length * _KEPT - late, 0.05), 4),
        round(loudness, 4),
    )  # fmt: skip


def _bar_quarters(meter: Meter) -> float:
    return meter.beats * 4 / meter.beat_type


def _bar_lines(piece: Piece, meter: Meter) -> Iterator[float]:
    """Ends of bars in quarters: of the upbeat, if there is one, and of all others."""
    bar, start = _bar_quarters(meter), meter.tick / piece.ticks_per_quarter
    if start:
        yield start
    for number in range(1, math.ceil((piece.end / piece.ticks_per_quarter - start) / bar) + 1):
        yield start + number * bar
