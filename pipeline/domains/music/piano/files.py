"""Files of piano music: the flat text, and MIDI, MusicXML and Humdrum, which become flat text."""

import io
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipeline.domains.music.midi_files import is_midi_name, read_midi
from pipeline.domains.music.piano.notes import InvalidNotes, parse_notes
from pipeline.domains.music.score_files import SCORE_SUFFIXES, parse_score
from pipeline.errors import DataError
from pipeline.records import Rejection
from pipeline.runtime.unpacking import open_unpacked

TEXT_SUFFIXES = (".txt", ".txt.gz", ".txt.bz2", ".txt.xz")
MAX_LINE = 2**24
"""Characters of a line: four million notes."""
MAX_CHORD_S = 0.05
"""Notes of a MIDI file that start within this time of the first are one chord."""

NamedNotes = tuple[str, tuple[int, ...]]
"""The name of a piece, and its notes."""


def is_piano_name(path: Path) -> bool:
    """Whether the name of a file has a suffix of piano music."""
    return is_midi_name(path) or path.name.lower().endswith((*SCORE_SUFFIXES, *TEXT_SUFFIXES))


def read_pieces(path: Path) -> Iterator[NamedNotes | Rejection]:
    """Yield the pieces of a file. Its suffix says whether it is MIDI or a score; all others are flat text.

    Raises DataError where the file cannot be read.
    """
    if is_midi_name(path):
        yield path.name, _read_midi_notes(path)
    elif path.suffix.lower() in SCORE_SUFFIXES:
        onsets = parse_score(path, _list_onsets)
        yield (path.name, _flatten(onsets, 0)) if onsets else Rejection(str(path), "no notes")
    else:
        yield from _read_text(path)


def _read_text(path: Path) -> Iterator[NamedNotes | Rejection]:
    number = 0
    try:
        with io.TextIOWrapper(open_unpacked(path), "utf-8-sig") as stream:
            while line := stream.readline(MAX_LINE):
                number += 1
                if len(line) >= MAX_LINE:
                    raise DataError(f"{path}:{number}: over {MAX_LINE:,} characters; a piece is one line")
                yield _parse_line(line, f"{path.name}:{number}", f"{path}:{number}")
    except (UnicodeDecodeError, EOFError, OSError) as error:
        raise DataError(f"{path}: cannot be read after line {number} ({error}); is it complete?") from None
    if not number:
        raise DataError(f"{path}: the file is empty; give a line of note numbers for each piece")


def _parse_line(line: str, name: str, where: str) -> NamedNotes | Rejection:
    try:
        return name, parse_notes(line)
    except InvalidNotes as error:
        return Rejection(where, str(error), line.strip()[:60])


def _read_midi_notes(path: Path) -> tuple[int, ...]:
    piece = read_midi(path)
    pitched = [note for note in piece.notes if not piece.parts[note.part].is_drum]
    if not pitched:
        raise DataError(f"{path}: it holds drums only; give music with pitched notes")
    times = piece.seconds([note.onset for note in pitched]).tolist()
    return _flatten(zip(times, (note.pitch for note in pitched), strict=True), MAX_CHORD_S)


def _list_onsets(score: Any) -> list[tuple[Fraction, int]]:
    """Onset and sounding pitch of all notes of a score, sorted."""
    return sorted(_find_onsets(score.toSoundingPitch().flatten().notes))


def _find_onsets(elements: Iterable) -> Iterator[tuple[Fraction, int]]:
    """Yield onset and pitch of all notes, without grace notes and notes that are tied to one before."""
    from music21 import chord, harmony, note

    for element in elements:
        if element.duration.isGrace or isinstance(element, harmony.ChordSymbol):
            continue
        if not isinstance(element, note.Note | chord.Chord):
            continue
        for one in element.notes if isinstance(element, chord.Chord) else (element,):
            if one.tie is None or one.tie.type == "start":
                yield Fraction(element.offset), one.pitch.midi


def _flatten(notes: Iterable[tuple[float | Fraction, int]], max_chord: float) -> tuple[int, ...]:
    """The flat form of notes with onsets: chords, notes within `max_chord`, have each pitch once."""
    chords: list[tuple[float | Fraction, set[int]]] = []
    for onset, pitch in notes:
        if chords and onset - chords[-1][0] <= max_chord:
            chords[-1][1].add(pitch)
        else:
            chords.append((onset, {pitch}))
    return tuple(pitch for _, pitches in chords for pitch in sorted(pitches))
