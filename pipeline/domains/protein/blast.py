"""BLAST of proteins by `blastp`; `genome/blast/local_search.py` has all but the program and its filter."""

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
    """Mask low-complexity sequence of the samples; by default BLAST adjusts for composition instead."""

    family: ClassVar[str] = "protein"
    blast: ClassVar[Program] = BLASTP

    @property
    def masked(self) -> bool:
        """Whether `seg` is set."""
        return self.seg
