"""Metrics of structure on tunes whose values are known."""

import numpy as np
import pytest

from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.compare import structure
from pipeline.domains.music.compare.note_table import TuneNotes
from pipeline.domains.music.compare.piece_set import PieceSet

A, B = "dfaf edcd|efge d2d2", "fafd gbge|efge d2d2"
"""Two parts of two bars in D; the second bar of both is the same."""


def tune(body: str, key: str = "D", meter: str = "4/4", unit: str = "1/8") -> Tune:
    return Tune(meter, unit, key, body)


@pytest.mark.parametrize(("body", "loops"), [
    (f"{A}|{A}|{A}|]", True),
    (f"{A}|{A}|{B}|{A}|]", False),
    (f"|:{A}:|{A}|]", False),
    (f"{B}|{A}|{A}|{A}|d8|]", True),
    ("d8|" * 3 + "e8|]", False),
    ("d8|" * 6 + "e8|]", True),
    (f"{A}|{A}|~dfaf edcd|efge d2>d2|]", False),
    (f"{A}|{A}|~dfaf edcd|efge {{g}}d2d2|]", True),
    (f"d2|:{A}|{A}|{A}:|", True),
], ids=["three times", "not in a row", "repeats are not played", "inside", "a bar thrice", "a bar six times",
        "another rhythm", "other ornaments", "after a pick-up"])  # fmt: skip
def test_a_loop_is_a_phrase_of_two_bars_or_more_three_times_in_a_row_as_notated(body, loops):
    assert structure.has_loop(tune(body)) == loops


def test_a_long_phrase_that_repeats_is_a_loop_too():
    scale = "CDEFGABc"
    phrase = "|".join(f"{note}8" for note in scale)
    assert structure.has_loop(tune("|".join([phrase] * 3) + "|]"))
    assert not structure.has_loop(tune("|".join([phrase] * 2) + "|C8|]"))


def test_repeats_are_counted_as_a_plain_search_counts_them():
    rng = np.random.default_rng(1)
    for _ in range(300):
        contents = rng.integers(0, 2, rng.integers(0, 14))
        for size, times in ((1, 5), (2, 3), (3, 3)):
            groups = [contents[at : at + size * times].reshape(times, size)
                      for at in range(len(contents) - size * times + 1)]  # fmt: skip
            plain = any((group == group[0]).all() for group in groups)
            assert structure.repeats_in_a_row(contents, size, times) == plain


@pytest.mark.parametrize(("body", "key", "ends"), [
    (f"|:{A}:|:{B}:|", "D", True),
    (f"|:{A}:|:{B}:|", "G", False),
    (f"|:{A[:-4]}A2d2:|:{B[:-4]}A2A2:|", "D", False),
    (f"A|:{A[:-2]} dA:|", "D", False),
    (f"A2|:{A[:-4]}d2A2:|:{B[:-4]}d2:|", "D", False),
    (f"A2|:{A[:-2]}:|A2|{B[:-2]}|]", "D", True),
    (f"|:{A}|1 a8:|2 d8||{B}|]", "D", True),
    (f"|:{A}|1 d8:|2 a8||{B}|]", "D", False),
    (f"{A}||[K:G]gabg fddf|g8|]", "D", True),
    (f"{A}||gabg fddf|g8|]", "D", False),
    (f"{A[:-4]}[DAd]4|]", "D", True),
    ("d8|]", "D", False),
    ("z8|z8|]", "D", False),
], ids=["both", "another key", "one", "a last note after the tonic", "a pick-up inside the bar", "pick-ups",
        "second ending on it", "first ending on it", "a change of key", "no change of key", "a chord",
        "no part", "silence"])  # fmt: skip
def test_parts_end_on_the_tonic_of_their_key_in_their_last_ending(body, key, ends):
    assert structure.parts_end_on_tonic(tune(body, key)) == ends


@pytest.mark.parametrize(("body", "alike"), [
    ("dfaf edcd|efge d2d2|d8||fafd gbge|efge d2d2|d8|]", True),
    ("dfaf edcd|efge d2d2|d8||fafd gbge|efge d2d2|D8|]", True),
    ("dfaf edcd|efge d2d2|d8||fafd gbge|e2ge d2d2|d8|]", False),
    ("|:A|dfaf edcd|efge d2d2|d7:|:A|fafd gbge|efge d2d2|d7:|", True),
    ("dfaf edcd|efge d2d2|d8|]", False),
    (f"{A}||{A}|]", True),
], ids=["the same", "another last bar", "another rhythm", "pick-ups", "one part", "twice"])  # fmt: skip
def test_parts_end_alike_where_the_bar_before_the_last_is_the_same(body, alike):
    assert structure.has_equal_cadences(tune(body)) == alike


@pytest.mark.parametrize(("body", "has"), [
    ("d2^c2|]", True), ("d2=c2|]", True), ("d2_B2|]", True), ("{^c}d4|]", True), ("[d^f]4|]", True),
    ("d2c2|]", False), ('"^text"d2c2|]', False), ("[K:F#]d2c2|]", False),
])  # fmt: skip
def test_an_accidental_is_a_written_sign_before_a_note(body, has):
    assert structure.has_accidental(tune(body)) == has


def test_endings_and_length_are_those_of_the_page():
    assert structure.has_endings(tune(f"|:{A}|1 a8:|2 d8|]")) and not structure.has_endings(tune(f"|:{A}:|"))
    assert structure.count_bars(tune(f"|:{A}|1 a8:|2 d8|]")) == 4
    assert structure.count_bars(tune(f"A2|:{A[:-2]}:|A2|{B[:-2]}|]")) == 4
    assert not structure.is_looping(tune("d4e4|f4g4|" * 2 + "]"))
    different = "|".join(f"{a}4{b}4" for a in "CDEFGAB" for b in "cdefgab"[:6])
    assert structure.is_looping(tune(different + "|]")) and not structure.has_loop(tune(different + "|]"))


def test_leaps_are_wider_than_a_fifth():
    assert structure.count_leaps(TuneNotes.of_tune(tune("DAdD|]", "C"))) == (1, 3)
    assert structure.count_leaps(TuneNotes.of_tune(tune("DBD2|]", "C"))) == (2, 2)


def test_profiles_have_a_one_for_each_tune():
    piece = TuneNotes.of_tune(tune(f"|:{A}:|:{B}:|", "EDor"))
    assert np.flatnonzero(structure.count_bar_numbers(piece)).tolist() == [4]
    assert [structure.KEYS[at] for at in np.flatnonzero(structure.count_keys(piece))] == ["EDor"]
    enharmonic = TuneNotes.of_tune(tune("d8|]", "Gb"))
    assert [structure.KEYS[at] for at in np.flatnonzero(structure.count_keys(enharmonic))] == ["F#"]


@pytest.mark.parametrize("body", [
    "C" + "9" * 40 + "|C8|]", "C8|" * 3000 + "]", "z8|]", "", "|:|:C8:|:|", "[K:H]C8|[M:3/4]C6|]", "|[(",
], ids=["endless", "many bars", "silence", "empty", "broken repeats", "no key", "broken"])  # fmt: skip
def test_odd_tunes_are_measured_in_finite_numbers(body):
    group = PieceSet([TuneNotes.of_tune(tune(body))])
    for metric in structure.structure_metrics():
        assert np.isfinite(metric.value(metric.count(group).sum(axis=0))).all(), metric.name


def test_real_tunes_have_the_structure_that_their_players_know(tunes):
    group = PieceSet([TuneNotes.of_tune(Tune.from_text(record.text)) for record in tunes])
    found = {each.name: each.value(each.count(group).sum(axis=0)) for each in structure.structure_metrics()}
    assert found[structure.LOOPS] < 1 and found[structure.LONG] < 5
    assert found[structure.PARTS_ON_TONIC] > 60 and 15 < found[structure.ENDS_ALIKE] < 50
