"""The settings that all BLAST searches share, on this machine and on servers."""

from dataclasses import dataclass
from typing import ClassVar

from pipeline.domain import Render
from pipeline.domains.genome.blast.backend import Program
from pipeline.errors import ConfigError


@dataclass(frozen=True)
class BlastRender(Render):
    """Search the samples with BLAST."""

    evalue: float = 10.0
    """Hits above this E-value are not listed."""
    max_hits: int = 50
    """Database sequences listed per query."""
    timeout_s: float = 600.0
    """Time limit of the search, in seconds."""

    blast: ClassVar[Program]

    def check_positive(self, *names: str) -> None:
        """Raise ConfigError where one of these settings is not above 0."""
        for name in names:
            value = getattr(self, name)
            if not value > 0:
                raise ConfigError(f"blast.{name}={value:g} must be larger than 0")
