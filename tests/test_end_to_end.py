"""One tiny run for each domain, from a file to the report."""

import csv
import json
import re
from collections import Counter
from pathlib import Path

import pytest
from Bio import SeqIO
from tiny import TINY, load_manifest, run_pipeline

from pipeline.domains.music.abc.domain import Abc
from pipeline.records import Sample

EVERYWHERE = (
    "manifest.json", "report.html", "pipeline.log", "ingest/corpus.json", "ingest/corpus.tsv",
    "train/best.ckpt", "train/last.ckpt", "train/metrics.csv", "train/scores.tsv",
    "train/learning_curves.svg",
    "sample/samples.jsonl", "postprocess/rejected.tsv",
)  # fmt: skip


@pytest.fixture(scope="module")
def genome_run(fasta_file, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("genome") / "run"
    run_pipeline(folder, "dataset=genome", f"dataset.path={fasta_file}", *TINY, "sample.length=700", "seed=3")
    return folder


@pytest.fixture(scope="module")
def tunes_run(abc_file, tmp_path_factory) -> Path:
    """Tunes by a model that has learned next to nothing, drawn by the grammar."""
    folder = tmp_path_factory.mktemp("tunes") / "run"
    some = ("sample.count=8", "sample.length=200")
    run_pipeline(folder, "dataset=abc", f"dataset.path={abc_file}", *TINY, *some, "render=midi")
    return folder


@pytest.fixture(params=["text", "genome", "tunes"])
def any_run(request, text_run, genome_run, tunes_run) -> Path:
    return {"text": text_run, "genome": genome_run, "tunes": tunes_run}[request.param]


def test_the_artefacts_have_their_plain_names(any_run):
    assert [name for name in EVERYWHERE if not (any_run / name).is_file()] == []
    assert not list(any_run.rglob("*.partial"))


def test_the_manifest_says_what_was_made_of_what(any_run):
    manifest = load_manifest(any_run)
    assert list(manifest["stages"]) == ["ingest", "train", "sample", "postprocess"]
    assert manifest["environment"]["torch"]
    for name, stage in manifest["stages"].items():
        assert {"settings", "started", "seconds", "kept", "rejected", "summary", "figures"} <= set(stage)
        assert stage["outputs"] and all(path.startswith(f"{name}/") for path in stage["outputs"])
        assert all((any_run / path).is_file() for path in stage["outputs"])
        shown = [file for section in stage["sections"] for file in section["files"]]
        assert all((any_run / file).is_file() for file in shown)
    assert manifest["stages"]["ingest"]["inputs"]


def test_the_manifest_is_strict_json(any_run):
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    json.loads((any_run / "manifest.json").read_text(encoding="utf-8"), parse_constant=refuse)


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open() as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def test_the_network_is_compared_with_the_strongest_of_all_baselines_tried(any_run):
    rows = read_table(any_run / "train" / "scores.tsv")
    assert rows[0]["model"].startswith("lstm 1x8")
    assert {"uniform", "Markov order 0", "Markov order 1"} <= {row["model"] for row in rows}
    figures = load_manifest(any_run)["stages"]["train"]["figures"]
    assert rows[1]["model"] == figures["baseline"]
    assert figures["difference_bits"] == pytest.approx(figures["test_bits"] - figures["baseline_bits"])


def test_headline_tables_and_figures_agree(any_run):
    stage = load_manifest(any_run)["stages"]["train"]
    figures, headline = stage["figures"], stage["conclusions"][-1]
    (total, *_) = read_table(any_run / "train" / "differences.tsv")
    assert total["conclusion"] == figures["conclusion"]
    assert float(total["difference"]) == pytest.approx(figures["difference_bits"], abs=1e-4)
    assert f"{figures['test_bits']:.3f} bits" in headline and f"{figures['baseline_bits']:.3f}" in headline
    assert figures["conclusion"].split()[0] in headline
    blocks = read_table(any_run / "train" / "blocks.tsv")
    assert len(blocks) == figures["difference_blocks"]
    sizes = [int(row["symbols"]) for row in blocks]
    mean = sum(float(row["difference"]) * n for row, n in zip(blocks, sizes, strict=True)) / sum(sizes)
    assert mean == pytest.approx(figures["difference_bits"], abs=1e-3)
    assert bool(stage["warnings"]) == (figures["conclusion"] == "worse")
    assert stage["summary"][: len(stage["warnings"])] == stage["warnings"]


def test_the_report_is_one_file_that_asks_for_nothing(any_run):
    page = (any_run / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", page)
    for section in ("Learning curves", "Corpus and split", "Bits on the test split"):
        assert section in page


def test_samples_of_a_genome_are_strict_fasta(genome_run):
    """What Biopython's strict reader and NCBI's page take: ids of their own, short lines, bases only."""
    text = (genome_run / "postprocess" / "samples.fasta").read_text(encoding="ascii")
    assert text.startswith(">")
    assert max(map(len, (line for line in text.splitlines() if not line.startswith(">")))) <= 80
    records = list(SeqIO.parse(genome_run / "postprocess" / "samples.fasta", "fasta"))
    assert len({record.id for record in records}) == len(records) == 3
    for record in records:
        assert len(record.seq) == 700
        assert set(record.seq) <= set("ACGT")
        for fact in ("synthetic", "lstm 1x8", "temperature=1", "seed=3"):
            assert fact in record.description


def test_samples_of_a_genome_are_searched_beside_null_models(genome_run):
    post = genome_run / "postprocess"
    rows = [line.split("\t") for line in (post / "blast.tsv").read_text().splitlines()]
    assert all(len(row) == len(rows[0]) for row in rows)
    assert load_manifest(genome_run)["stages"]["postprocess"]["kept"] == {"raw": 3, "records": 3}


def test_a_genome_too_small_for_long_held_out_stretches_is_compared_with_shorter_ones(genome_run):
    """Blocks of 600 bases, samples of 700."""
    assert "held-out real" in (genome_run / "report.html").read_text(encoding="utf-8")


def test_tunes_can_be_read_again_and_played(tunes_run):
    manifest = load_manifest(tunes_run)
    kept = manifest["stages"]["postprocess"]["kept"]["records"]
    assert kept >= 1
    book = tunes_run / "postprocess" / "tunes.abc"
    assert len(list(Abc().read(book))) == kept
    assert len(list((tunes_run / "postprocess" / "midi").glob("*.mid"))) == kept
    numbers = re.findall(r"^X:(\d+)$", book.read_text(), re.MULTILINE)
    assert len(set(numbers)) == len(numbers) == kept


def test_samples_of_text_say_how_they_were_made(text_run):
    written = (text_run / "postprocess" / "samples.txt").read_text(encoding="utf-8")
    kept = load_manifest(text_run)["stages"]["postprocess"]["kept"]["records"]
    likely = r"log_probability -\d+\.\d+, bits_per_symbol \d\.\d+"
    facts = rf"model lstm 1x8, temperature 1, seed 0, index \d, {likely}"
    assert len(re.findall(rf"^# synthetic_000\d, {facts}$", written, re.MULTILINE)) == kept > 0


def test_where_no_sample_can_be_kept_the_run_says_why_and_still_ends_in_a_report(abc_file, tmp_path):
    """An untrained model writes no tune of its own accord."""
    file, freely = f"dataset.path={abc_file}", "sample.valid=false"
    manifest = run_pipeline(tmp_path / "run", "dataset=abc", file, *TINY, freely, "render=midi")
    post = manifest["stages"]["postprocess"]
    assert post["kept"] == {"raw": 3, "records": 0}
    assert "0 of 3 samples kept" in "\n".join(post["summary"])
    assert (tmp_path / "run" / "report.html").exists()
    with (tmp_path / "run" / "postprocess" / "rejected.tsv").open(newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert Counter(row["reason"] for row in rows) == post["rejected"]
    assert [row["where"] for row in rows] == ["sample 1", "sample 2", "sample 3"]


@pytest.mark.parametrize("cell", ["rnn", "gru"])
def test_the_other_families_train_and_sample(text_file, tmp_path, cell):
    run_pipeline(tmp_path / "run", "dataset=text", f"dataset.path={text_file}", *TINY, f"model={cell}")
    lines = (tmp_path / "run" / "sample" / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    assert [Sample.from_json(line).index for line in lines] == [0, 1, 2]


def test_values_beyond_words_are_fine(text_file, tmp_path):
    """Greedy, top-k and top-p in one, with a seed as large as any."""
    drawn = ("sample.temperature=0", "sample.top_k=3", "sample.top_p=0.5", "seed=4294967295")
    run_pipeline(tmp_path / "run", "dataset=text", f"dataset.path={text_file}", *TINY, *drawn)
    lines = (tmp_path / "run" / "sample" / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    assert len({Sample.from_json(line).symbols for line in lines}) == 1
