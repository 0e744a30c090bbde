import bz2
import gzip
import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domains.text import Text
from pipeline.errors import ConfigError, DataError
from pipeline.records import Record, Rejection, Sample

LINES = "first line\nsecond\n\n\nnew paragraph\n"


def read(tmp_path, content: bytes, name: str = "file.txt", **settings) -> list[Record]:
    path = tmp_path / name
    path.write_bytes(content)
    return list(Text(**settings).read(path))


def texts(records: list[Record]) -> list[str]:
    return [record.symbols for record in records]


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("line", ["first line", "second", "new paragraph"]),
        ("paragraph", ["first line\nsecond", "new paragraph"]),
        ("file", ["first line\nsecond\n\n\nnew paragraph"]),
    ],
)
def test_records_are_lines_paragraphs_or_files(tmp_path, unit, expected):
    assert texts(read(tmp_path, LINES.encode(), records=unit)) == expected


def test_ids_name_the_first_line(tmp_path):
    assert [record.id for record in read(tmp_path, LINES.encode())] == ["file.txt:1", "file.txt:5"]
    assert [record.id for record in read(tmp_path, LINES.encode(), records="line")][-1] == "file.txt:5"


def test_any_line_end_is_one_newline(tmp_path):
    assert texts(read(tmp_path, b"a\r\nb\rc\n")) == ["a\nb\nc"]


def test_a_byte_order_mark_is_no_text(tmp_path):
    assert texts(read(tmp_path, "\ufeffbeginning".encode())) == ["beginning"]


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_files_are_told_by_their_content(tmp_path, compress):
    assert texts(read(tmp_path, compress(b"squeezed"))) == ["squeezed"]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp1252"])
def test_other_encodings(tmp_path, encoding):
    assert texts(read(tmp_path, "perché".encode(encoding), encoding=encoding)) == ["perché"]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00\r")))
def test_a_file_as_one_record_is_its_text(tmp_path_factory, text):
    records = read(tmp_path_factory.mktemp("any"), text.encode(), records="file")
    assert texts(records) == (
        [text.removeprefix("\ufeff").rstrip("\n")] if text.strip("\ufeff").strip() else []
    )


def test_parts_of_a_long_record_bound_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.domains.text.MAX_RECORD_CHARACTERS", 100)
    lines = [f"line {number}" for number in range(100)]
    parts = texts(read(tmp_path, "\n".join(lines).encode(), records="file"))
    assert len(parts) > 5
    assert "\n".join(parts).split("\n") == lines


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"good\nbad \xff byte\n",
            r"file\.txt: after line \d, byte 0xff is not utf-8; set domain\.encoding=latin-1",
        ),
        (b"good\nbad \x00 byte\n", r"file\.txt:2: found a NUL byte, so this is not text in utf-8"),
        (
            gzip.compress(b"a long enough text " * 99, mtime=0)[:-12],
            r"file\.txt: cannot be read after line \d+: .*is the file complete",
        ),
    ],
)
def test_what_is_not_text_is_an_error_that_says_where(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, content)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"records": "word"}, r"domain\.records='word' is not one of line, paragraph, file"),
        ({"encoding": "utf-9"}, r"domain\.encoding='utf-9' is not an encoding that Python knows; usual ones"),
        ({"encoding": "base64"}, r"domain\.encoding='base64' is not an encoding"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ConfigError, match=message):
        Text(**settings)


def test_the_same_words_again_are_a_duplicate():
    key = Text().duplicate_key
    assert key(Record("1", "The  same\nwords")) == key(Record("2", "the same words "))
    assert key(Record("1", "The same words")) != key(Record("2", "Other words"))
    assert Text(records="file").duplicate_key(Record("1", "text")) is None


def sample(text: str) -> Sample:
    return Sample(0, 7, text, 0, True, -1.0)


def test_a_blank_sample_is_a_rejection():
    assert Text().finish(sample(" \n ")) == Rejection("sample 1", "blank text")
    assert Text().finish(sample("words")).symbols == "words"


def test_written_samples_say_how_they_were_made(tmp_path):
    records = [Record("synthetic_0001", "è il testo", {"model": "lstm 1x8", "seed": "7"})]
    outputs = Text().write(records, tmp_path)
    written = (tmp_path / "samples.txt").read_text(encoding="utf-8")
    assert written == "# synthetic_0001, model lstm 1x8, seed 7\nè il testo\n"
    assert outputs.files == (tmp_path / "samples.txt",)
