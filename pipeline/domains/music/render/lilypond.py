"""LilyPond, where it stands on PATH: a source to go on with by hand, and its engraving as PDF.

LilyPond runs what its input says, as Scheme, and recent versions have no safe mode. So titles and words can
say nothing to it: quotes and backslashes are replaced before `musicxml2ly` sees them. It runs in a folder of
its own, which is its home too, and what it makes is copied from there.
"""

import os
import re
import shutil
import tempfile
from pathlib import Path

from pipeline.errors import ToolError
from pipeline.runtime.programs import run_program

_TIME_LIMIT_S = 60.0
_LAST_SAFE = (2, 23, 12)
"""The version that dropped the option -dsafe."""
_MEANT = str.maketrans({'"': "”", "\\": "⧵", "#": "♯", "$": "＄"})
"""What LilyPond would take for the end of a text, a command or Scheme, and what looks like it."""


def missing_programs() -> list[str]:
    """Those of LilyPond's programs that are not on PATH; both come with it."""
    return [name for name in ("musicxml2ly", "lilypond") if shutil.which(name) is None]


def engrave_by_lilypond(musicxml: Path) -> tuple[Path, Path]:
    """Write `<name>.ly` and `<name>.lilypond.pdf` beside a MusicXML file.

    Raises ToolError, with what the program said last, where there is no result in time.
    """
    source, printed = musicxml.with_suffix(".ly"), musicxml.with_suffix(".lilypond.pdf")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tune.musicxml").write_text(
            harmless(musicxml.read_text(encoding="utf-8")), encoding="utf-8"
        )
        _run(["musicxml2ly", "--output", "tune.ly", "tune.musicxml"], folder)
        safe = ["-dsafe"] if _version(folder) < _LAST_SAFE else []
        _run(["lilypond", "--silent", "-dno-point-and-click", *safe, "--output", "tune", "tune.ly"], folder)
        made = folder / "tune.ly", folder / "tune.pdf"
        if not all(path.exists() for path in made):
            raise ToolError("lilypond ended well, but wrote no PDF")
        for path, target in zip(made, (source, printed), strict=True):
            shutil.copyfile(path, target)
    return source, printed


def harmless(musicxml: str) -> str:
    """The MusicXML with no text in it that would mean anything to LilyPond."""

    def mend(match: re.Match[str]) -> str:
        text = match[1].replace("&quot;", "”").replace("&#34;", "”").replace("&#92;", "⧵")
        return f">{text.translate(_MEANT)}<"

    return re.sub(r">([^<>]*)<", mend, musicxml)


def _version(folder: Path) -> tuple[int, ...]:
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", _run(["lilypond", "--version"], folder))
    return tuple(map(int, found.groups())) if found else _LAST_SAFE


def _run(command: list[str], folder: Path) -> str:
    done = run_program(command, _TIME_LIMIT_S, cwd=folder, env={**os.environ, "HOME": str(folder)})
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise ToolError(f"{command[0]} ended with exit status {done.returncode}: {last[:300]}")
    return done.stdout
