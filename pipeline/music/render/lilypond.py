"""LilyPond, where it stands on PATH: a source to go on with by hand, and its engraving as PDF."""

import shutil
import subprocess
from pathlib import Path

from pipeline.errors import ToolError

_TIME_LIMIT_S = 60.0


def missing_programs() -> list[str]:
    """Those of LilyPond's programs that are not on PATH; both come with it."""
    return [name for name in ("musicxml2ly", "lilypond") if shutil.which(name) is None]


def engrave_by_lilypond(musicxml: Path) -> tuple[Path, Path]:
    """Write `<name>.ly` and `<name>.lilypond.pdf` beside a MusicXML file.

    Raises ToolError, with what the program said last, where there is no result in time.
    """
    source = musicxml.with_suffix(".ly")
    printed = musicxml.with_suffix(".lilypond.pdf")
    try:
        _run(["musicxml2ly", "--output", str(source), str(musicxml)])
        target = str(printed.with_suffix(""))
        _run(["lilypond", "--silent", "-dno-point-and-click", "--output", target, str(source)])
        if not (source.exists() and printed.exists()):
            raise ToolError("lilypond ended well, but wrote no PDF")
    except ToolError:
        for path in (source, printed):
            path.unlink(missing_ok=True)
        raise
    return source, printed


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_TIME_LIMIT_S, errors="replace")
    except subprocess.TimeoutExpired:
        raise ToolError(f"{command[0]} was not done after {_TIME_LIMIT_S:g} s and was ended") from None
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise ToolError(f"{command[0]} ended with exit status {error.returncode}: {last[:300]}") from None
    except OSError as error:
        raise ToolError(f"{command[0]} cannot be run: {error}") from error
