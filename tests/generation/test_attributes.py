"""A requested dance brings its meters along, a meter its dances; training tunes are counted."""

from collections import Counter

import pytest

from pipeline.data.alphabet import Alphabet
from pipeline.domains.music.abc.domain import Abc
from pipeline.domains.music.abc.tune_grammar import TuneGrammar
from pipeline.errors import ConfigError
from pipeline.generation.attributes import AttributeStatistics
from pipeline.generation.constrained.grammar_constraint import build_grammar_constraint
from pipeline.records import Record

HEADERS = [
    *[("slip jig", "9/8", "D")] * 8, *[("jig", "6/8", "G")] * 60, ("jig", "9/8", "G"), ("", "9/8", "ADor"),
    *[("", "4/4", "D")] * 20, *[("hornpipe", "4/4", "G")] * 3, *[("waltz", "3/4", "D")] * 2,
]  # fmt: skip


def tune(dance: str, meter: str, key: str) -> Record:
    return Record("a", f"R:{dance}\n" * bool(dance) + f"M:{meter}\nL:1/8\nK:{key}\nA|]")


TRAINING = AttributeStatistics(Counter(frozenset(Abc().attributes(tune(*each)).items()) for each in HEADERS))
ALPHABET = Alphabet(sorted({*"".join(tune(*each).text for each in HEADERS), *"2:|]BCDEFGabcdefg/z"}))


def headers(**requested: str) -> list[tuple[str, ...]]:
    """The header fields that may begin a tune: R: if there may be one, and M:."""
    grammar = build_grammar_constraint(Abc(**requested), ALPHABET, True, TRAINING.counts).grammar
    assert isinstance(grammar, TuneGrammar)
    return [tuple(sorted(stage)) for stage in grammar.components[0].automaton.header_lines[:2]]


def test_attributes_are_those_of_the_header():
    assert Abc().attributes(tune("slip jig", "9/8", "D")) == {"dance": "slip jig", "meter": "9/8", "key": "D"}
    assert Abc().attributes(tune("", "9/8", "D")) == {"meter": "9/8", "key": "D"}


def test_a_dance_has_its_usual_meters_and_a_meter_its_dances():
    assert headers(dance="slip jig") == [("R:slip jig",), ("M:9/8",)]
    assert headers(dance="jig") == [("R:jig",), ("M:6/8",)]
    assert headers(dance="waltz") == [("R:waltz",), ("M:3/4",)]
    assert headers(meter="9/8") == [("R:slip jig",), ("M:9/8",)]
    # Most of these name no dance.
    assert headers(meter="4/4") == [("M:4/4", "R:hornpipe"), ("M:4/4",)]


def test_what_no_training_tune_is_is_an_error_that_says_what_there_is():
    with pytest.raises(ConfigError, match=r"no training tune is both; .*3/4 \(2\); .*slip jig \(8\), jig"):
        headers(dance="waltz", meter="9/8")
    assert headers(dance="jig", meter="9/8") == [("R:jig",), ("M:9/8",)]


def test_the_training_tunes_of_a_request_are_told_and_warned_of_where_few(caplog):
    (many,) = TRAINING.summary(Abc(dance="jig"))
    assert many == "requested: dance jig; 61 of 95 training records are such" and not caplog.records
    with caplog.at_level("WARNING", "pipeline"):
        (few,) = TRAINING.summary(Abc(dance="jig", key="A dorian"))
    assert "0 of 95 training records are such (dance jig 61, key ADor 1): too few" in few
    assert few in caplog.text
    assert TRAINING.summary(Abc()) == () and AttributeStatistics().summary(Abc(dance="jig")) == ()
