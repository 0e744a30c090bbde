"""MIDI and MusicXML of tunes by music21, each checked against the notes of the tune.

The bytes depend on the tune and its metadata alone: they hold no dates and no random names.
"""

import contextlib
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.abc.tune_text import parse_tune
from pipeline.domains.music.midi_files import write_midi
from pipeline.domains.music.render.instruments import instrument_name
from pipeline.domains.music.render.piece_record import PieceRecord
from pipeline.domains.music.render.playback import sounding_notes
from pipeline.errors import DataError
from pipeline.records import Record

if TYPE_CHECKING:
    from music21.stream import Part, Score

DOCTYPE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE score-partwise PUBLIC '
    '"-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">\n'
)


def parse_valid_tune(record: Record) -> Tune:
    """The tune of a record. Raises DataError, starting with a countable reason, where it is not valid."""
    try:
        tune = parse_tune(record.text)
    except ValueError as error:
        raise DataError(f"not valid ABC: {error}") from error
    problems = tune.check()
    if problems:
        raise DataError(f"not valid ABC: {problems[0].reason}")
    return tune


def find_title(record: Record) -> str:
    """The title of a record, or its id where it has none."""
    return record.metadata.get("title") or record.id


def describe_generation(record: Record) -> str:
    """The line that takes the place of the composer: the model, and how the record was sampled.

    >>> describe_generation(Record("tune_0001", "", {"model": "lstm", "temperature": "0.7", "seed": "1"}))
    'Synthetic (lstm, temperature 0.7, seed 1)'
    """
    found = record.metadata
    facts = [found["model"]] if "model" in found else []
    facts += [f"{name} {found[name]}" for name in ("temperature", "seed") if name in found]
    return f"Synthetic ({', '.join(facts)})" if facts else "Synthetic"


def export_midi(record: Record, program: int) -> bytes:
    """Write a record as a Standard MIDI File.

    A tune is written with its grace notes and repeats, at the usual tempo of its kind. A piece has a tempo
    and instruments of its own.

    Parameters
    ----------
    record : Record
        A tune in ABC, or a piece.
    program : int
        The General MIDI instrument of a tune, from 0.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    DataError
        Where the tune is not valid, music21 fails, or the file has other notes than the tune.
    """
    if isinstance(record, PieceRecord):
        return write_midi(record.piece)
    tune = parse_valid_tune(record)
    data = _run_music21(lambda: _write_midi(tune, find_title(record), program), "music21 cannot write it")
    expected = [pitch for note in sounding_notes(tune) for pitch in sorted(note.pitches)]
    found = read_midi_pitches(data)
    if found != expected:
        raise DataError(f"other notes are struck: {len(found)} instead of {len(expected)}")
    return data


def _write_midi(tune: Tune, title: str, program: int) -> bytes:
    from music21.midi.translate import streamToMidiFile

    # Loads music21, which takes a second.
    from pipeline.domains.music.render.streams import played_part

    part = played_part(tune)
    _add_instrument(part, program, title)
    return streamToMidiFile(part).writestr()


def export_musicxml(record: Record, program: int) -> str:
    """Write a record as MusicXML 4.0: a tune as notated, with its repeats and endings; a piece by its score.

    Parameters
    ----------
    record : Record
        A tune in ABC, or a piece.
    program : int
        The General MIDI instrument of a tune, from 0.

    Returns
    -------
    str
        The text of the file.

    Raises
    ------
    DataError
        Where the tune is not valid, music21 fails, or the score has other notes than the tune.
    """
    if isinstance(record, PieceRecord):
        return _run_music21(lambda: _export(record, record.to_score()), "MusicXML export failed")
    tune = parse_valid_tune(record)
    text = _run_music21(lambda: _export_tune(record, tune, program), "MusicXML export failed")
    expected = _list_notated_pitches(tune)
    found = read_musicxml_pitches(text)
    if found != expected:
        raise DataError(f"other notes are in the score: {len(found)} instead of {len(expected)}")
    return text


def _export_tune(record: Record, tune: Tune, program: int) -> str:
    from music21.stream import Score

    # Loads music21, which takes a second.
    from pipeline.domains.music.render.streams import written_part

    part = written_part(tune)
    _add_instrument(part, program, instrument_name(program))
    return _export(record, Score([part]))


def _export(record: Record, score: "Score") -> str:
    from music21.metadata import Metadata
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    title = find_title(record)
    score.metadata = Metadata(title=title, composer=describe_generation(record))
    return normalise_musicxml(GeneralObjectExporter(score).parse().decode("utf-8"))


def _add_instrument(part: "Part", program: int, name: str) -> None:
    from music21 import instrument

    player = instrument.Instrument(name)
    player.midiProgram, player.midiChannel = program, 0
    player.partId, player.instrumentId = "P1", "P1-I1"
    player.instrumentName = instrument_name(program)
    part.insert(0, player)
    part.partName = name


def normalise_musicxml(text: str) -> str:
    """Remove dates and random names from MusicXML, number its parts and instruments, and hide the name of a
    single instrument from the page."""
    root = ElementTree.fromstring(text)
    for encoding in root.iter("encoding"):
        for child in encoding.findall("encoding-date"):
            encoding.remove(child)
    for repeated in root.findall("movement-title"):  # some programs print it below the title
        root.remove(repeated)
    for ornaments in root.iter("ornaments"):
        for sign in ornaments.findall("accidental-mark"):  # the player chooses the note of an ornament
            ornaments.remove(sign)
    parts = root.findall("part-list/score-part")
    if len(parts) == 1:
        for name in ("part-name", "part-abbreviation"):
            for element in parts[0].findall(name):
                element.set("print-object", "no")
    text = ElementTree.tostring(root, encoding="unicode")
    for number, part in enumerate(parts, 1):
        text = text.replace(f'"{part.get("id")}"', f'"P{number}"')
        for index, instrument in enumerate(part.findall("score-instrument"), 1):
            text = text.replace(f'"{instrument.get("id")}"', f'"P{number}-I{index}"')
    return f"{DOCTYPE}{text}\n"


def _list_notated_pitches(tune: Tune) -> list[int]:
    """The pitches of a tune as notated, without those that a tie prolongs."""
    pitches: list[int] = []
    tied: set[int] = set()
    for note in tune.parsed.notes:
        pitches += sorted(pitch for pitch in note.pitches if pitch not in tied)
        tied = set(note.pitches) if note.tied else set()
    return pitches


def read_musicxml_pitches(text: str) -> list[int]:
    """The pitches of a MusicXML text as notated, chords from their lowest note upwards.

    Grace notes, and notes that a tie prolongs, are left out.
    """
    steps = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
    found: list[list[int]] = []
    for note in ElementTree.fromstring(text).iter("note"):
        element = note.find("pitch")
        if element is None or note.find("grace") is not None:
            continue
        alter = round(float(element.findtext("alter", "0")))
        octave, step = int(element.findtext("octave", "4")), element.findtext("step", "C")
        pitch = 12 * (octave + 1) + steps[step] + alter
        if note.find("chord") is None:
            found.append([])
        if not any(tie.get("type") == "stop" for tie in note.findall("tie")):
            found[-1].append(pitch)
    return [pitch for chord in found for pitch in sorted(chord)]


def _run_music21(action: Callable[[], Any], reason: str) -> Any:
    """Call a function that uses music21. Raises DataError, starting with the reason, where it fails."""
    try:
        # music21 warns, on standard error, of rhythms that it splits in another way than notated.
        with contextlib.redirect_stderr(io.StringIO()):
            return action()
    except DataError:
        raise
    except Exception as error:  # music21 raises errors of many kinds, plain Exception among them
        raise DataError(f"{reason}: {type(error).__name__}: {error}") from error


def read_midi_pitches(data: bytes) -> list[int]:
    """The pitches of a MIDI file in the order of their onsets, chords from their lowest note upwards."""
    from music21.midi import MidiFile

    midi = MidiFile()
    midi.readstr(data)
    struck: list[tuple[int, int]] = []
    for track in midi.tracks:
        now = 0
        for event in track.events:
            if event.isDeltaTime():
                now += event.time
            elif event.isNoteOn() and event.velocity and event.pitch is not None:
                struck.append((now, event.pitch))
    return [pitch for _, pitch in sorted(struck)]
