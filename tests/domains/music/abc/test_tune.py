from fractions import Fraction

import pytest

from pipeline.domains.music.abc.notes import WHOLE
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.render.playback import played_bars, played_notes


def tune(body: str, meter: str = "4/4", key: str = "C") -> Tune:
    return Tune(meter, "1/8", key, body)


def reasons(body: str, meter: str = "4/4") -> list[str]:
    return [problem.reason for problem in tune(body, meter).check()]


@pytest.mark.parametrize(
    "body",
    [
        "GABc dedB|dedB dedB|]",
        "D|GABc dedB|dedB G2G:|",  # an upbeat, made up for by the last bar
        "D|:G4G4|G4G4:|",  # an upbeat that is not repeated
        "D|G4G4|G4G3:|D|G4G4|G4G3|]",  # a bar split between two parts
        "|:G4G4|1G4G4:|2G8|]",
        "|:G8::A8:|",
        "(3GAB c2d2e2|d>ed<e c4|]",
        "G8-|G8|]",
        "^f8-|f8|]",
        "[^fa]8-|[fa]8|]",
        "[M:6/8]GAB cde|]",
        "G2[CEG]2z4|]",
    ],
)
def test_valid(body):
    assert reasons(body) == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "no notes"),
        ("z8|]", "no notes"),
        ("GABc dedBA|G8|]", "bar too long"),
        ("G8|G4|G8|G8|]", "bar too short"),
        ("G|G8|G8:|", "bar too long with its upbeat"),
        ("|:G|G8|1G8:|2G8|]", "bar too long with its upbeat"),
        ("G8", "no final bar line"),
        ("|:G8|]", "repeat not closed"),
        ("|:G8|:A8:|", "repeat opened twice"),
        ("|:G8|1A8|]", "first ending without a repeat"),
        ("|:G8|1A8:|B8|]", "second ending missing"),
        ("|:G8|2A8:|1B8|]", "endings out of order"),
        ('"Am G8|]', "unclosed quote"),
        ("[CEG8|]", "unclosed chord"),
        ("{gG8|]", "unclosed grace notes"),
        ("(3GA|G8|]", "tuplet not complete"),
        ("(3(3GABcde fg|]", "tuplet inside a tuplet"),
        ("G>|G8|]", "broken rhythm without two notes"),
        ("G8-|A8|]", "tie to another pitch"),
        ("G0|]", "length of zero"),
        ("C,,,,,8|]", "pitch out of range"),
        ("[M:none]G" + 5000 * "9" + "|]", "length of zero"),
        ("[M:none]G999|]", "note too long"),
        ("(3:" + 5000 * "9" + "GAB|]", "unknown symbol"),
        ("G8&A8|]", "unknown symbol"),
    ],
)
def test_problems_have_names(body, reason):
    assert reason in reasons(body)


def test_a_very_long_tune_is_read_in_time():
    assert len(tune("GABc dedB|" * 20_000).parsed.notes) == 160_000
    assert reasons("[" * 50_000 + '"' * 50_001)


def test_lengths_are_exact():
    notes = tune("(3GAB c>d e<<f|]").parsed.notes
    assert [Fraction(note.duration) / WHOLE for note in notes] == [
        Fraction(1, 12), Fraction(1, 12), Fraction(1, 12), Fraction(3, 16), Fraction(1, 16),
        Fraction(1, 32), Fraction(7, 32),
    ]  # fmt: skip


def test_accidentals_hold_to_the_bar_line():
    notes = tune("F^FF=F|F|]", key="D").parsed.notes
    assert [note.pitches[0] for note in notes] == [66, 66, 66, 65, 66]


def test_accidentals_hold_in_all_octaves_and_over_a_tie():
    notes = tune("^fF c4-|c2 ^f6-|f2{f}fF [fa]4|]").parsed.notes
    assert [note.pitches[0] for note in notes] == [78, 66, 72, 72, 78, 78, 77, 65, 77]


def test_repeats_and_endings_are_played_out():
    bars = tune("|:A8|1B8:|2c8||d8:|").parsed.bars
    assert played_bars(bars) == [0, 1, 0, 2, 3, 3]


def test_a_repeat_opened_by_a_sign_reaches_over_a_double_bar():
    bars = tune("|:A8|B8||c8:|").parsed.bars
    assert played_bars(bars) == [0, 1, 2, 0, 1, 2]


def test_ties_join_notes():
    assert [note.duration / WHOLE for note in played_notes(tune("G8-|G4A4|]"))] == [1.5, 0.5]


def test_text_goes_both_ways():
    text = "M:6/8\nL:1/8\nK:Em\nGAB e3|]"
    assert Tune.from_text(text).text == text


@pytest.mark.parametrize("text", ["", "K:C\nABC", "M:6/8\nL:1/8\nK:H\nA", "M:C\nL:1/8\nK:C\nA8|]"])
def test_other_headers_are_refused(text):
    with pytest.raises(ValueError, match="header"):
        Tune.from_text(text)
