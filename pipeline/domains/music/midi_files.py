"""MIDI files to pieces and back.

Files are read by native code in a child process that may die of one without harm: see `midi_child`.
"""

import atexit
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pipeline.domains.music.piece import Key, Meter, NoteEvent, Part, Pedal, Piece, Tempo
from pipeline.errors import DataError, ToolError
from pipeline.runtime.subprocess_call import Worker

if TYPE_CHECKING:
    from symusic.core import ScoreTick

SUFFIXES = (".mid", ".midi", ".kar")
MAX_BYTES = 2**23
"""A symphony takes a megabyte; what is larger is no music."""
MAX_SECONDS = 6 * 3600.0
"""A piece that would sound longer has a broken time in it."""
_TIME_LIMIT_S = 30.0
_MEMORY_MB = 2048


def read_midi(path: Path) -> Piece:
    """The notes of a Standard MIDI File of format 0 or 1, and their tempo, meters, keys and pedals.

    Notes without length get one tick. Raises DataError, with what was found and what to do, where the file
    cannot be read or holds no note; no file harms this process.
    """
    _check_header(path)
    try:
        return _piece(_reader()({"path": str(path)}))
    except ToolError as error:
        why = str(error).removeprefix(_reader().target).lstrip(": ")
        raise DataError(
            f"{path}: cannot be read as MIDI: {why}; export it again from a notation or MIDI program"
        ) from None
    except ValueError as error:
        raise DataError(f"{path}: {error}; open it in a MIDI program and export it again") from None


def is_midi_name(path: Path) -> bool:
    """Whether a file is named as MIDI."""
    return path.suffix.lower() in SUFFIXES


@lru_cache(maxsize=1)
def _reader() -> Worker:
    worker = Worker("pipeline.domains.music.midi_child:load", _TIME_LIMIT_S, _MEMORY_MB)
    atexit.register(worker.close)
    return worker


def _check_header(path: Path) -> None:
    """What symusic does not tell of, in words for people."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            head = stream.read(14)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    if not head:
        raise DataError(f"{path}: the file is empty; give a MIDI file")
    if head[:4] != b"MThd" or len(head) < 14:
        raise DataError(f"{path}: this is no Standard MIDI File, which starts with MThd; give a .mid file")
    if size > MAX_BYTES:
        raise DataError(f"{path}: {size:,} bytes are more than the {MAX_BYTES:,} allowed; is it music?")
    if int.from_bytes(head[8:10], "big") > 1:
        raise DataError(
            f"{path}: a MIDI file of format {int.from_bytes(head[8:10], 'big')}, whose tracks belong to no "
            "common time; save it as format 0 or 1"
        )
    if head[12] >= 128:
        raise DataError(f"{path}: its times count film frames, not quarter notes; export it with a tempo")


def _piece(found: dict[str, Any]) -> Piece:
    """Raises ValueError where a value is out of the range that MIDI allows."""
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
        tempos=_sane(Tempo(*each) for each in found["tempos"] if each[1] > 0),
        meters=_sane(Meter(*each) for each in found["meters"] if 0 < each[1] < 128 and _is_power(each[2])),
        keys=_sane(Key(*each) for each in found["keys"] if -7 <= each[1] <= 7),
        pedals=_sane(Pedal(*each) for each in found["pedals"] if each[1] > 0),
    )
    if (length_s := float(piece.seconds(piece.end))) > MAX_SECONDS:
        raise ValueError(f"it would sound for {length_s / 3600:,.0f} hours, so a time in it is broken")
    return piece


def _sane(changes: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(sorted(change for change in changes if change[0] >= 0))


def _is_power(number: int) -> bool:
    return number in (1, 2, 4, 8, 16, 32, 64)


def write_midi(piece: Piece) -> bytes:
    """A Standard MIDI File of format 1, one track a part."""
    from symusic import ControlChange, KeySignature, Note, Score, TimeSignature, Track
    from symusic import Tempo as ScoreTempo

    score = cast("ScoreTick", Score(piece.ticks_per_quarter))
    tracks = [Track(name=part.name, program=part.program, is_drum=part.is_drum) for part in piece.parts]
    for onset, pitch, duration, velocity, part in piece.notes:
        tracks[part].notes.append(Note(onset, duration, pitch, velocity))
    for onset, duration, part in sorted(piece.pedals):
        tracks[part].controls.append(ControlChange(onset, 64, 127))
        tracks[part].controls.append(ControlChange(onset + duration, 64, 0))
    for track in tracks:
        score.tracks.append(track)
    for tick, us_per_quarter in piece.tempos:
        score.tempos.append(ScoreTempo(tick, mspq=us_per_quarter))
    for tick, beats, beat_type in piece.meters:
        score.time_signatures.append(TimeSignature(tick, beats, beat_type))
    for tick, sharps, minor in piece.keys:
        score.key_signatures.append(KeySignature(tick, sharps, int(minor)))
    return score.dumps_midi()
