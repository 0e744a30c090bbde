"""Settings of one tune are found in books that differ; tunes that only share their style are kept."""

import numpy as np
import pytest

from pipeline.data.deduplication import DuplicateFinder
from pipeline.data.near_copy_groups import NearCopyGrouper
from pipeline.domains.music.abc.domain import Abc
from pipeline.domains.music.compare.melody import encode_melody, hash_melody_ngrams
from pipeline.records import Record

REEL = "d2fd adfd|edef gfed|d2fd adfa|bagf edBA|d2fd adfd|edef gfed|fafd gfed|c2A2 d4|]"
OTHER_FIRST_BARS = "d3f a3f|g2e2 c2A2|d2fd adfa|bagf edBA|d2fd adfd|edef gfed|fafd gfed|c2A2 d4|]"


def text(body: str, key: str = "D", meter: str = "4/4", unit: str = "1/8") -> str:
    return f"M:{meter}\nL:{unit}\nK:{key}\n{body}"


def kept(*bodies: str) -> list[bool]:
    duplicates = DuplicateFinder(Abc())
    return [duplicates.find(Record(str(number), each)) is None for number, each in enumerate(bodies)]


def groups_of(*tunes: str) -> list[int]:
    grouping = NearCopyGrouper()
    for number, tune in enumerate(tunes):
        grouping.add_parts(number, Abc().fingerprints(Record(str(number), tune)))
    return grouping.groups(np.full(len(tunes), 100), 1.0).labels.tolist()


@pytest.mark.parametrize("same", [
    text("e2ge bege|fefg agfe|e2ge bege|c'bag fecB|e2ge bege|fefg agfe|gbge agfe|d2B2 e4|]", "E"),
    text(REEL.replace("|", ""), meter="2/4", unit="1/16"),
    text(OTHER_FIRST_BARS),
    text("d>f a>d|" + REEL.replace("fd ad", "f>d a>d").replace("ed gf", "e>d g>f")),
], ids=["key", "bar lines and unit", "other first bars", "dotted"])  # fmt: skip
def test_a_setting_of_a_tune_is_a_near_copy(same):
    assert groups_of(text(REEL), text("CDEF GABc|" * 8, "C"), same) == [0, 1, 0]


def test_the_same_melody_in_another_key_and_unit_is_a_duplicate():
    moved = text(REEL.replace("|", ""), meter="2/4", unit="1/16")
    assert kept(text(REEL), moved, text(OTHER_FIRST_BARS)) == [True, False, True]


def test_short_tunes_are_compared_whole():
    low, high = text("CDEF GABc|c8|]", "C"), text("DEFG ABcd|d8|]", "D")
    other = text("CDEF GABc|c4 c4|]", "C")
    assert kept(low, high, other) == [True, False, True]


def test_a_drone_has_a_hash_too():
    assert len(hash_melody_ngrams(text("d8|" * 40))) == 1
    assert len(hash_melody_ngrams("no tune")) == 0
    assert Abc().duplicate_key(Record("x", "no tune")) is None


def test_ties_are_one_note_and_chords_their_highest():
    assert (encode_melody(text("d4-d4|[Fd]4 g4|]")) == encode_melody(text("d8|d4 g4|]"))).all()


def test_few_tunes_of_one_book_are_settings_of_others(tunes):
    groups = groups_of(*(record.text for record in tunes))
    assert 0 < len(groups) - len(set(groups)) < 0.05 * len(tunes)
