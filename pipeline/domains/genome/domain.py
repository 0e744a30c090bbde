"""DNA and RNA as a domain: read, check, write and compare sequences.

Read next: `fasta.py` and `known_intervals.py` (reading), `compare/statistics.py` (comparison with real DNA),
`blast/local_search.py` (the render).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pipeline.config.checks import check_choice
from pipeline.domain import Domain, SketchSettings
from pipeline.domains.genome.bed import is_bed
from pipeline.domains.genome.bedgraph import write_bedgraph
from pipeline.domains.genome.fasta import ANY_LETTERS, BASES, GAPS
from pipeline.domains.genome.files import name_organism, peek
from pipeline.domains.genome.gff import write_gff
from pipeline.domains.genome.known_intervals import POLICIES, cut_known_intervals
from pipeline.domains.genome.orfs import STANDARD_CODE, stop_codons
from pipeline.domains.genome.regions import as_list, parse_regions
from pipeline.domains.genome.selection import Selection, read_parts
from pipeline.domains.genome.soft_mask import SoftMask
from pipeline.domains.genome.writing import FORMS, FastaStyle, format_fasta, write_fasta
from pipeline.errors import ConfigError, DataError
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

SUFFIXES = {
    ".fa", ".fna", ".fasta", ".ffn", ".fas", ".frn", ".fsa", ".seq", ".gb", ".gbk", ".gbff", ".genbank",
    ".2bit", ".gff", ".gff3",
}  # fmt: skip
COMPRESSED = {".gz", ".bgz", ".bz2", ".xz", ".zst"}
_COMPLEMENT = str.maketrans("ACGT", "TGCA")
_END_BASES = 64
PIECE = "piece of a record with N, gaps or IUPAC codes, which is not learned whole"
MAX_WHOLE_BP = 10_000
"""Default bound of a sample that ends by itself: nearly all coding sequences are shorter."""
MIN_COPY_BP = 12
"""Shorter matches are no copies."""


def reverse_complement(sequence: str) -> str:
    """The other strand, read in its own direction.

    >>> reverse_complement("AACGT")
    'ACGTT'
    """
    return sequence.translate(_COMPLEMENT)[::-1]


def _whole(item: Record | Rejection | Notice) -> Record | Rejection | Notice:
    """A rejection instead of a record that is only a piece of one."""
    if not isinstance(item, Record) or item.id == item.metadata["source"]:
        return item
    known = item.metadata
    if known.get("location") == f"{known['source']}:{known['start']}..{known['end']}":  # all of a region
        return item
    return Rejection(item.id, PIECE, f"{len(item.symbols)} bases")


@dataclass(frozen=True)
class Nucleotide(Domain):
    """FASTA, GenBank, 2bit or GFF3 files, cut into stretches of A, C, G and T.

    Raises ConfigError where a setting is out of range.
    """

    iupac: str = "split"
    """What becomes of codes such as R or Y: split, random or error."""
    soft_mask: bool = True
    """Lower case means a repeat, and is scored apart, save in a file that is all in lower case."""
    min_length_bp: int = 20
    """Shorter stretches are dropped."""
    max_length_bp: int = 16_000_000
    """Longer stretches are delivered in parts."""
    line_width: int = 70
    """Columns of a line in samples.fasta."""
    fasta: str = "auto"
    """Samples are written plain, as bgzf (.gz with indices), or auto: as bgzf above 10 million bases."""
    orf_min_bp: int = 75
    """Open reading frames from this length on are written as GFF3, as by NCBI's ORFfinder; 0: none are."""
    molecule: str = "dna"
    """rna: samples are written with U instead of T. Either is read."""
    regions: Any = None
    """Parts of sequences that are the corpus: name, name:start-end (from 1, inclusive), BED file, or list."""
    features: Any = None
    """Kinds of features that are the corpus, such as CDS: spliced, in the direction of their strand."""
    annotation: str | None = None
    """A GFF3 file with the features of the sequences."""
    contig_map: Any = None
    """Names of sequences in regions and annotation, each to its name in the sequence file, as 4: chr4."""
    score_regions: Any = None
    """Parts of the sequences at `score.path` that are scored, written like `regions`."""
    pseudo: bool = False
    """Whether pseudo genes are learned like other features."""
    records: str = "auto"
    """whole: records are learned from beginning to end, in their own direction; open: they have neither, and
    both strands are learned; auto: whole for features with a direction, else open."""
    genetic_code: int = STANDARD_CODE
    """The number of the genetic code at NCBI, by which genes and reading frames are measured."""
    max_copy_bp: int | None = None
    """Samples with a longer exact match with the training data are dropped; None: copies are flagged."""

    record_suffix: ClassVar[str] = ".fasta"
    family: ClassVar[str] = "genome"
    symbol_name: ClassVar[str] = "base"
    alphabet: ClassVar[tuple[str, ...]] = ("A", "C", "G", "T")
    complement: ClassVar[Mapping[str, str]] = {"A": "T", "C": "G", "G": "C", "T": "A"}
    wildcards: ClassVar[Mapping[str, str]] = {
        "U": "T", "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC", "B": "CGT", "D": "AGT",
        "H": "ACT", "V": "ACG", "N": "ACGT",
    }  # fmt: skip
    mark_names: ClassVar[tuple[str, ...]] = ("unique", "soft-masked")
    lead: ClassVar[int] = 2000
    score_settings: ClassVar[tuple[str, ...]] = ("score_regions",)
    data_settings: ClassVar[tuple[str, ...]] = ("regions", "annotation", "contig_map")
    file_settings: ClassVar[tuple[str, ...]] = ("regions", "annotation", "score_regions")
    output_settings: ClassVar[tuple[str, ...]] = (
        "line_width", "fasta", "orf_min_bp", "molecule", "max_copy_bp", "genetic_code",
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_choice("domain.iupac", self.iupac, POLICIES)
        if not 1 <= self.min_length_bp <= self.max_length_bp:
            raise ConfigError(
                f"domain.min_length_bp={self.min_length_bp} must lie between 1 and "
                f"domain.max_length_bp={self.max_length_bp}"
            )
        if not 10 <= self.line_width <= 120:
            raise ConfigError(f"domain.line_width={self.line_width} must lie between 10 and 120 columns")
        check_choice("domain.fasta", self.fasta, FORMS)
        check_choice("domain.molecule", self.molecule, ("dna", "rna"))
        check_choice("domain.records", self.records, ("auto", "whole", "open"))
        stop_codons(self.genetic_code)
        self._selection()
        if self.score_regions is not None:
            parse_regions([each for each in as_list(self.score_regions) if not is_bed(each)])
        if self.orf_min_bp < 0:
            raise ConfigError(f"domain.orf_min_bp={self.orf_min_bp} is negative; 0 means no GFF3")
        if self.max_copy_bp is not None and self.max_copy_bp < MIN_COPY_BP:
            raise ConfigError(
                f"domain.max_copy_bp={self.max_copy_bp} is below {MIN_COPY_BP} bp, which any sequences "
                "share by chance; leave it out, or give a larger one such as 40"
            )

    @property
    def open_ended(self) -> bool:
        """Whether records have neither a beginning nor an end that is learned."""
        if self.records != "auto":
            return self.records == "open"
        return not self._selection().directed

    @property
    def remark(self) -> str:
        """How records are learned, where that is not as usual."""
        if self.open_ended:
            return ""
        return (
            "records are learned whole, from their beginning to their end, in their own direction "
            "(domain.records=open: both strands, without ends)"
        )

    @property
    def sample_length(self) -> int:
        """Of a whole record only a bound: it ends by itself."""
        return MAX_WHOLE_BP if not self.open_ended else super().sample_length

    def read(self, path: Path) -> Iterator[Record | Rejection | Notice]:
        """Stream the intervals of known bases of a FASTA, GenBank, 2bit or GFF3 file, recognised by
        content."""
        return self._read_records(path, Selection())

    def read_corpus(self, path: Path) -> Iterator[Record | Rejection | Notice]:
        """The same of the regions or features that are chosen, each a record; whole ones, where these are
        learned."""
        items = self._read_records(path, self._selection())
        return items if self.open_ended else map(_whole, items)

    @classmethod
    def names_file(cls, setting: str, value: object) -> bool:
        """Of regions, all but ``name:start-end`` may be a BED file."""
        places = [str(each) for each in as_list(value)]
        if setting.endswith("regions") and all(":" in each and "/" not in each for each in places):
            return False
        return super().names_file(setting, value)

    def to_score(self) -> "Nucleotide":
        """`score_regions` instead of the parts that are learned; the names of sequences stay mapped.

        Records are scored as they are learned: whole, or as parts of longer sequences.
        """
        records = "open" if self.open_ended else "whole"
        return replace(self, regions=self.score_regions, features=None, annotation=None, records=records)

    @property
    def reads_parts(self) -> bool:
        """Whether regions are chosen. Nothing precedes a whole record."""
        return self.regions is not None and self.open_ended

    def auxiliary_files(self) -> tuple[Path, ...]:
        """BED files and the annotation."""
        return self._selection().files()

    def _selection(self) -> Selection:
        return Selection(self.regions, self.features, self.annotation, self.contig_map, self.pseudo)

    def _read_records(self, path: Path, selection: Selection) -> Iterator[Record | Rejection | Notice]:
        bases = BASES + b"N"
        allowed = bases + bases.lower() + GAPS if self.iupac == "error" else ANY_LETTERS
        mask = SoftMask() if self.soft_mask else None
        parts = read_parts(path, allowed, selection, mask)
        lengths = self.min_length_bp, self.max_length_bp
        yield from cut_known_intervals(parts, str(path), *lengths, self.iupac, mask)

    def accepts_file(self, path: Path) -> bool:
        """Names with a suffix usual for FASTA or GenBank, compressed or not."""
        suffixes = path.suffixes
        if suffixes and suffixes[-1].lower() in COMPRESSED:
            suffixes.pop()
        return not path.name.startswith(".") and bool(suffixes) and suffixes[-1].lower() in SUFFIXES

    def title_data(self, files: Sequence[Path]) -> str:
        """The organism, as the first record of the first file names it."""
        with suppress(DataError):  # of several files the first may be unreadable, and then was left out
            return name_organism(peek(files[0])) or super().title_data(files)
        return super().title_data(files)

    def duplicate_key(self, record: Record) -> bytes:
        """The strand of the two that sorts first."""
        sequence = str(record.symbols)
        # The ends nearly always tell which strand sorts first, so that the other need not be made.
        head, tail = sequence[:_END_BASES], reverse_complement(sequence[-_END_BASES:])
        if head > tail or (head == tail and sequence > reverse_complement(sequence)):
            sequence = reverse_complement(sequence)
        return sequence.encode("ascii")

    @property
    def sketch(self) -> SketchSettings:
        """Of 16 bases: four substitutions leave some of them in 100 bases, and 53 million bases of the fly
        have hardly one in common by chance."""
        return SketchSettings(k=16, window=8)

    def part_id(self, record_id: str, start: int, stop: int) -> str:
        """``name:start-end`` from 1, inclusive; a name that has such coordinates keeps counting from them."""
        name, colon, span = record_id.rpartition(":")
        first, dash, last = span.partition("-")
        if colon and dash and first.isdecimal() and last.isdecimal():
            return f"{name}:{int(first) + start}-{int(first) + stop - 1}"
        return f"{record_id}:{start + 1}-{stop}"

    def parse_prime(self, text: str) -> str:
        """Upper case, U read as T. Raises ConfigError, with the position, for anything but A, C, G, T."""
        prime = "".join(text.split()).upper().replace("U", "T")
        for position, symbol in enumerate(prime, start=1):
            if symbol not in self.alphabet:
                raise ConfigError(
                    f"sample.prime: symbol {symbol!r} at position {position} is not a base (A, C, G, T); "
                    "leave it out or replace it"
                )
        return prime

    def parse_rest(self, text: str) -> str:
        """As a prime."""
        return self.parse_prime(text)

    def finish(self, sample: Sample) -> Record | Rejection:
        """A record of A, C, G and T, named by the sample's index from 1."""
        sequence = "".join(sample.symbols)
        if not sequence:
            return Rejection(f"sample {sample.index}", "empty sequence")
        odd = sorted(set(sequence) - set(self.alphabet))
        if odd:
            return Rejection(f"sample {sample.index}", "symbol that is not a base", " ".join(odd))
        made = {} if self.open_ended else {"complete": "yes" if sample.ended else "no"}
        return Record(f"synthetic_{sample.index + 1:04d}", sequence, made)

    def audit(
        self, records: Sequence[Record], references: References, out_dir: Path
    ) -> tuple[Sequence[Record], DomainOutput]:
        """The longest exact match of each with the training records, as `max_copy_bp` says."""
        from pipeline.domains.genome.compare.originality import audit_copies

        return audit_copies(records, references, self.max_copy_bp, out_dir)

    def write(self, records: Sequence[Record], out_dir: Path) -> DomainOutput:
        """`samples.fasta`, ready to be pasted into NCBI BLAST, its index, and GFF3 of its reading frames."""
        what = f"synthetic {self.molecule.upper()}"
        style = FastaStyle(self.line_width, self.fasta, what, self.symbol_name)
        files = write_fasta(self._spelled(records), out_dir, style)
        caption = f"{what} in FASTA format, to be pasted into https://blast.ncbi.nlm.nih.gov/ as it is."
        figures = {"sequences": len(records), "bases": sum(len(record.symbols) for record in records)}
        sections = [ReportSection("Sampled sequences", files[:1], caption, part=RESULTS)] if records else []
        if self.orf_min_bp and records:
            frames = out_dir / "samples.gff3"
            figures["orfs"] = write_gff(records, frames, self.orf_min_bp, self.genetic_code)
            caption = (
                f"{figures['orfs']:,} open reading frames of {self.orf_min_bp} bases or more in GFF3, "
                "on both strands, for genome browsers."
            )
            sections.append(ReportSection("Open reading frames", (frames,), caption))
            files = (*files, frames)
        cut = sum(record.metadata.get("complete", "yes") != "yes" for record in records)
        summary = f"{cut} of {len(records)} sequences were cut at sample.length, before an end of their own"
        return DomainOutput(
            sections=tuple(sections), summary=(summary,) if cut else (), files=files,
            figures=figures if self.open_ended else {**figures, "sequences_cut": cut},
        )  # fmt: skip

    def _spelled(self, records: Sequence[Record]) -> Sequence[Record]:
        if self.molecule == "dna":
            return records
        return [replace(record, symbols=str(record.symbols).replace("T", "U")) for record in records]

    def write_tracks(self, tracks: Iterable[tuple[Record, np.ndarray]], out_dir: Path) -> DomainOutput:
        """`surprisal.bedgraph`, bits along the sequences of the file that was read."""
        path = write_bedgraph(tracks, out_dir / "surprisal.bedgraph")
        caption = "Surprisal in bits per base, for genome browsers."
        return DomainOutput(sections=(ReportSection("Surprisal track", (path,), caption),), files=(path,))

    def format_record(self, record: Record, number: int) -> str:
        """As FASTA."""
        return format_fasta(record, self.line_width)

    def compare(self, records: Sequence[Record], references: References, out_dir: Path) -> DomainOutput:
        """Compare some twenty metrics of DNA with those of the reference groups: a table, conclusions,
        plots."""
        from pipeline.domains.genome.compare.coding import are_coding, compare_genes
        from pipeline.domains.genome.compare.statistics import compare_groups
        from pipeline.evaluation.metric_comparison.groups import REAL

        if not records:
            return DomainOutput()
        groups = references.texts_by_group(records)
        found = compare_groups(groups, out_dir, references.blocks)
        if self.open_ended or not are_coding(groups.get(REAL, ()), self.genetic_code):
            return found
        return compare_genes(groups, out_dir, self.genetic_code).combine(found)
