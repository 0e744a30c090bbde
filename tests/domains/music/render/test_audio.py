"""Sound: loudness, ends, formats, soundfonts and synthesizers that fail, and speakers that are not there."""

import os
import shutil
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.render.all_renders import AllRenders
from pipeline.domains.music.render.audio import AudioRender
from pipeline.domains.music.render.live import play_aloud
from pipeline.domains.music.render.scamp_render import ScampRender
from pipeline.domains.music.render.synthesis import PEAK, RATE, finish, try_soundfont
from pipeline.errors import ConfigError
from pipeline.records import Record, References

NONE = References({}, lambda: iter(()))
RECORD = Record("tune_0001", Tune("4/4", "1/8", "G", "GBdB gdBd|g8|]", rhythm="reel").text)


def test_sound_is_at_one_loudness_rings_out_and_ends_without_a_click(tmp_path):
    outputs = AudioRender()([RECORD], NONE, tmp_path, seed=1)
    wav, mp3 = outputs.files
    assert (wav.name, mp3.name) == ("tune_0001.wav", "tune_0001.mp3") and outputs.rejections == ()
    samples, rate = soundfile.read(wav)
    assert rate == RATE and np.abs(samples).max() == pytest.approx(PEAK, abs=0.001)
    assert np.abs(samples[-10:]).max() < 0.001
    last_note_ends_s = 16 * 60 / 416
    assert len(samples) / rate > last_note_ends_s + 0.2  # the reverberation
    again, again_rate = soundfile.read(mp3)
    assert again_rate == rate and len(again) == pytest.approx(len(samples), abs=3000)
    assert np.abs(again).max() <= 1


def test_the_same_tune_gives_the_same_bytes(tmp_path):
    one, two = (AudioRender()([RECORD], NONE, tmp_path / name, seed=1).files for name in ("a", "b"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


@pytest.mark.parametrize(("audio_format", "names"), [("flac", ["wav", "flac"]), (None, ["wav"])])
def test_formats(audio_format, names, tmp_path):
    outputs = AudioRender(audio_format=audio_format)([RECORD], NONE, tmp_path, seed=1)
    assert [path.suffix[1:] for path in outputs.files] == names


def test_silence_is_cut_and_refused():
    ringing = np.zeros((RATE, 2), np.float32)
    ringing[: RATE // 2] = 0.25
    made = finish(ringing)
    assert len(made) == pytest.approx(RATE // 2 + 0.03 * RATE, abs=2) and made.max() == pytest.approx(PEAK)
    assert len(finish(np.full((10, 2), 0.5, np.float32))) <= 10
    for silent in (np.zeros((RATE, 2), np.float32), np.zeros((0, 2), np.float32)):
        with pytest.raises(ValueError, match="the sound is silent"):
            finish(silent)


# --- settings, before anything is made ---------------------------------------------------------------------


@pytest.fixture
def not_a_soundfont(tmp_path):
    def make(data: bytes) -> str:
        path = tmp_path / "mine.sf2"
        path.write_bytes(data)
        return str(path)

    return make


@pytest.mark.parametrize("render", [AudioRender, ScampRender, AllRenders])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not a SoundFont 2 file"),
        (b"\x89PNG and so on, for long", "is not a SoundFont 2 file"),
        (b"RIFF\x10\0\0\0sfbk" + b"\0" * 40, "the built-in synthesizer cannot read"),
    ],
)
def test_what_is_no_soundfont_is_told_before_a_run(render, data, message, not_a_soundfont):
    with pytest.raises(ConfigError, match=rf"render\.soundfont: .*{message}"):
        render(soundfont=not_a_soundfont(data), synth="builtin")


def test_a_soundfont_larger_than_any_is_not_read(tmp_path):
    with (tmp_path / "large.sf2").open("wb") as stream:
        stream.write(b"RIFF\0\0\0\0sfbk")
        stream.truncate(2**36)
    with pytest.raises(ConfigError, match="more than the 4,294,967,304 bytes of a RIFF file"):
        AudioRender(soundfont=str(tmp_path / "large.sf2"))


def test_an_error_without_a_message_is_a_refusal(monkeypatch, tmp_path):
    (tmp_path / "any.sf2").write_bytes(b"RIFF")

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr("midirenderer.render_wave_from", fail)
    assert try_soundfont(str(tmp_path / "any.sf2")) == "MemoryError"


def test_a_soundfont_that_is_missing_or_a_folder_is_told_at_once(tmp_path):
    for soundfont in ("nowhere.sf2", str(tmp_path)):
        with pytest.raises(ConfigError, match=r"render\.soundfont: .* is not a file; name an \.sf2 file"):
            AudioRender(soundfont=soundfont)


def test_settings_have_names():
    with pytest.raises(ConfigError, match=r"render\.audio_format"):
        ScampRender(audio_format="ogg")
    with pytest.raises(ConfigError, match=r"render\.synth"):
        AllRenders(synth="timidity")
    with pytest.raises(ConfigError, match=r"render\.accompaniment"):
        AllRenders(accompaniment="hurdy-gurdy")


def test_fluidsynth_is_asked_for_where_it_is_not(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"render\.synth: fluidsynth is not found on PATH"):
        AudioRender(synth="fluidsynth")


# --- other synthesizers ------------------------------------------------------------------------------------


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_fluidsynth_plays_the_default_soundfont(tmp_path):
    if shutil.which("fluidsynth") is None:
        pytest.skip("no fluidsynth on PATH")
    outputs = AudioRender(synth="fluidsynth", audio_format=None)([RECORD], NONE, tmp_path, seed=1)
    assert outputs.rejections == () and soundfile.info(outputs.files[0]).samplerate == RATE


def test_a_synthesizer_that_fails_is_a_rejection(tmp_path, monkeypatch):
    program(tmp_path / "bin", "fluidsynth", "echo 'no memory' >&2; exit 3")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    outputs = AudioRender(synth="fluidsynth")([RECORD], NONE, tmp_path, seed=1)
    assert outputs.files == () and not list(tmp_path.rglob("*.wav"))
    (rejection,) = outputs.rejections
    assert (rejection.where, rejection.reason) == ("tune_0001", "no sound")
    assert "fluidsynth ended with exit status 3: no memory" in rejection.detail


# --- speakers ----------------------------------------------------------------------------------------------


@pytest.fixture
def wav(tmp_path):
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as stream:
        stream.setparams((1, 2, 8000, 0, "NONE", ""))
        stream.writeframes(b"\0" * 800)
    return path


def test_without_a_player_a_run_goes_on_and_says_so(wav, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert play_aloud([wav]) == "not played aloud: none of afplay, pw-play, paplay, aplay is on PATH"


def test_without_speakers_a_run_goes_on_and_says_so(wav, monkeypatch, tmp_path):
    program(tmp_path / "bin", "paplay", "echo 'Connection refused' >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert play_aloud([wav]) == "not played aloud: paplay found no speakers (Connection refused)"


def test_players_get_every_file(wav, monkeypatch, tmp_path):
    program(tmp_path / "bin", "aplay", f'echo "$@" >> {tmp_path}/played')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert play_aloud([wav, wav]) == "2 played aloud by aplay"
    assert (tmp_path / "played").read_text() == f"-q {wav}\n" * 2
