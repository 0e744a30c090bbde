"""All renders of a few real tunes, among them one with an ornament and one with grace notes."""

import dataclasses

import pytest

from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.render.all_renders import AllRenders
from pipeline.domains.music.render.audio import AudioRender
from pipeline.domains.music.render.midi import MidiRender
from pipeline.domains.music.render.notation import read_midi_pitches
from pipeline.domains.music.render.playback import sounding_notes
from pipeline.domains.music.render.scamp_render import ScampRender
from pipeline.domains.music.render.score import ScoreRender
from pipeline.errors import ConfigError
from pipeline.records import Record, References

NONE = References({}, lambda: iter(()))


@pytest.fixture(scope="module")
def records(tunes):
    return [dataclasses.replace(tune, id=f"tune_{i:04d}") for i, tune in enumerate(tunes[9:12], 1)]


def test_midi_has_the_notes_of_the_tune(records, tmp_path):
    outputs = MidiRender()(records, NONE, tmp_path, seed=1)
    assert [path.name for path in outputs.files] == ["tune_0001.mid", "tune_0002.mid", "tune_0003.mid"]
    for record, path in zip(records, outputs.files, strict=True):
        notes = sounding_notes(Tune.from_text(record.symbols))
        assert read_midi_pitches(path.read_bytes()) == [pitch for note in notes for pitch in note.pitches]


def test_a_tune_that_is_not_valid_is_a_rejection(tmp_path):
    bad = Record("tune_0001", "M:4/4\nL:1/8\nK:C\nC9|]")
    outputs = MidiRender()([bad], NONE, tmp_path, seed=1)
    assert outputs.files == () and "bar too long" in outputs.rejections[0].detail


def test_everything(records, tmp_path):
    outputs = AllRenders(max_tunes=2)(records, NONE, tmp_path, seed=1)
    found = {path.relative_to(tmp_path).as_posix() for path in outputs.files}
    for name in ("tune_0001", "tune_0002"):
        assert {f"midi/{name}.mid", f"score/{name}.musicxml", f"score/{name}.svg", f"score/{name}.png",
                f"scamp/{name}.mid", f"scamp/{name}.musicxml", f"audio/{name}.wav"} <= found  # fmt: skip
    assert {"score/tunes.pdf", "tunebook.html"} <= found
    assert "midi/tune_0003.mid" in found and "score/tune_0003.svg" not in found
    assert outputs.rejections == ()
    assert all((tmp_path / name).stat().st_size > 500 for name in found)
    assert records[0].metadata["title"].split()[0] in (tmp_path / "score" / "tune_0001.svg").read_text()


def test_performances_depend_on_the_seed_alone(records, tmp_path):
    made = []
    for number, seed in enumerate((1, 1, 2)):
        folder = tmp_path / str(number)
        ScampRender(max_tunes=1, sound=False)(records, NONE, folder, seed)
        made.append((folder / "scamp" / "tune_0001.mid").read_bytes())
    assert made[0] == made[1] != made[2]


@pytest.mark.parametrize("render", [MidiRender, ScoreRender, AudioRender, ScampRender, AllRenders])
def test_settings_are_checked_before_a_run(render):
    for instrument in (-1, 128, 7.5, True, "theremin"):
        with pytest.raises(ConfigError, match=r"render\.instrument"):
            render(instrument=instrument)
    if render is not MidiRender:
        with pytest.raises(ConfigError, match=r"render\.max_tunes"):
            render(max_tunes=0)


def test_two_tunes_are_played_by_different_hands(records, tmp_path):
    twins = [dataclasses.replace(records[0], id=f"tune_{i:04d}") for i in (1, 2)]
    ScampRender(sound=False)(twins, NONE, tmp_path, seed=1)
    first, second = ((tmp_path / "scamp" / f"{record.id}.mid").read_bytes() for record in twins)
    assert first != second


def test_midi_has_the_pitches_that_we_read():
    # An accidental holds to the bar line, a fermata and a grace note in a tuplet cost no note.
    body = "=c>dcB D2HD2|(3d{e}dc A4 d>d|1F8:|2F8|]"
    tune = Tune("4/4", "1/8", "D", body)
    ((_, data),) = MidiRender().convert(iter([Record("tune_0001", tune.text)]))
    assert read_midi_pitches(data) == [pitch for note in sounding_notes(tune) for pitch in note.pitches]


@pytest.mark.parametrize(
    ("body", "pitches"),
    [
        ("^f2F2c4|F8|]", [78, 66, 72, 65]),  # in all octaves
        ("^f8-|f2f2F4|]", [78, 77, 65]),  # over the bar line for the tied note alone
        ("^f2[FA]2 [_Bd]2B2|B8|]", [78, 66, 69, 70, 74, 70, 71]),
        ("T^f4f4|~_B4b4|]", [78, 78, 70, 82]),
        ("{^g}a4g4|^^f4f4|]", [80, 81, 80, 79, 79]),
        ("^f4[K:D]=f2f2|f8|]", [78, 77, 77, 78]),
    ],
)
def test_accidentals_are_those_of_the_standard(body, pitches):
    record = Record("tune_0001", Tune("4/4", "1/8", "C", body).text)
    ((_, data),) = MidiRender().convert(iter([record]))
    assert isinstance(data, bytes), data
    assert read_midi_pitches(data) == pitches


def test_a_triplet_as_upbeat_is_performed(tmp_path):
    tune = Record("tune_0001", "M:2/4\nL:1/16\nK:D\n(3ABA|dfgdgBff|gfedcdec|dcBAGFGA|E2FGA2:|")
    outputs = ScampRender(sound=False)([tune], NONE, tmp_path, seed=1)
    assert outputs.rejections == () and (tmp_path / "scamp" / "tune_0001.musicxml").exists()
