import dataclasses

import numpy as np
import pytest

from pipeline.data.alphabet import EOS, UNKNOWN, Alphabet
from pipeline.data.corpus import SUBSETS, Corpus, CorpusWriter
from pipeline.domains.genome.domain import Nucleotide
from pipeline.domains.text import Text
from pipeline.errors import DataError
from pipeline.records import Record


def write_corpus(folder, domain, records, unknown="error") -> Corpus:
    """A corpus of the records, all of them for training."""
    folder.mkdir(exist_ok=True)
    with CorpusWriter(folder, domain, unknown) as writer:
        for record in records:
            writer.append(record)
        writer.finish()
    spans = np.load(folder / "records.npy")
    segments = [(start, stop, 0, number) for number, (start, stop) in enumerate(spans)]
    np.save(folder / "segments.npy", np.array(segments, np.int64).reshape(-1, 4))
    return Corpus.open(folder)


# --- writing and reading ----------------------------------------------------------------------------------


def test_a_collected_alphabet_is_sorted_whatever_comes_first(tmp_path):
    corpus = write_corpus(tmp_path, Text(), [Record("1", "zebra"), Record("2", "aàß")])
    assert corpus.alphabet.symbols == ("a", "b", "e", "r", "z", "ß", "à")
    assert [record.symbols for record in corpus.records("train", Text())] == ["zebra", "aàß"]


def test_every_record_is_followed_by_an_end_code_and_nothing_else(tmp_path):
    corpus = write_corpus(tmp_path, Text(), [Record("1", "ab"), Record("2", "b")])
    assert list(corpus.codes) == [3, 4, EOS, 4, EOS]
    assert corpus.subset_size("train") == 5


def test_an_open_ended_domain_has_no_end_codes(tmp_path):
    corpus = write_corpus(tmp_path, Text(records="file"), [Record("1", "ab"), Record("2", "b")])
    assert list(corpus.codes) == [3, 4, 4]


def test_a_fixed_alphabet_keeps_its_order(tmp_path):
    corpus = write_corpus(tmp_path, Nucleotide(), [Record("1", "TTTT")])
    assert corpus.alphabet == Alphabet("ACGT")
    assert list(corpus.codes) == [6] * 4


def test_marks_lie_beside_their_codes(tmp_path):
    records = [
        Record("1", "ACGT", marks=b"\0\1\1\0"), Record("2", "AC"), Record("3", "G", marks=b"\1"),
        Record("4", "TT"),
    ]  # fmt: skip
    corpus = write_corpus(tmp_path, Nucleotide(), records)
    assert bytes(corpus.marks) == b"\0\1\1\0\0\0\1\0\0"
    assert [record.marks for record in corpus.records("train", Nucleotide())] == [
        b"\0\1\1\0", b"\0\0", b"\1", b"\0\0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("unknown", "codes", "marks"), [("drop", [3, 4], b"\1\0"), ("replace", [3, UNKNOWN, 4], b"\1\1\0")]
)
def test_marks_follow_unknown_symbols(tmp_path, unknown, codes, marks):
    corpus = write_corpus(tmp_path, Nucleotide(), [Record("1", "ANC", marks=b"\1\1\0")], unknown)
    assert list(corpus.codes) == codes
    assert bytes(corpus.marks) == marks


def test_an_unknown_symbol_names_its_record(tmp_path):
    with pytest.raises(DataError, match="chr2: symbol 'N' at position 2"):
        write_corpus(tmp_path, Nucleotide(), [Record("chr2", "ANC")])


def test_unknown_symbols_are_counted(tmp_path):
    with CorpusWriter(tmp_path, Nucleotide(), "drop") as writer:
        writer.append(Record("1", "NACN"))
        writer.append(Record("2", "N"))
        writer.finish()
    assert writer.unknown_count == 3
    assert (tmp_path / "codes.bin").stat().st_size == 2


def test_more_symbols_than_codes_are_an_error_not_an_overflow(tmp_path):
    record = Record("1", tuple(str(number) for number in range(70_000)))
    with pytest.raises(DataError, match="different symbols; at most 65533"):
        write_corpus(tmp_path, Text(), [record])


def test_ids_fit_on_one_line_and_are_never_empty(tmp_path):
    corpus = write_corpus(tmp_path, Text(), [Record("two\tparts\nof it", "a"), Record("  ", "b")])
    assert corpus.record_ids == ["two parts of it", "record_2"]


def test_a_part_of_a_record_is_named_by_its_place(tmp_path):
    corpus = write_corpus(tmp_path, Nucleotide(), [Record("chr1", "ACGTACGT"), Record("chr2", "TTTT")])
    halves = dataclasses.replace(corpus, segments=np.array([(2, 6, 0, 0), (8, 12, 0, 1), (6, 8, 1, 0)]))
    parts = {record.id: record.symbols for record in halves.records("train", Nucleotide())}
    assert parts == {"chr1:3-6": "GTAC", "chr2": "TTTT"}


def test_a_part_of_a_record_says_where_it_stood_in_the_source(tmp_path):
    place = {"source": "chrX", "start": "101", "end": "108", "description": "an X"}
    records = [Record("chr1", "ACGT"), Record("chrX:101-108", "ACGTACGT", place)]
    corpus = write_corpus(tmp_path, Nucleotide(), records)
    segments = np.array([(1, 4, 0, 0), (4, 12, 1, 1), (6, 8, 2, 1)])
    parts = dataclasses.replace(corpus, segments=segments)
    found = {name: [r.metadata for r in parts.records(name, Nucleotide())] for name in SUBSETS}
    assert found["train"] == [{"source": "chr1", "start": "2"}]
    assert found["validation"] == [place]
    assert found["test"] == [{"source": "chrX", "start": "103", "description": "an X"}]


@pytest.mark.parametrize("name", ["corpus.json", "codes.bin", "records.npy", "segments.npy"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut"])
def test_a_damaged_corpus_is_an_error_that_says_what_to_do(tmp_path, name, damage):
    write_corpus(tmp_path, Text(), [Record("1", "some text"), Record("2", "more")])
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).unlink()
    if damage != "missing":
        (tmp_path / name).write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"")
    with pytest.raises(DataError, match=r"not a whole corpus .* run the ingest stage again"):
        Corpus.open(tmp_path)


def test_codes_are_read_from_disk_as_needed(tmp_path):
    assert isinstance(write_corpus(tmp_path, Text(), [Record("1", "ab")]).codes, np.memmap)


def test_a_digest_tells_other_data_and_other_splits(tmp_path):
    first, second, third = (
        write_corpus(tmp_path / name, Text(), [Record("1", text)])
        for name, text in (("a", "abba"), ("b", "abba"), ("c", "abab"))
    )
    assert first.digest("train") == second.digest("train") != third.digest("train")
    assert first.digest("test") == third.digest("test")
