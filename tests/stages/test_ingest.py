import gzip
import itertools
import json
import logging
from pathlib import Path

import numpy as np
import pytest
from tiny import SHARED, compose_config, some_dna, some_text, some_tunes

from pipeline.config.build import build
from pipeline.config.schema import SplitSettings
from pipeline.data.corpus import SUBSETS, Corpus, CorpusWriter
from pipeline.domains.genome.domain import Nucleotide
from pipeline.domains.music.abc.domain import Abc
from pipeline.domains.music.chorales.domain import Chorales
from pipeline.domains.text import Text
from pipeline.errors import DataError, PipelineError
from pipeline.records import Record, StageResult
from pipeline.stages.ingest import ingest


def ingested(files, out_dir, domain=None, split=None) -> StageResult:
    out_dir.mkdir(exist_ok=True)
    files = [files] if isinstance(files, Path) else files
    return ingest(files, domain or Text(), split or SplitSettings(), "error", out_dir)


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def contents(corpus: Corpus, domain) -> dict[str, list]:
    return {subset: [r.symbols for r in corpus.records(subset, domain)] for subset in SUBSETS}


def test_every_record_comes_back_from_exactly_one_subset(text_file, tmp_path):
    ingested(text_file, tmp_path / "out")
    found = contents(Corpus.open(tmp_path / "out"), Text())
    assert sorted(itertools.chain(*found.values())) == sorted(some_text().strip().split("\n\n"))
    assert all(found.values())


def test_changes_of_records_are_counted_in_the_summary(abc_file, tmp_path):
    """Of tunes with a repeat left open, and one with a jump."""
    more = 'X:90\nM:4/4\nL:1/4\nK:C\n|:CDEF|G4|]\n\nX:91\nM:4/4\nL:1/4\nK:G\n|:GABc|d4|"D.C."e4|]\n'
    book = write(tmp_path / "book.abc", f"{abc_file.read_text()}\n{more}")
    line = ingested(book, tmp_path / "out", Abc()).summary[-1]
    assert line == (
        "records read with changes: missing last :| added in 2; jump left out (D.C., D.S., fine or coda) in 1"
    )


def test_the_same_seed_of_the_split_writes_the_same_bytes(text_file, tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        ingested(text_file, tmp_path / name, split=SplitSettings(seed=seed))
    written = {name: {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "abc"}
    assert written["a"] == written["b"]
    assert {name for name in written["a"] if written["a"][name] != written["c"][name]} <= {
        "segments.npy", "corpus.tsv",
    }  # fmt: skip
    assert written["a"]["segments.npy"] != written["c"]["segments.npy"]


def test_what_is_said_and_counted(text_file, tmp_path):
    doubled = write(tmp_path / "doubled.txt", text_file.read_text() + "\n\n" + text_file.read_text().upper())
    result = ingested(doubled, tmp_path / "out")
    assert result.kept["records"] == 120
    assert result.rejected == {"duplicate": 120}
    assert result.summary[0].startswith("120 records with ")
    assert result.summary[0].endswith("120 rejected (duplicate 120)")
    table = (tmp_path / "out" / "rejected.tsv").read_text().splitlines()
    assert table[0] == "where\treason\tdetail"
    assert len(table) == 121


def test_what_is_not_listed_is_counted_still(fasta_file, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.stages.ingest.MAX_LISTED_REJECTIONS", 2)
    broken = f">a\n{'ACN' * 50}\n>b\nAC\n>b\nAC\n>c\n"
    path = write(tmp_path / "broken.fa", broken + fasta_file.read_text())
    result = ingested(path, tmp_path / "out", Nucleotide())
    assert result.rejected == {
        "interval shorter than 20 bases": 52, "N or gap left out": 50, "empty record": 1,
    }  # fmt: skip
    table = (tmp_path / "out" / "rejected.tsv").read_text().splitlines()
    assert table[1].endswith("a:1-150\tinterval shorter than 20 bases\t100 bases in 50 places")
    assert table[3:] == ["\tand 3 more\t"]


def test_one_record_is_not_one_records(fasta_file, tmp_path):
    assert (
        ingested(fasta_file, tmp_path / "out", Nucleotide())
        .summary[0]
        .startswith("1 record with 12,000 bases")
    )


@pytest.mark.parametrize("bases", [5_000, 16_569, 48_502, 400_000])
def test_a_single_sequence_is_held_out_in_blocks_worth_measuring(tmp_path, bases):
    path = write(tmp_path / "one.fa", ">one\n" + some_dna(bases))
    ingested(path, tmp_path / "out", Nucleotide())
    corpus = Corpus.open(tmp_path / "out")
    for subset in ("validation", "test"):
        spans = corpus.subset_segments(subset)
        assert corpus.subset_size(subset) == pytest.approx(0.05 * bases, rel=0.01)
        assert (spans[:, 1] - spans[:, 0]).min() >= min(1_600, bases // 21)
    assert corpus.subset_size("train") > 0.8 * bases


def test_long_records_beside_short_ones_are_split_in_blocks(tmp_path):
    text = ">long\n" + some_dna(20_000) + "".join(f">{n}\n" + some_dna(100, seed=n) for n in range(2, 60))
    ingested(write(tmp_path / "mixed.fa", text), tmp_path / "out", Nucleotide())
    segments = Corpus.open(tmp_path / "out").segments
    assert len(set(segments[segments[:, 3] == 0, 2])) == 3  # the long record lies in all three


def test_a_split_that_the_data_brings_is_kept_unless_another_is_asked_for(tmp_path):
    steps = [[67, 62, 58, 43], [67, 60, -1, 43]] * 10
    content = json.dumps({"valid": [steps], "train": [steps] * 10, "test": [steps]})
    path = write(tmp_path / "some.json", content)
    brought = ["some.json:valid_1", "some.json:test_1"]
    for split, kept in (
        (SplitSettings(), True), (SplitSettings(by="records", seed=3), False), (SplitSettings(seed=3), False),
    ):  # fmt: skip
        ingested(path, tmp_path / str(split), Chorales(), split)
        corpus = Corpus.open(tmp_path / str(split))
        held_out = [record.id for name in SUBSETS[1:] for record in corpus.records(name, Chorales())]
        assert (held_out == brought) == kept


def test_the_split_can_be_asked_for(text_file, tmp_path):
    ingested(text_file, tmp_path / "blocks", split=SplitSettings(by="blocks"))
    ingested(text_file, tmp_path / "records", split=SplitSettings(by="records"))
    spans = np.load(tmp_path / "blocks" / "records.npy")
    assert len(np.load(tmp_path / "records" / "segments.npy")) == len(spans)
    assert len(np.load(tmp_path / "blocks" / "segments.npy")) > len(spans)


# --- variants ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", [SplitSettings(), SplitSettings(by="blocks", gap=0)])
def test_variants_are_learned_of_training_records_and_of_no_other(abc_file, tmp_path, split):
    plain, more = Abc(), Abc(transpose=2)
    without = ingested(abc_file, tmp_path / "plain", plain, split)
    result = ingested(abc_file, tmp_path / "more", more, split)
    found = {
        name: {subset: list(corpus.records(subset, domain)) for subset in SUBSETS}
        for name, domain in (("plain", plain), ("more", more))
        for corpus in [Corpus.open(tmp_path / name)]
    }
    for subset in ("validation", "test"):
        assert found["more"][subset] == found["plain"][subset]
    learned, known = found["more"]["train"], found["plain"]["train"]
    assert learned[: len(known)] == known
    whole = [record for record in known if "/" not in record.id]  # the parts have a neighbour held out
    expected = [variant for record in whole for variant in more.variants(record)]
    assert learned[len(known) :] == expected
    assert len(whole) >= 40 and len(expected) == 4 * len(whole)
    assert without.kept["records"] == result.kept["records"] == 60
    assert (result.kept["variants"], result.kept["symbols"]) == (len(expected), without.kept["symbols"])
    assert f"{len(expected)} variants for training" in result.summary[0]


def make_segments(writer: CorpusWriter, *numbers: int) -> np.ndarray:
    return np.array([[*writer.spans[number], 0, number] for number in numbers])


def test_records_are_read_back_as_they_were_written(tmp_path):
    records = [Record("a", "zebra", {"k": "v\nw"}), Record("b c", "yak"), Record("d", "ox")]
    with CorpusWriter(tmp_path, Text(), "error") as writer:
        for record in records:
            writer.append(record)
        for record in writer.read_back(make_segments(writer, 0, 1)):
            writer.append(Record(record.id * 2, record.symbols[::-1]))
        again = [*writer.read_back(make_segments(writer, 3, 0, 2))]
        assert again == [records[0], records[2], Record("aa", "arbez")]
        (part,) = writer.read_back(np.array([[2, 5, 0, 0]]))
        assert (part.id, part.symbols, part.metadata["start"]) == ("a/3-5", "bra", "3")
        writer.finish()


# --- what cannot be read ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domain", "content", "message"),
    [
        (Text(), b"", r"bad: no record could be kept: it is empty"),
        (Text(), b" \n\n \n", r"bad: no record could be kept: it is empty"),
        (Text(), b"short", r"bad: 1 record with 6 symbols is too little for the split: .* give more data"),
        (Text(), bytes(range(256)), r"bad: found a NUL byte, so this is not text in utf-8"),
        (Nucleotide(), b"", r"bad: .*empty"),
        (Nucleotide(), b"ACGT\n", r"bad:1:1: found 'ACGT' before any header"),
        (Nucleotide(), b">a\nACGT\n", r"bad: no record could be kept: .* \(1\); give a file"),
        (Nucleotide(), gzip.compress(b">a\n" + b"ACGT" * 9999, mtime=0)[:-20], r"bad.*: "),
    ],
)  # fmt: skip
def test_one_message_says_where_what_and_what_to_do(tmp_path, domain, content, message):
    with pytest.raises(DataError, match=message):
        ingested(write(tmp_path / "bad", content), tmp_path / "out", domain)


def test_of_several_files_a_bad_one_is_left_out_and_named(text_file, tmp_path, caplog):
    bad = write(tmp_path / "bad.txt", b"\xff\xfe\x00")
    logging.getLogger("pipeline").propagate = True
    result = ingested([bad, text_file], tmp_path / "out")
    assert result.kept["records"] == 120
    assert result.rejected == {"unreadable file": 1}
    assert f"left out: {bad}" in caplog.text
    assert str(bad) in (tmp_path / "out" / "rejected.tsv").read_text()


def test_several_bad_files_and_no_good_one(tmp_path):
    files = [write(tmp_path / f"{n}.txt", b"\x00") for n in range(3)]
    with pytest.raises(DataError, match=r"0\.txt and 2 more files: no record .* unreadable file \(3\)"):
        ingested(files, tmp_path / "out")


# --- real and hostile files -------------------------------------------------------------------------------


def hostile(kind: str) -> list:
    """The files as parameters, or one that is skipped where they are missing."""
    files = sorted((SHARED / "hostile" / kind).glob("*"))
    missing = pytest.param(Path(kind), marks=pytest.mark.skip(reason=f"no real data at {SHARED}"))
    return [pytest.param(path, id=path.name) for path in files] or [missing]


HOSTILE = {
    "genome": hostile("fasta") + hostile("genbank"),
    "abc": hostile("abc") + hostile("midi"),
    "text": hostile("fasta") + hostile("genbank") + hostile("abc") + hostile("midi"),
}


@pytest.mark.data
@pytest.mark.parametrize(
    ("dataset", "file"),
    [
        pytest.param(dataset, *each.values, id=f"{dataset}-{each.id}", marks=each.marks)
        for dataset, files in HOSTILE.items()
        for each in files
    ],
)
def test_a_hostile_file_ends_in_a_corpus_or_a_clear_error(dataset, file, tmp_path):
    domain = build(compose_config(f"dataset={dataset}").domain, "domain")
    try:
        result = ingested(file, tmp_path / "out", domain)
    except PipelineError as error:
        assert file.name in str(error)
        assert len(str(error)) < 1_000
    else:
        corpus = Corpus.open(tmp_path / "out")
        assert result.kept["records"] == len(corpus.record_spans) > 0
        assert all(corpus.subset_size(subset) for subset in SUBSETS)


def test_hostile_tunes_in_one_folder_are_read_together(shared_data, tmp_path):
    """Real tunes carry the split; what is wrong with the others is counted by reason."""
    good = write(tmp_path / "good.abc", some_tunes())
    domain = build(compose_config("dataset=abc").domain, "domain")
    result = ingested(
        [good, *sorted((shared_data / "hostile" / "abc").glob("*.abc"))], tmp_path / "out", domain
    )
    assert result.kept["records"] >= 60
    assert sum(result.rejected.values()) >= 5
