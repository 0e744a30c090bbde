"""DNA and RNA as a domain: read, check, write and compare sequences.

Read next: `fasta.py` and `known_intervals.py` (reading), `compare/statistics.py` (comparison with real DNA),
`blast/local_search.py` (the render).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pipeline.config.checks import check_choice
from pipeline.domain import SketchSettings
from pipeline.domains.genome.bed import is_bed
from pipeline.domains.genome.bedgraph import write_bedgraph
from pipeline.domains.genome.encoding import canonical_strand
from pipeline.domains.genome.fasta import ANY_LETTERS, BASES, GAPS
from pipeline.domains.genome.files import name_organism, peek
from pipeline.domains.genome.gff import write_gff
from pipeline.domains.genome.known_intervals import POLICIES, cut_known_intervals
from pipeline.domains.genome.orfs import STANDARD_CODE, stop_codons
from pipeline.domains.genome.regions import as_list, parse_regions
from pipeline.domains.genome.selection import Selection, read_parts, reject_piece
from pipeline.domains.genome.sequence_domain import SequenceDomain
from pipeline.domains.genome.soft_mask import SoftMask
from pipeline.domains.genome.titles import name_part
from pipeline.domains.genome.writing import FORMS, FastaStyle, count_cut, describe_cut, write_fasta
from pipeline.errors import ConfigError, DataError
from pipeline.records import RESULTS, DomainOutput, Notice, Record, References, Rejection, ReportSection

SUFFIXES = frozenset({
    ".fa", ".fna", ".fasta", ".ffn", ".fas", ".frn", ".fsa", ".seq", ".gb", ".gbk", ".gbff", ".genbank",
    ".2bit", ".gff", ".gff3",
})  # fmt: skip
MAX_WHOLE_BP = 10_000
"""Default largest length of a sample that ends by itself: nearly all coding sequences are shorter."""
MIN_COPY_BP = 12
"""Smallest allowed value of `max_copy_bp`."""


@dataclass(frozen=True)
class Nucleotide(SequenceDomain):
    """DNA or RNA in FASTA, GenBank, 2bit or GFF3 files, cut into intervals of A, C, G and T.

    Raises
    ------
    ConfigError
        Where a setting is out of range, or settings contradict each other.
    DataError
        Where a BED or annotation file is damaged.

    References
    ----------
    IUPAC-IUB nucleotide codes, Nucleic Acids Research 13 (1985) 3021.
    """

    iupac: str = "split"
    """Codes such as R or Y: split (end the interval), random (choose one of their bases) or error."""
    soft_mask: bool = True
    """Whether lower case marks repeats, which are scored separately; not in a file all in lower case."""
    min_length_bp: int = 20
    """Shorter intervals are dropped."""
    max_length_bp: int = 16_000_000
    """Longer intervals are cut into parts of this length."""
    line_width: int = 70
    """Bases per line in samples.fasta."""
    fasta: str = "auto"
    """Form of the samples: plain, bgzf (.gz with indices), or auto, which is bgzf above 10 million bases."""
    orf_min_bp: int = 75
    """Minimal length of the open reading frames in samples.gff3, as in NCBI's ORFfinder; 0: no such file."""
    molecule: str = "dna"
    """dna, or rna: samples are written with U instead of T. Both are read."""
    regions: Any = None
    """Parts of sequences that are learned: name, name:start-end (from 1, inclusive), BED file, or a list."""
    features: Any = None
    """Kinds of features that are learned, such as CDS: spliced, in the direction of their strand."""
    annotation: str | None = None
    """A GFF3 file with the features of the sequences."""
    contig_map: Any = None
    """Map from names of sequences in regions and annotation to names in the sequence file, as 4: chr4."""
    score_regions: Any = None
    """Parts of the sequences at `score.path` that are scored, in the form of `regions`."""
    pseudo: bool = False
    """Whether pseudo genes are learned like other features."""
    records: str = "auto"
    """whole: records are learned with beginning and end, in their own direction; open: on both strands,
    without beginning and end; auto: whole for features with a direction, else open."""
    genetic_code: int = STANDARD_CODE
    """NCBI's number of the genetic code, for the metrics of genes and reading frames."""
    max_copy_bp: int | None = None
    """Samples with a longer exact match with the training data are dropped; None: copies are only flagged."""

    record_suffix: ClassVar[str] = ".fasta"
    file_suffixes: ClassVar[Set[str]] = SUFFIXES
    symbol_description: ClassVar[str] = "a base"
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
        """State that records are learned whole; empty where they are not."""
        if self.open_ended:
            return ""
        return (
            "records are learned whole, from their beginning to their end, in their own direction "
            "(domain.records=open: both strands, without ends)"
        )

    @property
    def sample_length(self) -> int:
        """The default length of a sample; an upper bound for whole records, which end by themselves."""
        return MAX_WHOLE_BP if not self.open_ended else super().sample_length

    def read(self, path: Path) -> Iterator[Record | Rejection | Notice]:
        """Stream the intervals of known bases of a FASTA, GenBank, 2bit or GFF3 file, recognised by
        content."""
        return self._read_records(path, Selection())

    def read_corpus(self, path: Path) -> Iterator[Record | Rejection | Notice]:
        """Stream the selected regions or features, each as a record; only whole ones where `records` is
        whole."""
        items = self._read_records(path, self._selection())
        return items if self.open_ended else map(reject_piece, items)

    @classmethod
    def names_file(cls, setting: str, value: object) -> bool:
        """Tell whether a value names a file; a region other than ``name:start-end`` may be a BED file."""
        places = [str(each) for each in as_list(value)]
        if setting.endswith("regions") and all(":" in each and "/" not in each for each in places):
            return False
        return super().names_file(setting, value)

    def to_score(self) -> "Nucleotide":
        """Select `score_regions` instead of the learned parts; `contig_map` still applies.

        Records are scored as they are learned: whole, or as parts of longer sequences.
        """
        records = "open" if self.open_ended else "whole"
        return replace(self, regions=self.score_regions, features=None, annotation=None, records=records)

    @property
    def reads_parts(self) -> bool:
        """Whether regions are selected; False for whole records, which nothing precedes."""
        return self.regions is not None and self.open_ended

    def auxiliary_files(self) -> tuple[Path, ...]:
        """List the BED files and the annotation."""
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

    def title_data(self, files: Sequence[Path]) -> str:
        """Return the organism that the first record of the first file names."""
        with suppress(DataError):  # ingestion may have left out an unreadable first file
            return name_organism(peek(files[0])) or super().title_data(files)
        return super().title_data(files)

    def duplicate_key(self, record: Record) -> bytes:
        """Return the sequence or its reverse complement, whichever sorts first."""
        return canonical_strand(str(record.symbols)).encode("ascii")

    @property
    def sketch(self) -> SketchSettings:
        """K-mers of 16 bases: 100 bases with four substitutions still share some, and 53 million bases of the
        fly share hardly one by chance."""
        return SketchSettings(k=16, window=8)

    def part_id(self, record_id: str, start: int, stop: int) -> str:
        """Name a part ``name:start-end``, from 1, inclusive; coordinates in the name are an offset."""
        return name_part(record_id, start, stop)

    def parse_prime(self, text: str) -> str:
        """Parse a prime as A, C, G and T; U means T.

        Raises
        ------
        ConfigError
            With the position, for any other symbol.
        """
        return super().parse_prime(text.upper().replace("U", "T"))

    def audit(
        self, records: Sequence[Record], references: References, out_dir: Path
    ) -> tuple[Sequence[Record], DomainOutput]:
        """Find the longest exact match of each sample with the training records; see `max_copy_bp`."""
        from pipeline.domains.genome.compare.originality import audit_copies

        return audit_copies(records, references, self.max_copy_bp, out_dir)

    def write(self, records: Sequence[Record], out_dir: Path) -> DomainOutput:
        """Write `samples.fasta`, its index, and `samples.gff3` with the open reading frames."""
        description = f"synthetic {self.molecule.upper()}"
        style = FastaStyle(self.line_width, self.fasta, description, self.symbol_name)
        files = write_fasta(self._spelled(records), out_dir, style)
        caption = f"{description} in FASTA format, ready for https://blast.ncbi.nlm.nih.gov/."
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
        if not self.open_ended:
            figures["sequences_cut"] = count_cut(records)
        summary = describe_cut(records, "sequences")
        return DomainOutput(sections=tuple(sections), summary=summary, files=files, figures=figures)

    def _spelled(self, records: Sequence[Record]) -> Sequence[Record]:
        if self.molecule == "dna":
            return records
        return [replace(record, symbols=str(record.symbols).replace("T", "U")) for record in records]

    def write_tracks(self, tracks: Iterable[tuple[Record, np.ndarray]], out_dir: Path) -> DomainOutput:
        """Write `surprisal.bedgraph`, in bits per base along the sequences of the scored file."""
        path = write_bedgraph(tracks, out_dir / "surprisal.bedgraph")
        caption = "Surprisal in bits per base, for genome browsers."
        return DomainOutput(sections=(ReportSection("Surprisal track", (path,), caption),), files=(path,))

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
