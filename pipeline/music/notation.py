"""Tunes as music21 streams: the one place that hands ABC to music21.

music21 is given only what our checker passes, and what it made of it is compared with our own reading.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.domain import Record
from pipeline.errors import DataError
from pipeline.music import fields
from pipeline.music.abc_domain import format_tune, tune_of
from pipeline.music.abc_notation import ALTERATIONS, parse_note, split_length, tokenize
from pipeline.music.layout import line_starts
from pipeline.music.piece import PieceRecord

if TYPE_CHECKING:
    from music21.stream import Score

logger = logging.getLogger(__name__)

_SIGNS = {semitones: sign for sign, semitones in ALTERATIONS.items()}


def parse_score(record: Record, program: int) -> "Score":
    """The music21 score of a valid tune, its repeats as written, to be played by a General MIDI program.

    A polyphonic record engraves itself. Raises DataError, starting with a short countable reason, where
    music21 fails or finds other notes.
    """
    if isinstance(record, PieceRecord):
        return _quietly(record.score, "music21 cannot write it")
    tune = tune_of(record.text)
    problems = tune.check()
    if problems:
        raise DataError(f"not valid ABC: {problems[0].reason}")
    expected = [sorted(note.pitches) for note in tune.reading.notes if note.pitches]
    text = _spelled_for_music21(record)
    score = _quietly(lambda: _parse(text, program), "music21 cannot read it")
    notes = [note for note in score.recurse().notes if not _is_symbol(note) and not note.duration.isGrace]
    found = [sorted(pitch.midi for pitch in note.pitches) for note in notes]
    if found != expected:
        raise DataError(f"music21 finds other notes: {_first_difference(found, expected)}")
    _break_lines(score, line_starts(tune))
    return score


def _first_difference(found: Sequence[list[int]], expected: Sequence[list[int]]) -> str:
    if len(found) != len(expected):
        return f"{len(found)} instead of {len(expected)}"
    number = next(index for index, pair in enumerate(zip(found, expected, strict=True)) if pair[0] != pair[1])
    return f"pitches {found[number]} instead of {expected[number]}, note {number + 1}"


def _break_lines(score: "Score", starts: list[int]) -> None:
    """Start a new line of the score at the bars of these numbers, where music21 counts bars as we do."""
    from music21.layout import SystemLayout

    measures = list(score.parts[0].getElementsByClass("Measure"))
    for number in starts:
        if 0 < number < len(measures):
            measures[number].insert(0, SystemLayout(isNew=True))


def _spelled_for_music21(record: Record) -> str:
    """ABC that music21 reads as ABC 2.1 says: the ornament H swallows its note, T (which it drops) may
    too, grace notes inside a tuplet count as its notes, and accidentals do not always reach chords, tied
    notes, and notes after an ornament."""
    header, body = format_tune(record, 1).split("\nK:", 1)
    key, music = body.split("\n", 1)
    alterations = iter(tune_of(record.text).reading.alterations)
    return f"%abc-2.1\n{header}\nK:{key}\n{''.join(_spelled_tokens(music, key, alterations))}"


def _spelled_tokens(music: str, key: str, alterations: Iterator[int]) -> Iterator[str]:
    in_tuplet = 0
    signature = fields.signature(key)
    altered: set[str] = set()  # steps with an accidental in this bar
    for token in tokenize(music):
        text = token.text
        if token.kind == "field" and text.startswith("K:"):
            signature = fields.signature(text[2:])
        elif token.kind == "bar":
            altered.clear()
        elif token.kind == "note":
            text = _with_accidental(text, next(alterations), signature, altered)
        elif token.kind in ("chord", "grace"):
            end = text.rindex("]" if token.kind == "chord" else "}")
            inside = (
                _with_accidental(part.text, next(alterations), signature, altered)
                if part.kind == "note"
                else part.text
                for part in tokenize(text[1:end])
            )
            text = text[0] + "".join(inside) + text[end:]
        if token.kind == "tuplet":
            parts = token.text[1:].split(":")
            in_tuplet = int(parts[2] if len(parts) > 2 and parts[2] else parts[0])
        elif token.kind in ("note", "rest", "chord"):
            in_tuplet = max(in_tuplet - 1, 0)
        if token.kind == "mark" and token.text == "H":
            yield "!fermata!"
        elif token.kind == "mark" and token.text == "T":
            continue
        elif token.kind != "grace" or not in_tuplet:
            yield text


def _with_accidental(text: str, alteration: int, signature: dict[str, int], altered: set[str]) -> str:
    """A note with its accidental written out where it is not that of the key alone."""
    note = parse_note(split_length(text)[0])
    if not note.accidental and alteration == signature.get(note.step, 0) and note.step not in altered:
        return text
    altered.add(note.step)
    return text if note.accidental else _SIGNS[alteration] + text


def _parse(text: str, program: int) -> "Score":
    from music21 import converter, instrument

    score = converter.parse(text, format="abc")
    player = instrument.instrumentFromMidiProgram(program)
    player.partName = player.partAbbreviation = ""  # a single staff needs no name before it
    score.parts[0].insert(0, player)
    return score


def _is_symbol(element: Any) -> bool:
    return "Harmony" in element.classes


def _quietly(action: Any, reason: str) -> Any:
    try:
        return action()
    except DataError:
        raise
    except Exception as error:  # music21 raises errors of many kinds, plain Exception among them
        raise DataError(f"{reason}: {type(error).__name__}: {error}") from error


def midi_bytes(score: "Score") -> bytes:
    """A standard MIDI file of the score, melody only, repeats played.

    Grace notes and chord symbols are left out: music21 gives the former no time and strikes the latter
    without length. Raises DataError where music21 fails.
    """
    return _quietly(lambda: _midi_bytes(score), "music21 cannot write it")


def _midi_bytes(score: "Score") -> bytes:
    from music21.midi.translate import streamToMidiFile

    for element in list(score.recurse().notes):
        if _is_symbol(element) or element.duration.isGrace:
            element.activeSite.remove(element)
    # Of a tune of a single bar music21 makes no measures, and then refuses to look for repeats.
    measured = score.recurse().getElementsByClass("Measure").first() is not None
    return streamToMidiFile(score.expandRepeats() if measured else score).writestr()


def musicxml_text(score: "Score", title: str) -> str:
    """MusicXML of the score, its repeats as written. Raises DataError where music21 fails."""
    return _quietly(lambda: _musicxml_text(score, title), "MusicXML export failed")


def _musicxml_text(score: "Score", title: str) -> str:
    from music21.metadata import Metadata
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    # Accidentals are shown as a page needs them, not as they were written out for reading.
    score.parts[0].makeAccidentals(inPlace=True, overrideStatus=True)
    score.metadata = Metadata(title=title, movementName=title, composer="synthetic")
    return GeneralObjectExporter(score).parse().decode("utf-8")


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
