"""The interface of BLAST back ends, with the programs and their settings."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.domains.genome.blast.hits import Hit


@dataclass(frozen=True)
class Program:
    """One of BLAST's programs, in the terms of BLAST+."""

    name: str
    molecule: str
    """As in ``makeblastdb -dbtype``: nucl or prot."""
    tasks: tuple[str, ...]
    filter_option: str
    """The option that masks low-complexity sequence in queries."""
    min_word_size: int
    stranded: bool
    """Whether a hit is on one of two strands."""
    unit: str


BLASTN = Program(
    "blastn", "nucl", ("megablast", "dc-megablast", "blastn", "blastn-short"), "-dust", 4, True, "bp"
)
BLASTP = Program("blastp", "prot", ("blastp", "blastp-fast", "blastp-short"), "-seg", 2, False, "aa")


@dataclass(frozen=True)
class SearchSettings:
    """The settings of a search, in the terms of BLAST."""

    program: Program
    task: str
    evalue: float
    word_size: int | None
    max_hits: int
    masked: bool
    """Seeds do not start in low-complexity sequence."""
    timeout_s: float


class SearchBackend(Protocol):
    """A way to search; all ways give the same rows."""

    @property
    def name(self) -> str:
        """The name in the report, with the version."""
        ...

    @property
    def format(self) -> str:
        """The format of the databases that `build` makes."""
        ...

    def build(self, subjects: Path, folder: Path) -> None:
        """Make a database named `DATABASE` in a folder, of a FASTA file. Raises ToolError where it fails."""
        ...

    def search(self, queries: Path, database: Path, folder: Path) -> Iterator[Hit]:
        """Yield the hits of all sequences of a FASTA file in a database, a path without suffix: grouped by
        query, the best first. Only the best hit is sure to have its aligned texts. `folder` is for temporary
        files. Raises ToolError where the search fails."""
        ...


DATABASE = "db"
