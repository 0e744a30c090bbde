"""Aligned text: what stands where, on both strands, in the chromosome."""

import pytest

from pipeline.domains.genome.blast.alignments import write_alignments
from pipeline.domains.genome.blast.backend import BLASTN, BLASTP
from pipeline.domains.genome.blast.hits import Hit
from pipeline.domains.genome.blast.query_results import SubjectSequence, collect_results, count_covered
from pipeline.records import Record

QUERY = Record("synthetic_0001", "A" * 10 + "ACGTACGTAC" * 7 + "A" * 20)
TEXT = QUERY.symbols[10:80]


def hit(start: int, end: int, query: str, subject: str, first: int = 11, last: int = 80) -> Hit:
    counts = (len(query), 1, 1, first, last, start, end)
    return Hit("q0", "t0", "97.143", *counts, "2e-20", "99.1", query, subject)


def aligned(tmp_path, one: Hit, subject: SubjectSequence, program=BLASTN) -> str:
    _, searched = collect_results([one], [("samples", QUERY)], [subject])
    return write_alignments(searched, program, tmp_path / "alignments.txt").read_text()


def test_places_are_those_in_the_chromosome(tmp_path):
    gapped = TEXT[:64] + "-" + TEXT[65:69] + "T"
    record = Record("chr4:1001-3000", "ACGT", {"source": "chr4", "start": "1001"})
    text = aligned(tmp_path, hit(101, 169, TEXT, gapped), SubjectSequence.of(record))
    assert text.splitlines()[:3] == [
        "synthetic_0001 (100 bp)",
        "chr4, 1,101 to 1,169, strand +, in chr4:1001-3000",
        "E = 2e-20, 99.1 bits, identical 68 of 70 (97.143%), gaps 1, query coverage 70.0%",
    ]
    assert text.splitlines()[4:11] == [
        f"synthetic_0001   11  {TEXT[:60]}  70",
        f"{'':21}{'|' * 60}",
        f"chr4           1101  {TEXT[:60]}  1160",
        "",
        f"synthetic_0001   71  {TEXT[60:]}  80",
        f"{'':21}|||| ||||",
        f"chr4           1161  {gapped[60:]}  1169",
    ]


def test_the_other_strand_counts_down(tmp_path):
    text = aligned(tmp_path, hit(170, 101, TEXT, TEXT), SubjectSequence("chr4", "chr4"))
    assert "\nchr4, 101 to 170, strand -\n" in text
    assert [line.split()[1::2] for line in text.splitlines() if line.startswith("chr4  ")] == [
        ["170", "111"], ["110", "101"],
    ]  # fmt: skip


def test_likeness_of_amino_acids_is_marked(tmp_path):
    one = hit(1, 4, "MKIW", "MRVW", 1, 4)
    assert "M++W" in aligned(tmp_path, one, SubjectSequence("P1", "P1"), BLASTP)


@pytest.mark.parametrize("name", [">../../x", "a|b|c d", "tab\there", "two\nlines"])
def test_a_name_is_only_a_name(tmp_path, name):
    text = aligned(tmp_path, hit(1, 70, TEXT, TEXT), SubjectSequence(name, name))
    assert len(text.splitlines()) == 12
    assert [path.name for path in tmp_path.iterdir()] == ["alignments.txt"]


@pytest.mark.parametrize(
    "source, start, place",
    [
        ("chr4", "1001", ("chr4", 1001)),
        ("chr3L:5001-7000", "11", ("chr3L", 5011)),
        ("odd:name", "1", ("odd:name", 1)),
    ],
    ids=["interval", "named-by-place", "colon"],
)
def test_where_a_training_record_stands(source, start, place):
    subject = SubjectSequence.of(Record("name", "ACGT", {"source": source, "start": start}))
    assert (subject.source, subject.start) == place


def test_coverage_counts_each_letter_once():
    spans = [(1, 10), (5, 20), (30, 40), (31, 35)]
    assert count_covered(hit(1, 1, "", "", *span) for span in spans) == 31
