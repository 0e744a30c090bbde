"""Files of notation by music21: a standard MIDI file of a tune, and MusicXML, each checked against the tune.

Bytes depend on the tune and its metadata alone: no dates, no random names.
"""

import contextlib
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.abc.tune_text import parse_tune
from pipeline.domains.music.midi_files import write_midi
from pipeline.domains.music.piece import PieceRecord
from pipeline.domains.music.render.instruments import instrument_name
from pipeline.domains.music.render.playback import sounding_notes
from pipeline.errors import DataError
from pipeline.records import Record

if TYPE_CHECKING:
    from music21.stream import Part, Score

DOCTYPE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE score-partwise PUBLIC '
    '"-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">\n'
)


def valid_tune(record: Record) -> Tune:
    """The tune of a record. Raises DataError, starting with a short countable reason, for one not valid."""
    try:
        tune = parse_tune(record.text)
    except ValueError as error:
        raise DataError(f"not valid ABC: {error}") from error
    problems = tune.check()
    if problems:
        raise DataError(f"not valid ABC: {problems[0].reason}")
    return tune


def title_of(record: Record) -> str:
    """The title, or the name where there is none."""
    return record.metadata.get("title") or record.id


def how_made(record: Record) -> str:
    """The line where a composer's name would stand.

    >>> how_made(Record("tune_0001", "", {"model": "lstm", "temperature": "0.7", "seed": "1"}))
    'Synthetic (lstm, temperature 0.7, seed 1)'
    """
    found = record.metadata
    facts = [found["model"]] if "model" in found else []
    facts += [f"{name} {found[name]}" for name in ("temperature", "seed") if name in found]
    return f"Synthetic ({', '.join(facts)})" if facts else "Synthetic"


def midi_bytes(record: Record, program: int) -> bytes:
    """A standard MIDI file of a tune, melody and grace notes, repeats played, at a tempo that suits its kind;
    a polyphonic piece has instruments and a tempo of its own.

    Raises DataError where the tune is not valid, music21 fails, or other notes are in the file.
    """
    if isinstance(record, PieceRecord):
        return write_midi(record.piece)
    tune = valid_tune(record)
    data = _quietly(lambda: _midi_bytes(tune, title_of(record), program), "music21 cannot write it")
    expected = [pitch for note in sounding_notes(tune) for pitch in sorted(note.pitches)]
    found = struck_pitches(data)
    if found != expected:
        raise DataError(f"other notes are struck: {len(found)} instead of {len(expected)}")
    return data


def _midi_bytes(tune: Tune, title: str, program: int) -> bytes:
    from music21.midi.translate import streamToMidiFile

    from pipeline.domains.music.render.streams import played_part

    part = played_part(tune)
    _add_instrument(part, program, title)
    return streamToMidiFile(part).writestr()


def musicxml_text(record: Record, program: int) -> str:
    """MusicXML of a tune as written, repeats, endings and all; a polyphonic piece engraves itself.

    Raises DataError where the tune is not valid, music21 fails, or other notes are in the score.
    """
    if isinstance(record, PieceRecord):
        return _quietly(lambda: _exported(record, record.score()), "MusicXML export failed")
    tune = valid_tune(record)
    text = _quietly(lambda: _musicxml_text(record, tune, program), "MusicXML export failed")
    expected = _struck_as_written(tune)
    found = written_pitches(text)
    if found != expected:
        raise DataError(f"other notes are in the score: {len(found)} instead of {len(expected)}")
    return text


def _musicxml_text(record: Record, tune: Tune, program: int) -> str:
    from music21.stream import Score

    from pipeline.domains.music.render.streams import written_part

    part = written_part(tune)
    _add_instrument(part, program, instrument_name(program))
    return _exported(record, Score([part]))


def _exported(record: Record, score: "Score") -> str:
    from music21.metadata import Metadata
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    title = title_of(record)
    score.metadata = Metadata(title=title, composer=how_made(record))
    return settle(GeneralObjectExporter(score).parse().decode("utf-8"))


def _add_instrument(part: "Part", program: int, name: str) -> None:
    from music21 import instrument

    player = instrument.Instrument(name)
    player.midiProgram, player.midiChannel = program, 0
    player.partId, player.instrumentId = "P1", "P1-I1"
    player.instrumentName = instrument_name(program)
    part.insert(0, player)
    part.partName = name


def settle(text: str) -> str:
    """MusicXML without what differs from one run to the next, its parts numbered from P1, and the names of
    instruments kept from the page where there is but one."""
    root = ElementTree.fromstring(text)
    for encoding in root.iter("encoding"):
        for child in encoding.findall("encoding-date"):
            encoding.remove(child)
    for double in root.findall("movement-title"):  # some programs print it below the title
        root.remove(double)
    for ornaments in root.iter("ornaments"):
        for sign in ornaments.findall("accidental-mark"):  # of notes that a player chooses
            ornaments.remove(sign)
    parts = root.findall("part-list/score-part")
    if len(parts) == 1:
        for name in ("part-name", "part-abbreviation"):
            for element in parts[0].findall(name):
                element.set("print-object", "no")
    text = ElementTree.tostring(root, encoding="unicode")
    for number, part in enumerate(parts, 1):
        text = text.replace(f'"{part.get("id")}"', f'"P{number}"')
    return f"{DOCTYPE}{text}\n"


def _struck_as_written(tune: Tune) -> list[int]:
    struck: list[int] = []
    held: set[int] = set()
    for note in tune.parsed.notes:
        struck += sorted(pitch for pitch in note.pitches if pitch not in held)
        held = set(note.pitches) if note.tied else set()
    return struck


def written_pitches(text: str) -> list[int]:
    """The notes that are struck in a MusicXML text, repeats not played, in their order, those of a chord from
    below: no grace notes, and none that a tie leads to."""
    steps = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
    found: list[list[int]] = []
    for note in ElementTree.fromstring(text).iter("note"):
        place = note.find("pitch")
        if place is None or note.find("grace") is not None:
            continue
        alter = round(float(place.findtext("alter", "0")))
        pitch = 12 * (int(place.findtext("octave", "4")) + 1) + steps[place.findtext("step", "C")] + alter
        if note.find("chord") is None:
            found.append([])
        if not any(tie.get("type") == "stop" for tie in note.findall("tie")):
            found[-1].append(pitch)
    return [pitch for chord in found for pitch in sorted(chord)]


def _quietly(action: Callable[[], Any], reason: str) -> Any:
    try:
        # music21 warns, on standard error, of rhythms that it splits otherwise than written.
        with contextlib.redirect_stderr(io.StringIO()):
            return action()
    except DataError:
        raise
    except Exception as error:  # music21 raises errors of many kinds, plain Exception among them
        raise DataError(f"{reason}: {type(error).__name__}: {error}") from error


def struck_pitches(data: bytes) -> list[int]:
    """The notes struck in a MIDI file, in their order, those of a chord from below."""
    from music21.midi import MidiFile

    midi = MidiFile()
    midi.readstr(data)
    struck: list[tuple[int, int]] = []
    for track in midi.tracks:
        now = 0
        for event in track.events:
            if event.isDeltaTime():
                now += event.time
            elif event.isNoteOn() and event.velocity > 0:
                struck.append((now, event.pitch))
    return [pitch for _, pitch in sorted(struck)]
