"""FASTA as it comes: every block size gives the same letters, and an error says where."""

import bz2
import gzip
import lzma
import random
from pathlib import Path

import pytest
from Bio import SeqIO

from pipeline.domains.genome.fasta import read_fasta
from pipeline.domains.genome.files import SequenceChunk, SequenceHeader
from pipeline.errors import DataError

EMBEDDED = Path(__file__).parents[3] / "datasets" / "drosophila" / "upstream.fa.gz"
BLOCKS = (1, 2, 3, 7, 64, 2**20)

NOISE = random.Random(1).randbytes(5000).hex().encode()
"""What no compressor makes small."""


def read(path: Path, block_bytes: int = 2**20) -> list[tuple[str, str, bytes]]:
    """Name, description and letters of each record."""
    records: list[tuple[str, str, bytes]] = []
    for part in read_fasta(path, block_bytes=block_bytes):
        if isinstance(part, SequenceHeader):
            records.append((part.name, part.description, b""))
        else:
            assert isinstance(part, SequenceChunk)
            assert part.plain == (not part.bases.translate(None, b"ACGTacgt"))
            assert not part.plain or part.upper == part.bases.isupper()
            records[-1] = (*records[-1][:2], records[-1][2] + part.bases)
    return records


def test_the_embedded_data_is_read_as_biopython_reads_it():
    with gzip.open(EMBEDDED, "rt") as stream:
        expected = [(record.id, bytes(record.seq)) for record in SeqIO.parse(stream, "fasta")]
    assert [(name, bases) for name, _, bases in read(EMBEDDED)] == expected
    assert len(expected) == 750


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("block_bytes", BLOCKS)
def test_blocks_and_line_ends_change_nothing(tmp_path, end, block_bytes):
    text = "\n \n>one first record\nACGTNN\nacgtu\n\n>two\n>three\tlast\nRYKM-\n.A C G T\n>end"
    path = tmp_path / "a.fa"
    path.write_bytes(text.replace("\n", end).encode())
    assert read(path, block_bytes) == [
        ("one", "first record", b"ACGTNNacgtu"),
        ("two", "", b""),
        ("three", "last", b"RYKM-.ACGT"),
        ("end", "", b""),
    ]


@pytest.mark.parametrize("block_bytes", BLOCKS)
def test_comments_are_skipped_wherever_a_block_ends(tmp_path, block_bytes):
    path = tmp_path / "a.fa"
    path.write_text("# ACGT\n;ACGT\n>one\nAC\n;ACGT\n!ACGT\n#TTTT\nGT\n>two\n#ACGT\n>three\nA\n;TTT")
    assert read(path, block_bytes) == [("one", "", b"ACGT"), ("two", "", b""), ("three", "", b"A")]


def test_random_files_agree_with_biopython(tmp_path):
    rng = random.Random(7)
    path = tmp_path / "a.fa"
    for _ in range(40):
        lines = []
        for number in range(rng.randint(1, 6)):
            lines.append(f">r{number} {'x' * rng.randint(0, 9)}")
            for _ in range(rng.randint(0, 5)):
                lines.append("".join(rng.choice("ACGTacgtNRYu-") for _ in range(rng.randint(0, 12))))
        path.write_text(rng.choice(["\n", "\r\n"]).join(lines))
        expected = [(record.id, bytes(record.seq)) for record in SeqIO.parse(path, "fasta")]
        assert [(name, bases) for name, _, bases in read(path, rng.randint(1, 40))] == expected


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compression_is_told_by_content_not_by_name(tmp_path, compress):
    path = tmp_path / "genome.txt"
    path.write_bytes(compress(b">one\nACGT\n"))
    assert read(path) == [("one", "", b"ACGT")]


def test_zstd_and_bgzip(tmp_path):
    from xopen import xopen

    with xopen(tmp_path / "a.fa.zst", "wb", threads=0) as stream:
        stream.write(b">one\nACGT\n")
    assert read(tmp_path / "a.fa.zst") == [("one", "", b"ACGT")]
    # bgzip is gzip in many members
    (tmp_path / "b.fa.gz").write_bytes(gzip.compress(b">one\nAC") + gzip.compress(b"GT\n"))
    assert read(tmp_path / "b.fa.gz") == [("one", "", b"ACGT")]


def test_a_plain_file_named_gz_is_read(tmp_path):
    path = tmp_path / "a.fa.gz"
    path.write_bytes(b">one\nACGT\n")
    assert read(path) == [("one", "", b"ACGT")]


@pytest.mark.parametrize("block_bytes", BLOCKS)
def test_an_odd_symbol_is_reported_with_line_and_column(tmp_path, block_bytes):
    path = tmp_path / "a.fa"
    path.write_text(">one\nACGT\n;a comment\nACGXACGT\n")
    with pytest.raises(DataError) as error:
        read(path, block_bytes)
    expected = f"{path}:4:4: symbol 'X' is not an IUPAC nucleotide (ACGTRYSWKMBDHVN); "
    assert str(error.value).startswith(expected)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "the file is empty"),
        (gzip.compress(b"", mtime=0), "nothing is in this file"),
        (b"\n\n", "no FASTA record"),
        (b"ACGT\n>one\nACGT\n", ":1:1: found 'ACGT' before any header"),
        (b"; old style\nACGT\n", ":2:1: found 'ACGT' before any header"),
        (b">one\nACGT>two\nACGT\n", ":2:5: symbol '>'"),
        (b">one\nMKVLEFP\n", "is this a protein?"),
        (b">P1;one\ntitle\nACGT*\n", "PIR (NBRF)"),
        (b"@read\nACGT\n+\nIIII\n", "FASTQ"),
        (">one\nACGT\n".encode("utf-16"), "UTF-16"),
        (b">one\nACG\xe9T\n", ":2:4: symbol 'é'"),
        (b"\x7fELF\0\0\0\0", "binary file"),
        (b">one\nAC\0GT\n", "binary file"),
        (b"<!DOCTYPE html><p>404", "HTML"),
        (b"PK\x03\x04rest", "ZIP"),
        (b">" + b"x" * 70_000, "more than 65,536 characters"),
        (gzip.compress(b">one\n" + NOISE, mtime=0)[:-2000], "truncated"),
    ],
)
def test_what_is_not_fasta_ends_in_one_clear_error(tmp_path, content, message):
    path = tmp_path / "a.fa"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read(path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_folder_and_unreadable(tmp_path):
    for path, message in ((tmp_path / "none.fa", "no such file"), (tmp_path, "not a regular file")):
        with pytest.raises(DataError, match=message):
            read(path)


def test_a_byte_order_mark_is_no_letter(tmp_path):
    path = tmp_path / "a.fa"
    path.write_bytes(b"\xef\xbb\xbf>one\nACGT\n")
    assert read(path) == [("one", "", b"ACGT")]
