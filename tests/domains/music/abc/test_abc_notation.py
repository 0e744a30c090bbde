from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domains.music.abc.abc_notation import format_length, parse_length, tokenize


def kinds(body: str) -> list[str]:
    return [token.kind for token in tokenize(body)]


def test_each_sign_has_its_kind():
    assert kinds('"Am"{/g}(3.A^Bc\'') == ["string", "grace", "tuplet", "mark", "note", "note", "note"]
    assert kinds("[CEG]2 z2>x") == ["chord", "space", "rest", "broken", "rest"]
    assert kinds("|1 A:|[2 B|]") == [
        "bar",
        "ending",
        "space",
        "note",
        "bar",
        "ending",
        "space",
        "note",
        "bar",
    ]
    assert kinds("[K:G]!trill!A-A") == ["inline", "decoration", "note", "tie", "note"]
    assert kinds("K:G\nA\\\nB % end") == [
        "field", "newline", "note", "continuation", "note", "space", "comment",
    ]  # fmt: skip


@pytest.mark.parametrize("body", ['"A', "[CE", "{gf", "A&B", "@"])
def test_what_is_no_abc_is_unknown(body):
    assert {"unknown", "overlay"} & set(kinds(body))


@given(st.text(max_size=200) | st.text(alphabet="ABcd23/|:[]()\"'^_=<>-{}! \n%", max_size=200))
def test_any_text_is_kept(text):
    tokens = tokenize(text)
    assert "".join(token.text for token in tokens) == text
    assert all(text[token.start :].startswith(token.text) for token in tokens)


def test_every_tune_book_is_kept(book):
    for path in sorted(book.parent.glob("*.abc")):
        text = path.read_text("utf-8", errors="replace")
        assert "".join(token.text for token in tokenize(text)) == text


@given(st.fractions(min_value=Fraction(1, 64), max_value=64))
def test_lengths_go_both_ways(length):
    assert parse_length(format_length(length)) == length
