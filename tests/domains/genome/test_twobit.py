"""2bit files written by hand, read back as the sequences that they were made of."""

import random
import struct

import pytest
from two_bit import packed, two_bit

from pipeline.domains.genome import twobit
from pipeline.domains.genome.domain import Nucleotide
from pipeline.domains.genome.files import SequenceChunk, SequenceHeader
from pipeline.errors import DataError
from pipeline.records import Record

HEAD = struct.pack("<I", 0x1A412743)


def some_sequences() -> dict[str, str]:
    rng = random.Random(3)
    made = {}
    for number in range(9):
        kinds = rng.choices(["ACGT", "acgt", "N", "n"], k=8)
        made[f"chr{number}"] = "".join("".join(rng.choices(kind, k=rng.randint(1, 9))) for kind in kinds)
    return {**made, "empty": "", "one": "G"}


def read(path, wanted=None) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in twobit.read_twobit(path, wanted):
        if isinstance(part, SequenceHeader):
            found[part.name] = ""
        else:
            assert isinstance(part, SequenceChunk)
            assert part.plain == (not part.bases.translate(None, b"ACGTacgt"))
            assert not part.plain or part.upper == part.bases.isupper()
            found[list(found)[-1]] += part.bases.decode()
    return found


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("piece", [4, 12, 2**18])
def test_sequences_come_back_as_they_were(tmp_path, monkeypatch, order, version, piece):
    monkeypatch.setattr(twobit, "PIECE_BP", piece)
    sequences = some_sequences()
    path = tmp_path / "a.2bit"
    path.write_bytes(two_bit(sequences, order, version))
    assert read(path) == sequences
    assert read(path, {"chr3"}) == {**dict.fromkeys(sequences, ""), "chr3": sequences["chr3"]}


def test_it_is_read_as_the_same_fasta_is(tmp_path):
    sequences = {name: sequence for name, sequence in some_sequences().items() if sequence}
    (tmp_path / "a.2bit").write_bytes(two_bit(sequences))
    (tmp_path / "a.fa").write_text("".join(f">{name}\n{text}\n" for name, text in sequences.items()))
    domain = Nucleotide(min_length_bp=1)

    def records(name):
        return [item for item in domain.read(tmp_path / name) if isinstance(item, Record)]

    assert records("a.2bit") == records("a.fa")
    assert len(records("a.fa")) > 20


def test_only_the_chosen_sequence_is_read(tmp_path):
    path = tmp_path / "a.2bit"
    damaged = bytearray(two_bit({"a": "ACGT" * 10, "b": "TTTTACGTAA"}))
    start = len(damaged) - len(packed("ACGT" * 10, "<")) - len(packed("TTTTACGTAA", "<"))
    damaged[start : start + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(damaged)
    with pytest.raises(DataError, match="the sequence a of"):
        read(path)
    (record,) = Nucleotide(min_length_bp=1, regions="b:3-6").read_corpus(path)
    assert (record.id, record.symbols) == ("b:3-6", "TTAC")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (two_bit({"a": "ACGT" * 9})[:-1], "the sequence a of 36 bases reaches too far"),
        (two_bit({"a": "ACGT" * 9})[:20], "it ends too soon"),
        (HEAD + struct.pack("<3I", 7, 1, 0), "have version 0 or 1, this one says 7"),
        (HEAD + struct.pack("<3I", 0, 10**9, 0), "1,000,000,000 sequences are announced"),
        (HEAD + struct.pack("<3I", 0, 1, 0) + b"\x01a" + struct.pack("<I", 10**6), "lies behind its end"),
        (two_bit({"a": "ACGT"})[:22] + struct.pack("<3I", 4, 2**31, 5), "it ends too soon"),
    ],
)
def test_a_damaged_file_is_told(tmp_path, content, message):
    path = tmp_path / "a.2bit"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"a.2bit.*{message}"):
        read(path)


def test_sequences_that_lie_over_each_other_do_not_multiply_the_work(tmp_path):
    one = two_bit({"a": "ACGT" * 100})
    offset = struct.pack("<I", 16 + 6 * 50)
    index = b"".join(b"\x01" + bytes([65 + number]) + offset for number in range(50))
    path = tmp_path / "a.2bit"
    path.write_bytes(one[:8] + struct.pack("<2I", 50, 0) + index + packed("ACGT" * 100, "<"))
    with pytest.raises(DataError, match="reaches too far"):
        read(path)
