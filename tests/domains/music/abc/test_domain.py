import gzip

import pytest

from pipeline.domains.music.abc.domain import Abc
from pipeline.domains.music.abc.tune_text import parse_tune
from pipeline.errors import ConfigError, DataError
from pipeline.records import Record, References, Rejection, Sample

TUNE = "X:7\nT:The Lark\nR:reel\nM:C\nL:1/8\nK:D major\n(GABc) dedB \\\n| d2 .d2 u{e}d4 :| % end\n"


def write(folder, text, name="book.abc"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_tune_becomes_one_regular_sequence(tmp_path):
    (record,) = Abc().read(write(tmp_path, TUNE))
    assert record.symbols == "R:reel\nM:4/4\nL:1/8\nK:D\nGABcdedB|d2.d2{e}d4:|"
    assert record.id == "book.abc:7"
    assert record.metadata["title"] == "The Lark" and record.metadata["rhythm"] == "reel"


def test_a_tune_may_be_musical_tokens(tmp_path):
    (record,) = Abc(representation="token").read(write(tmp_path, TUNE))
    assert record.symbols[:6] == ("R:reel\n", "M:4/4\n", "L:1/8\n", "K:D\n", "G", "A")
    (characters,) = Abc().read(write(tmp_path, TUNE))
    assert record.text == characters.symbols
    domain = Abc(representation="token")
    assert domain.parse_prime("R:slip jig M:9/8 K:Em") == ("R:slip jig\n", "M:9/8\n", "L:1/8\n", "K:Em\n")
    assert domain.shuffle_start(record.symbols) == 4
    assert domain.symbol_name == "token" and domain.count_units(record.symbols) == 11
    sample = Sample(0, 0, record.symbols, 0, True, -1.0)
    assert domain.finish(sample).symbols == record.symbols


def test_a_rhythm_that_is_not_known_is_refused():
    assert Abc().parse_prime("R:double jig M:6/8") == "R:jig\nM:6/8\n"
    with pytest.raises(ConfigError, match=r"R:tango is not known.*slip jig"):
        Abc().parse_prime("R:tango M:4/4")


def test_settings_leave_things_out(tmp_path):
    (record,) = Abc(ornaments=False, grace_notes=False, slurs=True).read(write(tmp_path, TUNE))
    assert record.symbols.endswith("(GABc)dedB|d2d2d4:|")


def test_a_file_header_is_inherited_and_ids_are_unique(tmp_path):
    text = "M:6/8\nR:jig\n\nX:1\nK:G\nGAB cde|]\n\nX:1\nL:1/16\nK:A\nM:2/4\nA8|]\n"
    first, second = Abc(rhythm=False).read(write(tmp_path, text))
    assert first.symbols.startswith("M:6/8\nL:1/8\nK:G\n") and first.metadata["rhythm"] == "jig"
    assert (first.id, second.id) == ("book.abc:1", "book.abc:1#2")
    assert second.symbols.startswith("M:2/4\nL:1/16\nK:A\nA8")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("X:1\nT:x\nM:4/4\n", "no key (K:)"),
        ("X:1\nM:4/4\nK:C\n", "no notes"),
        ("X:1\nK:C\nV:1\nC\nV:2\nE\n", "several voices"),
        ("X:1\nK:C\nA&B|]\n", "several voices"),
        ("X:1\nK:H\nA|]\n", "unknown key, meter or unit"),
        ("X:1\nM:4/4\nL:1/4\nK:C\nABcde|]\n", "bar too long"),
    ],
)
def test_what_cannot_be_learned_is_rejected_with_a_reason(tmp_path, text, reason):
    (rejection,) = Abc().read(write(tmp_path, text))
    assert isinstance(rejection, Rejection) and rejection.reason == reason


@pytest.mark.parametrize("line", ["%%propagate-accidentals octave", "I:propagate-accidentals not"])
def test_accidentals_by_another_rule_are_rejected(tmp_path, line):
    tune = "X:1\nM:4/4\nL:1/8\nK:C\n^f4F4|]\n"
    for text in (f"{line}\n\n{tune}", tune.replace("K:", f"{line}\nK:")):
        (rejection,) = Abc().read(write(tmp_path, text))
        assert rejection.reason == "accidentals by another rule"
    (record,) = Abc().read(write(tmp_path, f"%%propagate-accidentals pitch\n\n{tune}"))
    assert parse_tune(record.symbols).parsed.notes[1].pitches == (66,)


def test_irregular_tunes_are_kept_where_asked(tmp_path):
    path = write(tmp_path, "X:1\nM:4/4\nL:1/4\nK:C\nABcde|]\n")
    assert isinstance(next(Abc(valid_only=False).read(path)), Record)


def test_latin1_and_compressed_files(tmp_path):
    text = TUNE.replace("Lark", "Bl\u00e0r").encode("latin-1")
    (record,) = Abc().read(write(tmp_path, gzip.compress(text, mtime=0), "book.abc.gz"))
    assert record.metadata["title"] == "The Bl\u00e0r" and record.metadata["encoding"] == "latin-1"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"MThd\0\0\0\6", "a byte 0"),
        (b"a letter to a friend\n", "no tune found"),
        (gzip.compress(TUNE.encode() * 200, mtime=0)[:60], "cannot be read"),
    ],
)
def test_files_that_are_no_abc(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        list(Abc().read(write(tmp_path, content)))


def test_hostile_files_end_in_a_result_or_an_error(shared):
    for path in sorted((shared / "hostile").rglob("*")):
        if path.is_file():
            try:
                assert all(isinstance(item, Record | Rejection) for item in Abc().read(path))
            except DataError as error:
                assert str(path) in str(error)


def test_the_tune_book_is_nearly_all_valid(book):
    items = list(Abc().read(book))
    assert sum(isinstance(item, Record) for item in items) > 0.9 * len(items) > 100


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("M:6/8 K:Dmaj", "M:6/8\nL:1/8\nK:D\n"),
        ("M:2/4 K:A minor", "M:2/4\nL:1/16\nK:Am\n"),
        ("M:C| L:1/8 K:Edor |: (GAB) c2|", "M:2/2\nL:1/8\nK:EDor\n|:GABc2|"),
        ("M:6/8", "M:6/8\n"),
        ("", ""),
    ],
)
def test_primes_are_spelled_as_the_data(text, expected):
    assert Abc().parse_prime(text) == expected


@pytest.mark.parametrize("text", ["K:D", "hello", "M:6/8 K:H", "M:6/x K:D", "M:6/8 K:DABc", "X:1 M:6/8 K:D"])
def test_other_primes_are_refused_with_what_is_allowed(text):
    with pytest.raises(ConfigError, match=r"sample\.prime.*M:6/8 K:Dmaj"):
        Abc().parse_prime(text)


def test_a_shuffle_starts_after_the_header():
    text = "M:4/4\nL:1/8\nK:D\nGABc|]"
    assert text[Abc().shuffle_start(text) :] == "GABc|]"
    assert Abc().shuffle_start("nonsense\nK:C\n") == 0


def test_broken_reference_groups_are_no_error(tmp_path, tunes):
    broken = [Record("a", ""), Record("b", "\"[({|:M:"), Record("c", "M:4/4\nL:1/8\nK:C\n\"[{|:"),
              Record("d", tunes[0].symbols[::-1])]  # fmt: skip
    groups = {"held-out real": tunes[20:60], "shuffled": broken, "Markov order 3": []}
    outputs = Abc().compare(tunes[:10], References(groups, lambda: iter(tunes)), tmp_path)
    table = (tmp_path / "statistics.tsv").read_text().splitlines()
    assert table[0].split("\t")[1:5] == ["conclusion", "samples", "held-out real", "shuffled"]
    assert all(path.is_file() for path in outputs.files)
    Abc().compare([], References({}, lambda: iter(())), tmp_path)


def test_tied_notes_are_counted_once():
    header = "M:4/4\nL:1/8\nK:C\n"
    assert Abc().count_units(header + "C2 z2 [CE]2 D-D|]") == 3
    assert Abc().count_units("C2 D2|]") == 0
