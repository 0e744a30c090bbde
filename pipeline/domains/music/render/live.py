"""Plays sound files through the loudspeakers, where there are any, by the player of the system."""

import shutil
import wave
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import ToolError
from pipeline.runtime.programs import run_program

_PLAYERS = {"afplay": [], "pw-play": [], "paplay": [], "aplay": ["-q"]}
"""The players of macOS, PipeWire, PulseAudio and ALSA, with their options."""
_EXTRA_TIME_S = 10.0
"""A player may take so much longer than its music lasts."""


def play_aloud(paths: Sequence[Path]) -> str:
    """Play WAV files one after the other, in real time, and return a line for the summary of the run."""
    player = next((name for name in _PLAYERS if shutil.which(name)), None)
    if player is None:
        return f"not played aloud: none of {', '.join(_PLAYERS)} is on PATH"
    for number, path in enumerate(paths):
        why = _play(player, path)
        if why:
            after = f" after {number}" if number else ""
            return f"not played aloud{after}: {player} found no speakers ({why})"
    return f"{len(paths)} played aloud by {player}"


def _play(player: str, path: Path) -> str:
    with wave.open(str(path), "rb") as stream:
        length_s = stream.getnframes() / stream.getframerate()
    try:
        command = [player, *_PLAYERS[player], str(path)]
        done = run_program(command, length_s + _EXTRA_TIME_S)
    except ToolError:
        return f"not done {_EXTRA_TIME_S:g} s after the music"
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1][:120]
