"""What a folder of MIDI is taken for, and tunes made of it."""

from pathlib import Path

import pytest
from tiny import TINY, run_pipeline, some_performance, some_tunes

from pipeline.domains.music.abc.domain import Abc
from pipeline.domains.music.abc.tune_text import parse_tune
from pipeline.domains.music.midi_files import read_midi, write_midi
from pipeline.domains.music.performance.domain import Performance
from pipeline.domains.music.performance.midi_domain import Midi, measure_on_grid, measure_single_notes
from pipeline.domains.music.performance.midi_tunes import MidiTunes, written_tune
from pipeline.domains.music.piece import Key, Meter, NoteEvent, Piece
from pipeline.domains.music.render.notation import export_midi
from pipeline.domains.music.render.playback import played_notes
from pipeline.errors import ConfigError
from pipeline.records import Record, Rejection


@pytest.fixture(scope="module")
def tunes(tmp_path_factory) -> dict[str, Record]:
    """Tunes by the name of the MIDI file that each is in."""
    folder = tmp_path_factory.mktemp("tunes")
    (folder / "reels.abc").write_text(some_tunes(12))
    records = {}
    for number, record in enumerate(Abc().read(folder / "reels.abc")):
        (folder / f"tune_{number}.mid").write_bytes(export_midi(record, 73))
        records[str(folder / f"tune_{number}.mid")] = record
    return records


@pytest.fixture(scope="module")
def tune_folder(tunes) -> str:
    return next(iter(tunes)).rpartition("/")[0]


def written_piece(seed: int) -> Piece:
    """Chords on eighths."""
    notes = [
        NoteEvent(60 * at, 50 + (seed * at) % 12 + 4 * voice, 60) for at in range(90) for voice in range(3)
    ]
    return Piece(tuple(notes), 120, meters=(Meter(0, 4, 4),))


def test_one_voice_on_a_grid_is_tunes(tune_folder):
    domain = Midi(path=tune_folder)
    assert isinstance(domain, MidiTunes)
    assert domain.remark.startswith("taken for tune: 12 of 12 examined files have one note at a time")


def test_chords_on_a_grid_are_written_and_others_performed(tmp_path):
    for seed in range(3):
        (tmp_path / f"{seed}.mid").write_bytes(write_midi(written_piece(seed)))
    assert Midi(path=str(tmp_path)) == Performance(tokenization="REMI")
    (tmp_path / "played.mid").write_bytes(some_performance())
    assert Midi(path=str(tmp_path / "played.mid")) == Performance()
    assert Midi(path=str(tmp_path), representation="performance") == Performance()


def test_real_files(shared):
    assert Midi(path=str(shared / "piano_midi" / "maestro")).tokenization == "MIDILike"
    piece = read_midi(shared / "piano_midi" / "piano-midi.de" / "Haydn_haydn_7_2.mid")
    assert measure_on_grid(piece) > 0.9 > measure_single_notes(piece)


def test_an_unknown_representation_is_refused():
    with pytest.raises(ConfigError, match=r"domain\.representation='band' is not one of auto, tune, written"):
        Midi(representation="band")


def test_a_tune_comes_back_from_its_midi(tunes):
    for path, tune in tunes.items():
        (again,) = MidiTunes().read(Path(path))
        assert [note[:3] for note in played_notes(parse_tune(again.text))] == [
            note[:3] for note in played_notes(parse_tune(tune.text))
        ]


def test_upbeats_ties_rests_and_accidentals_are_written():
    notes = ((0, 67, 240), (240, 70, 480), (960, 69, 1080), (2040, 66, 120))
    piece = Piece(
        tuple(NoteEvent(onset, pitch, length) for onset, pitch, length in notes), 480,
        meters=(Meter(0, 1, 8), Meter(240, 2, 4)), keys=(Key(0, 1),),
    )  # fmt: skip
    raw = written_tune(piece, "t")
    assert raw.header == {"T": "t", "M": "2/4", "L": "1/8", "K": "G"}
    assert raw.body == "G|^A2z=A-|A7/2F/|]"


def test_what_no_tune_can_be_made_of(tmp_path):
    path = tmp_path / "played.mid"
    path.write_bytes(some_performance())
    (found,) = MidiTunes().read(path)
    assert isinstance(found, Rejection) and found.reason == "notes off the sixteenths"


def test_a_folder_of_tunes_ends_in_tunes(tune_folder, tmp_path):
    sizes = ("sample.length=100", "dataset.split.validation=0.2", "dataset.split.test=0.2")
    manifest = run_pipeline(tmp_path / "run", "dataset=midi", f"dataset.path={tune_folder}", *TINY, *sizes)
    assert manifest["stages"]["ingest"]["kept"]["records"] == 12
    assert manifest["stages"]["ingest"]["summary"][0].startswith("taken for tune: ")
    assert manifest["stages"]["postprocess"]["kept"]["raw"] == 3


def test_meters_that_change_stand_before_their_bars(tmp_path):
    notes = tuple(NoteEvent(240 * n, 60 + n % 3, 240) for n in range(8 + 6 + 6))
    meters = (Meter(0, 4, 4), Meter(1920, 3, 4), Meter(3360, 6, 8))
    path = tmp_path / "meters.mid"
    path.write_bytes(write_midi(Piece(notes, meters=meters)))
    (record,) = MidiTunes().read(path)
    bars = record.text.split("\n")[-1].split("|")
    assert [bar[:7] for bar in bars[1:3]] == ["[M:3/4]", "[M:6/8]"]
    assert len(parse_tune(record.text).parsed.bars) == 3 and not parse_tune(record.text).check()


def test_the_case_of_changing_meters(shared):
    (record,) = MidiTunes().read(shared / "cases/22-meters-that-change-in-a-tune/meter_change.mid")
    assert [bar.meter for bar in parse_tune(record.text).parsed.bars[:4]] == ["4/4", "3/4", "3/4", "6/8"]
