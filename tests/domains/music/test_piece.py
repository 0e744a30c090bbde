"""Time, pedals and scores of polyphonic pieces."""

import pytest

from pipeline.domains.music.piece import Key, Meter, NoteEvent, Part, Pedal, Piece, Tempo
from pipeline.domains.music.render.midi import MidiRender
from pipeline.domains.music.render.notation import export_musicxml
from pipeline.domains.music.render.piece_record import PieceRecord
from pipeline.domains.music.render.staves import piano_score, quantise
from pipeline.errors import DataError
from pipeline.records import References


def test_seconds_follow_the_tempo():
    piece = Piece((), 480, tempos=(Tempo(0, 1_000_000), Tempo(960, 500_000)))
    assert piece.seconds([0, 480, 960, 1440]).tolist() == [0.0, 1.0, 2.0, 2.5]
    assert Piece((), 480).seconds([960]).tolist() == [1.0]  # 120 quarters a minute where no tempo is given


def test_a_pedal_holds_notes_until_it_is_up_or_they_are_struck_again():
    notes = (NoteEvent(0, 60, 100), NoteEvent(50, 64, 100), NoteEvent(200, 60, 50), NoteEvent(500, 60, 50))
    held = Piece(notes, pedals=(Pedal(20, 380),)).without_pedals()
    assert [note.end for note in held.notes] == [200, 400, 400, 550]
    assert held.pedals == ()


def test_a_pedal_holds_the_notes_of_its_own_part_only():
    notes = (NoteEvent(0, 60, 100, part=0), NoteEvent(0, 64, 100, part=1))
    held = Piece(notes, parts=(Part("a"), Part("b")), pedals=(Pedal(0, 300, part=1),)).without_pedals()
    assert [note.end for note in held.notes] == [100, 300]


def test_each_quarter_is_written_at_sixteenths_or_triplets():
    notes = [NoteEvent(onset, 60, 100) for onset in (2, 118, 240, 480, 640, 801)]
    onsets = [onset for onset, _ in quantise(notes, 480)]
    assert onsets == [0, 3, 6, 12, 16, 20]


@pytest.fixture
def record() -> PieceRecord:
    """A chord and a melody in E flat, three quarters a bar."""
    notes = tuple(NoteEvent(480 * beat, pitch, 470) for beat, pitch in enumerate((63, 67, 70, 75, 74, 75)))
    bass = (NoteEvent(0, 39, 1400), NoteEvent(1440, 44, 1400))
    piece = Piece(tuple(sorted(notes + bass)), meters=(Meter(0, 3, 4),), keys=(Key(0, -3),))
    return PieceRecord("piece_1", ("symbol",), piece=piece)


def test_a_piano_score_has_two_staves_in_the_meter_and_key(record):
    upper, lower = piano_score(record.piece).parts
    assert [note.nameWithOctave for note in upper.recurse().notes] == ["E-4", "G4", "B-4", "E-5", "D5", "E-5"]
    assert [note.nameWithOctave for note in lower.recurse().notes] == ["E-2", "A-2"]
    assert {len(staff.getElementsByClass("Measure")) for staff in (upper, lower)} == {2}
    assert upper.recurse().getElementsByClass("TimeSignature").first().ratioString == "3/4"
    assert upper.recurse().getElementsByClass("KeySignature").first().sharps == -3


def test_what_is_only_drums_has_no_score():
    with pytest.raises(DataError, match="no notes: "):
        piano_score(Piece((NoteEvent(0, 36, 10),), parts=(Part("kit", is_drum=True),)))


def test_renders_take_polyphonic_records(record, tmp_path):
    assert export_musicxml(record, program=73).count("<part id=") == 2
    found = MidiRender()([record], References({}, lambda: iter(())), tmp_path, seed=0)
    assert [path.name for path in found.files] == ["piece_1.mid"]
    assert not found.rejections


def test_a_piece_has_the_same_musicxml_every_time(record):
    text = export_musicxml(record, program=73)
    assert text == export_musicxml(record, program=73) and 'id="P2-I1"' in text


def test_a_note_from_a_triplet_into_a_sixteenth_is_tied_at_the_beat():
    onsets = (0, 160, 320, 480, 600, 720, 840)
    notes = tuple(NoteEvent(onset, 60 + at, 120) for at, onset in enumerate(onsets))
    long = (*notes[:2], NoteEvent(320, 62, 280), NoteEvent(600, 64, 120))
    (upper, _) = piano_score(Piece(long, meters=(Meter(0, 4, 4),))).parts
    written = [
        (note.pitch.midi, note.quarterLength, note.tie and note.tie.type) for note in upper.recurse().notes
    ]
    third = pytest.approx(1 / 3)
    assert written[2:4] == [(62, third, "start"), (62, pytest.approx(0.25), "stop")]
    assert all(len(note.duration.tuplets) < 2 for note in upper.recurse().notes)
