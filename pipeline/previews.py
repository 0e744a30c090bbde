"""What a model wrote while it learned (`watch`), read back."""

import json
from pathlib import Path
from typing import Any

PREVIEWS = "previews.jsonl"


def read_previews(path: Path) -> list[dict[str, Any]]:
    """The previews written so far; a line cut by a kill is left out."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def show_previews(path: Path) -> str:
    """All previews as text for people, in their order."""
    return "\n".join(
        f"— step {each['step']:,}, {each['validation_bits']:.3f} bits"
        f"{', from ' + each['prime'] if each['prime'] else ''}\n{each['text']}\n"
        for each in read_previews(path)
    )
