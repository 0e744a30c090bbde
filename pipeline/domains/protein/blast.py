"""BLAST of proteins, by `blastp`: all but the program and its filter is `genome/blast/local_search.py`."""

from dataclasses import dataclass
from typing import ClassVar

from pipeline.domains.genome.blast.backend import BLASTP, Program
from pipeline.domains.genome.blast.local_search import LocalSearch


@dataclass(frozen=True)
class ProteinBlast(LocalSearch):
    """Search proteins by `blastp`."""

    task: str = "blastp"
    """blastp, blastp-fast or blastp-short; the embedded BLAST has blastp only."""
    seg: bool = False
    """Low-complexity sequence of the samples is masked; by default composition is adjusted for instead."""

    family: ClassVar[str] = "protein"
    blast: ClassVar[Program] = BLASTP

    @property
    def masked(self) -> bool:
        """As `seg` says."""
        return self.seg
