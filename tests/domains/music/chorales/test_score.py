from fractions import Fraction

import pytest
from music21_corpus import BACH

from pipeline.domains.music.chorales.bars import Bars, guess_bars
from pipeline.domains.music.chorales.files import read_chorales
from pipeline.domains.music.chorales.score import choir_score, detect_chorale_key, to_piece
from pipeline.domains.music.chorales.voices import parse_chorale


@pytest.mark.parametrize(
    ("name", "bars", "sharps"),
    [
        ("bwv262", Bars(4, 0), 2),
        ("bwv294", Bars(4, 1), 1),
        ("bwv104.6", Bars(4, 1), 3),
        ("bwv17.7", Bars(3, 1), 3),
    ],
)
def test_bars_and_keys_are_those_of_the_score(name, bars, sharps):
    (found,) = read_chorales(BACH / f"{name}.mxl")
    assert guess_bars(found.chorale, 4) == bars
    assert detect_chorale_key(found.chorale).sharps == sharps


def test_a_score_has_the_notes_of_the_chorale():
    (found,) = read_chorales(BACH / "bwv294.mxl")
    score = choir_score(found.chorale, 4)
    for staff, first in zip(score.parts, (0, 2), strict=True):
        for number in (0, 1):
            printed = []
            for measure in staff.getElementsByClass("Measure"):
                voice = list(measure.voices)[number]
                assert sum(n.quarterLength for n in voice.notesAndRests) == measure.duration.quarterLength
                printed += [note for note in voice.notes if note.tie is None or note.tie.type == "start"]
            sung = [note.pitch for note in found.chorale.notes if note.voice == first + number]
            assert [note.pitch.midi for note in printed] == sung


def test_an_upbeat_stands_in_the_piece_too():
    (found,) = read_chorales(BACH / "bwv294.mxl")
    piece = to_piece(found.chorale, 4)
    assert [(m.tick, m.beats) for m in piece.meters] == [(0, 1), (480, 4)]
    assert piece.end == 480 * Fraction(len(found.chorale), 4)


def test_coarse_and_short_chorales_have_scores():
    for text in ("67,62,58,43 ", "67,62,58,. 65,.,.,43 65,62,57,_ "):
        for steps_per_quarter in (4, 2, 1):
            assert len(choir_score(parse_chorale(text), steps_per_quarter).parts) == 2
