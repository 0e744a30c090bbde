"""Searching: both local ways give the same rows, and whatever a BLAST does wrong is one clear error."""

import csv
import gzip
import os
import random
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.domains.genome.blast.backend import BLASTN, BLASTP, SearchSettings
from pipeline.domains.genome.blast.blast_plus import BlastPlus
from pipeline.domains.genome.blast.embedded import EmbeddedBlast
from pipeline.domains.genome.blast.local_search import LocalBlast
from pipeline.domains.genome.domain import Nucleotide
from pipeline.domains.genome.encoding import reverse_complement
from pipeline.errors import ConfigError, ToolError
from pipeline.records import Record, References

ROOT = Path(__file__).parents[4]
EMBEDDED_DATA = ROOT / "datasets" / "drosophila" / "upstream.fa.gz"
CHROMOSOME_4 = ROOT / ".." / "shared" / "data" / "fly_chr4_dm3" / "dm3_chr4.fa.gz"
SETTINGS = SearchSettings(BLASTN, "blastn", 10.0, None, 50, True, 120.0)

needs_blast_plus = pytest.mark.skipif(not BlastPlus.is_available(BLASTN), reason="BLAST+ is not on PATH")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch) -> Path:
    """No test sees the databases of another, or of the user."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("SEQUENCE_PIPELINE_CACHE", str(folder))
    return folder


def mutated(sequence: str, rate: float, rng: random.Random) -> str:
    """Some bases replaced, dropped or doubled."""
    choices = {base: ["", base * 2, *("ACGT" * 2)] for base in "ACGT"}
    return "".join(rng.choice(choices[base]) if rng.random() < rate else base for base in sequence)


@pytest.fixture(scope="module")
def regions() -> list[Record]:
    return list(Nucleotide().read(EMBEDDED_DATA))


@pytest.fixture
def references(regions) -> References:
    rng = random.Random(2)
    shuffled = ["".join(rng.sample(record.symbols, 400)) for record in regions[:10]]
    groups = {
        "held-out real": [Record(record.id, record.symbols[:400]) for record in regions[700:710]],
        "shuffled": [Record(f"shuffled_{number}", text) for number, text in enumerate(shuffled)],
    }
    return References(groups, lambda: iter(regions[:600]))


def samples_of(regions: list[Record]) -> list[Record]:
    rng = random.Random(3)
    copied = mutated(regions[5].symbols[100:400], 0.3, rng)
    random_text = "".join(rng.choices("ACGT", k=300))
    texts = [copied, reverse_complement(regions[9].symbols[:200]), random_text]
    return [Record(f"synthetic_{number:04d}", text) for number, text in enumerate(texts, start=1)]


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


@needs_blast_plus
@pytest.mark.parametrize("dust", [True, False])
def test_both_ways_agree_on_mutated_slices_of_chromosome_4(tmp_path, dust):
    if not CHROMOSOME_4.exists():
        pytest.skip(f"{CHROMOSOME_4} is not here")
    with gzip.open(CHROMOSOME_4, "rt") as stream:
        sequence = "".join(line.strip() for line in stream if line[0] != ">").upper()
    rng = random.Random(11)
    subjects, queries = tmp_path / "subjects.fa", tmp_path / "queries.fa"
    pieces = [sequence[start : start + 20_000].strip("N") for start in range(0, len(sequence), 20_000)]
    pieces = [piece for piece in pieces if "N" not in piece]
    subjects.write_text("".join(f">t{number}\n{piece}\n" for number, piece in enumerate(pieces)))
    texts = []
    for number in range(210):
        piece = rng.choice(pieces)
        start = rng.randrange(len(piece) - 500)
        text = mutated(piece[start : start + rng.choice((60, 150, 400))], rng.choice((0, 0.1, 0.3, 1)), rng)
        texts.append(reverse_complement(text) if number % 2 else text)
    queries.write_text("".join(f">q{number}\n{text}\n" for number, text in enumerate(texts)))

    found = []
    for backend in (BlastPlus, EmbeddedBlast):
        folder = tmp_path / backend.__name__
        folder.mkdir()
        lists: dict[str, list[tuple[str, ...]]] = {}
        search = backend(replace(SETTINGS, masked=dust))
        search.build(subjects, folder)
        for hit in search.search(queries, folder / "db", folder):
            # Only of the first hit has the embedded BLAST the texts.
            texts = () if hit.query in lists else (hit.query_text, hit.subject_text)
            lists.setdefault(hit.query, []).append((hit.row, *texts))
        found.append(lists)
    plus, embedded = found
    assert len(plus) >= 200
    assert plus == embedded


@pytest.mark.parametrize("program", ["embedded", pytest.param("blastn", marks=needs_blast_plus)])
def test_a_search_from_end_to_end(tmp_path, regions, references, program):
    folder = tmp_path / "with a space"
    folder.mkdir()
    outputs = LocalBlast(program=program)(samples_of(regions), references, folder, seed=1)
    assert {path.name for path in folder.iterdir()} == {
        "blast.tsv", "blast_summary.tsv", "blast_comparison.tsv", "blast_evalues.svg", "alignments.txt",
    }  # fmt: skip
    assert set(outputs.files) == set(folder.iterdir())

    rows = table(folder / "blast.tsv")
    assert {row["qseqid"] for row in rows} <= {"synthetic_0001", "synthetic_0002", "synthetic_0003"}
    minus = next(row for row in rows if row["qseqid"] == "synthetic_0002")
    assert (minus["sseqid"], minus["pident"], minus["sstart"], minus["send"]) == (
        regions[9].id, "100.000", "200", "1",
    )  # fmt: skip

    summary = table(folder / "blast_summary.tsv")
    assert [row["group"] for row in summary] == ["samples"] * 3 + ["held-out real"] * 10 + ["shuffled"] * 10
    assert summary[0]["best_hit"] == regions[5].id
    assert summary[1]["query_coverage_percent"] == "100.0"
    best = f"best E-value {float(minus['evalue']):.2g} (synthetic_0002 ~ {regions[9].id}, 100.0% over 200 bp)"
    assert outputs.summary[0].startswith(f"BLAST against the training data: {best}; held-out real ")
    assert outputs.summary[0].count("(of 10)") == 2
    assert "held-out real" in outputs.summary[1]
    assert "too few sequences" in outputs.summary[2]
    assert outputs.figures["best E-value"] == minus["evalue"]


def test_no_hit_is_normal_and_said(tmp_path, regions):
    references = References({}, lambda: iter(regions[:3]))
    rng = random.Random(1)
    sample = Record("synthetic_0001", "".join(rng.choices("ACGT", k=60)))
    outputs = LocalBlast(program="embedded", evalue=1e-5)([sample], references, tmp_path, seed=1)
    assert outputs.summary[0].endswith(": no hit below E = 1e-05 for any of 1 samples")
    assert len(outputs.summary) == 2
    assert table(tmp_path / "blast.tsv") == []
    assert table(tmp_path / "blast_summary.tsv")[0]["best_hit"] == "no hit"


def test_nothing_to_search_or_to_search_in(tmp_path, regions):
    empty = References({}, lambda: iter(()))
    assert "no samples" in LocalBlast()([], empty, tmp_path, 1).summary[0]
    assert "no training records" in LocalBlast()(regions[:1], empty, tmp_path, 1).summary[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"program": "blat"}, "blast.program='blat' is not one of auto, blastn, embedded"),
        ({"task": "blastx"}, "blast.task"),
        ({"evalue": 0}, "blast.evalue"),
        ({"max_hits": 0}, "blast.max_hits"),
        ({"timeout_s": -1}, "blast.timeout_s"),
        ({"word_size": 2}, "blast.word_size"),
        ({"max_references": -1}, "blast.max_references"),
        ({"program": "embedded", "task": "megablast"}, "needs BLAST\\+"),
        ({"program": "embedded", "word_size": 7}, "needs BLAST\\+"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ConfigError, match=message):
        LocalBlast(**settings)


def fake_programs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, blastn: str, makeblastdb: str = "touch db.nsq"
) -> None:
    """Programs of BLAST's names first on PATH. The eighth argument of a fake blastn is its output file."""
    folder.mkdir()
    for name, body in (("makeblastdb", makeblastdb), ("blastn", blastn)):
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


BROKEN = {
    "kill -SEGV $$": "blastn ended with status -11",
    "echo oops >&2; exit 3": "blastn ended with status 3: oops",
    'echo this is no table > "$8"': "not a row of a BLAST table",
    "exit 0": "wrote no table",
    "sleep 60": "did not finish within 1 s",
    "while :; do echo nonsense, again and again and again; done": "printed more than 1,048,576 bytes",
    'printf "q9999\\tt0\\t1\\t1\\t1\\t1\\t1\\t1\\t1\\t1\\t1\\t1\\n" > "$8"': "which it was not given",
}


@pytest.mark.parametrize("body", BROKEN)
def test_a_broken_blast_is_an_error_with_a_remedy(tmp_path, monkeypatch, regions, references, body):
    fake_programs(tmp_path / "bin", monkeypatch, body)
    (tmp_path / "out").mkdir()
    with pytest.raises(ToolError) as error:
        LocalBlast(program="blastn", timeout_s=1)(samples_of(regions), references, tmp_path / "out", 1)
    assert BROKEN[body] in str(error.value)
    assert "blast" in str(error.value)
    assert list((tmp_path / "out").iterdir()) == []


def test_auto_goes_on_with_the_embedded_blast(tmp_path, monkeypatch, regions, references, caplog):
    fake_programs(tmp_path / "bin", monkeypatch, "kill -SEGV $$")
    (tmp_path / "out").mkdir()
    outputs = LocalBlast()(samples_of(regions), references, tmp_path / "out", 1)
    assert "best E-value" in outputs.summary[0]
    assert "trying the embedded BLAST" in caplog.text


def test_a_crash_of_the_embedded_blast_is_an_error(tmp_path, monkeypatch, regions, references):
    def crash(target: str, arguments: dict, timeout_s: float) -> None:
        raise ToolError(f"{target} ended with signal 11")

    monkeypatch.setattr("pipeline.domains.genome.blast.embedded.call_isolated", crash)
    with pytest.raises(ToolError, match=r"embedded BLAST failed.*signal 11.*blast=none"):
        LocalBlast(program="embedded")(samples_of(regions), references, tmp_path, 1)


@needs_blast_plus
def test_a_makeblastdb_that_makes_nothing_is_an_error(tmp_path, monkeypatch, regions, references):
    fake_programs(tmp_path / "bin", monkeypatch, "exit 0", makeblastdb="exit 0")
    (tmp_path / "out").mkdir()
    with pytest.raises(ToolError, match="makeblastdb on PATH made no database"):
        LocalBlast(program="blastn")(samples_of(regions), references, tmp_path / "out", 1)


@needs_blast_plus
@pytest.mark.parametrize(
    "task, word_size", [("megablast", None), ("megablast", 16), ("dc-megablast", None), ("blastn-short", 7)]
)
def test_other_tasks_and_words_of_blast_plus(tmp_path, regions, references, task, word_size):
    outputs = LocalBlast(task=task, word_size=word_size)(samples_of(regions)[1:2], references, tmp_path, 1)
    assert "100.0% over 200 bp" in outputs.summary[0]


@needs_blast_plus
def test_a_search_in_a_database_of_the_user_s(tmp_path, regions, references):
    names = [">gi|7|chr of mine", ">../../x", ">two words"]
    text = "".join(f"{name}\n{each.symbols}\n" for name, each in zip(names, regions[8:11], strict=True))
    make = ["makeblastdb", "-in", "-", "-dbtype", "nucl", "-title", "mine", "-out", "mine"]
    (tmp_path / "a folder").mkdir()
    subprocess.run(make, cwd=tmp_path / "a folder", input=text, text=True, check=True, capture_output=True)
    (tmp_path / "out").mkdir()
    search = LocalBlast(database=str(tmp_path / "a folder" / "mine"))
    outputs = search(samples_of(regions)[1:2], references, tmp_path / "out", 1)
    assert outputs.summary[0].startswith("BLAST against the database mine: best E-value")
    row = table(tmp_path / "out" / "blast.tsv")[0]
    assert (row["sseqid"], row["sstrand"], row["qcovs"]) == ("../../x", "-", "100.0")
    assert (row["source_start"], row["source_end"]) == ("1", "200")


def test_a_database_of_the_user_s_needs_blast_plus(tmp_path, monkeypatch):
    (tmp_path / "mine.nin").touch()
    with pytest.raises(ConfigError, match=r"only BLAST\+ reads databases of yours"):
        LocalBlast(program="embedded", database=str(tmp_path / "mine"))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match=r"only BLAST\+ reads databases of yours"):
        LocalBlast(database=str(tmp_path / "mine"))


def test_the_database_of_a_corpus_is_built_once(tmp_path, cache, regions, references):
    for number in range(2):
        (tmp_path / f"{number}").mkdir()
        LocalBlast(program="embedded")(samples_of(regions), references, tmp_path / f"{number}", 1)
    (listing,) = cache.glob("blast/*/files.json")
    assert listing.stat().st_mtime < (tmp_path / "1").stat().st_mtime
    assert (tmp_path / "0" / "blast.tsv").read_bytes() == (tmp_path / "1" / "blast.tsv").read_bytes()


@pytest.mark.skipif(not BlastPlus.is_available(BLASTP), reason="BLAST+ is not on PATH")
def test_both_ways_agree_on_proteins(tmp_path):
    rng = random.Random(1)
    letters = "ACDEFGHIKLMNPQRSTVWY"
    proteins = ["".join(rng.choices(letters, k=300)) for _ in range(40)]
    (tmp_path / "t.fa").write_text("".join(f">t{at}\n{each}\n" for at, each in enumerate(proteins)))
    with (tmp_path / "q.fa").open("w") as stream:
        for number in range(40):
            piece, rate = rng.choice(proteins)[: rng.choice((30, 100, 250))], rng.choice((0, 0.3, 0.6))
            text = "".join(rng.choice(letters) if rng.random() < rate else each for each in piece)
            stream.write(f">q{number}\n{text}\n")
    found = []
    for backend in (BlastPlus, EmbeddedBlast):
        search = backend(SearchSettings(BLASTP, "blastp", 10.0, None, 50, False, 120.0))
        folder = tmp_path / backend.__name__
        folder.mkdir()
        search.build(tmp_path / "t.fa", folder)
        found.append([hit.row for hit in search.search(tmp_path / "q.fa", folder / "db", folder)])
    assert len(found[0]) > 40
    assert found[0] == found[1]
