"""Performs a piece of several parts: phrases swell, downbeats are louder, times and loudness vary a little.

For notated or generated pieces; a performance already has its own timing and loudness.
"""

import itertools
import math
import random
from collections.abc import Iterator

from pipeline.domains.music.piece import Meter, NoteEvent, Piece, Tempo
from pipeline.domains.music.render.phrasing import Performance, PlayedNote, PlayedPart

_PHRASE_BARS = 4
_ARCH, _DOWNBEAT, _VARIATION = 0.08, 0.05, 0.015
"""Loudness, as a share of full loudness: added in the middle of a phrase, on a downbeat, and at random."""
_DELAY_QUARTERS = 0.012
"""Standard deviation of the delay of a note."""
_ARTICULATION = 0.96
"""Share of its length that a note sounds."""


def perform_piece(piece: Piece, seed: str) -> Performance:
    """Perform every part of a piece. `seed` sets the random variation; it should differ between pieces."""
    rng = random.Random(seed)
    meter = (piece.meters or (Meter(0),))[-1]
    parts = []
    for number in range(len(piece.parts)):
        written = tuple(_group_notes(piece, meter, number))
        parts.append(PlayedPart(written, tuple(_vary(note, rng) for note in written)))
    tempo = 60e6 / (piece.tempos or (Tempo(0),))[0].us_per_quarter
    return Performance(tuple(parts), tuple(_find_bar_lines(piece, meter)), tempo)


def _group_notes(piece: Piece, meter: Meter, part: int) -> Iterator[PlayedNote]:
    """Yield the notes of a part, those with the same onset and length as one chord."""
    bar = _bar_quarters(meter)
    notes = (note for note in piece.notes if note.part == part)
    for (onset, length), together in itertools.groupby(sorted(notes, key=_get_span), key=_get_span):
        struck = list(together)
        start = (onset - meter.tick) / piece.ticks_per_quarter
        loudness = max(note.velocity for note in struck) / 127
        loudness += _ARCH * math.sin(math.pi * (start / bar % _PHRASE_BARS) / _PHRASE_BARS)
        loudness += _DOWNBEAT * (start % bar == 0)
        yield PlayedNote(
            tuple(note.pitch for note in struck), onset / piece.ticks_per_quarter,
            length / piece.ticks_per_quarter, round(min(max(loudness, 0.05), 1.0), 4),
        )  # fmt: skip


def _get_span(note: NoteEvent) -> tuple[int, int]:
    return note.onset, note.duration


def _vary(note: PlayedNote, rng: random.Random) -> PlayedNote:
    """Delay a note, shorten it and change its loudness, each a little."""
    delay = abs(rng.gauss(0, _DELAY_QUARTERS))
    loudness = min(max(note.loudness + rng.uniform(-_VARIATION, _VARIATION), 0.05), 1.0)
    return PlayedNote(
        note.pitches, round(note.onset + delay, 4),
        round(max(note.length * _ARTICULATION - delay, 0.05), 4), round(loudness, 4),
    )  # fmt: skip


def _bar_quarters(meter: Meter) -> float:
    return meter.beats * 4 / meter.beat_type


def _find_bar_lines(piece: Piece, meter: Meter) -> Iterator[float]:
    """Yield the ends of bars in quarters, from that of the upbeat if there is one."""
    bar, start = _bar_quarters(meter), meter.tick / piece.ticks_per_quarter
    if start:
        yield start
    for number in range(1, math.ceil((piece.end / piece.ticks_per_quarter - start) / bar) + 1):
        yield start + number * bar
