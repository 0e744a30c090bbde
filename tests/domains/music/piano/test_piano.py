import gzip
import random
from importlib.util import find_spec
from pathlib import Path

import pytest
from tiny import run_pipeline, some_performance, some_pieces

from pipeline.domains.music.piano.domain import Piano, PianoRecord
from pipeline.domains.music.piano.files import read_pieces
from pipeline.domains.music.piano.notes import group_chords
from pipeline.domains.music.piano.playing import to_piece
from pipeline.domains.music.render.scamp_render import ScampRender
from pipeline.errors import ConfigError, DataError
from pipeline.records import Record, References, Rejection, Sample

CORPUS = Path(find_spec("music21").submodule_search_locations[0]) / "corpus"
TEXT = "48 60 64 67 72\n60 64\n"


def write(folder, content, name="pieces.txt"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def drawn(text: str, ended: bool = True, char: bool = False) -> Sample:
    symbols = text if char else tuple(f"{word} " for word in text.split())
    return Sample(0, 1, symbols, 0, ended, -10.0)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    path = write(tmp_path_factory.mktemp("piano"), some_pieces())
    return list(Piano().read(path))


def test_a_line_is_a_piece_of_notes_or_characters(tmp_path):
    first, second = Piano().read(write(tmp_path, TEXT))
    assert first.symbols == ("48 ", "60 ", "64 ", "67 ", "72 ") and second.id == "pieces.txt:2"
    first, second = Piano(representation="char").read(write(tmp_path, TEXT))
    assert first.symbols == "48 60 64 67 72" and Piano().count_units(first.symbols) == 5


def test_compressed_text_and_other_line_ends_are_read(tmp_path):
    data = gzip.compress(TEXT.replace("\n", "\r\n").encode(), mtime=0)
    assert len(list(Piano().read(write(tmp_path, data, "pieces.txt.gz")))) == 2


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("60 300 64", "a note above 127"),
        ("60 99999999999999999999", "a note above 127"),
        ("C4 E4 G4", "not a note number"),
        ("60 -1", "not a note number"),
        ("60 6\u0664", "not a note number"),
        ("", "an empty line"),
    ],
)
def test_a_bad_line_is_rejected_with_its_place(tmp_path, line, reason):
    path = write(tmp_path, f"60 64 67\n{line}\n72\n")
    good, bad, last = Piano().read(path)
    assert isinstance(good, Record) and isinstance(last, Record)
    assert bad == Rejection(f"{path}:2", reason, line)


@pytest.mark.parametrize(("content", "message"), [(b"", "empty"), (b"\xff\xfe\x00", "cannot be read")])
def test_files_that_are_no_text_are_refused(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        list(Piano().read(write(tmp_path, content)))


def test_scores_and_midi_become_text(tmp_path):
    ((name, notes),) = read_pieces(CORPUS / "bach" / "bwv846.mxl")
    assert name == "bwv846.mxl" and notes[:8] == (60, 64, 67, 72, 76, 67, 72, 76)
    assert notes[-5:] == (36, 48, 64, 67, 72)  # the last chord, low to high
    (record,) = Piano().read(write(tmp_path, some_performance(20), "played.mid"))
    assert Piano().count_units(record.symbols) > 15


def test_hostile_midi_ends_in_words(shared):
    for path in sorted((shared / "hostile" / "midi").iterdir()):
        try:
            assert all(isinstance(item, Record | Rejection) for item in Piano().read(path))
        except DataError as error:
            assert str(path) in str(error)


def test_a_chord_goes_up_and_a_melody_by_steps():
    assert group_chords((48, 64, 67)) == [(48, 64, 67)]
    assert group_chords((60, 62, 64, 65)) == [(60,), (62,), (64,), (65,)]
    assert group_chords((72, 60, 60)) == [(72,), (60,), (60,)]


def test_a_piece_has_rhythm_hands_and_loudness():
    piece = to_piece((48, 64, 67, 72, 72, 74, 43, 62, 67))
    assert [part.name for part in piece.parts] == ["Right hand", "Left hand"]
    assert sorted(note.pitch for note in piece.notes) == sorted((48, 64, 67, 72, 72, 74, 43, 62, 67))
    onsets = {note.pitch: note.onset / piece.ticks_per_quarter for note in piece.notes}
    assert onsets[48] == 0 and onsets[74] == 1.5 and onsets[43] == 2  # full chords on the beat
    assert {note.part for note in piece.notes if note.pitch < 60} == {1}
    assert len({note.velocity for note in piece.notes}) > 2
    assert piece.end == 4 * piece.ticks_per_quarter  # a whole bar


def test_samples_are_finished_or_rejected():
    record = Piano().finish(drawn("48 60 64 67 72"))
    assert isinstance(record, PianoRecord) and record.text.split() == ["48", "60", "64", "67", "72"]
    unfinished = Piano(representation="char").finish(drawn("60 64 6", ended=False, char=True))
    assert unfinished.text == "60 64" and unfinished.metadata["unfinished"]
    assert Piano(representation="char").finish(drawn("60 6466", char=True)).reason == "a note above 127"
    assert Piano().finish(drawn("")).reason == "an empty line"


def test_a_prime_is_notes():
    assert Piano().parse_prime("60 64") == ("60 ", "64 ")
    assert Piano(representation="char").parse_prime("60  64") == "60 64 "
    for text in ("C E G", "60 200"):
        with pytest.raises(ConfigError, match=r"sample\.prime.*note numbers from 0 to 127"):
            Piano().parse_prime(text)


def test_other_keys_stay_on_the_keyboard():
    domain = Piano(transpose=2)
    moved = [r.text.split() for r in domain.variants(Record("a", ("22 ", "60 ")))]
    assert moved == [["21", "59"], ["23", "61"], ["24", "62"]]
    key = domain.duplicate_key(Record("a", ("60 ", "64 ")))
    assert domain.duplicate_key(Record("b", ("62 ", "66 "))) == key


def test_what_is_written_is_the_flat_form(records, tmp_path):
    finished = [Piano().finish(Sample(i, 1, r.symbols, 0, True, -1.0)) for i, r in enumerate(records[:5])]
    Piano().write(finished, tmp_path)
    assert (tmp_path / "pieces.txt").read_text().splitlines() == [r.text.strip() for r in records[:5]]
    back = list(Piano().read(tmp_path / "pieces.txt"))
    assert [record.symbols for record in back] == [record.symbols for record in records[:5]]


def test_samples_stand_beside_real_pieces(records, tmp_path):
    broken = [Record("a", "6 x"), Record("b", ""), *records[50:]]
    references = References({"held-out real": records[20:50], "shuffled": broken}, lambda: iter(records))
    outputs = Piano().compare(records[:20], references, tmp_path)
    assert "JS distance of chords" in (tmp_path / "statistics.tsv").read_text()
    assert all(path.is_file() for path in outputs.files)
    assert outputs.warnings == ()
    kept, audited = Piano().audit(records[:20], references, tmp_path)
    assert len(kept) == 20 and "of 20 pieces have over" in audited.summary[0]
    kept, audited = Piano(max_copy_notes=10).audit(records[:20], references, tmp_path)
    assert not kept and "notes in a row are in pieces.txt:1" in audited.rejections[0].detail


def test_random_notes_are_a_warning_before_all_else(records, tmp_path):
    rng = random.Random(1)
    lines = [" ".join(str(rng.randrange(21, 109)) for _ in range(60)) for _ in range(40)]
    bad = list(Piano().read(write(tmp_path, "\n".join(lines))))
    groups = {"held-out real": records[:30], "Markov order 2": records[30:], "shuffled": bad[20:]}
    outputs = Piano().compare(bad[:20], References(groups, lambda: iter(records)), tmp_path)
    (warned,) = outputs.warnings
    assert outputs.summary[0] == warned and "worse than those of Markov order 2" in warned


def test_scamp_plays_both_hands(records, tmp_path):
    (record,) = [Piano().finish(Sample(0, 1, records[0].symbols, 0, True, -1.0))]
    outputs = ScampRender(sound=False)([record], References({}, lambda: iter(())), tmp_path, 1)
    assert outputs.rejections == ()
    page = (tmp_path / "scamp" / "piano_0001.musicxml").read_text()
    assert page.count("<score-part ") == 2 and "<fifths>" in page


def test_a_run_from_text_to_midi(tmp_path):
    path = write(tmp_path, some_pieces(400))
    settings = ("model.hidden_size=8", "model.num_layers=1", "train.max_epochs=1", "sample.count=4",
                "sample.length=30", "render=midi")  # fmt: skip
    manifest = run_pipeline(tmp_path / "run", "dataset=piano", f"dataset.path={path}", *settings)
    assert "test_bits_per_note" in manifest["stages"]["train"]["figures"]
    midi = list((tmp_path / "run" / "postprocess" / "midi").iterdir())
    assert len(midi) == manifest["stages"]["postprocess"]["kept"]["records"] > 0
