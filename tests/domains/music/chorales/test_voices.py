import numpy as np
import pytest

from pipeline.domains.music.chorales.voices import (
    InvalidChorale,
    VoiceNote,
    encode_chorale,
    merge_repeats,
    parse_chorale,
    split_symbols,
)

TWO_STEPS = "67,62,58,43 _,60,.,_ "


def test_held_and_repeated_notes_are_told_apart():
    held, struck = parse_chorale("67,62,58,43 _,_,_,_ "), parse_chorale("67,62,58,43 67,_,_,_ ")
    assert [note.length for note in held.notes if note.voice == 0] == [2]
    assert [note.length for note in struck.notes if note.voice == 0] == [1, 1]


def test_where_a_source_does_not_tell_equal_pitches_are_one_note():
    chorale = parse_chorale("67,62,58,43 67,60,.,43 ")
    assert not chorale.marks_repeats
    assert chorale.notes[:3] == (VoiceNote(0, 67, 0, 2), VoiceNote(1, 62, 0, 1), VoiceNote(1, 60, 1, 1))
    assert "".join(encode_chorale(chorale, packed=True)) == "67,62,58,43 67,60,.,43 "


@pytest.mark.parametrize("packed", [True, False])
def test_symbols_of_either_kind_are_read_back(packed):
    chorale = parse_chorale(TWO_STEPS)
    symbols = encode_chorale(chorale, packed)
    assert len(symbols) == (2 if packed else 8)
    back = parse_chorale("".join(symbols))
    assert (back.pitches == chorale.pitches).all() and (back.struck == chorale.struck).all()
    assert split_symbols(TWO_STEPS, packed) == symbols


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no notes"),
        (".,.,.,. ", "no notes"),
        ("67,62,58 ", "voices out of order|without four voices"),
        ("67,62,58,43 67,62 ", "a step without four voices"),
        ("S67 A62 T58 ", "a step without four voices"),
        ("S67 T58 A62 B43 ", "voices out of order"),
        ("_,62,58,43 ", "a note is held that was not struck"),
        ("67,62,58,. 67,62,58,_ ", "a note is held that was not struck"),
        ("167,62,58,43 ", "a note above 127"),
        ("the quick brown fox ", "voices out of order"),
    ],
)
def test_what_is_no_chorale_is_told_in_short(text, reason):
    with pytest.raises(InvalidChorale, match=reason):
        parse_chorale(text)


def test_an_unfinished_step_is_a_start():
    assert split_symbols("S67 A62", packed=False) == ("S67 ", "A62 ")
    with pytest.raises(InvalidChorale):
        split_symbols("S67 A62", packed=True)


def test_a_coarser_grid_has_the_pitches_heard_on_it():
    fine = parse_chorale("67,62,58,43 _,64,_,_ 65,_,_,_ _,_,_,_ ")
    coarse = fine.coarsen(2)
    assert "".join(encode_chorale(coarse, packed=True)) == "67,62,58,43 65,64,_,_ "
    assert (fine.coarsen(1).struck == fine.struck).all()


def test_other_keys_keep_silence():
    moved = merge_repeats(np.array([[67, 62, -1, 43]])).transpose(-2)
    assert moved.pitches.tolist() == [[65, 60, -1, 41]]
