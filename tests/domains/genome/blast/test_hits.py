"""The table of hits: what is written is read back, and nonsense is an error."""

import pytest

from pipeline.domains.genome.blast.hits import Hit, format_bits, format_evalue, parse_hit, read_hits
from pipeline.errors import ToolError

HIT = Hit("q0", "chr3L:1-2000", "88.235", 51, 5, 1, 766, 816, 1824, 1774, "1.19e-12", "70.7")


def test_rows_round_trip(tmp_path):
    assert parse_hit(HIT.row, "here") == HIT
    assert HIT.strand == "-"
    path = tmp_path / "hits.tsv"
    path.write_text(f"# BLASTN 2.12.0+\n{HIT.row}\tAC-T\tACGT\n")
    assert [(hit.row, hit.query_text, hit.subject_text) for hit in read_hits(path)] == [
        (HIT.row, "AC-T", "ACGT")
    ]


@pytest.mark.parametrize(
    "line",
    [
        "Segmentation fault", "a\tb\t1.0\t2", HIT.row.replace("51", "many"), HIT.row + "\t1",
        HIT.row.replace("1.19e-12", "nan"), HIT.row.replace("766", "0"), HIT.row.replace("816", "7"),
    ],
)  # fmt: skip
def test_nonsense_is_an_error_with_its_line(tmp_path, line):
    path = tmp_path / "hits.tsv"
    path.write_text(HIT.row + "\n" + line + "\n")
    with pytest.raises(ToolError, match=r"hits\.tsv:2: not a row of a BLAST table"):
        list(read_hits(path))


@pytest.mark.parametrize(
    "value, text",
    [(1e-200, "0.0"), (2.58e-144, "2.58e-144"), (0.00085, "8.50e-04"), (0.001, "0.001"), (9.96, "10.0")],
)
def test_evalues_as_blast_prints_them(value, text):
    assert format_evalue(value) == text


@pytest.mark.parametrize(
    "value, text", [(99.89, "99.9"), (99.95, "99"), (785.9, "785"), (123_456, "1.235e+05")]
)
def test_bit_scores_as_blast_prints_them(value, text):
    assert format_bits(value) == text
