"""Grace notes are heard: in the MIDI file they take their time from the note after them."""

import shutil
import subprocess

import pytest
import symusic

from pipeline.domains.music.abc.tune_text import format_tune, parse_tune
from pipeline.domains.music.render.notation import export_midi
from pipeline.domains.music.render.playback import played_notes, sounding_notes
from pipeline.records import Record

HEADER = "M:4/4\nL:1/8\nK:D\n"
BODY = "{g}f2 {gf}e2 {gfe}d2 d2|{g}f {g}e/2d/2 {gfgfg}A2 f4|]"


def struck(score: symusic.Score) -> list[tuple[int, int]]:
    """Onsets in 480ths of a quarter note, and pitches."""
    scale = 480 / score.ticks_per_quarter
    return sorted((round(note.start * scale), note.pitch) for track in score.tracks for note in track.notes)


def midi(body: str) -> list[tuple[int, int]]:
    return struck(symusic.Score.from_midi(export_midi(Record("tune", HEADER + body), 73)))


def test_a_grace_note_lasts_a_quarter_of_the_unit_and_shortens_its_note():
    assert midi("{gf}e4 d4|]") == [(0, 79), (60, 78), (120, 76), (960, 74)]


def test_grace_notes_leave_a_short_note_a_quarter_of_its_length():
    assert midi("{gg}e/2 d/2 d3 d4|]")[:4] == [(0, 79), (45, 79), (90, 76), (120, 74)]


def test_grace_notes_follow_the_key_repeats_and_ties():
    assert midi("|:{c}d4-d4:|") == [(0, 73), (60, 74), (1920, 73), (1980, 74)]


def test_notes_and_bars_stay_where_they_are():
    tune = parse_tune(HEADER + BODY)
    plain, sounding = played_notes(tune), sounding_notes(tune)
    assert len(sounding) == len(plain) + 13
    assert sum(note.duration for note in sounding) == sum(note.duration for note in plain)
    ends = {note.onset + note.duration for note in sounding}
    assert ends >= {note.onset + note.duration for note in plain}


@pytest.mark.skipif(shutil.which("abc2midi") is None, reason="abc2midi is not on PATH")
def test_onsets_are_those_of_abc2midi(tmp_path):
    (tmp_path / "tune.abc").write_text(format_tune(Record("tune", HEADER + BODY), 1), encoding="utf-8")
    subprocess.run(["abc2midi", "tune.abc", "-o", "tune.mid"], cwd=tmp_path, check=True, capture_output=True)
    theirs = struck(symusic.Score(tmp_path / "tune.mid"))
    ours = midi(BODY)
    assert [pitch for _, pitch in ours] == [pitch for _, pitch in theirs]
    # abc2midi starts everything one tick late.
    assert all(abs(mine - other) <= 1 for (mine, _), (other, _) in zip(ours, theirs, strict=True))
