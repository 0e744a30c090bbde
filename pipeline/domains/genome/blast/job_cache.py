"""What is remembered of searches on servers: the numbers that they got there, and their answers."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.runtime.files import write_atomically

KEPT_DAYS = 14
"""Older answers are asked for anew, since public databases grow."""


@dataclass(eq=False)
class PendingJob:
    """One search, and the files in which it is remembered: its number at the server, then its answer."""

    key: str
    query: str
    folder: Path
    number: str = ""
    again: bool = False
    """Whether the server has lost it once."""
    damaged: int = 0
    """How often its answer was cut off."""

    @classmethod
    def of(cls, asked: Mapping[str, Any], query: str, folder: Path) -> "PendingJob":
        """A search is known by all that its answer depends on."""
        whole = json.dumps([dict(asked), query], sort_keys=True)
        return cls(hashlib.sha256(whole.encode()).hexdigest()[:32], query, folder)

    @property
    def note(self) -> Path:
        """The file with the number."""
        return self.folder / f"{self.key}.json"

    @property
    def answer(self) -> Path:
        """The file with the answer; it is there when it is whole."""
        return self.folder / f"{self.key}.answer"

    def read(self) -> bool:
        """Whether the search is under way, by what was noted."""
        try:
            self.number = str(json.loads(self.note.read_text(encoding="utf-8"))["number"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return False
        return True

    def write(self, number: str) -> None:
        """Note the number, before anything else can go wrong."""
        self.number = number
        write_atomically(self.note, json.dumps({"number": number}))

    def forget(self) -> None:
        """The number is of no use any more."""
        self.note.unlink(missing_ok=True)

    def keep(self, content: bytes) -> None:
        """Keep the answer, whole or not at all."""
        draft = self.answer.with_name(f".{self.answer.name}.partial")
        draft.write_bytes(content)
        draft.replace(self.answer)


def remove_old(folder: Path) -> None:
    """Remove what is older than `KEPT_DAYS`."""
    oldest = time.time() - KEPT_DAYS * 86_400
    for path in [*folder.glob("*.json"), *folder.glob("*.answer")]:
        try:
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)
        except OSError:
            continue  # another process was quicker
