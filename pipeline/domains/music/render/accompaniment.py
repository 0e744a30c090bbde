"""A simple accompaniment, as a guitar or piano plays for dancers: bass and chords in the meter's pattern."""

from collections.abc import Iterator, Sequence

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.layout import is_pickup
from pipeline.domains.music.abc.notes import WHOLE, Bar, Ticks
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.render.harmony import Chord, harmonise
from pipeline.domains.music.render.playback import played_bars

_BASS_FROM, _CHORD_FROM = 40, 55  # the E of a guitar's lowest string, the G of its third
_BASS_LOUDNESS, _CHORD_LOUDNESS = 0.44, 0.36

Strike = tuple[Ticks, Ticks, tuple[int, ...], float]
"""Onset as played and length in ticks, pitches, and loudness from 0 to 1."""


def accompany(tune: Tune) -> Iterator[Strike]:
    """What is struck to a valid tune as it is played; before the first full bar, nothing."""
    bars = tune.parsed.bars
    chords = harmonise(tune)
    order = played_bars(bars)
    onset: Ticks = 0
    for place, index in enumerate(order):
        bar = bars[index]
        if place + 1 == len(order):
            yield onset, bar.duration, _voicing(chords[index], with_bass=True), _CHORD_LOUDNESS
        elif place or not is_pickup(bar):
            missing = bar.full - bar.duration if is_pickup(bar) and bar.full is not None else 0
            for at, length, what in _pattern(bar, tune.rhythm):
                if missing <= at < missing + bar.duration:
                    end = min(at + length, missing + bar.duration)
                    yield onset + at - missing, end - at, *_struck(chords[index], what)
        onset += bar.duration


def _pattern(bar: Bar, rhythm: str) -> Sequence[tuple[Ticks, Ticks, str]]:
    """Offset in the full bar, length, and what is struck there: bass, its fifth, or a chord."""
    if bar.full is None or rhythm == "air":
        return [(0, bar.duration, "bass"), (bar.duration // 4, bar.duration - bar.duration // 4, "chord")]
    beat = int(fields.beat_length(bar.meter) * WHOLE)
    if fields.is_compound(bar.meter):
        third = beat // 3
        beats = range(0, int(bar.full), beat)
        basses = [(at, 2 * third, "fifth" if at // beat % 2 else "bass") for at in beats]
        return sorted(basses + [(at + length, third, "chord") for at, length, _ in basses])
    count = int(bar.meter.partition("/")[0])
    parts = 4 if count in (2, 4) else count
    step = int(bar.full) // parts
    if parts == 4:
        return [(n * step, step, what) for n, what in enumerate(("bass", "chord", "fifth", "chord"))]
    return [(number * step, step, "chord" if number else "bass") for number in range(parts)]


def _struck(chord: Chord, what: str) -> tuple[tuple[int, ...], float]:
    if what == "chord":
        return _voicing(chord), _CHORD_LOUDNESS
    root = _BASS_FROM + (chord.root - _BASS_FROM) % 12
    # The fifth lies below where the strings reach, else above.
    fifth = root + chord.fifth if root + chord.fifth - 12 < _BASS_FROM else root + chord.fifth - 12
    return ((fifth if what == "fifth" else root,), _BASS_LOUDNESS)


def _voicing(chord: Chord, with_bass: bool = False) -> tuple[int, ...]:
    """The triad in the octave from G, whose notes move little from chord to chord."""
    pitches = sorted(_CHORD_FROM + (pitch - _CHORD_FROM) % 12 for pitch in chord.pitch_classes)
    bass = [_BASS_FROM + (chord.root - _BASS_FROM) % 12] if with_bass else []
    return (*bass, *pitches)
