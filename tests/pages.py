"""Code blocks of the documentation, for tests that run them."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of one language of a Markdown page."""
    text = path.read_text(encoding="utf-8")
    found = re.findall(r"^```([^\n]*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [code for name, code in found if re.fullmatch(language, name)]


def page(name: str) -> Path:
    """A page of docs/, such as how-to/gpu.md."""
    return ROOT / "docs" / name


def commands(path: Path) -> list[str]:
    """The `python -m pipeline` lines of a page, without comments; continued lines are joined."""
    text = "".join(blocks(path, "(?:bash)?")).replace("\\\n", " ")
    lines = re.findall(r"^python -m pipeline .*$", text, re.MULTILINE)
    return [line.split("  #")[0].strip() for line in lines]
