"""Records are cut where a base is unknown, and every interval has its place in the source."""

from pathlib import Path

import pytest

from pipeline.domains.genome.domain import Nucleotide
from pipeline.domains.genome.files import read_blocks
from pipeline.errors import ConfigError, DataError
from pipeline.records import Notice, Record, Rejection


def read(tmp_path: Path, text: str, **settings) -> tuple[list[Record], list[Rejection]]:
    path = tmp_path / "a.fa"
    path.write_text(text)
    items = list(Nucleotide(**{"min_length_bp": 1, **settings}).read(path))
    return (
        [item for item in items if isinstance(item, Record)],
        [item for item in items if isinstance(item, Rejection)],
    )


def test_n_and_gaps_end_a_stretch_and_coordinates_count_from_one(tmp_path):
    records, rejections = read(tmp_path, ">chr1 first\nNNACGT\nAC--..NNGGG\n>chr2\nAAA\n")
    assert [(record.id, record.symbols) for record in records] == [
        ("chr1:3-8", "ACGTAC"), ("chr1:15-17", "GGG"), ("chr2", "AAA"),
    ]  # fmt: skip
    assert dict(records[0].metadata) == {
        "source": "chr1", "start": "3", "end": "8", "description": "first",
    }  # fmt: skip
    assert [(rejection.reason, rejection.detail) for rejection in rejections] == [
        ("N or gap left out", "2 bases"), ("N or gap left out", "6 bases"),
    ]  # fmt: skip
    assert rejections[1].where.endswith("a.fa:chr1:9-14")


def test_case_becomes_marks_and_u_becomes_t(tmp_path):
    records, _ = read(tmp_path, ">r\nACgtUu\n")
    assert (records[0].symbols, records[0].marks) == ("ACGTTT", bytes([0, 0, 1, 1, 0, 1]))
    records, _ = read(tmp_path, ">r\nacgt\n", soft_mask=False)
    assert (records[0].symbols, records[0].marks) == ("ACGT", None)


@pytest.mark.parametrize("text", [">a\nacgu\n>b\nNNacgtnnn\nTGCA\n>c\nacgt\n", ">a\nacgr\n>b\nT\n"])
def test_a_small_record_of_a_masked_file_stays_masked(tmp_path, caplog, text):
    caplog.set_level("INFO")
    records, _ = read(tmp_path, text)
    assert all(record.marks == bytes(len(record.symbols) * [1]) for record in records if record.id in "ac")
    assert any(0 in record.marks for record in records)
    assert "soft mask" not in caplog.text


@pytest.mark.parametrize("iupac", ["split", "random"])
def test_a_file_all_in_lower_case_has_no_mask(tmp_path, caplog, iupac):
    caplog.set_level("INFO")
    records, _ = read(tmp_path, ">a\nNNacgtnn\nacgu\n>b\nacgryacg\n", iupac=iupac)
    assert records[1].id == "a:9-12"
    assert records[1].symbols == "ACGT"
    assert not any(any(record.marks) for record in records)
    assert "a.fa: the first 14 bases are all in lower case: this is no soft mask" in caplog.text


def test_a_mask_that_starts_too_late_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.domains.genome.soft_mask.LOOK_AHEAD", 8)
    records, _ = read(tmp_path, ">a\nacgtacgt\n>b\nacGT\n")
    assert not any(any(record.marks) for record in records)
    records, _ = read(tmp_path, ">a\nacgt\n>b\nacGT\n")
    assert [record.marks for record in records] == [bytes([1] * 4), bytes([1, 1, 0, 0])]


def test_codes_split_by_default(tmp_path):
    records, rejections = read(tmp_path, ">r\nACGRYACG\n")
    assert [record.id for record in records] == ["r:1-3", "r:6-8"]
    assert [rejection.reason for rejection in rejections] == ["IUPAC code left out"]


def test_codes_at_random_are_always_the_same_bases(tmp_path):
    text = ">r\n" + "ACGRYSWKMBDHVACG" * 20 + "\n"
    records, rejections = read(tmp_path, text, iupac="random")
    again, _ = read(tmp_path, text, iupac="random")
    assert records == again
    sequence = str(records[0].symbols)
    assert len(sequence) == 320
    assert set(sequence[3::16]) == set("AG")
    assert [(item.reason, item.detail) for item in rejections] == [
        ("IUPAC codes replaced at random (kept)", "200 codes in r")
    ]


def test_codes_as_errors_say_what_to_set(tmp_path):
    with pytest.raises(DataError, match=r"a.fa:2:3: symbol 'R' .* set domain.iupac=split"):
        read(tmp_path, ">r\nACR\n", iupac="error")
    assert read(tmp_path, ">r\nACN\n", iupac="error")[0][0].id == "r:1-2"


def test_short_empty_and_repeated_records_are_counted(tmp_path):
    text = ">a\nACGTACGT\n>b\nAC\n>c\n>a\nTTTTTTTT\n"
    records, (short, empty) = read(tmp_path, text, min_length_bp=4)
    (notice,) = (each for each in Nucleotide().read(tmp_path / "a.fa") if isinstance(each, Notice))
    assert [(record.id, record.symbols) for record in records] == [("a", "ACGTACGT"), ("a.2", "TTTTTTTT")]
    assert (short.reason, empty.reason) == ("interval shorter than 4 bases", "empty record")
    assert "the first word of an earlier one: 1; each got a name of its own" in notice.text
    assert "'a.2' is the second 'a' (line 6)" in notice.text


def test_a_long_stretch_comes_in_parts_that_join_to_the_whole(tmp_path):
    records, _ = read(tmp_path, ">r\n" + "ACGTTGCAGG" * 10 + "\n", max_length_bp=30)
    assert [record.id for record in records] == ["r:1-30", "r:31-60", "r:61-90", "r:91-100"]
    assert "".join(str(record.symbols) for record in records) == "ACGTTGCAGG" * 10


@pytest.mark.parametrize(
    "settings", [{"iupac": "guess"}, {"min_length_bp": 0}, {"max_length_bp": 3}, {"line_width": 5}]
)
def test_settings_out_of_range(settings):
    with pytest.raises(ConfigError, match="domain"):
        Nucleotide(**settings)


def test_a_long_gap_is_not_held_back_to_find_a_mask(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.domains.genome.soft_mask.MAX_HELD", 100)
    records, _ = read(tmp_path, ">a\nacgt\n" + "N" * 200 + "\n>b\nACGTacgt\n")
    assert [record.marks for record in records] == [bytes(4), bytes(8)]


@pytest.mark.parametrize("block_bytes", [7, 100, 2**18])
def test_many_runs_side_by_side_are_told_at_once(tmp_path, monkeypatch, block_bytes):
    monkeypatch.setattr(
        "pipeline.domains.genome.fasta.read_blocks",
        lambda path, size: read_blocks(path, min(size, block_bytes)),
    )
    broken = "ACGTN" * 300 + "RYN" * 5
    records, rejections = read(tmp_path, f">r\nNN{'A' * 20}N\n{broken}\n{'C' * 20}\n", min_length_bp=20)
    assert [record.id for record in records] == ["r:3-22", "r:1539-1558"]
    reported = [
        (item.where.rpartition("a.fa:")[2], item.reason, item.detail, item.count) for item in rejections
    ]
    assert reported == [
        ("r:1-2", "N or gap left out", "2 bases", 1),
        ("r:23-1538", "interval shorter than 20 bases", "1200 bases in 300 places", 300),
        ("r:23-1538", "N or gap left out", "306 bases in 306 places", 306),
        ("r:23-1538", "IUPAC code left out", "10 bases in 5 places", 5),
    ]
