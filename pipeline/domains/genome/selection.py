"""Recognise the format of a genome file, and select the parts of it that are the corpus.

Read next: the readers `fasta.py`, `genbank.py` and `twobit.py`, then `regions.py` and `features.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.domains.genome.annotation import JOINED, gff_features, is_transcript
from pipeline.domains.genome.bed import bed_features, block_notice, is_bed
from pipeline.domains.genome.fasta import read_fasta
from pipeline.domains.genome.features import embedded_fasta
from pipeline.domains.genome.files import Part, peek
from pipeline.domains.genome.genbank import is_genbank, read_genbank
from pipeline.domains.genome.regions import as_list, parse_regions, select_regions
from pipeline.domains.genome.soft_mask import SoftMask
from pipeline.domains.genome.spans import Region
from pipeline.domains.genome.titles import make_names_unique
from pipeline.domains.genome.twobit import is_twobit, read_twobit
from pipeline.errors import ConfigError, DataError
from pipeline.records import Notice, Record, Rejection
from pipeline.runtime.files import find_fault

DIRECTED = JOINED | {"gene", "exon", "intron", "promoter", "mat_peptide", "sig_peptide"}
"""Kinds of features that are read in one direction, besides transcripts."""
GFF_START = b"##gff"
PIECE = "piece of a record with N, gaps or IUPAC codes, which is not learned whole"


@dataclass(frozen=True)
class Selection:
    """The selected parts of the sequences; all where neither regions nor features are given."""

    regions: object = None
    features: object = None
    annotation: str | None = None
    contig_map: Any = None
    """Names of sequences in regions and annotation, to their names in the sequence file."""
    pseudo: bool = False
    """Whether pseudo genes are features like others."""

    def __post_init__(self) -> None:
        if self.regions is not None and self.features is not None:
            raise ConfigError("domain.regions and domain.features are both given; choose one of them")
        if self.annotation is not None and self.features is None:
            raise ConfigError("domain.annotation needs domain.features, such as domain.features=CDS")
        if self.contig_map is not None and not isinstance(self.contig_map, Mapping):
            raise ConfigError(
                f"domain.contig_map={self.contig_map!r} is no map; write "
                "'domain.contig_map={4: chr4, X: chrX}', a name in the regions or the annotation before "
                "each name in the sequence file"
            )
        if self.regions is not None:
            parse_regions([each for each in as_list(self.regions) if not is_bed(each)])

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of features."""
        return tuple(str(kind) for kind in as_list(self.features))

    @property
    def directed(self) -> bool:
        """Whether features are chosen, all of them of kinds that have a direction."""
        return bool(self.kinds) and all(kind in DIRECTED or is_transcript(kind) for kind in self.kinds)

    def mapped(self, regions: Sequence[Region]) -> list[Region]:
        """The regions, by the names of the sequence file."""
        names = {str(key): str(value) for key, value in (self.contig_map or {}).items()}
        return [replace(each, sequence=names.get(each.sequence, each.sequence)) for each in regions]

    def files(self) -> tuple[Path, ...]:
        """The BED and annotation files of the selection. Raises DataError where one is missing."""
        named = [*filter(is_bed, as_list(self.regions)), *as_list(self.annotation)]
        found = tuple(Path(str(name).strip()).expanduser() for name in named)
        for path in found:
            if fault := find_fault(path, "there is no such file"):
                raise DataError(f"{path.absolute()}: {fault}; check domain.regions or domain.annotation")
        return found


def read_parts(path: Path, allowed: bytes, selection: Selection, mask: SoftMask | None) -> Iterator[Part]:
    """Read the selected parts of a FASTA, GenBank, 2bit or GFF3 file; the content determines the format.

    `mask` records whether lower case is a mask. Raises DataError as the readers do, and where a selected part
    is missing.
    """
    head = peek(path)
    kinds = selection.kinds
    if kinds and selection.annotation is None and is_genbank(head):
        yield from read_genbank(path, allowed, kinds, selection.pseudo)
        return
    regions, found = _regions(path, head, selection)
    yield from found
    if is_twobit(path):
        parts = read_twobit(path, _sequences(regions))
    elif head.startswith(GFF_START):
        parts = embedded_fasta(path, allowed)
    else:
        parts = read_genbank(path, allowed) if is_genbank(head) else read_fasta(path, allowed)
    # Before the selection: a region may well be one repeat.
    if mask is not None:
        parts = mask.watch(parts, str(path))
    parts = make_names_unique(parts, str(path))
    yield from parts if regions is None else select_regions(parts, regions, str(path), strict=not kinds)


def _sequences(regions: Sequence[Region] | None) -> set[str] | None:
    """Names of the sequences that have regions, or may have them; None where all are wanted."""
    if regions is None:
        return None
    return {name for region in regions for name in (region.sequence, region.literal)}


def _regions(
    path: Path, head: bytes, selection: Selection
) -> tuple[list[Region] | None, list[Rejection | Notice]]:
    """The selected regions, None for whole sequences, and rejections and notices about the other files."""
    if selection.regions is not None:
        beds = [Path(str(each).strip()).expanduser() for each in as_list(selection.regions) if is_bed(each)]
        notices: list[Rejection | Notice] = [each for each in map(block_notice, beds) if each is not None]
        return selection.mapped(parse_regions(selection.regions)), notices
    if not selection.kinds:
        return None, []
    if selection.annotation is not None:
        annotation = Path(selection.annotation).expanduser()
    elif head.startswith(GFF_START):
        annotation = path
    else:
        raise DataError(
            f"{path}: this file has no features (domain.features={','.join(selection.kinds)}); name its "
            "GFF3 file with domain.annotation=FILE.gff3, or give a GenBank file"
        )
    if is_bed(annotation):
        return selection.mapped(bed_features(annotation, selection.kinds)), []
    regions, found = gff_features(annotation, selection.kinds, selection.pseudo)
    return selection.mapped(regions), found


def reject_piece(item: Record | Rejection | Notice) -> Record | Rejection | Notice:
    """Replace a record that is only a piece of a sequence or feature by a rejection."""
    if not isinstance(item, Record) or item.id == item.metadata["source"]:
        return item
    known = item.metadata
    if known.get("location") == f"{known['source']}:{known['start']}..{known['end']}":  # all of a region
        return item
    return Rejection(item.id, PIECE, f"{len(item.symbols)} bases")
