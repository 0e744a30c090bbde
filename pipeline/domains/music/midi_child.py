"""The part that reads MIDI by symusic, run in a child process: malformed files may kill native code."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pipeline.domains.music.midi_bytes import plain_events

if TYPE_CHECKING:
    from symusic.core import ScoreTick


def load(path: str) -> dict[str, Any]:
    """What a MIDI file holds, as plain lists in the order of the fields of `Piece` and its parts.

    Raises whatever symusic raises, and ValueError for an event that is cut short.
    """
    from symusic import Score

    data = Path(path).read_bytes()
    plain = plain_events(data)
    score = cast("ScoreTick", Score(path) if plain is data else Score.from_midi(plain))
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
