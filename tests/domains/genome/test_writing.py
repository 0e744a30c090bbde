"""FASTA and its indices, as Biopython reads them and as samtools makes them."""

import random
import shutil
import subprocess
from pathlib import Path

import pytest
from Bio import SeqIO, bgzf

from pipeline.domains.genome.writing import BGZF_ABOVE, FastaStyle, describe, write_fasta
from pipeline.records import Record


def style(form: str = "auto", width: int = 70) -> FastaStyle:
    return FastaStyle(width, form, "synthetic DNA", "base")


def some_records(count: int, bases: int) -> list[Record]:
    rng = random.Random(count)
    made = {"model": "lstm 2x64", "seed": "7", "bits_per_symbol": "1.91"}
    return [
        Record(f"synthetic_{n:04d}", "".join(rng.choices("ACGT", k=bases + n % 90)), made)
        for n in range(1, count + 1)
    ]


@pytest.fixture
def samtools() -> str:
    path = shutil.which("samtools")
    if path is None:
        pytest.skip("samtools is not on PATH (Debian: samtools)")
    return path


SHAPES = {"short": (3, 5), "one line": (4, 70), "lines": (150, 1_000), "long": (2, 200_000)}


@pytest.mark.parametrize("form", ["plain", "bgzf"])
@pytest.mark.parametrize("shape", SHAPES)
def test_samtools_makes_the_same_indices(samtools, tmp_path, shape, form):
    path, *indices = write_fasta(some_records(*SHAPES[shape]), tmp_path, style(form))
    ours = {index.name: index.read_bytes() for index in indices}
    for index in indices:
        index.unlink()
    subprocess.run([samtools, "faidx", path], check=True, capture_output=True)
    assert {index.name: index.read_bytes() for index in indices} == ours
    assert {".fai", ".gzi"} >= {index.suffix for index in indices} and ours


@pytest.mark.parametrize("form", ["plain", "bgzf"])
def test_samtools_cuts_out_what_was_written(samtools, tmp_path, form):
    records = some_records(100, 2_000)
    path, *_ = write_fasta(records, tmp_path, style(form))
    for record in records[::30]:
        found = subprocess.run(
            [samtools, "faidx", path, f"{record.id}:101-180"], check=True, capture_output=True, text=True
        )
        assert "".join(found.stdout.splitlines()[1:]) == record.symbols[100:180]


def test_bgzf_reads_as_gzip_and_at_random(tmp_path):
    records = some_records(200, 1_000)
    path, _, _ = write_fasta(records, tmp_path, style("bgzf"))
    with bgzf.open(path, "rt") as stream:
        assert [str(each.seq) for each in SeqIO.parse(stream, "fasta")] == [r.symbols for r in records]
    indexed = SeqIO.index(str(path), "fasta")
    assert str(indexed["synthetic_0123"].seq) == records[122].symbols


def test_many_samples_are_compressed_and_few_are_not(tmp_path):
    few, many = some_records(2, 100), [Record("long", "ACGT" * (BGZF_ABOVE // 4 + 1))]
    names = [file.name for file in write_fasta(few, tmp_path, style())]
    assert names == ["samples.fasta", "samples.fasta.fai"]
    names = [file.name for file in write_fasta(many, tmp_path, style())]
    assert names == ["samples.fasta.gz", "samples.fasta.gz.fai", "samples.fasta.gz.gzi"]


def test_the_same_records_give_the_same_bytes(tmp_path):
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
    first, second = (write_fasta(some_records(90, 900), folder, style("bgzf")) for folder in folders)
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]


def test_no_records_give_empty_files(tmp_path):
    assert [file.read_bytes() for file in write_fasta([], tmp_path, style())] == [b"", b""]


def test_a_header_is_one_line_whatever_made_it():
    text = describe(Record("a", "ACGT", {"model": "x>y\n>z", "bits_per_symbol": "2.00"}), style())
    assert text == "synthetic DNA, from no organism, model=x y  z bits_per_base=2.00 length=4"


def test_lines_have_the_width_asked_for(tmp_path: Path):
    path, _ = write_fasta([Record("a", "ACGTACGTACGTACG")], tmp_path, style(width=10))
    assert path.read_text().splitlines()[1:] == ["ACGTACGTAC", "GTACG"]
