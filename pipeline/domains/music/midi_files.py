"""MIDI files to pieces and back.

Native code parses the files in a child process, so that a malformed file cannot crash the run: see
`midi_child.py`.
"""

import atexit
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.domains.music.piece import Key, Meter, NoteEvent, Part, Pedal, Piece, Tempo
from pipeline.errors import DataError, ToolError
from pipeline.runtime.subprocess_call import Worker

SUFFIXES = (".mid", ".midi", ".kar")
_BEAT_TYPES = (1, 2, 4, 8, 16, 32, 64)
MAX_BYTES = 2**23
"""Size of a file; a symphony takes a megabyte."""
MAX_SECONDS = 6 * 3600.0
"""Length of a piece; a longer one has a broken time in it."""
_TIME_LIMIT_S = 30.0
"""Of the child process, for one file."""
_MEMORY_MB = 2048
"""Of the child process."""


def read_midi(path: Path) -> Piece:
    """Read a Standard MIDI File of format 0 or 1.

    Notes without length get one tick. Raises DataError, with the finding and a remedy, where the file cannot
    be read or holds no note.
    """
    _check_header(path)
    try:
        return _build_piece(_start_reader()({"path": str(path)}))
    except ToolError as error:
        why = str(error).removeprefix(_start_reader().target).lstrip(": ")
        raise DataError(
            f"{path}: cannot be read as MIDI: {why}; export it again from a notation or MIDI program"
        ) from None
    except ValueError as error:
        raise DataError(f"{path}: {error}; open it in a MIDI program and export it again") from None


def is_midi_name(path: Path) -> bool:
    """Whether the name of a file has a suffix of MIDI."""
    return path.suffix.lower() in SUFFIXES


@lru_cache(maxsize=1)
def _start_reader() -> Worker:
    worker = Worker("pipeline.domains.music.midi_child:load", _TIME_LIMIT_S, _MEMORY_MB)
    atexit.register(worker.close)
    return worker


def _check_header(path: Path) -> None:
    """Check for faults that symusic passes over or explains badly. Raises DataError."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            head = stream.read(14)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    if not head:
        raise DataError(f"{path}: the file is empty; give a MIDI file")
    if head[:4] != b"MThd" or len(head) < 14:
        raise DataError(f"{path}: not a Standard MIDI File, which starts with MThd; give a .mid file")
    if size > MAX_BYTES:
        raise DataError(f"{path}: {size:,} bytes are more than the {MAX_BYTES:,} allowed; is it music?")
    if int.from_bytes(head[8:10], "big") > 1:
        raise DataError(
            f"{path}: a MIDI file of format {int.from_bytes(head[8:10], 'big')}, whose tracks are separate "
            "pieces; save it as format 0 or 1"
        )
    if head[12] >= 128:
        raise DataError(f"{path}: its times count film frames, not quarter notes; export it with a tempo")


def _build_piece(found: dict[str, Any]) -> Piece:
    """The piece of a parsed file. Raises ValueError where a value is out of the range that MIDI allows."""
    notes = sorted(NoteEvent(*note) for note in found["notes"])
    if not notes:
        raise ValueError("it holds no note")
    if not 0 < found["ticks_per_quarter"] < 2**15:
        raise ValueError(f"{found['ticks_per_quarter']} ticks a quarter note are not between 1 and 32767")
    for note in notes:
        if note.onset < 0 or note.duration < 0 or not (0 <= note.pitch < 128 and 0 <= note.velocity < 128):
            raise ValueError(f"a note is out of range: {note}")
    notes = [note._replace(duration=max(note.duration, 1), velocity=max(note.velocity, 1)) for note in notes]
    piece = Piece(
        notes=tuple(notes),
        ticks_per_quarter=found["ticks_per_quarter"],
        parts=tuple(Part(*part) for part in found["parts"]),
        tempos=_sort_changes(Tempo(*each) for each in found["tempos"] if each[1] > 0),
        meters=_sort_changes(
            Meter(*each) for each in found["meters"] if 0 < each[1] < 128 and each[2] in _BEAT_TYPES
        ),
        keys=_sort_changes(Key(*each) for each in found["keys"] if -7 <= each[1] <= 7),
        pedals=_sort_changes(Pedal(*each) for each in found["pedals"] if each[1] > 0),
    )
    if (length_s := piece.length_s) > MAX_SECONDS:
        raise ValueError(f"it would sound for {length_s / 3600:,.0f} hours, so a time in it is broken")
    return piece


def _sort_changes(changes: Iterable[Any]) -> tuple[Any, ...]:
    """Sort changes by their ticks, without those before the start."""
    return tuple(sorted(change for change in changes if change[0] >= 0))


def write_midi(piece: Piece) -> bytes:
    """Write a piece as a Standard MIDI File of format 1, with a track for each part."""
    from symusic.core import (
        ControlChangeTick,
        KeySignatureTick,
        NoteTick,
        ScoreTick,
        TempoTick,
        TimeSignatureTick,
        TrackTick,
    )

    score = ScoreTick(piece.ticks_per_quarter)
    tracks = [TrackTick(part.name, part.program, part.is_drum) for part in piece.parts]
    for onset, pitch, duration, velocity, part in piece.notes:
        tracks[part].notes.append(NoteTick(onset, duration, pitch, velocity))
    for onset, duration, part in sorted(piece.pedals):
        tracks[part].controls.append(ControlChangeTick(onset, 64, 127))
        tracks[part].controls.append(ControlChangeTick(onset + duration, 64, 0))
    for track in tracks:
        score.tracks.append(track)
    for tick, us_per_quarter in piece.tempos:
        score.tempos.append(TempoTick(tick, mspq=us_per_quarter))
    for tick, beats, beat_type in piece.meters:
        score.time_signatures.append(TimeSignatureTick(tick, beats, beat_type))
    for tick, sharps, minor in piece.keys:
        score.key_signatures.append(KeySignatureTick(tick, sharps, int(minor)))
    return score.dumps_midi()
