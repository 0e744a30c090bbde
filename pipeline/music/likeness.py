"""When two tunes are the same melody: a key that transposition, octave and small ornaments do not change."""

import hashlib

from pipeline.music import fields
from pipeline.music.reader import WHOLE
from pipeline.music.tune import Tune

BARS = 8
"""Bars compared: the first part of most dances. Settings of one tune differ in their repeats and endings."""
_BEATS_AT_LEAST = 8


def melody_key(tune: Tune) -> bytes:
    """A digest of the note that sounds at each half beat of the first bars, relative to the first note.

    Grace notes, ties, rests' notation, key and octave do not count, nor does the choice of unit note length.
    A tune too short to tell is compared with all its lengths.
    """
    reading = tune.reading
    full_bars = [bar for bar in reading.bars if bar.full is not None and bar.duration == bar.full][:BARS]
    spans = [(bar.onset, bar.onset + bar.duration) for bar in full_bars]
    if not spans and reading.bars:
        spans = [(0, reading.bars[-1].onset + reading.bars[-1].duration)]
    step = fields.beat_length(tune.meter) * WHOLE / 2
    step = int(step) if step.denominator == 1 else step
    classes = _classes_at(tune, spans, step)
    if len(classes) < _BEATS_AT_LEAST * 2:
        rhythm = [(note.pitches[:1], str(note.duration)) for note in reading.notes]
        return hashlib.sha256(repr((classes, rhythm)).encode()).digest()
    return hashlib.sha256(bytes(classes)).digest()


def _classes_at(tune: Tune, spans: list[tuple], step: int) -> list[int]:
    """Pitch classes above the first one, at every step of the spans; 12 stands for silence."""
    notes = tune.reading.notes
    sampled: list[int] = []
    index = 0
    for start, end in spans:
        at = start
        while at < end:
            while index + 1 < len(notes) and notes[index + 1].onset <= at:
                index += 1
            sampled.append(max(notes[index].pitches) if notes[index].pitches else -1)
            at += step
    first = next((pitch for pitch in sampled if pitch >= 0), 0)
    return [(pitch - first) % 12 if pitch >= 0 else 12 for pitch in sampled]
