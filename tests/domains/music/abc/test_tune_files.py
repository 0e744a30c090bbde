"""The ABC files of a run: they are read back with the same music, and list all repairs."""

from pipeline.domains.music.abc.domain import Abc
from pipeline.domains.music.abc.tune_text import parse_tune
from pipeline.records import Record, Rejection, Sample

REPAIRING = Abc(repair=True)


def test_a_tune_book_is_read_back(tmp_path, tunes):
    how = {"model": "lstm", "temperature": "0.8", "seed": "1", "index": "0", "bits_per_symbol": "1.6"}
    records = [Record(f"tune_{i:04d}", t.symbols, {"title": f"Synthetic tune {i}", **how})
               for i, t in enumerate(tunes[:40], 1)]  # fmt: skip
    outputs = Abc().write(records, tmp_path)
    text = (tmp_path / "tunes.abc").read_text()
    assert "% synthetic: model lstm, temperature 0.8, seed 1, index 0, bits per symbol 1.6" in text
    assert outputs.files == (tmp_path / "tunes.abc", tmp_path / "best_tunes.abc")
    best = (tmp_path / "best_tunes.abc").read_text()
    assert best.count("% checks: ") == 12 and "% checks: 6 of 6 passed\n" in best
    back = list(Abc().read(tmp_path / "tunes.abc"))
    assert [record.metadata["title"] for record in back] == [f"Synthetic tune {i}" for i in range(1, 41)]
    for old, new in zip(records, back, strict=True):
        before, after = parse_tune(old.symbols).parsed.notes, parse_tune(new.symbols).parsed.notes
        assert [(n.pitches, n.onset, n.duration) for n in before] == [
            (n.pitches, n.onset, n.duration) for n in after
        ]


def test_a_single_tune_is_counted_in_the_singular(tmp_path, tunes):
    assert Abc().write(tunes[:1], tmp_path).summary == ("1 tune in tunes.abc",)


def sample(text: str, ended: bool = True) -> Sample:
    return Sample(0, 0, text, 0, ended, -1.0)


def test_repairs_are_only_made_when_wanted_and_are_listed(tmp_path):
    text = "M:2/4\nL:1/8\nK:G\nGABc|dBG|G4|]"
    refused = Abc().finish(sample(text))
    assert isinstance(refused, Rejection) and refused.reason == "bar too short"
    record = REPAIRING.finish(sample(text))
    assert isinstance(record, Record) and record.metadata["repaired"] == "bar 2: G made G2"
    unfinished = REPAIRING.finish(sample("M:2/4\nL:1/8\nK:G\nGABc|dBGB|G", ended=False))
    assert isinstance(unfinished, Record) and unfinished.text.endswith("dBGB|")
    outputs = REPAIRING.write([record, unfinished], tmp_path)
    assert outputs.figures["tunes_repaired"] == 2
    assert (tmp_path / "repairs.tsv").read_text().splitlines()[1] == "tune_0001\tbar 2: G made G2"
    assert "% repaired: bar 2: G made G2\n" in (tmp_path / "tunes.abc").read_text()
