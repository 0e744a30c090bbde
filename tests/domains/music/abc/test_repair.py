"""Repairs: few edits, all of them listed, and a valid tune."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domains.music.abc.domain import Abc
from pipeline.domains.music.abc.repair import repair_tune
from pipeline.domains.music.abc.tune import Tune
from pipeline.records import Rejection, Sample

REPAIRING = Abc(repair=True)


@pytest.mark.parametrize(
    ("body", "repaired", "edit"),
    [
        ("|:GABc|dBGF|G4|AGFE:|", None, None),
        ("GABc|dBGFE|G4|]", "GABc|dBGF|G4|]", "bar 2: the last note taken out"),
        ("GABc|dBGF2|G4|]", "GABc|dBGF|G4|]", "bar 2: F2 made F"),
        ("G|GABc|dBG2:|", "G|GABc|dBG:|", "bar 3: G2 made G"),
        ("GABc|dBG|G4|]", "GABc|dBG2|G4|]", "bar 2: G made G2"),
        ("GABc|dB-cA|G4|]", "GABc|dBcA|G4|]", "bar 2: - taken out"),
        ("GABc|d#BcA|G4|]", "GABc|dBcA|G4|]", "bar 2: # taken out"),
        ("|:GABc|dBcA|G4|]", "|:GABc|dBcA|G4:|", "bar 4: |] made :|"),
        ("|:GABc|dBcA|1G4:|", "|:GABc|dBcA|G4:|", "bar 3: 1 taken out"),
        ("M", None, None),
    ],
)  # fmt: skip
def test_one_edit_repairs_one_mistake(body, repaired, edit):
    tune = Tune("2/4", "1/8", "G", body)
    found = repair_tune(tune)
    if repaired is None:
        assert found is None or found[1] == ()
    else:
        assert found is not None and found[0].body == repaired and found[1] == (edit,)


def test_bars_that_agree_with_each_other_have_their_own_meter():
    tune, edits = repair_tune(Tune("3/4", "1/8", "G", "GABc|dBGF|A2c2|G4|]"))
    assert tune.meter == "2/4" and edits == ("M:3/4 made M:2/4",)


def test_most_tunes_with_a_token_lost_or_doubled_are_repaired(tunes):
    rng, found = random.Random(1), Counter()
    for record in tunes:
        tune = Tune.from_text(record.text)
        token = rng.choice(tune.tokens)
        twice = rng.random() < 0.5
        body = tune.body[: token.start] + token.text * 2 * twice + tune.body[token.start + len(token.text) :]
        broken = Tune(tune.meter, tune.unit, tune.key, body)
        if not broken.check():
            continue
        result = repair_tune(broken)
        found[result is not None] += 1
        if result is not None:
            assert not result[0].check() and result[1]
    assert found[True] > 0.9 * found.total() > 50


def sample(text: str, ended: bool = True) -> Sample:
    return Sample(0, 0, text, 0, ended, -1.0)


BODIES = st.text(alphabet="ABcd23/|:[]()\"'^_=<>-{}!zx~. 1%&KM\n", max_size=80) | st.text(max_size=40)


@settings(max_examples=150, deadline=None)
@given(BODIES, st.sampled_from(["4/4", "6/8", "none"]))
def test_any_body_is_repaired_or_refused(body, meter):
    found = repair_tune(Tune(meter, "1/8", "D", body))
    assert found is None or not found[0].check()


@settings(max_examples=100, deadline=None)
@given(BODIES, st.booleans())
def test_any_sample_is_a_tune_or_a_rejection(body, ended):
    finished = REPAIRING.finish(sample(f"M:4/4\nL:1/8\nK:D\n{body}", ended))
    assert isinstance(finished, Rejection) or not Tune.from_text(finished.text).check()
