"""Starts, stops, frame, lengths and codons of whole coding sequences, by values computed by hand."""

import random
from collections import Counter

import pytest
from Bio.Data.CodonTable import unambiguous_dna_by_id

from pipeline.domains.genome.compare.coding import (
    NAMES,
    are_coding,
    codon_tally,
    compare_genes,
    gene_tally,
    length_tally,
    metrics,
    third_gc,
)
from pipeline.domains.genome.encoding import encode
from pipeline.domains.genome.orfs import CODONS
from pipeline.evaluation.metric_comparison.sequence_set import SequenceSet

WHOLE, NO_START, INNER_STOP, NO_STOP = "ATGAAACCCTAA", "CTGAAACCCTAA", "GTGTAACCCTGA", "TTGAAACCCC"


def encode_sequences(*texts: str) -> SequenceSet:
    return SequenceSet.encode(texts, encode)


@pytest.mark.parametrize(
    ("gene", "start", "stop", "is_open"),
    [
        (WHOLE, 1, 1, 1), (NO_START, 0, 1, 1), (INNER_STOP, 1, 1, 0), (NO_STOP, 1, 0, 1),
        # Its last three bases are a stop codon, but not one of frame 0.
        ("ATGCTAA", 1, 0, 1), ("AT", 0, 0, 0),
    ],
)  # fmt: skip
def test_what_a_gene_has(gene, start, stop, is_open):
    complete = int(bool(start and stop and is_open))
    assert gene_tally(encode_sequences(gene))[0].tolist() == [1, len(gene), start, stop, is_open, complete]


def test_the_genetic_code_says_what_a_stop_is():
    mycoplasma = "ATGTGAAAATAA"
    assert gene_tally(encode_sequences(mycoplasma))[0, -2:].tolist() == [0, 0]
    assert gene_tally(encode_sequences(mycoplasma), table=4)[0, -2:].tolist() == [1, 1]


def test_codons_of_frame_0_but_the_last():
    counts = dict(zip(CODONS, codon_tally(encode_sequences(WHOLE, NO_STOP))[0], strict=True))
    total = Counter({name: count for name, count in counts.items() if count})
    assert total == {"ATG": 1, "AAA": 1, "CCC": 1}
    assert third_gc(codon_tally(encode_sequences(WHOLE)).sum(axis=0)) == pytest.approx(100 * 2 / 3)


def test_lengths_fall_into_classes():
    tally = length_tally(encode_sequences("A" * 20, "A" * 31, "A" * 40_000))
    assert [row.argmax() for row in tally] == [0, 1, tally.shape[1] - 1]


def test_genes_are_told_from_other_sequences():
    assert are_coding([WHOLE, INNER_STOP, NO_STOP])
    assert not are_coding([NO_STOP, "ACGTACGT"])
    assert not are_coding([])


def some_genes(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    sense = list(unambiguous_dna_by_id[1].forward_table)
    return ["ATG" + "".join(rng.choices(sense, k=rng.randint(40, 90))) + "TAA" for _ in range(count)]


def test_genes_and_random_sequences_against_real_genes(tmp_path):
    rng = random.Random(5)
    noise = ["".join(rng.choices("ACGT", k=len(gene))) for gene in some_genes(40, 1)]
    groups = {"samples": some_genes(40, 2), "held-out real": some_genes(40, 3), "shuffled": noise}
    outputs = compare_genes(groups, tmp_path)
    header, *rows = (line.split("\t") for line in (tmp_path / "genes.tsv").read_text().splitlines())
    values = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    for name in NAMES.values():
        assert (values[name]["samples"], values[name]["held-out real"]) == ("100", "100")
        assert float(values[name]["shuffled"]) < 60
    assert {each.name for each in metrics()} <= values.keys()
    (line,) = outputs.conclusions
    assert "40 of 40 samples, 40 of 40 held-out real, 0 of 40 shuffled" in line
    assert outputs.summary[1] == (
        "of 40 samples 40 begin with ATG, GTG or TTG, 40 are open in frame 0, 40 end with a stop codon in "
        "frame 0"
    )


def test_few_whole_genes_are_warned_of(tmp_path):
    rng = random.Random(5)
    noise = ["".join(rng.choices("ACGT", k=len(gene))) for gene in some_genes(40, 1)]
    outputs = compare_genes({"samples": noise, "held-out real": some_genes(40, 3)}, tmp_path)
    assert (
        outputs.warnings
        == outputs.summary[:1]
        == (
            "only 0 of 40 samples are whole genes, of held-out real ones 40 of 40. Remedy: train longer; the "
            "reading frame is learned late",
        )
    )
    assert not compare_genes(
        {"samples": some_genes(40, 2), "held-out real": some_genes(40, 3)}, tmp_path
    ).warnings


def test_groups_that_are_empty_or_tiny_say_so(tmp_path):
    outputs = compare_genes({"samples": ["", "ATG"], "held-out real": [WHOLE] * 2}, tmp_path)
    assert outputs.figures == {}
    assert "of 1 samples 1 begin" in outputs.summary[1]
