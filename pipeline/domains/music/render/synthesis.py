"""From MIDI files to sound, run in a child process: a soundfont is any file that a user hands in."""

import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from pipeline.runtime.programs import run_program

if TYPE_CHECKING:
    from symusic.core import ScoreTick

RATE = 48_000
"""Samples a second."""
PEAK = 0.89
"""The loudest sample, as a share of full scale: one decibel below it, so that no encoder clips."""
_RING_S = 4.0
_FADE_S = 0.03
_SILENCE = 0.001
"""Peaks below this share of full scale are silence: a soundfont without the instrument. Of the loudest sample
this share, 60 decibels below it, ends what is heard of a reverberation."""
_FLUIDSYNTH_LIMIT_S = 120.0


def synthesise(soundfont: str, fluidsynth: bool, sources: list[str], targets: list[list[str]]) -> list[str]:
    """Play MIDI files into sound files, their kinds told by suffixes; "" or what went wrong for each."""
    font = b"" if fluidsynth else Path(soundfont).read_bytes()
    jobs = zip(sources, targets, strict=True)
    return [_try(soundfont, font, Path(source), files) for source, files in jobs]


def _try(soundfont: str, font: bytes, source: Path, files: list[str]) -> str:
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
    """ "" where the built-in synthesizer takes the soundfont, else why not."""
    import midirenderer
    from symusic import Note, Score, Track

    score = cast("ScoreTick", Score(480))
    score.tracks.append(Track())
    score.tracks[0].notes.append(Note(0, 48, 60, 80))
    try:
        midirenderer.render_wave_from(Path(soundfont).read_bytes(), score.dumps_midi())
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return str(error) or type(error).__name__  # a MemoryError says nothing
    return ""


def _with_ring(midi: bytes) -> bytes:
    """The file with an empty event some seconds after its last note, up to which synthesizers go on."""
    from symusic import ControlChange, Score

    score = cast("ScoreTick", Score.from_midi(midi))
    quickest = max((tempo.qpm for tempo in score.tempos), default=120.0)
    end = score.end() + int(_RING_S * quickest / 60 * score.tpq)
    for track in score.tracks[:1]:
        track.controls.append(ControlChange(end, 3, 0))  # an undefined controller
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
        # Samples as numbers with a point: whatever is too loud is made softer by us, not clipped.
        options = ["-ni", "-q", "-r", str(RATE), "-T", "wav", "-O", "float", "-F", str(target)]
        command = ["fluidsynth", *options, str(Path(soundfont).absolute()), str(source)]
        done = run_program(command, _FLUIDSYNTH_LIMIT_S)
        if done.returncode or not target.exists():
            last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
            raise ValueError(f"fluidsynth ended with exit status {done.returncode}: {last}")
        return soundfile.read(target, dtype="float32")[0]


def finish(samples: np.ndarray) -> np.ndarray:
    """Sound ``(time, channels)`` at one loudness, its reverberation whole, its end faded out.

    Raises ValueError where nothing is heard.
    """
    loudness = np.abs(samples).max(axis=1) if len(samples) else np.zeros(0)
    loudest = float(loudness.max(initial=0.0))
    if loudest < _SILENCE:
        raise ValueError(f"nothing is heard: the loudest sample is {loudest:.4f} of full scale")
    fade = int(_FADE_S * RATE)
    end = min(int(np.flatnonzero(loudness > _SILENCE * loudest)[-1]) + fade, len(samples))
    made = samples[:end] * np.float32(PEAK / loudest)
    fade = min(fade, end)
    made[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)[:, None]
    return made
