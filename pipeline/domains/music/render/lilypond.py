"""Scores by LilyPond, where it is on PATH: a source to edit by hand, and its engraving as PDF.

LilyPond runs Scheme code in its input, and recent versions have no safe mode. Therefore the characters that
could start code are replaced in titles and words before `musicxml2ly` gets them. LilyPond runs in a temporary
folder, which is its home folder, too, and its files are copied from there.
"""

import os
import re
import shutil
import tempfile
from pathlib import Path

from pipeline.errors import ToolError
from pipeline.runtime.programs import run_program

_TIME_LIMIT_S = 60.0
"""Of each program."""
_NO_SAFE_MODE = (2, 23, 12)
"""The first version without the option -dsafe."""
_REPLACEMENTS = str.maketrans({'"': "”", "\\": "⧵", "#": "♯", "$": "＄"})
"""Characters that end a text, or start a command or Scheme, and similar ones that do not."""


def missing_programs() -> list[str]:
    """The programs of LilyPond that are not on PATH."""
    return [name for name in ("musicxml2ly", "lilypond") if shutil.which(name) is None]


def engrave_by_lilypond(musicxml: Path) -> tuple[Path, Path]:
    """Write `<name>.ly` and `<name>.lilypond.pdf` into the folder of a MusicXML file.

    Raises ToolError, with the last line of the program's errors, where it fails or takes too long.
    """
    source, printed = musicxml.with_suffix(".ly"), musicxml.with_suffix(".lilypond.pdf")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tune.musicxml").write_text(
            escape_text(musicxml.read_text(encoding="utf-8")), encoding="utf-8"
        )
        _run(["musicxml2ly", "--output", "tune.ly", "tune.musicxml"], folder)
        safe = ["-dsafe"] if _find_version(folder) < _NO_SAFE_MODE else []
        _run(["lilypond", "--silent", "-dno-point-and-click", *safe, "--output", "tune", "tune.ly"], folder)
        made = folder / "tune.ly", folder / "tune.pdf"
        if not all(path.exists() for path in made):
            raise ToolError("lilypond ended without an error, but wrote no PDF")
        for path, target in zip(made, (source, printed), strict=True):
            shutil.copyfile(path, target)
    return source, printed


def escape_text(musicxml: str) -> str:
    """Replace in the texts of MusicXML all characters that are syntax to LilyPond."""

    def escape(match: re.Match[str]) -> str:
        text = match[1].replace("&quot;", "”").replace("&#34;", "”").replace("&#92;", "⧵")
        return f">{text.translate(_REPLACEMENTS)}<"

    return re.sub(r">([^<>]*)<", escape, musicxml)


def _find_version(folder: Path) -> tuple[int, ...]:
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", _run(["lilypond", "--version"], folder))
    return tuple(map(int, found.groups())) if found else _NO_SAFE_MODE


def _run(command: list[str], folder: Path) -> str:
    done = run_program(command, _TIME_LIMIT_S, cwd=folder, env={**os.environ, "HOME": str(folder)})
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise ToolError(f"{command[0]} ended with exit status {done.returncode}: {last[:300]}")
    return done.stdout
