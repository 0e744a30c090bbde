import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.alphabet import EOS, UNKNOWN, Alphabet
from pipeline.corpus import SUBSETS, Corpus, CorpusWriter, split_blocks, split_records
from pipeline.domain import Record
from pipeline.errors import DataError
from pipeline.genome.nucleotide import Nucleotide
from pipeline.text import Text


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


def spans_of(*lengths: int) -> np.ndarray:
    """Records of these lengths, one after the other."""
    stops = np.cumsum(lengths)
    return np.column_stack([stops - lengths, stops])


def share_of(segments: np.ndarray, subset: str) -> float:
    """The share of the symbols of all segments."""
    sizes = segments[:, 1] - segments[:, 0]
    return sizes[segments[:, 2] == SUBSETS.index(subset)].sum() / sizes.sum()


# --- writing and reading ----------------------------------------------------------------------------------


def test_a_collected_alphabet_is_sorted_whatever_comes_first(tmp_path):
    corpus = write_corpus(tmp_path, Text(), [Record("1", "zebra"), Record("2", "aàß")])
    assert corpus.alphabet.symbols == ("a", "b", "e", "r", "z", "ß", "à")
    assert [record.symbols for record in corpus.records("train", Text())] == ["zebra", "aàß"]


def test_every_record_is_followed_by_an_end_code_and_nothing_else(tmp_path):
    corpus = write_corpus(tmp_path, Text(), [Record("1", "ab"), Record("2", "b")])
    assert list(corpus.codes) == [3, 4, EOS, 4, EOS]
    assert corpus.size_of("train") == 5


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


# --- splits -----------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 200), min_size=60, max_size=200), st.integers(0, 100))
def test_whole_records_fall_to_exactly_one_subset(lengths, seed):
    spans = spans_of(*lengths)
    segments = split_records(spans, 0.2, 0.1, np.random.default_rng(seed))
    assert np.array_equal(segments[:, :2], spans)
    assert np.array_equal(segments[:, 3], np.arange(len(spans)))
    slack = max(lengths) / sum(lengths)
    assert abs(share_of(segments, "validation") - 0.2) <= slack
    assert abs(share_of(segments, "test") - 0.1) <= slack


def test_which_records_are_held_out_depends_on_the_seed():
    spans = spans_of(*[10] * 100)
    first, again, other = (split_records(spans, 0.1, 0.1, np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


fractions = st.sampled_from([0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4])


@given(st.lists(st.integers(1, 5_000), min_size=1, max_size=30), fractions, fractions, st.integers(0, 60))
def test_blocks_never_overlap_nor_cross_records(lengths, validation, test, gap):
    spans = spans_of(*lengths)
    segments = split_blocks(spans, validation, test, gap, blocks=50)
    assert (segments[:, 0] < segments[:, 1]).all()
    ordered = segments[np.argsort(segments[:, 0])]
    assert (ordered[1:, 0] >= ordered[:-1, 1]).all()
    for start, stop, _, record in segments:
        assert spans[record, 0] <= start < stop <= spans[record, 1]


@given(fractions, fractions)
def test_blocks_hold_out_the_shares_asked_for(validation, test):
    segments = split_blocks(spans_of(100_000), validation, test, gap=0, blocks=100)
    assert share_of(segments, "validation") == pytest.approx(validation, abs=0.011)
    assert share_of(segments, "test") == pytest.approx(test, abs=0.011)
    assert share_of(segments, "train") == pytest.approx(1 - validation - test, abs=0.021)


def test_held_out_blocks_are_spread_over_the_corpus():
    segments = split_blocks(spans_of(100_000), 0.05, 0.05, gap=0, blocks=100)
    for subset in (1, 2):
        starts = np.sort(segments[segments[:, 2] == subset, 0])
        assert len(starts) == 5
        assert (np.diff(starts) == 20_000).all()


def test_training_keeps_its_distance_from_what_is_held_out():
    segments = split_blocks(spans_of(100_000), 0.05, 0.05, gap=150, blocks=100)
    ordered = segments[np.argsort(segments[:, 0])]
    for left, right in pairwise(ordered):
        distance = right[0] - left[1]
        assert distance == (150 if 0 in (left[2], right[2]) else 0)


def test_no_gap_is_lost_at_the_ends_of_the_corpus():
    segments = split_blocks(spans_of(1_000), 0.1, 0.1, gap=5, blocks=10)
    assert segments[:, 0].min() == 0
    assert segments[:, 1].max() == 1_000


def test_a_digest_tells_other_data_and_other_splits(tmp_path):
    first, second, third = (
        write_corpus(tmp_path / name, Text(), [Record("1", text)])
        for name, text in (("a", "abba"), ("b", "abba"), ("c", "abab"))
    )
    assert first.digest("train") == second.digest("train") != third.digest("train")
    assert first.digest("test") == third.digest("test")
