"""MIDI and MusicXML of tunes, read back event by event."""

from fractions import Fraction
from xml.etree import ElementTree

import pytest

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.notes import WHOLE
from pipeline.domains.music.abc.tune_text import parse_tune
from pipeline.domains.music.render.notation import export_midi, export_musicxml
from pipeline.domains.music.render.playback import sounding_notes
from pipeline.errors import DataError
from pipeline.records import Record


def record_of(body: str, meter: str = "4/4", unit: str = "1/8", key: str = "C", rhythm: str = "") -> Record:
    first = f"R:{rhythm}\n" if rhythm else ""
    return Record("tune_0001", f"{first}M:{meter}\nL:{unit}\nK:{key}\n{body}", {"title": "A tune"})


def events(data: bytes) -> list[tuple[Fraction, str, tuple[int, ...]]]:
    """Quarters since the start, kind and data of the events in all tracks."""
    from music21.midi import ChannelVoiceMessages as Voice
    from music21.midi import MetaEvents as Meta
    from music21.midi import MidiFile

    midi = MidiFile()
    midi.readstr(data)
    found = []
    for track in midi.tracks:
        ticks = 0
        for event in track.events:
            if event.isDeltaTime():
                ticks += event.time
                continue
            at = Fraction(ticks, midi.ticksPerQuarterNote)
            if event.isNoteOn():
                found.append((at, "on", (event.pitch,)))
            elif event.isNoteOff():
                found.append((at, "off", (event.pitch,)))
            elif event.type == Voice.PROGRAM_CHANGE:
                found.append((at, "program", (event.data,)))
            elif event.type in (Meta.TIME_SIGNATURE, Meta.KEY_SIGNATURE, Meta.SET_TEMPO):
                found.append((at, event.type.name.lower(), tuple(event.data)))
    return found


def of_kind(data: bytes, kind: str) -> list[tuple[Fraction, tuple[int, ...]]]:
    return [(at, values) for at, name, values in events(data) if name == kind]


def test_every_note_of_real_tunes_starts_and_ends_where_it_is_written(tunes):
    for record in tunes[10:40:6]:
        tune = parse_tune(record.text)
        data = export_midi(record, 73)
        played = [(note, (pitch,)) for note in sounding_notes(tune) for pitch in note.pitches]
        spans = [(note.onset, note.onset + note.duration, pitch) for note, pitch in played]
        on = [(Fraction(start) * 4 / WHOLE, pitch) for start, _, pitch in spans]
        off = [(Fraction(end) * 4 / WHOLE, pitch) for _, end, pitch in spans]
        assert sorted(of_kind(data, "on")) == sorted(on)
        assert sorted(of_kind(data, "off")) == sorted(off)


def test_tempo_meter_key_and_instrument_stand_at_the_start():
    data = export_midi(record_of("|:D3 DFA|d6:|", "6/8", key="D", rhythm="jig"), 110)
    microseconds = int.from_bytes(bytes(of_kind(data, "set_tempo")[0][1]), "big")
    assert 60e6 / microseconds == pytest.approx(116 * 1.5, abs=0.01)
    assert of_kind(data, "time_signature")[0] == (0, (6, 3, 24, 8))
    assert of_kind(data, "key_signature") == [(0, (2, 0))]
    assert of_kind(data, "program")[0][1] == (110,)


def test_an_upbeat_and_changes_have_signatures_where_they_are_played():
    data = export_midi(record_of("G|C8|[K:G][M:3/4]B6|d5:|"), 73)
    meters = [(float(at), values[:2]) for at, values in of_kind(data, "time_signature")]
    # The last bar, of five eighths, and the upbeat that is repeated after it fill one bar of 3/4.
    assert meters[:3] == [(0.0, (1, 3)), (0.5, (4, 2)), (4.5, (3, 2))]
    assert [(float(at), values[0]) for at, values in of_kind(data, "key_signature")][:2] == [(0, 0), (4.5, 1)]


def test_repeats_and_endings_are_played_out():
    data = export_midi(record_of("|:C8|1D8:|2E8|]"), 73)
    assert [pitch for _, (pitch,) in of_kind(data, "on")] == [60, 62, 60, 64]


@pytest.mark.parametrize(
    ("meter", "rhythm", "expected"),
    [("2/4", "reel", 104), ("4/4", "hornpipe", 160), ("9/8", "slip jig", 116), ("3/8", "waltz", 44),
     ("2/4", "polka", 124), ("4/4", "march", 96), ("3/4", "air", 66), ("none", "air", 66), ("5/8", "", 110)],
)  # fmt: skip
def test_tempos_suit_the_kind_of_tune_however_it_is_written(meter, rhythm, expected):
    assert fields.beats_per_minute(meter, rhythm) == expected


def test_what_is_not_valid_says_why():
    for made in (export_midi, export_musicxml):
        with pytest.raises(DataError, match="not valid ABC: bar too long"):
            made(record_of("C9|]"), 73)
        with pytest.raises(DataError, match="not valid ABC"):
            made(Record("tune_0001", "no ABC at all"), 73)


# --- MusicXML ----------------------------------------------------------------------------------------------


def page_of(record: Record) -> ElementTree.Element:
    return ElementTree.fromstring(export_musicxml(record, 73))


def test_the_page_names_the_tune_and_says_that_it_is_synthetic():
    record = record_of("C8|]")
    record = Record(record.id, record.symbols, {"title": "A & B", "model": "lstm", "seed": "7"})
    page = page_of(record)
    assert page.findtext("work/work-title") == "A & B"
    assert page.findtext("identification/creator") == "Synthetic (lstm, seed 7)"
    assert page.find("part-list/score-part").get("id") == "P1" == page.find("part").get("id")
    assert page.findtext("part-list/score-part/midi-instrument/midi-program") == "74"
    assert list(page.iter("encoding-date")) == []


def test_the_same_tune_gives_the_same_bytes(tunes):
    assert export_musicxml(tunes[3], 73) == export_musicxml(tunes[3], 73)
    assert export_midi(tunes[3], 73) == export_midi(tunes[3], 73)


def test_upbeats_take_no_number_and_bars_count_from_one():
    measures = page_of(record_of("G2|C8|D6:|G2|E8|F6:|")).findall("part/measure")
    assert [(m.get("number"), m.get("implicit")) for m in measures] == [
        ("0", "yes"), ("1", "no"), ("2", "no"), ("2a", "yes"), ("3", "no"), ("4", "no")
    ]  # fmt: skip


def test_repeats_and_endings_are_as_written():
    page = page_of(record_of("C8|1D8:|2E8|]"))
    lines = [(line.get("location"), [(e.tag, e.get("direction") or e.get("number")) for e in line
              if e.tag in ("repeat", "ending")]) for line in page.iter("barline")]  # fmt: skip
    assert lines == [
        ("left", [("repeat", "forward")]), ("left", [("ending", "1")]),
        ("right", [("ending", "1"), ("repeat", "backward")]), ("left", [("ending", "2")]),
        ("right", [("ending", "2")]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("meter", "unit", "body", "beams"),
    [
        ("4/4", "1/8", "CDEF GABc|]", "bcce bcce"),  # half bars, as in every tune book
        ("4/4", "1/8", "C>DE>F GABc|]", "be be be be"),  # beats where there are sixteenths
        ("2/4", "1/16", "CDEF GABc|]", "bcce bcce"),
        ("6/8", "1/8", "CDE FGA|c3:|", "bce bce -"),
        ("3/4", "1/8", "c|CDEFGA|cdefg:|", "- be be be be be -"),  # an upbeat, and what it leaves
    ],
)
def test_beams_show_the_beats(meter, unit, body, beams):
    notes = page_of(record_of(body, meter, unit)).iter("note")
    found = [next((b.text[0] for b in note.findall("beam") if b.get("number") == "1"), "-") for note in notes]
    assert "".join(found) == beams.replace(" ", "")


def test_ornaments_grace_notes_tuplets_and_chord_symbols_are_on_the_page():
    page = page_of(record_of('"Am"~A2 TB2 .c2 Hd2|{ef}e2 (3fga "D7"[df]4|]'))
    for tag, number in {"turn": 1, "trill-mark": 1, "staccato": 1, "fermata": 1, "grace": 2, "chord": 1,
                        "harmony": 2, "accidental-mark": 0}.items():  # fmt: skip
        assert len(list(page.iter(tag))) == number, tag
    assert [t.get("type") for t in page.iter("tuplet")] == ["start", "stop"]
    assert [kind.text for kind in page.iter("kind")] == ["minor", "dominant"]


def test_an_accidental_is_shown_once_a_bar():
    page = page_of(record_of("^f2f2F2F2|^f8-|f4f4|]"))
    # f, the F an octave below, the tied f, and f again.
    assert len(list(page.iter("accidental"))) == 4


def test_free_meter_has_no_time_signature_on_the_page():
    page = page_of(record_of("CDEFGAB|c4d4e4f4g4|]", "none"))
    assert all(time.get("print-object") == "no" for time in page.iter("time"))
    assert len(page.findall("part/measure")) == 2


def test_music21_reads_the_page_back_with_the_same_notes(tunes):
    from music21 import converter

    for record in tunes[5:30:8]:
        read = parse_tune(record.text).parsed.notes
        score = converter.parseData(export_musicxml(record, 73), format="musicxml")
        found = [
            (sorted(pitch.midi for pitch in note.pitches), Fraction(note.duration.quarterLength))
            for note in score.recurse().notes
            if not note.duration.isGrace and "Harmony" not in note.classes
        ]
        expected = [(sorted(n.pitches), Fraction(n.duration) * 4 / WHOLE) for n in read if n.pitches]
        assert found == expected
