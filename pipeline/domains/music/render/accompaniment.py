"""A simple accompaniment of tunes, as on a guitar: bass notes and chords in a pattern for each meter."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.layout import is_pickup
from pipeline.domains.music.abc.notes import WHOLE, Bar, Ticks
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.render.harmony import Chord, harmonise
from pipeline.domains.music.render.playback import played_bars

_MIN_BASS, _MIN_CHORD = 40, 55
"""The lowest pitches of bass notes and chords: the lowest string of a guitar, and its third string."""
_BASS_LOUDNESS, _CHORD_LOUDNESS = 0.44, 0.36


class StruckChord(NamedTuple):
    """A chord or bass note: onset as played and length in ticks, MIDI pitches, loudness from 0 to 1."""

    onset: Ticks
    length: Ticks
    pitches: tuple[int, ...]
    loudness: float


def accompany(tune: Tune) -> Iterator[StruckChord]:
    """Yield the accompaniment of a valid tune as played. It starts with the first full bar."""
    bars = tune.parsed.bars
    chords = harmonise(tune)
    order = played_bars(bars)
    onset: Ticks = 0
    for number, index in enumerate(order):
        bar = bars[index]
        if number + 1 == len(order):
            yield StruckChord(
                onset, bar.duration, _voice_chord(chords[index], with_bass=True), _CHORD_LOUDNESS
            )
        elif number or not is_pickup(bar):
            missing = bar.full - bar.duration if is_pickup(bar) and bar.full is not None else 0
            for at, length, role in _choose_pattern(bar, tune.rhythm):
                if missing <= at < missing + bar.duration:
                    end = min(at + length, missing + bar.duration)
                    pitches, loudness = _voice_role(chords[index], role)
                    yield StruckChord(onset + at - missing, end - at, pitches, loudness)
        onset += bar.duration


def _choose_pattern(bar: Bar, rhythm: str) -> Sequence[tuple[Ticks, Ticks, str]]:
    """Offset in the full bar, length, and role of each stroke: "bass", "fifth" (of the bass) or "chord"."""
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
        return [(n * step, step, role) for n, role in enumerate(("bass", "chord", "fifth", "chord"))]
    return [(number * step, step, "chord" if number else "bass") for number in range(parts)]


def _voice_role(chord: Chord, role: str) -> tuple[tuple[int, ...], float]:
    """The pitches and the loudness of a stroke."""
    if role == "chord":
        return _voice_chord(chord), _CHORD_LOUDNESS
    root = _MIN_BASS + (chord.root - _MIN_BASS) % 12
    # The fifth is below the root where the guitar has that note, else above.
    fifth = root + chord.fifth if root + chord.fifth - 12 < _MIN_BASS else root + chord.fifth - 12
    return ((fifth if role == "fifth" else root,), _BASS_LOUDNESS)


def _voice_chord(chord: Chord, with_bass: bool = False) -> tuple[int, ...]:
    """The triad within one octave, so that its notes move little from chord to chord."""
    pitches = sorted(_MIN_CHORD + (pitch - _MIN_CHORD) % 12 for pitch in chord.pitch_classes)
    bass = [_MIN_BASS + (chord.root - _MIN_BASS) % 12] if with_bass else []
    return (*bass, *pitches)
