"""Sampling and scoring as stages of real runs."""

import csv
import json
import shutil

import numpy as np
import pytest
from tiny import TINY, load_manifest, run_pipeline, some_dna

from pipeline.errors import ConfigError, DataError
from pipeline.records import Sample
from pipeline.report.sample_grid import read_grid

AGAIN = "stages=[sample,postprocess,report]"


@pytest.fixture(scope="module")
def genome_run(fasta_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "genome"
    overrides = ("dataset=genome", f"dataset.path={fasta_file}", "blast=none", *TINY, "sample.length=60")
    run_pipeline(folder, *overrides, "stages=[ingest,train]")
    return folder, overrides


@pytest.fixture
def again(genome_run, tmp_path):
    """Run stages of the trained run once more, with other settings."""
    folder, overrides = genome_run
    shutil.copytree(folder, tmp_path / "run")

    def go(*more: str) -> list[Sample]:
        run_pipeline(tmp_path / "run", *overrides, f"run={tmp_path / 'run'}", *more)
        path = tmp_path / "run" / "sample" / "samples.jsonl"
        return [Sample.from_json(line) for line in path.open(encoding="utf-8")] if path.exists() else []

    go.folder = tmp_path / "run"
    return go


def test_a_grid_is_laid_out_as_a_sample_grid(again):
    grid = ("sample.grid.temperatures=[0,1,2]", "sample.grid.primes=[ACGT,GGG]", "sample.count=2")
    samples = again(AGAIN, *grid)
    assert [s.index for s in samples] == list(range(12))
    assert [s.temperature for s in samples] == [0, 0, 1, 1, 2, 2] * 2
    assert all(s.symbols.startswith("ACGT" if s.index < 6 else "GGG") for s in samples)
    # A cell is what the same settings give alone.
    alone = again(AGAIN, "sample.prime=GGG", "sample.temperature=2", "sample.count=2")
    assert [s.symbols for s in alone] == [s.symbols for s in samples[10:]]
    again(AGAIN, *grid)
    grid = read_grid(again.folder / "sample" / "sample_grid.json")
    assert grid["rows"] == ["ACGT", "GGG"]
    assert grid["columns"] == ["temperature 0", "temperature 1", "temperature 2"]
    shown = [[cell.prime + cell.text for cell in row] for row in grid["cells"]]
    assert shown == [[samples[n].symbols for n in firsts] for firsts in ((0, 2, 4), (6, 8, 10))]
    page = (again.folder / "report.html").read_text(encoding="utf-8")
    assert page.count('<li class="cell">') == 6 and 'class="letter-0 given">A<' in page
    fasta = (again.folder / "postprocess" / "samples.fasta").read_text()
    assert "temperature=2 seed=0 index=10 log_probability=-" in fasta


def test_primes_come_from_files_lists_and_the_test_split(again, tmp_path):
    (tmp_path / "starts.fa").write_text(f">a\n{'ACGTTGCA' * 3}\n>b\n{'GGGTTT' * 4}\n")
    of_file = again("stages=[sample]", f"sample.prime='@{tmp_path / 'starts.fa'}'", "sample.prime_length=6")
    assert [s.symbols[:6] for s in of_file] == ["ACGTTG", "GGGTTT", "ACGTTG"]
    several = again("stages=[sample]", f"sample.primes='@{tmp_path / 'starts.fa'}'", "sample.prime_length=6")
    assert [s.symbols[:6] for s in several] == ["ACGTTG", "GGGTTT", "ACGTTG"]
    mixed = f"sample.primes=[CC,'@{tmp_path / 'starts.fa'}']"
    assert [s.symbols[:2] for s in again("stages=[sample]", mixed)] == ["CC", "AC", "GG"]
    listed = again("stages=[sample]", "sample.primes=[AC,GGGG]")
    assert [s.prime_length for s in listed] == [2, 4, 2]
    held_out = again("stages=[sample]", "sample.prime=heldout", "sample.prime_length=20")
    assert len({s.symbols[:20] for s in held_out}) == 3 == len(held_out)
    text = "".join(some_dna().split()).upper()
    assert all(s.prime_length == 20 and s.symbols[:20] in text for s in held_out)
    with pytest.raises(ConfigError, match=r"set sample\.prime_length"):
        again("stages=[sample]", "sample.prime=heldout")
    with pytest.raises(ConfigError, match=r"sample\.prime=@nowhere\.fa: there is no file"):
        again("stages=[sample]", "sample.prime=@nowhere.fa")


def test_a_grid_has_primes_of_the_test_split_and_of_files(again, tmp_path):
    (tmp_path / "starts.fa").write_text("".join(f">{n}\n{'ACGT' * (n + 3)}\n" for n in range(9)))
    grid = f"sample.grid.primes=[heldout,'@{tmp_path / 'starts.fa'}',GGG]"
    lengths = ("sample.prime_length=9", "sample.count=1")
    samples = again("stages=[sample]", grid, *lengths, "sample.grid.temperatures=[0,1]")
    assert [s.prime_length for s in samples] == [9] * 16 + [3] * 2
    assert len({s.symbols[:9] for s in samples[:8]}) == 4
    assert {s.symbols[:9] for s in samples[8:16]} == {"ACGTACGTA"}
    assert len(again("stages=[sample]", grid, *lengths, "sample.grid.rows=1")) == 3
    with pytest.raises(ConfigError, match=r"sample\.prime=@nowhere\.fa: there is no file"):
        again("stages=[sample]", "sample.grid.primes=['@nowhere.fa']")


def test_constraints_beams_and_spans_by_settings(again):
    constraints = "sample.constraints=[{kind: motifs, never: [AA, TT]}, {kind: end, one_of: [GC]}]"
    for sample in again("stages=[sample]", constraints):
        assert "AA" not in sample.symbols and "TT" not in sample.symbols and sample.symbols.endswith("GC")
    beam = again("stages=[sample]", "sample.beam=8", "sample.length=12", "sample.prime=AC")
    assert [s.ranked_by for s in beam] == sorted((s.ranked_by for s in beam), reverse=True)
    fill = ("sample.prime=ACGT", "sample.fill.right=GGCC", "sample.fill.shortest=3", "sample.fill.longest=5")
    spans = again("stages=[sample,postprocess]", *fill, "sample.fill.candidates=20")
    assert all(s.symbols[:4] == "ACGT" and s.symbols[-4:] == "GGCC" for s in spans)
    assert {len(s.symbols) for s in spans} <= {11, 12, 13}
    with pytest.raises(ConfigError, match=r"sample\.constraints cannot all be kept"):
        again("stages=[sample]", "sample.constraints=[{kind: symbols, only: A}, {kind: motifs, never: [A]}]")
    with pytest.raises(ConfigError, match=r"sample.constraints\[0\]: its kind is 'motif'"):
        again("stages=[sample]", "sample.constraints=[{kind: motif}]")


def test_a_sampling_that_was_broken_off_ends_as_if_it_had_not_been(again, monkeypatch):
    many = ("stages=[sample]", "sample.count=150", "sample.grid.temperatures=[0.5,1]")
    again(*many)
    path = again.folder / "sample" / "samples.jsonl"
    whole = path.read_bytes()
    shutil.rmtree(again.folder / "sample")

    class Killed(BaseException):
        pass

    written, to_json = iter(range(10_000)), Sample.to_json

    def until_the_power_fails(sample: Sample) -> str:
        if next(written) == 217:
            raise Killed
        return to_json(sample)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(Sample, "to_json", until_the_power_fails)
        again(*many)
    (partial,) = again.folder.glob(".sample-*.partial/samples.jsonl")
    kept = partial.read_bytes()
    assert kept == whole[: len(kept)] and kept.count(b"\n") == 217
    partial.write_bytes(kept[:-30])  # the last line was not whole
    again(*many)
    assert path.read_bytes() == whole
    kept = load_manifest(again.folder)["stages"]["sample"]["kept"]
    assert kept == {"samples": 300, "symbols": 300 * 60}


def test_given_sequences_are_scored(again, tmp_path):
    given = f">one\n{'ACGT' * 5}NNACGT{'TGCA' * 5}\n>two\n{'GATTACA' * 90}\n"
    (tmp_path / "given.fa").write_text(given)
    again("stages=[score,report]", f"score.path={tmp_path / 'given.fa'}")
    folder = again.folder / "score"
    records = list(csv.DictReader((folder / "records.tsv").open(), delimiter="\t"))
    assert [row["symbols"] for row in records] == ["20", "24", "630"]
    symbols = list(csv.DictReader((folder / "symbols.tsv").open(), delimiter="\t"))
    assert len(symbols) == 674 and "".join(row["symbol"] for row in symbols[:20]) == "ACGT" * 5
    bits = np.array([float(row["bits"]) for row in symbols])
    assert bits[-630:].sum() == pytest.approx(float(records[2]["bits"]), abs=0.1)
    track = (folder / "surprisal.bedgraph").read_text().splitlines()[1:]
    assert len(track) == 674
    # After two unknown bases the second interval starts where it stands in the file.
    assert track[20].split("\t")[:3] == ["one", "22", "23"] and track[44].split("\t")[:3] == ["two", "0", "1"]
    assert "Scored sequences" in (again.folder / "report.html").read_text(encoding="utf-8")


def test_nothing_to_score_is_an_error(again, tmp_path):
    with pytest.raises(ConfigError, match=r"set score\.path=FILE"):
        again("stages=[score]")
    with pytest.raises(DataError, match=r"nowhere\.fa"):
        again("stages=[score]", f"score.path={tmp_path / 'nowhere.fa'}")


def test_text_is_scored_too(text_run, text_file, tmp_path):
    shutil.copytree(text_run, tmp_path / "run")
    (tmp_path / "given.txt").write_text("the reel of Kerry\n\na jig\n")
    overrides = ("dataset=text", f"dataset.path={text_file}", *TINY, f"run={tmp_path / 'run'}")
    run_pipeline(tmp_path / "run", *overrides, "stages=[score]", f"score.path={tmp_path / 'given.txt'}")
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["stages"]["score"]["kept"] == {"sequences": 2, "symbols": 22}
