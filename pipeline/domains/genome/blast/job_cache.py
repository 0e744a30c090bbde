"""Cached jobs of BLAST servers: their numbers and their answers."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.runtime.files import write_atomically

KEPT_DAYS = 14
"""An older search is submitted again, since public databases grow."""


@dataclass(eq=False)
class PendingJob:
    """One search, and the files that cache its number at the server and its answer."""

    key: str
    query: str
    folder: Path
    number: str = ""
    again: bool = False
    """Whether the server has lost it once."""
    damaged: int = 0
    """Number of incomplete answers."""

    @classmethod
    def of(cls, parameters: Mapping[str, Any], query: str, folder: Path) -> "PendingJob":
        """Create the job of a query; its key is a checksum of everything that the answer depends on."""
        whole = json.dumps([dict(parameters), query], sort_keys=True)
        return cls(hashlib.sha256(whole.encode()).hexdigest()[:32], query, folder)

    @property
    def note(self) -> Path:
        """The file with the number."""
        return self.folder / f"{self.key}.json"

    @property
    def answer(self) -> Path:
        """The file with the answer; it exists only when it is complete."""
        return self.folder / f"{self.key}.answer"

    def read(self) -> bool:
        """Read the number; False where none is stored, so that the search must be submitted."""
        try:
            self.number = str(json.loads(self.note.read_text(encoding="utf-8"))["number"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return False
        return True

    def write(self, number: str) -> None:
        """Store the number at once, so that a killed run does not lose it."""
        self.number = number
        write_atomically(self.note, json.dumps({"number": number}))

    def forget(self) -> None:
        """Delete the number, which the server no longer knows."""
        self.note.unlink(missing_ok=True)

    def keep(self, content: bytes) -> None:
        """Store the answer atomically."""
        draft = self.answer.with_name(f".{self.answer.name}.partial")
        draft.write_bytes(content)
        draft.replace(self.answer)


def remove_old(folder: Path) -> None:
    """Remove files older than `KEPT_DAYS`."""
    oldest = time.time() - KEPT_DAYS * 86_400
    for path in [*folder.glob("*.json"), *folder.glob("*.answer")]:
        try:
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)
        except OSError:
            continue  # another process was quicker
