"""Metrics of counterpoint, compared with music21's analysis where it has one."""

from itertools import combinations, pairwise

import pytest
from music21_corpus import BACH

from pipeline.domains.music.chorales.counterpoint import (
    FIFTH,
    OCTAVE,
    count_chords,
    count_crossings,
    count_leaps,
    count_lengths,
    count_out_of_range,
    count_parallels,
    count_wide_gaps,
)
from pipeline.domains.music.chorales.files import read_chorales
from pipeline.domains.music.chorales.voices import SILENT, parse_chorale


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
    assert count_parallels(found.chorale, FIFTH)[0] == fifths
    assert count_parallels(found.chorale, OCTAVE)[0] == octaves


@pytest.mark.parametrize(
    ("text", "fifths", "octaves"),
    [
        ("67,60,55,48 69,62,57,50 ", 3, 2),  # all together up
        ("67,60,55,48 67,60,55,48 ", 0, 0),  # nothing moves
        ("79,60,.,. 72,65,.,. ", 0, 0),  # contrary motion
    ],
)
def test_parallels_by_hand(text, fifths, octaves):
    chorale = parse_chorale(text)
    assert (count_parallels(chorale, FIFTH)[0], count_parallels(chorale, OCTAVE)[0]) == (fifths, octaves)


def test_voices_are_counted():
    chorale = parse_chorale("60,62,58,43 _,60,_,_ 90,_,_,. ")
    assert count_crossings(chorale) == (1, 3)
    assert count_out_of_range(chorale) == (2, 6)  # soprano 60 and 90
    assert count_wide_gaps(chorale) == (1, 3)
    assert count_leaps(chorale).sum() == 2 and count_lengths(chorale).sum() == 6
    assert count_chords(chorale).sum() == 2  # without a bass there is none
