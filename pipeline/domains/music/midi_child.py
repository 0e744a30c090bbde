"""Parses MIDI by symusic. It runs in a child process, because a malformed file may crash native code."""

from pathlib import Path
from typing import Any

from pipeline.domains.music.midi_filter import drop_unreadable_events


def load(path: str) -> dict[str, Any]:
    """The content of a MIDI file as plain lists, whose items have the order of the fields of `piece.py`.

    Raises the errors of symusic, and ValueError for an event that is cut short.
    """
    from symusic.core import ScoreTick

    data = Path(path).read_bytes()
    plain = drop_unreadable_events(data)
    score = ScoreTick(Path(path)) if plain is data else ScoreTick.from_midi(plain)
    return {
        "ticks_per_quarter": score.ticks_per_quarter,
        "parts": [[track.name, track.program, track.is_drum] for track in score.tracks],
        "notes": [
            [note.time, note.pitch, note.duration, note.velocity, part]
            for part, track in enumerate(score.tracks)
            for note in track.notes
        ],
        "pedals": [
            [pedal.time, pedal.duration, part]
            for part, track in enumerate(score.tracks)
            for pedal in track.pedals
        ],
        "tempos": [[tempo.time, tempo.mspq] for tempo in score.tempos],
        "meters": [[meter.time, meter.numerator, meter.denominator] for meter in score.time_signatures],
        "keys": [[key.time, key.key, bool(key.tonality)] for key in score.key_signatures],
    }
