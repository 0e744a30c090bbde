"""Files of piano music: the flat text, and what becomes it: MIDI, MusicXML and Humdrum."""

import io
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

from pipeline.domains.music.midi_files import is_midi_name, read_midi
from pipeline.domains.music.piano.notes import NotNotes, parse_notes
from pipeline.domains.music.unpacking_limits import check_score_file
from pipeline.errors import DataError
from pipeline.records import Rejection
from pipeline.runtime.unpacking import open_unpacked

SCORES = (".mxl", ".musicxml", ".xml", ".krn")
TEXTS = (".txt", ".txt.gz", ".txt.bz2", ".txt.xz")
MAX_SCORE_BYTES = 2**24
MAX_LINE = 2**24
"""Characters of a line; four million notes are no piece."""
TOGETHER_S = 0.05
"""Notes of a MIDI file that are struck within this time are one chord."""

Found = tuple[str, tuple[int, ...]]
"""A piece's name and its notes."""


def is_piano_name(path: Path) -> bool:
    """Whether a file is named as one of those that are read."""
    return is_midi_name(path) or path.name.lower().endswith((*SCORES, *TEXTS))


def read_pieces(path: Path) -> Iterator[Found | Rejection]:
    """The pieces of one file: MIDI and scores by their names, all others as flat text.

    Raises DataError where the file cannot be read.
    """
    if is_midi_name(path):
        yield path.name, _of_midi(path)
    elif path.suffix.lower() in SCORES:
        yield _of_score(path)
    else:
        yield from _of_text(path)


def _of_text(path: Path) -> Iterator[Found | Rejection]:
    number = 0
    try:
        with io.TextIOWrapper(open_unpacked(path), "utf-8-sig") as stream:
            while line := stream.readline(MAX_LINE):
                number += 1
                if len(line) >= MAX_LINE:
                    raise DataError(f"{path}:{number}: over {MAX_LINE:,} characters; a piece is one line")
                yield _read_line(line, f"{path.name}:{number}", f"{path}:{number}")
    except (UnicodeDecodeError, EOFError, OSError) as error:
        raise DataError(f"{path}: cannot be read after line {number} ({error}); is it whole?") from None
    if not number:
        raise DataError(f"{path}: the file is empty; give a line of note numbers for each piece")


def _read_line(line: str, name: str, where: str) -> Found | Rejection:
    try:
        return name, parse_notes(line)
    except NotNotes as error:
        return Rejection(where, str(error), line.strip()[:60])


def _of_midi(path: Path) -> tuple[int, ...]:
    piece = read_midi(path)
    played = [note for note in piece.notes if not piece.parts[note.part].is_drum]
    if not played:
        raise DataError(f"{path}: it holds nothing but drums; give music for keys")
    times = piece.seconds([note.onset for note in played]).tolist()
    return _flat(zip(times, (note.pitch for note in played), strict=True), TOGETHER_S)


def _of_score(path: Path) -> Found | Rejection:
    from music21 import converter

    check_score_file(path)
    if path.stat().st_size > MAX_SCORE_BYTES:
        raise DataError(f"{path}: more than the {MAX_SCORE_BYTES:,} bytes allowed; is it a score?")
    try:
        score = converter.parse(str(path), forceSource=True, storePickle=False).toSoundingPitch()
        struck = sorted(_struck(score.flatten().notes))
    except Exception as error:  # music21 raises errors of many kinds on a broken file
        why = f"{type(error).__name__}: {str(error)[:120]}"
        raise DataError(f"{path}: music21 cannot read it ({why}); export it again as MusicXML") from None
    if not struck:
        return Rejection(str(path), "no notes")
    return path.name, _flat(struck, 0)


def _struck(elements: Iterable) -> Iterator[tuple[Fraction, int]]:
    """Onset and pitch of all notes but grace notes and those that are tied to one before."""
    from music21 import chord, harmony, note

    for element in elements:
        if element.duration.isGrace or isinstance(element, harmony.ChordSymbol):
            continue
        if not isinstance(element, note.Note | chord.Chord):
            continue
        for one in element.notes if isinstance(element, chord.Chord) else (element,):
            if one.tie is None or one.tie.type == "start":
                yield Fraction(element.offset), one.pitch.midi


def _flat(struck: Iterable[tuple[float | Fraction, int]], together: float) -> tuple[int, ...]:
    """Notes in the order of their onsets, those struck together low to high, each once."""
    groups: list[tuple[float | Fraction, set[int]]] = []
    for onset, pitch in struck:
        if groups and onset - groups[-1][0] <= together:
            groups[-1][1].add(pitch)
        else:
            groups.append((onset, {pitch}))
    return tuple(pitch for _, pitches in groups for pitch in sorted(pitches))
