"""BLAST inside this installation: NCBI's C++ toolkit, which the pyncbitk package brings as wheels.

Only this file uses pyncbitk. The toolkit runs in a child process that reads and writes files, so that a
crash in native code ends one search and not the run.

The rows equal those of BLAST+ 2.12. For 240 mutated, partly reversed slices of fly chromosome 4 all hits up
to E = 10 were equal to the last digit: 8,000 rows with masking and 12,000 without. This requires one search
for all queries, as in `blastn`: with single queries the toolkit loses hits at the first base of a query and
ignores the masking. The toolkit lacks the word size, the discontiguous seeds and the scores of nucleotide
tasks other than blastn. For proteins it lacks the matrix of blastp-short and SEG masking. These settings
require BLAST+.
"""

import csv
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.domains.genome.blast.backend import BLASTP, DATABASE, SearchSettings
from pipeline.domains.genome.blast.hits import Hit, format_bits, format_evalue, read_hits
from pipeline.errors import ConfigError, ToolError
from pipeline.runtime.subprocess_call import call_isolated

WORD_SIZE = 11
"""The word size of the task blastn."""
FAST_PROTEIN = {"word_size": 6, "word_threshold": 21.0}
"""The options of the task blastp-fast."""
_COMPLEMENT = str.maketrans("ACGTRYKMBVDHSWN", "TGCAYRMKVBHDSWN")


class EmbeddedBlast:
    """Searches by the toolkit. Raises ConfigError for settings that only BLAST+ has."""

    format = "pyncbitk 4"

    def __init__(self, settings: SearchSettings) -> None:
        protein = settings.program == BLASTP
        if protein:
            known = settings.task in ("blastp", "blastp-fast") and not settings.masked
            has = "task=blastp and blastp-fast without SEG masking"
        else:
            known = settings.task == "blastn" and settings.word_size in (None, WORD_SIZE)
            has = f"task=blastn with word_size={WORD_SIZE} only"
        if not known:
            raise ConfigError(
                f"blast.task={settings.task} with blast.word_size={settings.word_size}"
                f"{' and masking' if protein and settings.masked else ''} needs BLAST+ on PATH "
                f"(Debian: ncbi-blast+); the embedded BLAST has {has}"
            )
        self.settings = settings

    @property
    def name(self) -> str:
        """The package with its version."""
        return f"pyncbitk {version('pyncbitk')}"

    def build(self, subjects: Path, folder: Path) -> None:
        """Make a database named `DATABASE` in a folder. Raises ToolError where the toolkit fails."""
        self._call("build_here", folder, subjects=str(subjects.resolve()), name=DATABASE)

    def search(self, queries: Path, database: Path, folder: Path) -> Iterator[Hit]:
        """Yield the hits of all sequences of a FASTA file in a database; the first hit of each query has its
        aligned texts. Raises ToolError where the toolkit fails or takes too long."""
        wanted = self.settings
        options: dict[str, Any] = {"evalue": wanted.evalue, "max_target_sequences": wanted.max_hits}
        if wanted.program == BLASTP:
            options |= FAST_PROTEIN if wanted.task == "blastp-fast" else {}
            options |= {"word_size": wanted.word_size} if wanted.word_size else {}
        else:
            options["dust_filtering"] = wanted.masked
        self._call(
            "search_here", database.parent, queries=str(queries.resolve()), name=database.name,
            out=str(folder.resolve()), options=options,
        )  # fmt: skip
        with (folder / "texts.tsv").open(encoding="ascii", newline="") as stream:
            texts = {row[0]: row[1:3] for row in csv.reader(stream, delimiter="\t")}
        for hit in read_hits(folder / "hits.tsv"):
            query_text, subject_text = texts.pop(hit.query, ("", ""))
            yield replace(hit, query_text=query_text, subject_text=subject_text)

    def _call(self, function: str, folder: Path, **arguments: Any) -> None:
        try:
            whole = {**arguments, "folder": str(folder.resolve()), "molecule": self.settings.program.molecule}
            call_isolated(f"{__name__}:{function}", whole, self.settings.timeout_s)
        except ToolError as error:
            raise ToolError(
                f"the embedded BLAST failed: {error}; install BLAST+ (Debian: ncbi-blast+) or set blast=none"
            ) from error


def build_here(subjects: str, folder: str, name: str, molecule: str) -> None:
    """Make a database in this process. For a child process."""
    # BLAST takes a space in a database's path for the end of its name, and looks for it where it was loaded.
    os.chdir(folder)
    from pyncbitk.objtools import DatabaseWriter, FastaReader

    kind = "protein" if molecule == "prot" else "nucleotide"
    with DatabaseWriter(Path(name), type=kind, title="training records") as writer:
        for sequence in FastaReader(Path(subjects), split=False):
            writer.append(sequence)


def search_here(queries: str, folder: str, name: str, out: str, options: dict, molecule: str) -> int:
    """Search in this process, and write `hits.tsv` and, of each query's first hit, `texts.tsv` into `out`;
    the number of rows. For a child process."""
    os.chdir(folder)
    from pyncbitk.algo.blast import BlastN, BlastP, SearchQuery, SearchQueryVector
    from pyncbitk.objects.seqloc import WholeSeqLoc
    from pyncbitk.objmgr import ObjectManager
    from pyncbitk.objtools import DatabaseReader, FastaReader

    scope = ObjectManager().scope()
    batch = []
    for sequence in FastaReader(Path(queries), split=False):
        scope.add_bioseq(sequence)
        batch.append(SearchQuery(WholeSeqLoc(sequence.id), scope))
    search = (BlastP if molecule == "prot" else BlastN)(**options)
    database = DatabaseReader(Path(name))
    count, first = 0, defaultdict(list)
    with (Path(out) / "hits.tsv").open("w", encoding="utf-8") as stream:
        for result in search.run(SearchQueryVector(batch), database):
            for number, alignment in enumerate(result.alignments):
                stream.write(_row(alignment) + "\n")
                count += 1
                if number == 0:
                    first[str(alignment[1].id)].append(alignment)
    _write_texts(first, queries, database, Path(out) / "texts.tsv")
    return count


def _write_texts(first: dict[str, list], queries: str, database: Any, path: Path) -> None:
    """The aligned texts of some alignments, by subject, since to decode a chromosome takes a while."""
    from Bio.SeqIO.FastaIO import SimpleFastaParser

    with Path(queries).open(encoding="ascii") as stream:
        letters = dict(SimpleFastaParser(stream))
    with path.open("w", encoding="ascii") as stream:
        for alignments in first.values():
            instance = database[alignments[0][1].id].instance
            subject = instance.data.decode()[: instance.length]
            for alignment in alignments:
                query = str(alignment[0].id)
                texts = _texts(alignment.segments.data, letters[query], subject)
                stream.write("\t".join((query, *texts)) + "\n")


def _texts(segments: Any, query: str, subject: str) -> tuple[str, str]:
    """Both rows of an alignment, the query in its own direction, - for gaps."""
    starts, strands, rows = segments.starts, segments.strands or ["plus", "plus"], []
    for row, letters in enumerate((query, subject)):
        pieces = []
        for start, length in zip(starts[row::2], segments.lengths, strict=True):
            piece = "-" * length if start < 0 else letters[start : start + length]
            pieces.append(piece if strands[row] != "minus" else _turned(piece))
        rows.append("".join(pieces))
    # The toolkit turns the query where strands differ, blastn the subject.
    turned = strands[0] == "minus"
    return (_turned(rows[0]), _turned(rows[1])) if turned else (rows[0], rows[1])


def _turned(letters: str) -> str:
    return letters.translate(_COMPLEMENT)[::-1]


def _row(alignment: Any) -> str:
    """One alignment in BLAST's twelve columns; the toolkit counts from 0, both ends included."""
    query, subject = alignment[0], alignment[1]
    length, matches = alignment.alignment_length, alignment.matches
    query_strand, subject_strand = (alignment.segments.data.strands or ["plus", "plus"])[:2]
    start, stop = subject.start + 1, subject.stop + 1
    if query_strand != subject_strand:
        start, stop = stop, start
    return Hit(
        str(query.id),
        str(subject.id),
        f"{100 * matches / length:.3f}",
        length,
        length - matches - alignment.total_gap_count,
        alignment.num_gap_openings,
        query.start + 1,
        query.stop + 1,
        start,
        stop,
        format_evalue(alignment.evalue),
        format_bits(alignment.bitscore),
    ).row
