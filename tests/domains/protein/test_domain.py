"""The protein domain through the seam: real files in, FASTA out."""

import gzip
import math
import random
from collections import Counter
from pathlib import Path

import pytest
from Bio import SeqIO

from pipeline.config.schema import SplitSettings
from pipeline.domains.protein.domain import Protein
from pipeline.errors import ConfigError, DataError
from pipeline.records import Record, Rejection, Sample
from pipeline.stages.ingest import ingest

DOMAIN = Protein()
AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"


@pytest.fixture
def chloroplast(shared_data) -> Path:
    return shared_data / "arabidopsis_proteins" / "NC_000932_proteins.faa"


def some_protein(length: int, seed: int = 1) -> str:
    return "M" + "".join(random.Random(seed).choices(AMINO_ACIDS, k=length - 1))


def mutated(protein: str, share: float) -> str:
    rng = random.Random(2)
    return "".join(rng.choice(AMINO_ACIDS) if rng.random() < share else letter for letter in protein)


def sample(symbols: str, ended: bool = True) -> Sample:
    return Sample(0, 1, symbols, 0, ended, -len(symbols) * 4.2 * math.log(2))


def test_the_proteins_of_a_chloroplast_are_those_that_biopython_reads(chloroplast):
    ours = list(DOMAIN.read(chloroplast))
    theirs = list(SeqIO.parse(chloroplast, "fasta"))
    assert [(record.id, record.symbols) for record in ours] == [(r.id, str(r.seq)) for r in theirs]
    assert len(ours) == 85 and sum(len(record.symbols) for record in ours) == 26_409


def test_compressed_files_are_read(chloroplast, tmp_path):
    path = tmp_path / "proteins.gz"
    path.write_bytes(gzip.compress(chloroplast.read_bytes()))
    assert len(list(DOMAIN.read(path))) == 85


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("biopython__aster_blast.pro", {"record": 1}),
        (
            "biopython__flowers.pro.gz",
            {"record": 2, "ambiguous amino acid (domain.ambiguous)": 1},
        ),
        ("biopython__clustalw.pir", "PIR"),
        ("biopython__error_qual_null.fastq", "FASTQ"),
        ("biotite__selenocysteine.fasta", {"record": 1}),
        ("biopython__sweetpea.nu", {"looks like DNA or RNA; use dataset=genome": 1}),
        ("scikit-bio__fasta_invalid_legacy_format", "before any header"),
    ],
)
def test_hostile_files_end_in_a_result_or_one_clear_error(shared_data, name, expected):
    path = shared_data / "hostile" / "fasta" / name
    if isinstance(expected, str):
        with pytest.raises(DataError, match=expected):
            list(DOMAIN.read(path))
    else:
        items = DOMAIN.read(path)
        kinds = Counter(item.reason if isinstance(item, Rejection) else "record" for item in items)
        assert kinds == expected


@pytest.mark.parametrize(
    ("letter", "settings", "message"),
    [
        ("1", {}, r":2:4: symbol '1' is not an amino acid \(.*ABCDEF.*\); correct the file"),
        ("X", {"ambiguous": "error"}, r":2:4: symbol 'X' .*; set domain.ambiguous=drop, split or random"),
    ],
    ids=["digit", "ambiguous"],
)
def test_a_wrong_letter_is_an_error_with_its_place(tmp_path, letter, settings, message):
    path = tmp_path / "x.faa"
    path.write_text(f">a\nMKV{letter}LL\n")
    with pytest.raises(DataError, match=message):
        list(Protein(**settings).read(path))


@pytest.mark.parametrize(
    "settings",
    [
        {"ambiguous": "keep"}, {"rare": "no"}, {"inner_stop": "x"}, {"redundancy": "none"},
        {"min_length_aa": 0}, {"min_length_aa": 10, "max_length_aa": 9}, {"line_width": 5}, {"fasta": "gz"},
    ],
    ids=lambda settings: "-".join(settings),
)  # fmt: skip
def test_a_setting_out_of_range_is_an_error_that_names_it(settings):
    with pytest.raises(ConfigError, match=f"domain.({'|'.join(settings)})"):
        Protein(**settings)


@pytest.mark.parametrize(
    ("redundancy", "left_out", "groups"), [("near", 1, 1), ("exact", 1, 0), ("keep", 0, 0)]
)
def test_redundancy_says_what_becomes_of_near_copies(tmp_path, redundancy, left_out, groups):
    proteins = [some_protein(300, seed) for seed in range(30)]
    proteins += [proteins[0], mutated(proteins[1], 0.05), mutated(proteins[2], 0.4)]
    path, out = tmp_path / "some.faa", tmp_path / "out"
    out.mkdir()
    path.write_text("".join(f">p{number}\n{each}\n" for number, each in enumerate(proteins)))
    result = ingest([path], Protein(redundancy=redundancy), SplitSettings(), "error", out)
    assert result.rejected.get("duplicate", 0) == left_out
    assert result.figures["groups"] == groups


def test_rare_amino_acids_are_in_the_alphabet_only_where_they_are_kept():
    assert "".join(DOMAIN.alphabet) == AMINO_ACIDS
    assert "".join(Protein(rare="keep").alphabet) == AMINO_ACIDS + "UO"
    assert isinstance(DOMAIN.finish(sample("MUK")), Rejection)
    assert Protein(rare="keep").finish(sample("MUK")).symbols == "MUK"


def test_samples_become_fasta_that_says_how_they_were_made(tmp_path):
    records = [DOMAIN.finish(sample(some_protein(130))), DOMAIN.finish(sample("MKV", ended=False))]
    made = {"model": "lstm 2x64", "seed": "1", "log_probability": "-378.450", "bits_per_symbol": "4.200"}
    records = [Record(r.id, r.symbols, {**r.metadata, **made}) for r in records]
    outputs = DOMAIN.write(records, tmp_path)
    read = list(SeqIO.parse(outputs.files[0], "fasta"))
    assert [str(record.seq) for record in read] == [record.symbols for record in records]
    for words in ("synthetic protein", "log_probability=-378.450", "seed=1", "complete=yes", "length=130"):
        assert words in read[0].description
    assert "complete=no" in read[1].description
    assert outputs.summary == ("1 of 2 proteins were cut at sample.length, before an end of their own",)


def test_primes_are_folded_and_checked():
    assert DOMAIN.parse_prime("mk v") == "MKV"
    with pytest.raises(ConfigError, match=r"sample.prime: symbol 'B' at position 3"):
        DOMAIN.parse_prime("MKB")


@pytest.mark.parametrize("name", ["a.faa", "a.pep.gz", "UP000005640.fasta"])
def test_suits_protein_files(name):
    assert DOMAIN.accepts_file(Path(name))


@pytest.mark.parametrize("name", [".a.faa", "README.md", "a.fna", "a.gz"])
def test_suits_nothing_else(name):
    assert not DOMAIN.accepts_file(Path(name))
