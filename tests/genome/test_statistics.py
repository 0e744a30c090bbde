"""Spectra and GC beside real DNA: known answers on small sequences, sensible verdicts on real ones."""

import csv
import random
from pathlib import Path

import numpy as np
import pytest

from pipeline.genome.nucleotide import Nucleotide
from pipeline.genome.statistics import compare_groups, jensen_shannon, kmer_counts

EMBEDDED = Path(__file__).parents[2] / "datasets" / "drosophila" / "upstream.fa.gz"


@pytest.fixture(scope="module")
def fly() -> list[str]:
    return [str(record.symbols)[:500] for record in Nucleotide().read(EMBEDDED)]


def rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open() as stream:
        return {row["measure"]: row for row in csv.DictReader(stream, delimiter="\t")}


def test_kmers_are_counted_on_both_strands():
    # AAC on one strand, GTT on the other
    assert kmer_counts(["AAC"], 1).tolist() == [2, 1, 1, 2]
    counts = kmer_counts(["AAC"], 2).reshape(4, 4)
    assert counts[0, 0] == counts[0, 1] == counts[2, 3] == counts[3, 3] == 1
    assert counts.sum() == 4
    assert kmer_counts(["AC", ""], 3).sum() == 0


def test_divergence_is_symmetric_and_bounded():
    p, q = np.array([3, 1, 0, 0]), np.array([0, 1, 1, 2])
    assert jensen_shannon(p, q) == jensen_shannon(q, p)
    assert 0 < jensen_shannon(p, q) < 1
    assert jensen_shannon(p, 2 * p) == 0


def test_real_dna_is_as_near_as_real_dna_and_uniform_letters_are_not(tmp_path, fly):
    rng = random.Random(5)
    groups = {
        "samples": fly[:600:4],
        "held-out real": fly[1:600:4],
        "shuffled": ["".join(rng.choices("ACGT", k=500)) for _ in range(100)],
    }
    findings = compare_groups(groups, tmp_path)
    table = rows(tmp_path / "statistics.tsv")
    for k in (3, 4, 5, 6):
        row = table[f"JS of {k}-mers (bits)"]
        assert row["verdict"] == "as near to real DNA as real DNA is to itself"
        assert float(row["shuffled"]) > 2 * float(row["samples"])
    assert table["GC content"]["verdict"] == "samples have the GC content of real DNA"
    assert findings.summary[0].startswith("JS of 6-mers (bits), samples against held-out real: ")
    assert findings.summary[0].endswith("): as near to real DNA as real DNA is to itself")
    assert {path.name for path in findings.files} == {
        "statistics.tsv", "gc.svg", "kmer_divergence.svg", "kmer_spectrum.svg",
    }  # fmt: skip
    assert all(path.stat().st_size for path in findings.files)


def test_what_is_far_is_called_far(tmp_path, fly):
    rng = random.Random(5)
    groups = {"samples": ["".join(rng.choices("ACGT", [1, 4, 4, 1], k=500)) for _ in range(50)],
              "held-out real": fly[:100]}  # fmt: skip
    compare_groups(groups, tmp_path)
    table = rows(tmp_path / "statistics.tsv")
    assert "bits beyond the noise of real DNA" in table["JS of 3-mers (bits)"]["verdict"]
    assert table["GC content"]["verdict"] == "samples have more GC than real DNA"


@pytest.mark.parametrize(
    "groups",
    [
        {"samples": ["ACGT" * 30]},
        {"samples": ["ACGT" * 30], "held-out real": []},
        {"samples": ["ACGT" * 30], "held-out real": ["ACGT" * 100]},
        {"samples": ["A"], "held-out real": ["C"], "shuffled": ["A"]},
        {"samples": ["A" * 1000], "held-out real": ["C" * 1000]},
    ],
)
def test_little_or_odd_data_is_no_error(tmp_path, groups):
    assert compare_groups(groups, tmp_path).files[0].exists()


def test_too_little_to_tell_is_said(tmp_path, fly):
    rng = random.Random(5)
    shuffled = ["".join(rng.sample(text, len(text))) for text in fly[:4]]
    groups = {"samples": fly[:4], "held-out real": fly[4:12], "shuffled": shuffled}
    findings = compare_groups(groups, tmp_path)
    table = rows(tmp_path / "statistics.tsv")
    assert "too few bases" in table["JS of 6-mers (bits)"]["verdict"]
    assert table["GC content"]["verdict"] == "too few sequences to tell"
    assert "JS of 6-mers" not in findings.summary[0]
    groups = {name: [text[:40] for text in group] for name, group in groups.items()}
    findings = compare_groups(groups, tmp_path)
    assert findings.summary == ("k-mers, samples against held-out real: too few bases to tell",)


def test_the_summary_speaks_of_the_longest_k_that_tells(tmp_path, fly):
    rng = random.Random(5)
    shuffled = ["".join(rng.sample(text, len(text))) for text in fly[:60:4]]
    groups = {"samples": fly[:60:4], "held-out real": fly[1:120:4], "shuffled": shuffled}
    findings = compare_groups(groups, tmp_path)
    table = rows(tmp_path / "statistics.tsv")
    assert "too few bases" in table["JS of 6-mers (bits)"]["verdict"]
    assert findings.summary[0].startswith("JS of 5-mers")
    assert findings.summary[0].endswith(table["JS of 5-mers (bits)"]["verdict"])


def test_groups_of_unequal_size_are_cut_to_equal_size(tmp_path, fly):
    """Ever more held-out DNA lowers neither the floor nor the divergences: its halves are cut too."""
    few, many = tmp_path / "few", tmp_path / "many"
    found = []
    for folder, stop in ((few, 40), (many, 600)):
        folder.mkdir()
        compare_groups({"samples": fly[600:610], "held-out real": fly[:stop:2]}, folder)
        found.append(rows(folder / "statistics.tsv")["JS of 6-mers (bits)"])
    for column in ("samples", "real against itself"):
        assert float(found[0][column]) == pytest.approx(float(found[1][column]), rel=0.1)
    assert found[1]["verdict"] == "as near to real DNA as real DNA is to itself"


def test_the_same_data_gives_the_same_bytes(tmp_path, fly):
    made = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        files = compare_groups({"samples": fly[:20], "held-out real": fly[20:60]}, tmp_path / name).files
        made.append([path.read_bytes() for path in files])
    assert made[0] == made[1]
