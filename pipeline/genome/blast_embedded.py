"""BLAST inside this installation: NCBI's C++ toolkit, which the pyncbitk package brings as wheels.

The one file that knows pyncbitk. Its part runs in a child process with files on both ends, so that a fault
in native code costs one search and no run. Only the task "blastn" with its own word size of 11 can be had.
"""

import os
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, ToolError
from pipeline.genome.hits import Hit, format_bits, format_evalue, read_hits
from pipeline.genome.search import SearchSettings
from pipeline.isolation import call_isolated

WORD_SIZE = 11


class EmbeddedBlast:
    """Searches by the toolkit. Raises ConfigError for settings that only BLAST+ has."""

    def __init__(self, settings: SearchSettings) -> None:
        if settings.task != "blastn" or settings.word_size not in (None, WORD_SIZE):
            raise ConfigError(
                f"blast.task={settings.task} with blast.word_size={settings.word_size} needs BLAST+ on PATH "
                f"(Debian: ncbi-blast+); the embedded BLAST has task=blastn with word_size={WORD_SIZE} only"
            )
        self.settings = settings

    @property
    def name(self) -> str:
        """The package with its version."""
        return f"pyncbitk {version('pyncbitk')}"

    def search(self, queries: Path, subjects: Path, folder: Path) -> Iterator[Hit]:
        """Yield the hits of all sequences of one FASTA file in those of another; `folder` takes the rest.

        Raises ToolError where the toolkit fails or takes too long.
        """
        arguments = {
            "queries": str(queries.resolve()),
            "subjects": str(subjects.resolve()),
            "folder": str(folder.resolve()),
            "evalue": self.settings.evalue,
            "max_hits": self.settings.max_hits,
            "dust": self.settings.dust,
        }
        try:
            call_isolated(f"{__name__}:search_here", arguments, self.settings.timeout_s)
        except ToolError as error:
            raise ToolError(
                f"the embedded BLAST failed: {error}; install BLAST+ (Debian: ncbi-blast+) or set blast=none"
            ) from error
        yield from read_hits(folder / "hits.tsv")


def search_here(queries: str, subjects: str, folder: str, evalue: float, max_hits: int, dust: bool) -> int:
    """Search in this process and write `hits.tsv` into `folder`; the number of rows. For a child process."""
    from pyncbitk.algo.blast import BlastN, SearchQuery, SearchQueryVector
    from pyncbitk.objects.seqloc import WholeSeqLoc
    from pyncbitk.objmgr import ObjectManager
    from pyncbitk.objtools import DatabaseReader, DatabaseWriter, FastaReader

    # BLAST takes a space in a database's path for the end of its name.
    os.chdir(folder)
    with DatabaseWriter("db", title="training records") as writer:
        for sequence in FastaReader(subjects, split=False):
            writer.append(sequence)
    # One search for all queries, as blastn does: single ones lose hits at a query's first base, and the
    # toolkit then ignores the dust setting.
    scope = ObjectManager().scope()
    batch = []
    for sequence in FastaReader(queries, split=False):
        scope.add_bioseq(sequence)
        batch.append(SearchQuery(WholeSeqLoc(sequence.id), scope))
    search = BlastN(evalue=evalue, max_target_sequences=max_hits, dust_filtering=dust)
    count = 0
    with open("hits.tsv", "w", encoding="utf-8") as stream:  # noqa: PTH123
        for result in search.run(SearchQueryVector(batch), DatabaseReader("db")):
            for alignment in result.alignments:
                stream.write(_row(alignment) + "\n")
                count += 1
    return count


def _row(alignment: Any) -> str:
    """One alignment in BLAST's twelve columns; the toolkit counts from 0, both ends included."""
    query, subject = alignment[0], alignment[1]
    length, matches = alignment.alignment_length, alignment.matches
    query_strand, subject_strand = alignment.segments.data.strands[:2]
    place = (subject.start + 1, subject.stop + 1)
    return Hit(
        str(query.id),
        str(subject.id),
        f"{100 * matches / length:.3f}",
        length,
        length - matches - alignment.total_gap_count,
        alignment.num_gap_openings,
        query.start + 1,
        query.stop + 1,
        *(place if query_strand == subject_strand else place[::-1]),
        format_evalue(alignment.evalue),
        format_bits(alignment.bitscore),
    ).row
