import csv
import re
from pathlib import Path

import numpy as np
import pytest
from tiny import TINY, compose_config, on, run_pipeline, some_dna, some_tunes

from pipeline.config.schema import SplitSettings
from pipeline.data.corpus import SUBSETS, Corpus
from pipeline.data.split_file import PrescribedSplit
from pipeline.domains.genome.domain import Nucleotide
from pipeline.domains.music.abc.domain import Abc
from pipeline.domains.text import Text
from pipeline.errors import DataError
from pipeline.stages.ingest import ingest


def prescribed(folder: Path, data: str, rows: str, domain=None) -> Corpus:
    """The corpus of this data, split as the rows say."""
    source, table, out = folder / "data.fa", folder / "split.tsv", folder / "out"
    source.write_text(data, encoding="utf-8")
    table.write_text(rows, encoding="utf-8")
    out.mkdir(exist_ok=True)
    ingest([source], domain or Nucleotide(), SplitSettings(file=str(table)), "error", out)
    return Corpus.open(out)


def texts(corpus: Corpus, domain=None) -> dict[str, dict[str, str]]:
    """Name to symbols of every part, by subset."""
    domain = domain or Nucleotide()
    return {name: {r.id: r.symbols for r in corpus.records(name, domain)} for name in SUBSETS}


def random_bases(length: int, seed: int = 1) -> str:
    return "".join(some_dna(length, seed).split()).upper()


# --- intervals --------------------------------------------------------------------------------------------


def test_rows_are_positions_in_the_source_whatever_is_cut_out(tmp_path):
    """A record cut at N and into parts: every base lies where the file has it."""
    letters = random_bases(3_000)
    source = letters[:500] + "N" * 100 + letters[600:1_500] + "R" + letters[1_501:2_900] + "N" * 100
    rows = "one\t400\t700\tvalidation\none\t1400\t1600\ttest\none\t2500\t3000\ttest\n"
    domain = Nucleotide(max_length_bp=350)
    found = texts(prescribed(tmp_path, f">one\n{source}\n", rows, domain), domain)
    covered = np.zeros(3_000, int)
    for subset, parts in found.items():
        for name, symbols in parts.items():
            first, last = (int(number) for number in re.fullmatch(r"one:(\d+)-(\d+)", name).groups())
            assert symbols == source[first - 1 : last]
            covered[first - 1 : last] += 1 + SUBSETS.index(subset)
    expected = np.ones(3_000, int)
    expected[400:700], expected[1_400:1_600], expected[2_500:3_000] = 2, 3, 3
    expected[[letter in "NR" for letter in source]] = 0
    assert (covered == expected).all()


def test_a_single_record_needs_no_name_and_nothing_else_is_trained_on_where_train_rows_are(tmp_path):
    letters = random_bases(1_000)
    found = texts(
        prescribed(
            tmp_path,
            f">one\n{letters}\n",
            "#start\tend\tsubset\n0\t100\ttest\n150\t700\ttrain\n\n800\t1000\tvalidation\n",
        )
    )
    assert found == {
        "test": {"one:1-100": letters[:100]},
        "train": {"one:151-700": letters[150:700]},
        "validation": {"one:801-1000": letters[800:]},
    }


def test_the_fruit_flys_fourth_chromosome_is_split_as_its_file_says(shared_data, tmp_path):
    folder = shared_data / "fly_chr4_dm3"
    split = SplitSettings(file=str(folder / "split.tsv"))
    ingest([folder / "dm3_chr4.fa.gz"], Nucleotide(), split, "error", tmp_path)
    corpus = Corpus.open(tmp_path)
    with (folder / "split.tsv").open() as stream:
        rows = [(int(a), int(b), name) for a, b, name in csv.reader(stream, delimiter="\t") if a[0] != "#"]
    asked = {name: sum(stop - start for start, stop, kind in rows if kind == name) for name in SUBSETS}
    met = {name: 0 for name in SUBSETS}
    for name in SUBSETS:
        for record in corpus.records(name, Nucleotide()):
            first, last = (int(number) for number in record.id.split(":")[1].split("-"))
            assert any(start < first and last <= stop and kind == name for start, stop, kind in rows)
            met[name] += len(record.symbols)
    missing = {name: asked[name] - met[name] for name in SUBSETS}
    assert min(missing.values()) >= 0
    assert sum(missing.values()) <= 100 + 2 * 19  # the N, and what is too short between them
    assert {name: corpus.subset_size(name) for name in SUBSETS} == met


# --- records ----------------------------------------------------------------------------------------------


def test_whole_tunes_are_held_out_by_name(tmp_path):
    rows = "data.fa:7\ttest\ndata.fa:9\tvalidation\ndata.fa:60\ttest\n"
    corpus = prescribed(tmp_path, some_tunes(), rows, Abc())
    found = texts(corpus, Abc())
    assert list(found["test"]) == ["data.fa:7", "data.fa:60"]
    assert list(found["validation"]) == ["data.fa:9"]
    assert len(found["train"]) == 57
    assert corpus.segments[:, 1].max() == len(corpus.codes)
    assert sum(corpus.subset_size(name) for name in SUBSETS) == len(corpus.codes)  # the end codes too


def test_a_whole_record_is_all_its_segments(tmp_path):
    first = f"{random_bases(200)}N{random_bases(99)}"
    data = f">a\n{first}\n>b\n{random_bases(300, 2)}\n>c\n{random_bases(300, 3)}\n"
    found = texts(prescribed(tmp_path, data, "a\ttest\nb\t0\t50\tvalidation\nb\t50\t300\ttrain\n"))
    assert {name: sorted(parts) for name, parts in found.items()} == {
        "test": ["a:1-200", "a:202-300"], "validation": ["b:1-50"], "train": ["b:51-300"],
    }  # fmt: skip


def test_the_end_code_goes_with_the_last_symbol(tmp_path):
    corpus = prescribed(tmp_path, "x" * 99 + "\n", "0\t30\tvalidation\n60\t99\ttest\n", Text())
    assert {name: corpus.subset_size(name) for name in SUBSETS} == {"train": 30, "validation": 30, "test": 40}


# --- what is wrong ----------------------------------------------------------------------------------------

A_AND_B = f">a\n{random_bases(300)}\n>b\n{random_bases(300, 2)}NNNN\n"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("", r"split\.tsv: it has no row; a line is"),
        ("# nothing\n", r"split\.tsv: it has no row"),
        ("a\t0\t9\ttest\nb\n", r"split\.tsv:2: found 1 columns"),
        ("a 0 9 test\n", r"split\.tsv:1: found 1 columns"),
        ("a\t\t9\ttest\n", r"split\.tsv:1: found 4 columns, or an empty one"),
        ("a\t0\t9\tdev\n", r"split\.tsv:1: found subset 'dev'; subsets are train, validation, test"),
        ("a\t-1\t9\ttest\n", r"split\.tsv:1: found start and end '-1' and '9'"),
        ("a\t0\t" + "9" * 5_000 + "\ttest\n", r"split\.tsv:1: found start and end '0' and '9{40}'"),
        ("a\t0\t٣\ttest\n", r"split\.tsv:1: found start and end"),
        ("a\t9\t9\ttest\n", r"split\.tsv:1: found an interval from 9 to 9"),
        (
            "a\t50\t99\ttest\na\t0\t51\ttest\n",
            r"split\.tsv:2: found an interval that overlaps that of line 1",
        ),
        ("a\ttest\na\t0\t51\ttrain\n", r"split\.tsv:2: found an interval that overlaps that of line 1"),
        ("a\t0\t51\ttest\na\ttest\n", r"split\.tsv:2: found an interval that overlaps"),
        ("a\ttest\n0\t51\ttest\n", r"split\.tsv:2: found no record name, where other rows have one"),
        (
            "\n0\t51\ttest\n",
            r"split\.tsv:2: found no record name, but the data has several records; 'a' and 'b'",
        ),
        ("a\ttest\nc\ttest\n", r"split\.tsv:2: found record 'c', which was not read"),
        ("a\t0\t301\ttest\n", r"split\.tsv:1: found an interval up to 301; the record has 300 symbols"),
        ("b\t0\t305\ttest\n", r"split\.tsv:1: found an interval up to 305; the record has 304 symbols"),
        ("b\t0\t304\ttest\n", r"validation would have 0 symbols, .* or more rows for it in .*split\.tsv"),
        ("a\t0\t9\xff\ttest\n", r"split\.tsv:1: found start and end"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, rows, message):
    with pytest.raises(DataError, match=message) as caught:
        prescribed(tmp_path, A_AND_B, rows)
    assert len(str(caught.value)) < 1_000


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "split.tsv").write_bytes(b"\xff\xfe\x00a\t1")
    with pytest.raises(DataError, match=r"split\.tsv: cannot be read"):
        PrescribedSplit(tmp_path / "split.tsv")


def test_a_name_in_two_files_is_reported(tmp_path):
    files = [tmp_path / "1.fa", tmp_path / "2.fa"]
    for seed, file in enumerate(files):
        file.write_text(f">a\n{random_bases(500, seed)}\n")
    (tmp_path / "split.tsv").write_text("a\t0\t100\ttest\n")
    split = SplitSettings(file=str(tmp_path / "split.tsv"))
    with pytest.raises(DataError, match=r"split\.tsv:1: found record 'a', which is in .*1\.fa and .*2\.fa"):
        ingest(files, Nucleotide(), split, "error", tmp_path)


# --- in a run ---------------------------------------------------------------------------------------------


def test_the_stage_is_made_anew_when_the_file_changes(text_file, tmp_path):
    table = tmp_path / "split.tsv"
    overrides = [*on(text_file), *TINY, f"dataset.split.file={table}", "stages=[ingest]"]
    names = [f"{text_file.name}:{1 + 2 * number}" for number in range(4)]
    made = []
    for rows in (("test", "validation"), ("test", "validation"), ("validation", "test")):
        table.write_text("".join(f"{name}\t{subset}\n" for name, subset in zip(names, rows, strict=False)))
        manifest = run_pipeline(tmp_path / "run", *overrides, f"run={tmp_path / 'run'}")
        assert str(table) in manifest["stages"]["ingest"]["inputs"]
        made.append(manifest["stages"]["ingest"]["fingerprint"])
    assert made[0] == made[1] != made[2]


def test_a_file_that_is_not_there(text_file, tmp_path):
    config = on(text_file, "dataset.split.file=nowhere.tsv")
    assert compose_config(*config).dataset.split.file == "nowhere.tsv"
    with pytest.raises(DataError, match=r"nowhere\.tsv: no such file; dataset\.split\.file is relative"):
        run_pipeline(tmp_path / "run", *config)
