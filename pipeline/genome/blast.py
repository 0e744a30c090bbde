"""BLAST as a render: search the samples, and what they stand beside, and say how near the best hits are.

Read next: `search.py` (what a back end is), `blast_plus.py`, `blast_embedded.py` and `blast_ncbi.py` (the
three), `blast_summary.py` (what is said of the hits).
"""

import logging
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from pipeline.config import one_of
from pipeline.domain import Exhibit, Findings, Record, References, Render
from pipeline.errors import ConfigError, ToolError
from pipeline.genome.blast_embedded import EmbeddedBlast
from pipeline.genome.blast_ncbi import search_ncbi
from pipeline.genome.blast_plus import BlastPlus
from pipeline.genome.blast_summary import SAMPLES, Searched, summarise
from pipeline.genome.hits import Hit, write_hits
from pipeline.genome.search import Blast, SearchSettings
from pipeline.progress import bar

log = logging.getLogger(__name__)

PROGRAMS = ("auto", "blastn", "embedded")
TASKS = ("blastn", "blastn-short", "megablast", "dc-megablast")
NCBI_PROGRAMS = ("blastn",)
Query = tuple[str, Record]
"""A group and one of its sequences."""


@dataclass(frozen=True)
class LocalBlast(Render):
    """Search samples and reference groups in the training records, on this machine.

    Raises ConfigError where a setting is out of range.
    """

    program: str = "auto"
    """auto (BLAST+ where it is on PATH, else embedded), blastn, or embedded."""
    task: str = "blastn"
    """One of `TASKS`."""
    evalue: float = 10.0
    """Hits above this E-value are not listed."""
    word_size: int | None = None
    """Letters of an exact seed match; None: the task's own."""
    max_hits: int = 50
    """Training records listed per query."""
    dust: bool = True
    """Seeds do not start in low-complexity sequence, as at NCBI."""
    max_references: int = 200
    """Sequences searched of each reference group."""
    timeout_s: float = 600.0
    """A search not done by then is ended."""

    family: ClassVar[str] = "genome"

    def __post_init__(self) -> None:
        one_of("blast.program", self.program, PROGRAMS)
        one_of("blast.task", self.task, TASKS)
        _positive(evalue=self.evalue, max_hits=self.max_hits, timeout_s=self.timeout_s)
        if self.word_size is not None and self.word_size < 4:
            raise ConfigError(f"blast.word_size={self.word_size} is too small; BLAST takes 4 and more")
        if self.max_references < 0:
            raise ConfigError(f"blast.max_references={self.max_references} is negative; 0 means none")
        self._backends()

    def __call__(
        self, records: Sequence[Record], references: References, out_dir: Path, seed: int
    ) -> Findings:
        """Write `blast.tsv` (the samples' hits) and `blast_summary.tsv` (the best hit of every sequence)."""
        if not records:
            return Findings(summary=("BLAST: no samples to search",))
        queries: list[Query] = [(SAMPLES, record) for record in records]
        for group, sequences in references.groups.items():
            queries += [(group, record) for record in sequences[: self.max_references]]
        queries = [query for query in queries if query[1].symbols]
        with tempfile.TemporaryDirectory(prefix="blast_", dir=out_dir) as folder:
            subjects = Path(folder) / "training.fasta"
            names = _write_fasta(references.training(), subjects, "t")
            if not names:
                return Findings(summary=("BLAST: no training records to search in",))
            name, hits, searched = self._search(queries, subjects, names, Path(folder))
        what = f"{name}, task {self.task}, in {len(names):,} training records."
        return _findings(hits, searched, self.evalue, "the training data", what, out_dir)

    def _search(
        self, queries: Sequence[Query], subjects: Path, names: Sequence[str], folder: Path
    ) -> tuple[str, list[Hit], list[Searched]]:
        """Search with the first back end that does not fail."""
        path = folder / "queries.fasta"
        _write_fasta((record for _, record in queries), path, "q")
        backends = self._backends()
        for number, backend in enumerate(backends):
            own_folder = folder / f"search{number}"
            own_folder.mkdir()
            try:
                with bar("BLAST", total=len(queries), unit="query") as progress:
                    found = _collect(backend.search(path, subjects, own_folder), queries, names)
                    progress.update(len(queries))
                return (backend.name, *found)
            except ToolError as error:
                if backend is backends[-1]:
                    raise
                log.warning("%s; trying the embedded BLAST", error)
        raise ToolError("no BLAST is there; set blast=none")

    def _backends(self) -> list[Blast]:
        """The ways to search, the preferred first. Raises ConfigError where none can do what is asked."""
        wanted = SearchSettings(
            self.task, self.evalue, self.word_size, self.max_hits, self.dust, self.timeout_s
        )
        if self.program == "blastn":
            return [BlastPlus(wanted)]
        if self.program == "embedded" or not BlastPlus.is_available():
            return [EmbeddedBlast(wanted)]
        try:
            return [BlastPlus(wanted), EmbeddedBlast(wanted)]
        except ConfigError:
            return [BlastPlus(wanted)]


@dataclass(frozen=True)
class NcbiBlast(Render):
    """Search the samples at NCBI, in what is public. Raises ConfigError without an e-mail address."""

    email: str | None = None
    """Yours, as NCBI asks."""
    tool: str = "sequence-pipeline"
    """The program's name, as NCBI asks."""
    database: str = "core_nt"
    program: str = "blastn"
    megablast: bool = False
    """Finds only close relatives, faster."""
    entrez_query: str | None = None
    """Restricts the database, such as "Drosophila melanogaster[organism]"."""
    evalue: float = 10.0
    """Hits above this E-value are not listed."""
    max_hits: int = 50
    """Database sequences listed per query."""
    max_queries: int = 20
    """Samples sent, all in one submission."""
    timeout_s: float = 1800.0
    """Give up waiting after this."""

    family: ClassVar[str] = "genome"

    def __post_init__(self) -> None:
        for name, value in (("email", self.email), ("tool", self.tool)):
            if not value or (name == "email" and "@" not in value):
                raise ConfigError(
                    f"blast.{name}={value!r}: NCBI asks for your e-mail address and the program's name; "
                    "set blast.email=you@example.org, or blast=local"
                )
        one_of("blast.program", self.program, NCBI_PROGRAMS)
        _positive(
            evalue=self.evalue, max_hits=self.max_hits, max_queries=self.max_queries, timeout_s=self.timeout_s
        )

    def __call__(
        self, records: Sequence[Record], references: References, out_dir: Path, seed: int
    ) -> Findings:
        """Write `blast.tsv` and `blast_summary.tsv` of the first `max_queries` samples."""
        queries = [(SAMPLES, record) for record in records[: self.max_queries] if record.symbols]
        if not queries:
            return Findings(summary=("BLAST: no samples to search",))
        options = {
            "email": self.email, "tool": self.tool, "program": self.program, "database": self.database,
            "megablast": self.megablast, "evalue": self.evalue, "max_hits": self.max_hits,
            "entrez_query": self.entrez_query,
        }  # fmt: skip
        log.info("sending %d samples to NCBI and waiting, up to %g s", len(queries), self.timeout_s)
        with tempfile.TemporaryDirectory(prefix="blast_", dir=out_dir) as folder:
            path = Path(folder) / "queries.fasta"
            _write_fasta((record for _, record in queries), path, "q")
            hits, searched = _collect(search_ncbi(path, Path(folder), options, self.timeout_s), queries)
        database = f"NCBI's {self.database}"
        return _findings(hits, searched, self.evalue, database, f"NCBI, database {self.database}.", out_dir)


def _write_fasta(records: Iterable[Record], path: Path, mark: str) -> list[str]:
    """Number the sequences, since names of all kinds upset BLAST; the names, in that order."""
    names = []
    with path.open("w", encoding="ascii") as stream:
        for number, record in enumerate(records):
            stream.write(f">{mark}{number}\n{record.symbols}\n")
            names.append(record.id)
    return names


def _collect(
    hits: Iterator[Hit], queries: Sequence[Query], subjects: Sequence[str] | None = None
) -> tuple[list[Hit], list[Searched]]:
    """The samples' hits, and the best hit of every query, under the names that the user knows."""
    best: dict[int, Hit] = {}
    count: Counter[int] = Counter()
    kept = []
    for hit in hits:
        hit, number = _named(hit, queries, subjects)
        count[number] += 1
        best.setdefault(number, hit)
        if float(hit.evalue) < float(best[number].evalue):
            best[number] = hit
        if queries[number][0] == SAMPLES:
            kept.append(hit)
    searched = [
        Searched(group, record.id, len(record.symbols), best.get(number), count[number])
        for number, (group, record) in enumerate(queries)
    ]
    return kept, searched


def _named(hit: Hit, queries: Sequence[Query], subjects: Sequence[str] | None) -> tuple[Hit, int]:
    try:
        number = int(hit.query.removeprefix("q"))
        name = hit.subject if subjects is None else subjects[int(hit.subject.removeprefix("t"))]
        return replace(hit, query=queries[number][1].id, subject=name), number
    except (ValueError, IndexError):
        raise ToolError(
            f"BLAST speaks of {hit.query!r} and {hit.subject!r}, which it was not given; set blast.program"
        ) from None


def _findings(
    hits: Sequence[Hit], searched: Sequence[Searched], limit: float, database: str, what: str, out_dir: Path
) -> Findings:
    table = write_hits(hits, out_dir / "blast.tsv")
    found = summarise(searched, limit, database, what, out_dir)
    exhibit = Exhibit("BLAST hits of the samples", (table,), "Columns as in BLAST's outfmt 6.")
    return replace(found, exhibits=(*found.exhibits, exhibit), files=(table, *found.files))


def _positive(**settings: float) -> None:
    for name, value in settings.items():
        if value <= 0:
            raise ConfigError(f"blast.{name}={value:g} must be larger than 0")
