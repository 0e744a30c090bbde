import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domains.music.abc.music_tokens import is_length, music_tokens, split_bar_and_ending


def test_each_token_carries_one_thing(tunes):
    vocabulary = {token for record in tunes for token in music_tokens(record.symbols)}
    assert {"M:6/8\n", "L:1/8\n", "K:D\n", "d", "^c", "3/2", "/", "|", ":|", "|1", ":|2", "(3"} <= vocabulary
    assert len(vocabulary) < 500
    for token in vocabulary:
        assert len(music_tokens(token)) == 1 or is_length(token), token


def test_joined_tokens_are_the_tune(tunes):
    for record in tunes:
        assert "".join(music_tokens(record.symbols)) == record.symbols


@given(st.text(max_size=200) | st.text(alphabet="MLK:ABcd23/|:[]()\"'^_=<>-{}! \n%", max_size=200))
def test_any_text_is_kept(text):
    assert "".join(music_tokens(text)) == text


@pytest.mark.parametrize(
    ("token", "parts"),
    [("|", ("|", "")), ("|:", ("|:", "")), ("::", ("::", "")), ("|]", ("|]", "")), ("[|", ("[|", "")),
     ("|1", ("|", "1")), (":|2", (":|", "2")), ("A", None), ("[", None), ("2", None)],
)  # fmt: skip
def test_bars_and_their_endings(token, parts):
    assert split_bar_and_ending(token) == parts
