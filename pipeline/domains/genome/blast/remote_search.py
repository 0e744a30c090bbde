"""BLAST on a server as a render: the parts that the servers share. Read next: `remote_jobs.py`."""

import abc
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlparse

from pipeline.config.checks import check_choice
from pipeline.domains.genome.blast.backend import BLASTN, Program
from pipeline.domains.genome.blast.hits import Hit
from pipeline.domains.genome.blast.query_results import SAMPLES, Query, collect_results
from pipeline.domains.genome.blast.remote_jobs import JobRunner, SearchServer
from pipeline.domains.genome.blast.search_render import BlastRender
from pipeline.domains.genome.blast.search_report import SearchDescription, write_results
from pipeline.errors import ConfigError, ToolError
from pipeline.records import DomainOutput, Record, References

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RemoteBlast(BlastRender):
    """Search the samples in a public database on a server.

    Raises ConfigError without an e-mail address, or where a setting is out of range.
    """

    email: str | None = None
    """Your e-mail address, which the servers require."""
    tool: str = "sequence-pipeline"
    """Name of the program that searches, which the servers require."""
    url: str = ""
    """Address of the service, or of a mirror."""
    database: str = ""
    """Name of the database on the server."""
    task: str = "blastn"
    """blastn, or megablast, which finds only close relatives, faster."""
    max_queries: int = 20
    """Number of samples sent, from the first."""
    timeout_s: float = 1800.0
    """Time limit of the search, in seconds. A later run resumes a pending search."""

    family: ClassVar[str] = "genome"
    blast: ClassVar[Program] = BLASTN
    file_settings: ClassVar[tuple[str, ...]] = ("url",)
    sends_data: ClassVar[bool] = True
    tasks: ClassVar[tuple[str, ...]] = ("blastn", "megablast")

    def __post_init__(self) -> None:
        for name, value in (("email", self.email), ("tool", self.tool)):
            if not value or (name == "email" and "@" not in value):
                raise ConfigError(
                    f"blast.{name}={value!r}: the server asks for your e-mail address and the program's "
                    "name; set blast.email=you@example.org, or blast=local"
                )
        if urlparse(self.url).scheme not in ("http", "https"):
            raise ConfigError(f"blast.url={self.url!r} is not the address of a server (https://…)")
        if not self.database:
            raise ConfigError("blast.database is empty; name a database of the server")
        check_choice("blast.task", self.task, self.tasks)
        self.check_positive("evalue", "max_hits", "max_queries", "timeout_s")

    @property
    @abc.abstractmethod
    def service(self) -> SearchServer:
        """The server."""

    @abc.abstractmethod
    def submissions(self, queries: Sequence[Query]) -> list[str]:
        """Return FASTA texts, each submitted as one search."""

    @abc.abstractmethod
    def read(self, content: bytes, number: int) -> list[Hit]:
        """Parse the answer to submission `number`. Raises ValueError where it is damaged."""

    def __call__(
        self, records: Sequence[Record], references: References, out_dir: Path, seed: int
    ) -> DomainOutput:
        """Write the tables of `LocalBlast` for the first `max_queries` samples."""
        queries = [(SAMPLES, record) for record in records[: self.max_queries] if record.symbols]
        if not queries:
            return DomainOutput(summary=("BLAST: no samples to search",))
        name = self.service.name
        log.info("sending %d samples to %s and waiting, up to %g s", len(queries), name, self.timeout_s)
        answers = JobRunner(self.service, self.timeout_s).run(self.submissions(queries))
        hits = [hit for number, path in enumerate(answers) for hit in self._read(path, number)]
        results = collect_results(hits, queries)
        left_out = len(records) - len(queries)
        rest = f"; the other {left_out:,} samples were not sent (blast.max_queries)" if left_out > 0 else ""
        method = f"{name}, task {self.task}, database {self.database}{rest}."
        database = f"{name}'s {self.database}"
        return write_results(*results, SearchDescription(self.evalue, database, method, self.blast), out_dir)

    def _read(self, path: Path, number: int) -> list[Hit]:
        try:
            parsed = self.read(path.read_bytes(), number)
        except ValueError as error:
            path.unlink(missing_ok=True)
            raise ToolError(f"{path}: no answer of {self.service.name} ({error}); run again") from error
        return [hit for hit in parsed if float(hit.evalue) <= self.evalue]


def format_queries(queries: Sequence[Query]) -> str:
    """Format queries as one FASTA text, with the names q0, q1 ..."""
    return "".join(f">q{at}\n{record.symbols}\n" for at, (_, record) in enumerate(queries))
