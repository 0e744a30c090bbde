"""Proteins as a domain: read, check, write and compare sequences.

Read next: `cleaning.py` (records), `statistics.py` (comparison with real proteins); `genome/fasta.py` reads
FASTA, `genome/blast/local_search.py` is the render.
"""

import hashlib
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pipeline.config.checks import check_choice, check_range
from pipeline.domain import SketchSettings
from pipeline.domains.genome.fasta import read_fasta, remedy_for
from pipeline.domains.genome.sequence_domain import SequenceDomain
from pipeline.domains.genome.titles import make_names_unique
from pipeline.domains.genome.writing import FORMS, FastaStyle, count_cut, describe_cut, write_fasta
from pipeline.domains.protein.cleaning import (
    AMBIGUOUS,
    GAPS,
    POLICIES,
    RARE,
    RARE_POLICIES,
    STANDARD,
    STOP,
    STOP_POLICIES,
    Policy,
    clean_proteins,
)
from pipeline.records import RESULTS, DomainOutput, Notice, Record, References, Rejection, ReportSection

SUFFIXES = frozenset({".faa", ".fa", ".fasta", ".fas", ".fsa", ".pep", ".aa", ".seq", ".mpfa"})
REDUNDANCIES = ("near", "exact", "keep")


@dataclass(frozen=True)
class Protein(SequenceDomain):
    """Proteins in FASTA files, one a record, from the first to the last amino acid.

    Raises
    ------
    ConfigError
        Where a setting is out of range.

    References
    ----------
    IUPAC-IUB codes of amino acids, European Journal of Biochemistry 138 (1984) 9.
    """

    ambiguous: str = "drop"
    """The ambiguous codes B, J, X and Z: drop (the whole record), split, random (choose one of their amino
    acids) or error."""
    rare: str = "replace"
    """The rare amino acids U and O: replace (by C and K) or keep (as symbols)."""
    inner_stop: str = "drop"
    """A stop * before the end: drop (the whole record), split or error. A stop at the end is removed."""
    redundancy: str = "near"
    """near (equal proteins are dropped, near-copies stay on one side of the split), exact (equal proteins are
    dropped) or keep (neither)."""
    min_length_aa: int = 10
    """Shorter proteins are dropped."""
    max_length_aa: int = 50_000
    """Longer proteins are dropped; the longest known has 45,354 amino acids."""
    line_width: int = 60
    """Amino acids per line in samples.fasta; UniProt has 60."""
    fasta: str = "auto"
    """Form of the samples: plain, bgzf (.gz with indices), or auto, which is bgzf above 10 million
    residues."""

    record_suffix: ClassVar[str] = ".fasta"
    file_suffixes: ClassVar[Set[str]] = SUFFIXES
    symbol_description: ClassVar[str] = "an amino acid"
    family: ClassVar[str] = "protein"
    symbol_name: ClassVar[str] = "residue"
    output_settings: ClassVar[tuple[str, ...]] = ("line_width", "fasta")
    wildcards: ClassVar[dict[str, str]] = {code: "".join(choices) for code, choices in AMBIGUOUS.items()}

    def __post_init__(self) -> None:
        check_choice("domain.ambiguous", self.ambiguous, POLICIES)
        check_choice("domain.rare", self.rare, RARE_POLICIES)
        check_choice("domain.inner_stop", self.inner_stop, STOP_POLICIES)
        check_choice("domain.redundancy", self.redundancy, REDUNDANCIES)
        check_range("domain.max_length_aa", self.max_length_aa, 1, 10_000_000)
        check_range("domain.min_length_aa", self.min_length_aa, 1, self.max_length_aa)
        check_range("domain.line_width", self.line_width, 10, 120)
        check_choice("domain.fasta", self.fasta, FORMS)

    @property
    def alphabet(self) -> tuple[str, ...]:
        """The twenty amino acids, and the two rare ones where they are kept."""
        return (*STANDARD, *(RARE if self.rare == "keep" else ()))

    def read(self, path: Path) -> Iterator[Record | Rejection | Notice]:
        """Stream the proteins of a FASTA file."""
        letters = STANDARD + "".join(RARE) + ("" if self.ambiguous == "error" else "".join(AMBIGUOUS))
        allowed = letters + letters.lower() + STOP + GAPS
        policy = Policy(self.ambiguous, self.inner_stop, self.rare, self.min_length_aa, self.max_length_aa)
        parts = read_fasta(path, allowed.encode("ascii"), describe=_not_an_amino_acid)
        yield from clean_proteins(make_names_unique(parts, str(path)), str(path), policy)

    def duplicate_key(self, record: Record) -> bytes | None:
        """Return a digest of the sequence; None where `redundancy` is keep."""
        if self.redundancy == "keep":
            return None
        return hashlib.blake2b(str(record.symbols).encode("ascii"), digest_size=16).digest()

    @property
    def sketch(self) -> SketchSettings | None:
        """K-mers of 6 amino acids, which find isoforms, fragments, and most relatives above 80% identity. To
        cluster at a chosen identity, use CD-HIT or MMseqs2 first."""
        return SketchSettings(k=6, window=4) if self.redundancy == "near" else None

    def write(self, records: Sequence[Record], out_dir: Path) -> DomainOutput:
        """Write `samples.fasta` and its index."""
        style = FastaStyle(self.line_width, self.fasta, "synthetic protein", self.symbol_name)
        files = write_fasta(records, out_dir, style)
        caption = "Synthetic proteins in FASTA format, ready for blastp at https://blast.ncbi.nlm.nih.gov/."
        shown = (ReportSection("Sampled proteins", files[:1], caption, part=RESULTS),)
        return DomainOutput(
            sections=shown if records else (),
            summary=describe_cut(records, "proteins"),
            figures={
                "sequences": len(records), "residues": sum(len(record.symbols) for record in records),
                "sequences_cut": count_cut(records),
            },
            files=files,
        )  # fmt: skip

    def compare(self, records: Sequence[Record], references: References, out_dir: Path) -> DomainOutput:
        """Compare composition, lengths, low complexity, hydropathy and k-mers with the reference groups."""
        from pipeline.domains.protein.statistics import compare_groups

        if not records:
            return DomainOutput()
        return compare_groups(references.texts_by_group(records), out_dir)


def _not_an_amino_acid(symbol: str, allowed: bytes) -> str:
    remedy = remedy_for(symbol)
    if symbol.upper() in AMBIGUOUS:
        remedy = "set domain.ambiguous=drop, split or random to read on"
    return f"is not an amino acid ({''.join(sorted(set(allowed.decode().upper())))}); {remedy}"
