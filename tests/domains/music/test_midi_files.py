"""MIDI files in and out, and what malformed ones may do to us: nothing."""

import random
import struct

import pytest

from pipeline.domains.music.midi_files import MAX_BYTES, is_midi_name, read_midi, write_midi
from pipeline.domains.music.midi_filter import drop_unreadable_events
from pipeline.domains.music.piece import Key, Meter, NoteEvent, Part, Pedal, Piece, Tempo
from pipeline.errors import DataError

HEADER = b"MThd\x00\x00\x00\x06"
ON, OFF = b"\x00\x90\x3c\x40", b"\x10\x80\x3c\x40"
MAX_WAIT = b"\xff\xff\xff\x7f\xb0\x07\x40"


@pytest.fixture
def piece() -> Piece:
    """Two hands, the left with pedal, in seven eighths that slow down."""
    return Piece(
        notes=(
            NoteEvent(0, 40, 960, 60, part=1), NoteEvent(0, 64, 240, 80), NoteEvent(240, 67, 240, 127),
            NoteEvent(480, 64, 240, 1), NoteEvent(960, 40, 480, 70, part=1),
        ),
        parts=(Part("right"), Part("left", program=6)),
        tempos=(Tempo(0, 600_000), Tempo(480, 700_123)),
        meters=(Meter(0, 7, 8),),
        keys=(Key(0, -3, minor=True),),
        pedals=(Pedal(0, 1200, part=1),),
    )  # fmt: skip


def track(*events: bytes) -> bytes:
    body = b"".join(events) + b"\x00\xff\x2f\x00"
    return b"MTrk" + struct.pack(">I", len(body)) + body


def midi(*tracks: bytes, kind: int = 1, division: int = 480) -> bytes:
    return HEADER + struct.pack(">HHH", kind, len(tracks), division & 0xFFFF) + b"".join(tracks)


def test_what_is_written_is_read(piece, tmp_path):
    path = tmp_path / "piece.mid"
    path.write_bytes(write_midi(piece))
    assert read_midi(path) == piece


def test_real_performances_are_read_as_they_were_written(shared, tmp_path):
    for source in sorted((shared / "piano_midi").rglob("*.mid"))[:8]:
        piece = read_midi(source)
        path = tmp_path / source.name
        path.write_bytes(write_midi(piece))
        assert read_midi(path).notes == piece.notes
        assert piece.without_pedals().end >= piece.end > 0


def test_a_note_without_length_gets_one_tick(tmp_path):
    path = tmp_path / "short.mid"
    path.write_bytes(midi(track(ON, b"\x00\x80\x3c\x40", ON, OFF)))
    assert [note.duration for note in read_midi(path).notes][-1] == 16


SYSEX = b"\x00\xf0\x03\x43\x12\x00", b"\x60\xf7\x02\x43\xf7"


def test_system_exclusive_packets_move_no_onset(tmp_path):
    path, packets = tmp_path / "packets.mid", midi(track(*SYSEX, ON, OFF, *SYSEX, ON, OFF))
    path.write_bytes(packets)
    assert [note[:3] for note in read_midi(path).notes] == [(0x60, 60, 0x10), (0xD0, 60, 0x10)]
    assert drop_unreadable_events(packets) == midi(track(b"\x60" + ON[1:], OFF, b"\x60" + ON[1:], OFF))


def test_an_impossible_meter_is_left_out(tmp_path):
    path = tmp_path / "meter.mid"
    for power, meters in ((0x21, ()), (0x03, (Meter(0, 6, 8),))):
        path.write_bytes(midi(track(b"\x00\xff\x58\x04\x06" + bytes([power]) + b"\x18\x08", ON, OFF)))
        assert read_midi(path).meters == meters


def test_a_track_cut_inside_a_packet_is_refused(tmp_path):
    path = tmp_path / "cut.mid"
    path.write_bytes(midi(track(*SYSEX, b"\x00\xf0\x7f\x43")))
    with pytest.raises(DataError, match="an event is cut short"):
        read_midi(path)


def test_the_cases_of_packets_and_meters(shared):
    for folder in ("20-sysex-in-packets", "21-time-signature-of-2-to-33"):
        for path in sorted((shared / "cases" / folder).glob("*.mid")):
            piece = read_midi(path)
            assert [note.onset for note in piece.notes[:4]] == [0, 240, 480, 720]
            assert piece.meters in ((), (Meter(0),))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"X:1\nT:a tune\nK:C\nabc", "not a Standard MIDI File, which starts with MThd"),
        (HEADER + b"\x00\x01", "not a Standard MIDI File"),
        (midi(track()), "holds no note"),
        (midi(track(), kind=2), "of format 2, whose tracks .*; save it as format 0 or 1"),
        (midi(track(), division=-6104), "count film frames"),
        (midi(track(ON, OFF), division=0), "bad.mid: .*; "),
        (midi(track(ON, OFF))[:-9], "cannot be read as MIDI: .*; export it"),
        (midi(track(ON, *[MAX_WAIT] * 6, OFF)), "hours"),
        (HEADER.ljust(MAX_BYTES + 1, b"\x00"), "more than the .* allowed"),
    ],
)  # fmt: skip
def test_what_is_no_music_is_an_error_that_says_why(data, message, tmp_path):
    path = tmp_path / "bad.mid"
    path.write_bytes(data)
    with pytest.raises(DataError, match=message):
        read_midi(path)


def test_hostile_files_end_in_music_or_an_error(shared):
    kept = 0
    for path in sorted((shared / "hostile" / "midi").iterdir()):
        try:
            kept += bool(read_midi(path).notes)
        except DataError as error:
            assert str(path) in str(error) and ";" in str(error)
    assert kept == 2


def test_mutated_files_end_in_music_or_an_error(piece, tmp_path):
    rng, path = random.Random(3), tmp_path / "mutated.mid"
    whole = write_midi(piece)
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(14, len(data))] = rng.choice((0, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        path.write_bytes(data[: rng.randint(20, len(data))] if rng.random() < 0.2 else data)
        try:
            found = read_midi(path)
        except DataError:
            continue
        assert read_again(found, path).notes == found.notes


def read_again(piece: Piece, path) -> Piece:
    path.write_bytes(write_midi(piece))
    return read_midi(path)


def test_names_of_midi_files(tmp_path):
    assert is_midi_name(tmp_path / "A.MID") and is_midi_name(tmp_path / "b.midi")
    assert not is_midi_name(tmp_path / "c.mp3")
