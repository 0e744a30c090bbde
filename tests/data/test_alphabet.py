import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.alphabet import BOS, EOS, SPECIALS, UNKNOWN, Alphabet
from pipeline.errors import DataError

characters = st.characters(codec="utf-8")
alphabets = st.lists(characters, min_size=1, max_size=40, unique=True)


@given(alphabets, st.data())
def test_text_comes_back(symbols, data):
    alphabet = Alphabet(symbols)
    text = data.draw(st.text(st.sampled_from(symbols)))
    codes = alphabet.encode(text)
    assert len(codes) == len(text)
    assert alphabet.decode(codes) == text


@given(st.lists(st.text(min_size=2, max_size=4), min_size=1, max_size=20, unique=True), st.data())
def test_symbols_of_several_characters_come_back(symbols, data):
    alphabet = Alphabet(symbols)
    sequence = tuple(data.draw(st.lists(st.sampled_from(symbols))))
    assert alphabet.decode(alphabet.encode(sequence)) == sequence


@given(alphabets)
def test_a_stored_alphabet_is_the_same(symbols):
    alphabet = Alphabet(symbols)
    stored = Alphabet(json.loads(json.dumps(alphabet.symbols)))
    assert stored == alphabet


@given(alphabets, st.text(characters))
def test_table_and_single_look_ups_agree(symbols, text):
    """Strings go through a table of code points, tuples through a dictionary."""
    alphabet = Alphabet(symbols)
    by_table = alphabet.encode(text, "replace")
    assert np.array_equal(by_table, alphabet.encode(tuple(text), "replace"))
    assert np.array_equal(alphabet.encode(text, "drop"), by_table[by_table != UNKNOWN])


def test_codes_follow_the_order_given_after_the_special_ones():
    alphabet = Alphabet("TGCA")
    assert list(alphabet.encode("TGCA")) == [3, 4, 5, 6]
    assert len(alphabet) == 4 + len(SPECIALS)
    assert alphabet != Alphabet("ACGT")


def test_special_codes_are_no_symbols():
    alphabet = Alphabet("AB")
    assert alphabet.decode([BOS, 3, 4, EOS]) == "AB"
    assert alphabet.decode([3, UNKNOWN, 4]) == "A\ufffdB"


def test_an_unknown_symbol_is_an_error_that_says_where():
    expected = r"chr1: symbol 'N' at position 3 is not in the alphabet A C G T; .*dataset\.unknown=drop"
    with pytest.raises(DataError, match=expected):
        Alphabet("ACGT").encode("ACNT", where="chr1")


@pytest.mark.parametrize(("policy", "codes"), [("drop", [3, 4, 6]), ("replace", [3, 4, UNKNOWN, 6])])
def test_an_unknown_symbol_is_dropped_or_replaced(policy, codes):
    assert list(Alphabet("ACGT").encode("ACNT", policy)) == codes


def test_characters_above_all_known_ones_are_unknown():
    assert list(Alphabet("ab").encode("a\U0010ffff\ud800c", "replace")) == [3, UNKNOWN, UNKNOWN, UNKNOWN]


def test_two_bytes_a_code_where_one_is_too_small():
    assert Alphabet(map(chr, range(65, 65 + 253))).dtype == np.uint8
    wide = Alphabet(map(chr, range(65, 65 + 254)))
    assert wide.dtype == np.uint16
    assert wide.decode(wide.encode(wide.symbols)) == "".join(wide.symbols)


def test_the_same_symbol_twice_is_refused():
    with pytest.raises(DataError, match="same symbol twice"):
        Alphabet("ABA")


def test_too_many_symbols_are_refused():
    with pytest.raises(DataError, match="65534 different symbols; at most 65533"):
        Alphabet(str(number) for number in range(65_534))
