"""BLAST on NCBI's server through Biopython: one submission for all queries, by NCBI's rules of use.

Rules: at most one contact in 10 seconds and one a minute per search, which Biopython keeps; an address and a
tool's name with every search; no more than 50 searches by day. Biopython's call has no time limit, so it
runs in a child process. Source: https://blast.ncbi.nlm.nih.gov/doc/blast-help/developerinfo.html
"""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

from pipeline.config import one_of
from pipeline.domain import Findings, Record, References, Render
from pipeline.errors import ConfigError, ToolError
from pipeline.genome.blast import positive
from pipeline.genome.blast_summary import Search, summarise
from pipeline.genome.collect import SAMPLES, collect, write_fasta
from pipeline.genome.hits import Hit, format_bits, format_evalue
from pipeline.genome.search import BLASTN
from pipeline.isolation import call_isolated

log = logging.getLogger(__name__)

NCBI_PROGRAMS = ("blastn",)


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
        positive(
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
            path = write_fasta((record for _, record in queries), Path(folder) / "queries.fasta", "q")
            found = collect(search_ncbi(path, Path(folder), options, self.timeout_s), queries)
        what = f"NCBI, database {self.database}."
        return summarise(*found, Search(self.evalue, f"NCBI's {self.database}", what, BLASTN), out_dir)


def search_ncbi(queries: Path, folder: Path, options: dict, timeout_s: float) -> Iterator[Hit]:
    """Yield the hits of a FASTA file's sequences; `options` are those of `submit`.

    Raises ToolError where the server cannot be reached, refuses, or has not answered after `timeout_s`.
    """
    answer = folder / "ncbi.xml"
    arguments = {**options, "queries": str(queries.resolve()), "answer": str(answer.resolve())}
    try:
        call_isolated(f"{__name__}:submit", arguments, timeout_s)
    except ToolError as error:
        raise ToolError(
            f"the search at NCBI failed: {error}; try again later (weekends and nights are quicker), "
            "raise blast.timeout_s, or set blast=local"
        ) from error
    yield from read_xml(answer)


def submit(
    queries: str, answer: str, email: str, tool: str, program: str, database: str, megablast: bool,
    evalue: float, max_hits: int, entrez_query: str | None,
) -> None:  # fmt: skip
    """Send the queries, wait, and save the answer as XML. For a child process."""
    from Bio import Blast

    Blast.email, Blast.tool = email, tool
    result = Blast.qblast(
        program, database, Path(queries).read_text(encoding="ascii"), expect=evalue, hitlist_size=max_hits,
        megablast="TRUE" if megablast else None, entrez_query=entrez_query or "(none)", format_type="XML",
    )  # fmt: skip
    with result:
        Path(answer).write_bytes(result.read())


def read_xml(path: Path) -> Iterator[Hit]:
    """The hits of a BLAST answer in XML. Raises ToolError where it is cut off or something else."""
    try:
        root = ElementTree.parse(path).getroot()
        if root.tag != "BlastOutput":
            raise ToolError(f"{path}: the server sent <{root.tag}>, not a BLAST result; try again later")
        for search in root.iter("Iteration"):
            query = _text(search, "Iteration_query-def").split(None, 1)[0]
            for subject in search.iter("Hit"):
                name = _text(subject, "Hit_accession")
                for part in subject.iter("Hsp"):
                    yield _hit(query, name, part)
    except (ElementTree.ParseError, AttributeError, ValueError, IndexError) as error:
        raise ToolError(f"{path}: the server's answer is cut off ({error}); try again later") from error


def _hit(query: str, subject: str, part: ElementTree.Element) -> Hit:
    length, matches = int(_text(part, "Hsp_align-len")), int(_text(part, "Hsp_identity"))
    rows = _text(part, "Hsp_qseq"), _text(part, "Hsp_hseq")
    # A gap opening is a gap whose left neighbour is none.
    openings = sum(row[place] == "-" != row[place - 1] for row in rows for place in range(1, len(row)))
    places = [int(_text(part, f"Hsp_{end}")) for end in ("query-from", "query-to", "hit-from", "hit-to")]
    return Hit(
        query, subject, f"{100 * matches / length:.3f}", length,
        length - matches - sum(row.count("-") for row in rows), openings, *places,
        format_evalue(float(_text(part, "Hsp_evalue"))), format_bits(float(_text(part, "Hsp_bit-score"))),
    )  # fmt: skip


def _text(parent: ElementTree.Element, tag: str) -> str:
    found = parent.find(tag)
    if found is None or found.text is None:
        raise ValueError(f"no {tag}")
    return found.text
