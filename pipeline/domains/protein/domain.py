"""Proteins as a domain: read, check, write and compare sequences.

Read next: `cleaning.py` (records), `statistics.py` (comparison with real proteins); `genome/fasta.py` reads
FASTA, `genome/blast/local_search.py` is the render.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pipeline.config.checks import check_choice, check_range
from pipeline.domain import Domain, SketchSettings
from pipeline.domains.genome.fasta import read_fasta, remedy_for
from pipeline.domains.genome.titles import make_names_unique
from pipeline.domains.genome.writing import FORMS, FastaStyle, format_fasta, write_fasta
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
from pipeline.errors import ConfigError
from pipeline.records import (
    RESULTS,
    DomainOutput,
    Notice,
    Record,
    References,
    Rejection,
    ReportSection,
    Sample,
)

SUFFIXES = {".faa", ".fa", ".fasta", ".fas", ".fsa", ".pep", ".aa", ".seq", ".mpfa"}
COMPRESSED = {".gz", ".bgz", ".bz2", ".xz", ".zst"}
REDUNDANCIES = ("near", "exact", "keep")


@dataclass(frozen=True)
class Protein(Domain):
    """FASTA of amino acids, one protein a record, from its first to its last amino acid.

    Raises ConfigError where a setting is out of range.
    """

    ambiguous: str = "drop"
    """What becomes of B, J, X and Z: drop (the whole record), split, random (one of its own), error."""
    rare: str = "replace"
    """U and O: replace (read as C and K), or keep, as letters of their own."""
    inner_stop: str = "drop"
    """A stop * before the end: drop (the whole record), split, error; at the end it is fine."""
    redundancy: str = "near"
    """near (equal proteins are left out, near-copies stay on one side of the split), exact (equal ones are
    left out), keep (neither)."""
    min_length_aa: int = 10
    """Shorter proteins are left out."""
    max_length_aa: int = 50_000
    """Longer ones are left out; the longest known has 45,354."""
    line_width: int = 60
    """Columns of a line in samples.fasta, as UniProt has them."""
    fasta: str = "auto"
    """Samples are written plain, as bgzf (.gz with indices), or auto: as bgzf above 10 million residues."""

    record_suffix: ClassVar[str] = ".fasta"
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

    def accepts_file(self, path: Path) -> bool:
        """Names with a suffix usual for FASTA of proteins, compressed or not."""
        suffixes = path.suffixes
        if suffixes and suffixes[-1].lower() in COMPRESSED:
            suffixes.pop()
        return not path.name.startswith(".") and bool(suffixes) and suffixes[-1].lower() in SUFFIXES

    def duplicate_key(self, record: Record) -> bytes | None:
        """A digest of all amino acids."""
        if self.redundancy == "keep":
            return None
        return hashlib.blake2b(str(record.symbols).encode("ascii"), digest_size=16).digest()

    @property
    def sketch(self) -> SketchSettings | None:
        """Of 6 amino acids: isoforms and fragments are found, and most relatives above 80% identity. To
        cluster at a chosen identity, use CD-HIT or MMseqs2 first."""
        return SketchSettings(k=6, window=4) if self.redundancy == "near" else None

    def parse_prime(self, text: str) -> str:
        """Upper case. Raises ConfigError, with the position, for what is not in the alphabet."""
        prime = "".join(text.split()).upper()
        for position, symbol in enumerate(prime, start=1):
            if symbol not in self.alphabet:
                raise ConfigError(
                    f"sample.prime: symbol {symbol!r} at position {position} is not an amino acid "
                    f"({''.join(self.alphabet)}); leave it out or replace it"
                )
        return prime

    def parse_rest(self, text: str) -> str:
        """As a prime."""
        return self.parse_prime(text)

    def finish(self, sample: Sample) -> Record | Rejection:
        """A record of amino acids, named by the index from 1; one without an end of its own says so."""
        residues = "".join(sample.symbols)
        if not residues:
            return Rejection(f"sample {sample.index}", "empty sequence")
        odd = sorted(set(residues) - set(self.alphabet))
        if odd:
            return Rejection(f"sample {sample.index}", "symbol that is not an amino acid", " ".join(odd))
        complete = "yes" if sample.ended else "no"
        return Record(f"synthetic_{sample.index + 1:04d}", residues, {"complete": complete})

    def write(self, records: Sequence[Record], out_dir: Path) -> DomainOutput:
        """`samples.fasta`, ready to be pasted into BLAST, InterPro or a structure predictor."""
        style = FastaStyle(self.line_width, self.fasta, "synthetic protein", self.symbol_name)
        files = write_fasta(records, out_dir, style)
        cut = sum(record.metadata.get("complete", "yes") != "yes" for record in records)
        caption = "Synthetic proteins in FASTA; paste them into blastp at https://blast.ncbi.nlm.nih.gov/."
        shown = (ReportSection("Sampled proteins", files[:1], caption, part=RESULTS),)
        summary = f"{cut} of {len(records)} proteins were cut at sample.length, before an end of their own"
        return DomainOutput(
            sections=shown if records else (),
            summary=(summary,) if cut else (),
            figures={
                "sequences": len(records), "residues": sum(len(record.symbols) for record in records),
                "sequences_cut": cut,
            },
            files=files,
        )  # fmt: skip

    def format_record(self, record: Record, number: int) -> str:
        """As FASTA."""
        return format_fasta(record, self.line_width)

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
