import pytest

from pipeline.domains.music.abc.domain import Abc
from pipeline.domains.music.abc.folk_rnn import from_folk_rnn, is_spaced, join_tokens, to_folk_rnn
from pipeline.domains.music.abc.tune import Tune

SPACED = """M:6/8
K:Cmaj
|: G E E c 2 d | (3 e d c c 2 B |1 c 3 G 3 :| |2 c 6 |]

M:2/4
K:Ador
A e > d | c /2 d /2 e 3 | [ A c e ] 4 |]
"""


def same_music(first: Tune, second: Tune) -> bool:
    return [note[:3] for note in first.parsed.notes] == [note[:3] for note in second.parsed.notes]


def test_every_tune_of_a_book_goes_both_ways(tunes):
    for record in tunes:
        written = to_folk_rnn(record.symbols)
        back = from_folk_rnn(written)
        assert same_music(Tune.from_text(back), Tune.from_text(record.symbols)), record.id
        assert to_folk_rnn(back) == written
        if "L:1/8\n" in record.symbols:
            assert back == record.symbols


def test_a_file_of_folk_rnn_is_read(tmp_path):
    path = tmp_path / "data_v2.abc"
    path.write_text(SPACED)
    first, second = Abc().read(path)
    assert first.symbols == "M:6/8\nL:1/8\nK:C\n|:GEEc2d|(3edcc2B|1c3G3:|2c6|]"
    assert second.symbols == "M:2/4\nL:1/8\nK:ADor\nAe>d|c/d/e3|[Ace]4|]"


def test_tunes_on_one_line_each_are_read(tmp_path):
    path = tmp_path / "samples.abc"
    path.write_text("<s> M:6/8 K:Cmaj G E E c 2 d | e 6 |] </s>\nM:4/4 K:Ador A 4 e 4 |]\n")
    assert [record.symbols for record in Abc().read(path)] == [
        "M:6/8\nL:1/8\nK:C\nGEEc2d|e6|]", "M:4/4\nL:1/8\nK:ADor\nA4e4|]",
    ]  # fmt: skip


def test_tunes_for_people_are_not_taken_for_spaced(book):
    raw = book.read_text("utf-8", errors="replace")
    assert not any(is_spaced(part) for part in raw.split("\n\n"))


def test_two_lengths_in_a_row_are_a_problem():
    assert Tune("4/4", "1/8", "C", join_tokens("G 2 3 A 3 |]")).check()


@pytest.mark.parametrize("text", ["", "G 2 E", "M:6/8 G 2", "M:6/8 K:H G 2 |"])
def test_a_header_is_needed(text):
    with pytest.raises(ValueError):
        from_folk_rnn(text)


def test_a_header_of_inline_fields_is_read(tmp_path):
    path = tmp_path / "polskor.abc"
    path.write_text(
        "[L:1/8]\n[M:3/4]\n[K:Amin]\nE A c e d c | A 2 A 2 z 2 |]\n\n"
        "[M:2/4] [L:1/16] [K:Dmaj] D 4 F 4 | A 8 |]\n\n"
        "X:3\n[L:1/8]\n[M:3/4]\n[K:Gmaj]\n|: G 2 B 2 d 2 :| [K:Dmaj] c 6 |]\n\n"
        "<s> [L:1/8] [M:3/4] [K:Cmaj] C 6 | C /2 D /2 E F 4 |] </s>\n<s> [M:3/4] [K:Emin] G 6 |] </s>\n"
    )
    assert [record.symbols for record in Abc().read(path)] == [
        "M:3/4\nL:1/8\nK:Am\nEAcedc|A2A2z2|]",
        "M:2/4\nL:1/16\nK:D\nD4F4|A8|]",
        "M:3/4\nL:1/8\nK:G\n|:G2B2d2:|[K:D]c6|]",
        "M:3/4\nL:1/8\nK:C\nC6|C/D/EF4|]",
        "M:3/4\nL:1/8\nK:Em\nG6|]",
    ]
