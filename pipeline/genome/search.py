"""What the BLAST back ends have in common: their settings, and the protocol that they follow."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.genome.hits import Hit


@dataclass(frozen=True)
class SearchSettings:
    """How to search; the words are BLAST's own."""

    task: str
    evalue: float
    word_size: int | None
    max_hits: int
    dust: bool
    timeout_s: float


class Blast(Protocol):
    """A way to search; all ways give the same rows."""

    @property
    def name(self) -> str:
        """What the report calls it, with its version."""
        ...

    def search(self, queries: Path, subjects: Path, folder: Path) -> Iterator[Hit]:
        """Yield the hits of all sequences of one FASTA file in those of another, grouped by query, the best
        first; `folder` takes files of the search's own. Raises ToolError where the search fails."""
        ...
