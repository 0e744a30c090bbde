"""The samples that a model generated during training (`callbacks.py`), read from their file."""

from pathlib import Path
from typing import Any, TypedDict

from pipeline.runtime.files import reading_back
from pipeline.runtime.plain_data import check, load_json

PREVIEWS = "previews.jsonl"


class Preview(TypedDict):
    """One sample during training: its step, and the text with which the model continued the prime."""

    step: int
    validation_bits: float
    prime: str
    text: str


def read_previews(path: Path) -> list[dict[str, Any]]:
    """The previews written so far; a line cut by a kill is left out."""
    if not path.exists():
        return []
    with reading_back(path, "remove the file"):
        text = path.read_text(encoding="utf-8")
        found = [load_json(line) for line in text[: text.rfind("\n") + 1].split("\n")[:-1]]
        check(found, list[Preview], "previews")
        return found


def show_previews(path: Path) -> str:
    """All previews as text for people, in their order."""
    return "\n".join(
        f"— step {each['step']:,}, {each['validation_bits']:.3f} bits"
        f"{', from ' + each['prime'] if each['prime'] else ''}\n{each['text']}\n"
        for each in read_previews(path)
    )
