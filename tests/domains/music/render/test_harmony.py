"""Chords of well-known tunes, and those of the Nottingham books."""

import pytest

from pipeline.domains.music.abc.domain import Abc
from pipeline.domains.music.abc.notes import WHOLE
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.abc.tune_text import parse_tune
from pipeline.domains.music.render.accompaniment import accompany
from pipeline.domains.music.render.harmony import harmonise, parse_chord
from pipeline.records import Record


def names(body: str, meter: str, unit: str, key: str) -> list[str]:
    return [chord.name for chord in harmonise(Tune(meter, unit, key, body))]


def test_twinkle_twinkle():
    body = "CCGG|AAG2|FFEE|DDC2|GGFF|EED2|GGFF|EED2|CCGG|AAG2|FFEE|DDC2|]"
    found = names(body, "4/4", "1/4", "C")
    assert found[0] == found[8] == found[-1] == "C" and found[1] == found[9] == "F"
    assert set(found) <= {"C", "F", "G", "Dm", "Am"}


def test_the_kesh_jig_is_of_the_tonic_and_its_neighbours():
    body = "G3GAB|A3ABd|edd gdd|edBdBA|GAGGAB|ABAABd|edd gdB|AGFG3:|"
    found = names(body, "6/8", "1/8", "G")
    assert found[0] == found[-1] == "G" and set(found) <= {"G", "D", "Am", "C", "Em"}
    assert found[1] in ("D", "Am")


def test_a_dorian_tune_goes_to_the_flat_seventh():
    found = names("EBBA B2EB|B2AB dBAG|FDAD BDAD|FDAD dAFD|EBBA B2EB|B2AB defg|afec dBAF|DEFD E4|]",
                  "4/4", "1/8", "EDor")  # fmt: skip
    assert found[0] == "Em" and found[2] == found[3] == "D" and found[-1] == "Em"


def test_a_lydian_tune_has_a_major_second():
    assert names("G2B2 d4|A2^c2 e4|A2^c2 e2d2|G8|]", "4/4", "1/8", "GLyd") == ["G", "A", "A", "G"]


def test_chords_that_are_named_are_taken_and_hold_until_the_next():
    assert names('"Am7"A4|B4|"D/F#"d4|]', "4/4", "1/4", "C") == ["Am", "Am", "D"]
    assert names('A4|"G"B4|]', "4/4", "1/4", "C") == ["G", "G"]


@pytest.mark.parametrize(
    ("text", "notes"),
    [("C", (0, 4, 7)), ("Bbm", (10, 1, 5)), ("F#dim", (6, 9, 0)), ("Gmaj7", (7, 11, 2)), ("E+", (4, 8, 0))],
)
def test_chord_symbols(text, notes):
    assert parse_chord(text).pitch_classes == notes


def test_chords_agree_with_those_of_the_nottingham_books(shared):
    agreed = tonic = total = 0
    for record in Abc().read(shared / "nottingham_abc_cleaned" / "jigs.abc"):
        if not isinstance(record, Record) or '"' not in record.text:
            continue
        tune = parse_tune(record.text)
        plain = Tune(
            tune.meter, tune.unit, tune.key, "".join(t.text for t in tune.tokens if t.kind != "string")
        )
        ours, theirs = harmonise(plain), harmonise(tune)
        agreed += sum(a == b for a, b in zip(ours, theirs, strict=True))
        tonic += sum(b == theirs[-1] for b in theirs)
        total += len(ours)
    assert total > 3000
    assert agreed / total > 0.60 > 0.52 > tonic / total  # the last chord, the tonic, always


@pytest.mark.parametrize(
    ("meter", "strikes"),
    [("6/8", 4), ("9/8", 6), ("4/4", 4), ("2/4", 4), ("3/4", 3), ("2/2", 4), ("none", 2)],
)
def test_an_accompaniment_has_the_pattern_of_the_meter(meter, strikes):
    length = "4" if meter == "none" else str(int(meter[0]) * 8 // int(meter[2]))
    found = list(accompany(Tune(meter, "1/8", "G", f"G{length}|G{length}|]")))
    assert len(found) == strikes + 1  # and the last chord
    assert all(40 <= pitch < 67 for _, _, pitches, _ in found for pitch in pitches)
    bar = int(length) * WHOLE // 8
    assert all(onset + length <= bar for onset, length, _, _ in found[:-1])


def test_nothing_accompanies_an_upbeat():
    onset, *_ = next(iter(accompany(Tune("4/4", "1/8", "G", "D2|G8|G8|]"))))
    assert onset == WHOLE // 4
