"""The comparison of proteins: metrics against plain computations, conclusions about constructed proteins."""

import csv
import math
import random
import shutil
import subprocess
from collections import Counter

import numpy as np
import pytest
from Bio import SeqIO
from Bio.SeqUtils.ProtParam import ProteinAnalysis

from pipeline.domains.protein.properties import (
    SEG_WINDOW,
    encode,
    gravy,
    length_tally,
    low_complexity,
    spans_membrane,
    window_entropy,
    word_tally,
)
from pipeline.domains.protein.statistics import compare_groups
from pipeline.evaluation.metric_comparison.sequence_set import SequenceSet

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
SIMPLE = "MKVLADEFGHIKLNPQRSTW" + "QQQQPQQQQQQQPQQQQ" + "ACDEFGHIKLMNPQRSTVWY"


def some_proteins(count: int, seed: int = 1, weights=None, longest: int = 400) -> list[str]:
    rng = random.Random(seed)
    return [
        "M" + "".join(rng.choices(AMINO_ACIDS, weights, k=rng.randint(100, longest))) for _ in range(count)
    ]


@pytest.fixture(scope="module")
def real_proteins(shared_data) -> list[str]:
    path = shared_data / "arabidopsis_proteins" / "NC_000932_proteins.faa"
    return [str(record.seq) for record in SeqIO.parse(path, "fasta")]


def test_words_are_those_of_a_plain_count(real_proteins):
    counts = word_tally(SequenceSet.encode(real_proteins, encode), 2).sum(axis=0)
    plain = Counter(text[at : at + 2] for text in real_proteins for at in range(len(text) - 1))
    expected = [plain[first + second] for first in AMINO_ACIDS for second in AMINO_ACIDS]
    assert counts.tolist() == expected


def test_no_word_reaches_over_an_end_or_another_letter():
    assert word_tally(SequenceSet.encode(["MK", "VL", "AUC"], encode), 2).sum() == 2


def test_lengths_fall_into_half_octaves():
    counts = length_tally(SequenceSet.encode(["M" * 4, "M" * 5, "M" * 6, "M" * 8], encode)).sum(axis=0)
    assert np.flatnonzero(counts).tolist() == [4, 5, 6] and counts[4] == 2


def test_hydropathy_is_that_of_protparam(real_proteins):
    for protein in real_proteins[::9]:
        assert gravy(encode(protein)) == pytest.approx(ProteinAnalysis(protein).gravy())


def test_a_membrane_protein_is_told_from_a_soluble_one(shared_data):
    path = shared_data / "arabidopsis_proteins" / "NC_000932_proteins.faa"
    named = {record.description: str(record.seq) for record in SeqIO.parse(path, "fasta")}
    psba = next(text for name, text in named.items() if "photosystem II protein D1" in name)
    rps12 = next(text for name, text in named.items() if "ribosomal protein S12" in name)
    assert spans_membrane(encode(psba)) and not spans_membrane(encode(rps12))
    assert not spans_membrane(encode("M" * 5))


def test_the_entropy_of_a_window_is_that_of_a_plain_count(real_proteins):
    protein = real_proteins[0]
    found = window_entropy(encode(protein))
    for start in range(0, len(protein) - SEG_WINDOW + 1, 7):
        counts = Counter(protein[start : start + SEG_WINDOW]).values()
        plain = -sum(n / SEG_WINDOW * math.log2(n / SEG_WINDOW) for n in counts)
        assert found[start] == pytest.approx(plain)
    assert np.isinf(window_entropy(encode("MKVLUADEFGHIK"))).all()


def test_a_run_of_glutamines_is_of_low_complexity():
    covered = low_complexity(encode(SIMPLE))
    assert covered[20:37].all() and not covered[:8].any() and not covered[-8:].any()


def test_what_segmasker_masks_is_covered(real_proteins, tmp_path):
    if shutil.which("segmasker") is None:
        pytest.skip("segmasker of BLAST+ is not on PATH")
    proteins = [*real_proteins, SIMPLE]
    (tmp_path / "in.faa").write_text("".join(f">p{n}\n{text}\n" for n, text in enumerate(proteins)))
    subprocess.run(
        ["segmasker", "-in", "in.faa", "-outfmt", "fasta", "-out", "out.faa"], cwd=tmp_path, check=True
    )
    masked = [
        np.array([letter.islower() for letter in str(record.seq)])
        for record in SeqIO.parse(tmp_path / "out.faa", "fasta")
    ]
    ours = [low_complexity(encode(text)) for text in proteins]
    assert sum(map(np.sum, masked)) > 300
    missed = sum(int((theirs & ~our).sum()) for theirs, our in zip(masked, ours, strict=True))
    assert missed == 0
    assert sum(map(np.sum, ours)) < 2 * sum(map(np.sum, masked))


def verdicts(groups, out_dir) -> dict[str, str]:
    outputs = compare_groups(groups, out_dir)
    assert all(file.is_file() for file in outputs.files)
    with (out_dir / "statistics.tsv").open(encoding="utf-8") as stream:
        return {row["metric"]: row["conclusion"] for row in csv.DictReader(stream, delimiter="\t")}


def test_samples_of_the_same_source_are_within_noise(tmp_path):
    groups = {"samples": some_proteins(80, 1), "held-out real": some_proteins(80, 2)}
    said = verdicts(groups, tmp_path)
    judged = {name: words for name, words in said.items() if words}
    assert len(judged) == 10
    assert all(words.startswith("no difference found") for words in judged.values()), judged


def test_other_compositions_and_lengths_are_seen(tmp_path):
    weights = [3 if letter in "AILV" else 1 for letter in AMINO_ACIDS]
    groups = {
        "samples": some_proteins(80, 1, weights, longest=120),
        "held-out real": some_proteins(80, 2),
        "shuffled": some_proteins(80, 3, longest=120),
    }
    said = verdicts(groups, tmp_path)
    assert said["mean length (residues)"].startswith("differs from real proteins: less")
    assert said["mean hydropathy (GRAVY)"] == "differs from real proteins: more; shuffled nearer"
    assert said["JS distance of amino-acid composition"] == "differs from real proteins; shuffled nearer"
    assert said["begin with methionine (%)"].startswith("no difference found")


def test_too_few_proteins_are_counted_and_not_judged(tmp_path):
    said = verdicts({"samples": ["MKVL", "MA"], "held-out real": ["MKV"]}, tmp_path)
    assert set(said.values()) == {""} and "sequences" in said


def test_samples_are_measured_though_held_out_proteins_are_too_few(tmp_path):
    outputs = compare_groups({"samples": some_proteins(20), "held-out real": some_proteins(2)}, tmp_path)
    assert outputs.summary == (
        "samples and held-out real proteins: too few residues to test; "
        "more valid samples (sample.count, or a better model) or a larger dataset.split.test are needed",
    )
    with (tmp_path / "statistics.tsv").open(encoding="utf-8") as stream:
        table = {row["metric"]: row for row in csv.DictReader(stream, delimiter="\t")}
    row = table["mean hydropathy (GRAVY)"]
    assert float(row["samples"]) < 0 and row["held-out real"] == row["conclusion"] == ""
    assert "JS distance of 2-mers" not in table


def test_the_same_proteins_give_the_same_bytes(tmp_path):
    groups = {"samples": some_proteins(20, 1), "held-out real": some_proteins(20, 2)}
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
        compare_groups(groups, folder)
    names = sorted(file.name for file in folders[0].iterdir())
    assert len(names) == 7
    assert all((folders[0] / name).read_bytes() == (folders[1] / name).read_bytes() for name in names)
