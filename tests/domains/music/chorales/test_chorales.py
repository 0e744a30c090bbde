import dataclasses
import random

import pytest
from music21_corpus import BACH
from tiny import some_chorales

from pipeline.domains.music.chorales.domain import Chorales
from pipeline.domains.music.chorales.score import ChoraleRecord
from pipeline.domains.music.chorales.voices import parse_chorale
from pipeline.errors import ConfigError
from pipeline.records import Record, References, Rejection, Sample


def sample(text: str, ended: bool = True) -> Sample:
    return Sample(2, 1, tuple(f"{word} " for word in text.split()), 0, ended, -10.0)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("chorales") / "small.txt"
    path.write_text(some_chorales())
    return path


@pytest.fixture(scope="module")
def records(file):
    return list(Chorales(representation="packed").read(file))


def test_a_step_is_one_symbol_or_four():
    (packed,) = Chorales(representation="packed").read(BACH / "bwv253.mxl")
    (voices,) = Chorales().read(BACH / "bwv253.mxl")
    assert 4 * len(packed.symbols) == len(voices.symbols)
    assert packed.symbols[0].count(",") == 3 and voices.symbols[0].startswith("S")
    assert Chorales().count_units(voices.symbols) == len(packed.symbols)
    assert packed.metadata["title"] == "BWV 253"


def test_pitches_alone_where_that_is_asked_for():
    (record,) = Chorales(held=False).read(BACH / "bwv253.mxl")
    assert not any("_" in symbol for symbol in record.symbols)


def test_quarters_are_every_fourth_step():
    (fine,) = Chorales(representation="packed", held=False).read(BACH / "bwv253.mxl")
    (coarse,) = Chorales(representation="packed", held=False, step=4).read(BACH / "bwv253.mxl")
    assert coarse.symbols == fine.symbols[::4]


def test_training_chorales_in_other_keys_stay_singable(records):
    domain = Chorales(representation="packed", transpose=2)
    moved = {record.id: parse_chorale(record.text) for record in domain.variants(records[0])}
    assert list(moved) == [f"{records[0].id} {n:+d}" for n in (-2, -1, 1, 2)]
    original = parse_chorale(records[0].text)
    assert (moved[f"{records[0].id} -2"].pitches == original.pitches - 2).all()
    low = dataclasses.replace(records[0], symbols=("67,62,58,36 ",))
    assert [record.id[-2:] for record in domain.variants(low)] == ["+1", "+2"]


def test_another_key_is_a_duplicate_but_not_where_the_source_splits(records):
    domain = Chorales(representation="packed", transpose=1)
    key = domain.duplicate_key(records[0])
    assert [domain.duplicate_key(record) for record in domain.variants(records[0])] == [key, key]
    assert domain.duplicate_key(records[1]) != key
    prescribed = dataclasses.replace(records[0], metadata={"subset": "train"})
    assert domain.duplicate_key(prescribed) is None


def test_a_prime_may_be_in_either_form():
    steps = ("67,62,58,43 ", "_,_,_,45 ")
    voices = ("S67 ", "A62 ", "T58 ", "B43 ", "S_ ", "A_ ", "T_ ", "B45 ")
    for text in ("67,62,58,43 _,_,_,45", "S67 A62 T58 B43 S_ A_ T_ B45"):
        assert Chorales(representation="packed").parse_prime(text) == steps
        assert Chorales().parse_prime(text) == voices
    with pytest.raises(ConfigError, match=r"sample\.prime.*steps of four voices"):
        Chorales().parse_prime("C major")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("S67 A62 T58 B43 S67", "a step without four voices"),
        ("S67 T62 A58 B43", "voices out of order"),
        ("S_ A62 T58 B43", "a note is held that was not struck"),
    ],
)
def test_a_bad_sample_is_a_rejection(text, reason):
    assert Chorales().finish(sample(text)) == Rejection("sample 3", reason, text + " ")


def test_a_sample_is_a_piece_with_four_parts():
    record = Chorales().finish(sample("S67 A62 T58 B43 S_ A64 T_ B_"))
    assert isinstance(record, ChoraleRecord)
    assert [part.name for part in record.piece.parts] == ["Soprano", "Alto", "Tenor", "Bass"]
    assert [(n.pitch, n.onset, n.duration) for n in record.piece.notes if n.part == 1] == [
        (62, 0, 120), (64, 120, 120),
    ]  # fmt: skip
    assert Chorales().finish(sample("S67 A62 T58 B43", ended=False)).reason == "reached sample.length"


def test_what_is_written_is_read_back(records, tmp_path):
    for step in (16, 8):
        domain = Chorales(representation="packed", step=step)
        finished = [domain.finish(Sample(i, 1, r.symbols, 0, True, -1.0)) for i, r in enumerate(records[:5])]
        domain.write(finished, tmp_path)
        assert f"# chorale_0001; synthetic; step {step}" in (tmp_path / "chorales.txt").read_text()
        back = list(domain.read(tmp_path / "chorales.txt"))
        assert [record.symbols for record in back] == [record.symbols for record in finished]
    assert next(Chorales().read(tmp_path / "chorales.txt")).reason == "a coarser grid than domain.step"


def test_samples_stand_beside_real_chorales(records, tmp_path):
    broken = [Record("a", ("_,_,_,_ ",)), Record("b", ()), *records[40:48]]
    references = References({"held-out real": records[20:40], "shuffled": broken}, lambda: iter(records[20:]))
    domain = Chorales(representation="packed")
    outputs = domain.compare(records[:20], references, tmp_path)
    table = (tmp_path / "statistics.tsv").read_text()
    assert "parallel fifths (% of moves)" in table and "held-out real" in table
    assert all(path.is_file() for path in outputs.files)
    assert outputs.warnings == ()
    kept, audited = domain.audit(records[:20], references, tmp_path)
    assert len(kept) == 20 and "of 20 chorales have over" in audited.summary[0]
    assert domain.compare([], References({}, lambda: iter(())), tmp_path).figures == {}


def test_random_voices_are_a_warning_before_all_else(records, tmp_path):
    rng = random.Random(1)
    bad = [
        Record(
            f"b{i}", tuple(",".join(str(rng.randrange(40, 80)) for _ in range(4)) + " " for _ in range(60))
        )
        for i in range(40)
    ]
    groups = {"held-out real": records[:24], "Markov order 2": records[24:], "shuffled": bad[20:]}
    domain = Chorales(representation="packed")
    outputs = domain.compare(bad[:20], References(groups, lambda: iter(records)), tmp_path)
    (warned,) = outputs.warnings
    assert outputs.summary[0] == warned and "worse than those of Markov order 2" in warned


def test_settings_are_checked():
    for settings in ({"representation": "chords"}, {"step": 12}, {"transpose": 12}, {"max_copy_notes": 0}):
        with pytest.raises(ConfigError, match=rf"domain\.{next(iter(settings))}"):
            Chorales(**settings)
