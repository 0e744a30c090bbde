"""The best tunes first, by checks that anyone can make by hand."""

import pytest

from pipeline.domains.music.compare.ranking import CHECKS, rank_tunes
from pipeline.records import Record

PART = "dfaf edcd|efge d2d2|fafd gbge|efge d4"
GOOD = f"|:{PART}:|:{PART[::1].replace('dfaf', 'd2af')}:|"


def record(name: str, body: str, key: str = "D", nats: float = -100.0) -> Record:
    return Record(name, f"M:4/4\nL:1/8\nK:{key}\n{body}", {"log_probability": str(nats)})


@pytest.mark.parametrize(("body", "key", "failed"), [
    (GOOD, "D", ""),
    (GOOD, "G", "all parts end on the tonic"),
    ("dfaf edcd|efge d2d2|" * 4 + "]", "D", "no loop"),
    ("d8|" * 8 + "]", "D", "no loop"),
    (f"{PART}|d8||{PART}|]", "D", "parts of 4, 8, 12 … bars"),
    ("f8|^f8|^g8|^c'8|]".replace("^c'8", "f8"), "F#", "a usual key"),
    ("D8|d8|D,,8|d8|]", "D", "a playable range"),
], ids=["good", "tonic", "loop", "a bar again and again", "phrases", "key", "range"])  # fmt: skip
def test_each_check_names_what_fails(body, key, failed):
    (found,) = rank_tunes([record("tune", body, key)])
    said = found.metadata["checks"]
    if failed:
        assert failed in said.partition("; not: ")[2]
    else:
        assert said == f"{len(CHECKS)} of {len(CHECKS)} passed"


def test_most_checks_come_first_and_the_middling_likely_before_the_likeliest():
    likely, middling, unlikely = (record(name, GOOD, nats=nats) for name, nats in
                                  (("likely", -10), ("middling", -100), ("unlikely", -150)))  # fmt: skip
    bad = record("bad", GOOD, "G", -100)
    assert [each.id for each in rank_tunes([bad, likely, unlikely, middling])] == [
        "middling", "unlikely", "likely", "bad",
    ]  # fmt: skip


def test_equal_tunes_keep_their_order():
    assert [each.id for each in rank_tunes([record("a", GOOD), record("b", GOOD)])] == ["a", "b"]
    assert rank_tunes([]) == []
