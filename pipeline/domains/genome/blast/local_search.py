"""BLAST as a render: search the samples and the reference groups, and compare their best hits.

Read next: `backend.py` (the interface of a back end), `blast_plus.py` and `embedded.py` (the back ends),
`database.py` (the databases), `search_report.py` (tables, plots and summary); `ncbi.py` and `ebi.py` search
on servers. A render for another alphabet subclasses `LocalSearch`, as `LocalBlast` does.
"""

import hashlib
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pipeline.config.checks import check_choice
from pipeline.domains.genome.blast.backend import BLASTN, Program, SearchBackend, SearchSettings
from pipeline.domains.genome.blast.blast_plus import BlastPlus
from pipeline.domains.genome.blast.database import cached_database, find_user_database
from pipeline.domains.genome.blast.embedded import EmbeddedBlast
from pipeline.domains.genome.blast.query_results import (
    SAMPLES,
    LocatedHit,
    Query,
    QueryResult,
    SubjectSequence,
    collect_results,
    write_numbered_fasta,
)
from pipeline.domains.genome.blast.search_render import BlastRender
from pipeline.domains.genome.blast.search_report import SearchDescription, write_results
from pipeline.errors import ConfigError, ToolError
from pipeline.records import DomainOutput, Record, References
from pipeline.runtime.progress import bar

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LocalSearch(BlastRender):
    """Search samples and reference groups on this machine, in the training records or in a database of the
    user's. A subclass names its family, its program of BLAST, and says what is masked.

    Raises ConfigError where a setting is out of range, or where no installed back end supports the settings.
    """

    program: str = "auto"
    """auto (BLAST+ where it is on PATH, else embedded), the name of a program of BLAST+, or embedded."""
    task: str = ""
    """One of the program's tasks; empty: the task with the program's name."""
    word_size: int | None = None
    """Length of a seed match in symbols; None: the default of the task."""
    max_references: int = 200
    """Sequences searched of each reference group."""
    database: str | None = None
    """A BLAST database of the user's, a path without suffix; None: the training records."""

    file_settings: ClassVar[tuple[str, ...]] = ("database",)

    @property
    def masked(self) -> bool:
        """Whether seeds may not start in low-complexity sequence."""
        return False

    def __post_init__(self) -> None:
        check_choice("blast.program", self.program, ("auto", self.blast.name, "embedded"))
        check_choice("blast.task", self._task, self.blast.tasks)
        self.check_positive("evalue", "max_hits", "timeout_s")
        if self.word_size is not None and self.word_size < self.blast.min_word_size:
            raise ConfigError(
                f"blast.word_size={self.word_size} is too small; "
                f"{self.blast.name} takes {self.blast.min_word_size} and more"
            )
        if self.max_references < 0:
            raise ConfigError(f"blast.max_references={self.max_references} is negative; 0 means none")
        self._backends()

    def __call__(
        self, records: Sequence[Record], references: References, out_dir: Path, seed: int
    ) -> DomainOutput:
        """Write `blast.tsv` (the samples' hits), `blast_summary.tsv` (the best hit of every sequence),
        `alignments.txt` (the nearest samples' best hits) and a plot."""
        queries = gather_queries(records, references, self.max_references)
        if not queries:
            return DomainOutput(summary=("BLAST: no samples to search",))
        with tempfile.TemporaryDirectory(prefix="blast_", dir=out_dir) as folder:
            training = (
                None if self.database else _TrainingDatabase(references, Path(folder), self.blast.molecule)
            )
            if training and not training.subjects:
                return DomainOutput(summary=("BLAST: no training records to search in",))
            name, hits, results = self._search(queries, training, Path(folder))
        place = f"in {len(training.subjects):,} training records" if training else f"in {self.database}"
        database = "the training data" if training else f"the database {Path(str(self.database)).name}"
        method = f"{name}, task {self._task}, {place}."
        return write_results(
            hits, results, SearchDescription(self.evalue, database, method, self.blast), out_dir
        )

    @property
    def _task(self) -> str:
        return self.task or self.blast.name

    def _search(
        self, queries: Sequence[Query], training: "_TrainingDatabase | None", folder: Path
    ) -> tuple[str, list[LocatedHit], list[QueryResult]]:
        """Search with the first back end that does not fail."""
        path = write_numbered_fasta((record for _, record in queries), folder / "queries.fasta", "q")
        backends = self._backends()
        for number, backend in enumerate(backends):
            own_folder = folder / f"search{number}"
            own_folder.mkdir()
            try:
                with bar("BLAST", total=len(queries), unit="query") as progress:
                    base = training.database(backend) if training else self._named()
                    hits = backend.search(path, base, own_folder)
                    results = collect_results(hits, queries, training.subjects if training else None)
                    progress.update(len(queries))
                return (backend.name, *results)
            except ToolError as error:
                if backend is backends[-1]:
                    raise
                log.warning("%s; trying the embedded BLAST", error)
        raise ToolError("no BLAST is installed; set blast=none")

    def _named(self) -> Path:
        return find_user_database(str(self.database), self.blast)

    def _backends(self) -> list[SearchBackend]:
        """List the back ends, the preferred one first. Raises ConfigError where none supports the
        settings."""
        settings = SearchSettings(
            self.blast, self._task, self.evalue, self.word_size, self.max_hits, self.masked, self.timeout_s
        )
        available = BlastPlus.is_available(self.blast)
        if self.database is not None:
            self._named()
            if self.program == "embedded" or not available:
                raise ConfigError(
                    f"blast.database={self.database}: only BLAST+ reads databases of yours; put it on PATH "
                    f"(Debian: ncbi-blast+) and set blast.program=auto or {self.blast.name}"
                )
        if self.program == self.blast.name or self.database is not None:
            return [BlastPlus(settings)]
        if self.program == "embedded" or not available:
            return [EmbeddedBlast(settings)]
        try:
            return [BlastPlus(settings), EmbeddedBlast(settings)]
        except ConfigError:
            return [BlastPlus(settings)]


@dataclass(frozen=True)
class LocalBlast(LocalSearch):
    """Search DNA by `blastn`."""

    task: str = "blastn"
    """megablast, dc-megablast, blastn or blastn-short; the embedded BLAST has blastn only."""
    dust: bool = True
    """Seeds do not start in low-complexity sequence, as at NCBI."""

    family: ClassVar[str] = "genome"
    blast: ClassVar[Program] = BLASTN

    @property
    def masked(self) -> bool:
        """Whether `dust` is set."""
        return self.dust


class _TrainingDatabase:
    """The training records as a database: their origins, and a checksum of their symbols."""

    def __init__(self, references: References, folder: Path, molecule: str) -> None:
        self.references, self.folder, self.molecule = references, folder, molecule
        digest, self.subjects = hashlib.sha256(), []
        for record in references.training():
            digest.update(f">{len(record.symbols)}\n".encode())
            digest.update(str(record.symbols).encode())
            self.subjects.append(SubjectSequence.of(record))
        self.checksum = digest.hexdigest()

    def database(self, backend: SearchBackend) -> Path:
        """Return a database in the format of a back end, built unless the cache has it."""

        def build(folder: Path) -> None:
            subjects = write_numbered_fasta(self.references.training(), self.folder / "training.fasta", "t")
            try:
                backend.build(subjects, folder)
            finally:
                subjects.unlink()

        return cached_database(self.checksum, f"{backend.format} {self.molecule}", build, self.folder)


def gather_queries(records: Sequence[Record], references: References, max_references: int) -> list[Query]:
    """Return the samples and up to `max_references` of each reference group; none where there are no
    samples."""
    queries: list[Query] = [(SAMPLES, record) for record in records]
    if queries:
        for group, sequences in references.groups.items():
            queries += [(group, record) for record in sequences[:max_references]]
    return [query for query in queries if query[1].symbols]
