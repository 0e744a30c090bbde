"""What is counted, beside music21's own analysis where it has one."""

from itertools import combinations, pairwise

import pytest
from music21_corpus import BACH

from pipeline.domains.music.chorales.counterpoint import (
    FIFTH,
    OCTAVE,
    chords,
    crossings,
    leaps,
    lengths,
    out_of_range,
    parallels,
    wide_gaps,
)
from pipeline.domains.music.chorales.files import read_chorales
from pipeline.domains.music.chorales.voices import SILENT, from_text


def test_parallels_are_those_of_music21_in_similar_motion():
    from music21 import note, voiceLeading

    (found,) = read_chorales(BACH / "bwv108.6.mxl")
    pitches = found.chorale.pitches
    fifths = octaves = 0
    for upper, lower in combinations(range(4), 2):
        for before, after in pairwise(pitches):
            moved = before[upper], after[upper], before[lower], after[lower]
            same_way = (moved[1] - moved[0]) * (moved[3] - moved[2]) > 0
            if SILENT not in moved and same_way:
                quartet = voiceLeading.VoiceLeadingQuartet(*(note.Note(int(pitch)) for pitch in moved))
                fifths += quartet.parallelFifth()
                octaves += quartet.parallelUnisonOrOctave()
    assert parallels(found.chorale, FIFTH)[0] == fifths
    assert parallels(found.chorale, OCTAVE)[0] == octaves


@pytest.mark.parametrize(
    ("text", "fifths", "octaves"),
    [
        ("67,60,55,48 69,62,57,50 ", 3, 2),  # all together up
        ("67,60,55,48 67,60,55,48 ", 0, 0),  # nothing moves
        ("79,60,.,. 72,65,.,. ", 0, 0),  # contrary motion
    ],
)
def test_parallels_by_hand(text, fifths, octaves):
    chorale = from_text(text)
    assert (parallels(chorale, FIFTH)[0], parallels(chorale, OCTAVE)[0]) == (fifths, octaves)


def test_voices_are_counted():
    chorale = from_text("60,62,58,43 _,60,_,_ 90,_,_,. ")
    assert crossings(chorale) == (1, 3)
    assert out_of_range(chorale) == (2, 6)  # soprano 60 and 90
    assert wide_gaps(chorale) == (1, 3)
    assert leaps(chorale).sum() == 2 and lengths(chorale).sum() == 6
    assert chords(chorale).sum() == 2  # without a bass there is none
