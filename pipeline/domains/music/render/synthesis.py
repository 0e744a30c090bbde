"""From MIDI files to sound. It runs in a child process, because a user's soundfont may crash native code."""

import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.runtime.programs import run_program

RATE = 48_000
"""Samples a second."""
PEAK = 0.89
"""The loudest sample, as a share of full scale: one decibel below it, so that no encoder clips."""
_RING_S = 4.0
"""Time for the reverberation after the last note."""
_FADE_S = 0.03
_SILENCE = 0.001
"""Silence: a sound whose peak is below this share of full scale, from a soundfont without the instrument. The
end of a sound: where it stays below this share of its loudest sample, 60 decibels."""
_FLUIDSYNTH_LIMIT_S = 120.0


def synthesise(soundfont: str, fluidsynth: bool, sources: list[str], targets: list[list[str]]) -> list[str]:
    """Play MIDI files into sound files, whose suffixes say the formats. Returns "" or an error for each."""
    font = b"" if fluidsynth else Path(soundfont).read_bytes()
    jobs = zip(sources, targets, strict=True)
    return [_play_file(soundfont, font, Path(source), files) for source, files in jobs]


def _play_file(soundfont: str, font: bytes, source: Path, files: list[str]) -> str:
    import soundfile

    try:
        midi = _with_ring(source.read_bytes())
        samples = finish(_by_fluidsynth(soundfont, midi) if not font else _by_midirenderer(font, midi))
        for name in files:
            kind: dict[str, Any] = {} if name.endswith(".mp3") else {"subtype": "PCM_16"}
            soundfile.write(name, samples, RATE, **kind)
    except BaseException as error:  # a panic of native code is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return f"{type(error).__name__}: {error}"[:300]
    return ""


def try_soundfont(soundfont: str) -> str:
    """Play one note with the built-in synthesizer. Returns "" or the error."""
    import midirenderer
    from symusic.core import NoteTick, ScoreTick, TrackTick

    score = ScoreTick(480)
    score.tracks.append(TrackTick())
    score.tracks[0].notes.append(NoteTick(0, 48, 60, 80))
    try:
        midirenderer.render_wave_from(Path(soundfont).read_bytes(), score.dumps_midi())
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return str(error) or type(error).__name__  # a MemoryError says nothing
    return ""


def _with_ring(midi: bytes) -> bytes:
    """Add an event without effect `_RING_S` after the last note, up to which synthesizers continue."""
    from symusic.core import ControlChangeTick, ScoreTick

    score = ScoreTick.from_midi(midi)
    fastest = max((tempo.qpm for tempo in score.tempos), default=120.0)
    end = score.end() + int(_RING_S * fastest / 60 * score.tpq)
    for track in score.tracks[:1]:
        track.controls.append(ControlChangeTick(end, 3, 0))  # an undefined controller
    return score.dumps_midi()


def _by_midirenderer(font: bytes, midi: bytes) -> np.ndarray:
    import midirenderer
    import soundfile

    samples, rate = soundfile.read(io.BytesIO(midirenderer.render_wave_from(font, midi)), dtype="float32")
    if rate != RATE:
        raise ValueError(f"the synthesizer gave {rate} samples a second instead of {RATE}")
    return samples


def _by_fluidsynth(soundfont: str, midi: bytes) -> np.ndarray:
    import soundfile

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "tune.mid", Path(folder) / "tune.wav"
        source.write_bytes(midi)
        # Floating-point samples are not clipped where they are too loud; `finish` scales them.
        options = ["-ni", "-q", "-r", str(RATE), "-T", "wav", "-O", "float", "-F", str(target)]
        command = ["fluidsynth", *options, str(Path(soundfont).absolute()), str(source)]
        done = run_program(command, _FLUIDSYNTH_LIMIT_S)
        if done.returncode or not target.exists():
            last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
            raise ValueError(f"fluidsynth ended with exit status {done.returncode}: {last}")
        return soundfile.read(target, dtype="float32")[0]


def finish(samples: np.ndarray) -> np.ndarray:
    """Scale sound ``(time, channels)`` to `PEAK`, cut it after its reverberation, and fade it out.

    Raises ValueError where it is silent.
    """
    loudness = np.abs(samples).max(axis=1) if len(samples) else np.zeros(0)
    loudest = float(loudness.max(initial=0.0))
    if loudest < _SILENCE:
        raise ValueError(f"the sound is silent: the loudest sample is {loudest:.4f} of full scale")
    fade = int(_FADE_S * RATE)
    end = min(int(np.flatnonzero(loudness > _SILENCE * loudest)[-1]) + fade, len(samples))
    made = samples[:end] * np.float32(PEAK / loudest)
    fade = min(fade, end)
    made[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)[:, None]
    return made
