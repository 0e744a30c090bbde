"""What is read of a file of genomes: which format it has, and which parts of it are the corpus.

Read next: the readers `fasta.py`, `genbank.py` and `twobit.py`, then `regions.py` and `features.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigError, DataError
from pipeline.genome.fasta import read_fasta
from pipeline.genome.features import embedded_fasta, gff_regions
from pipeline.genome.files import Part, peek
from pipeline.genome.genbank import is_genbank, read_genbank
from pipeline.genome.regions import Region, as_list, is_bed, parse_regions, select_regions
from pipeline.genome.soft_mask import SoftMask
from pipeline.genome.twobit import is_twobit, read_twobit

GFF_START = b"##gff"


@dataclass(frozen=True)
class Selection:
    """Which parts of the sequences are wanted; everything where none of the three is given."""

    regions: object = None
    features: object = None
    annotation: str | None = None

    def __post_init__(self) -> None:
        if self.regions is not None and self.features is not None:
            raise ConfigError("dataset.regions and dataset.features are both given; choose one of them")
        if self.annotation is not None and self.features is None:
            raise ConfigError("dataset.annotation needs dataset.features, such as dataset.features=CDS")
        if self.regions is not None:
            parse_regions([each for each in as_list(self.regions) if not is_bed(each)])

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of features."""
        return tuple(str(kind) for kind in as_list(self.features))

    def files(self) -> tuple[Path, ...]:
        """The files beside the sequences that say what is wanted. Raises DataError where one is missing."""
        named = [*filter(is_bed, as_list(self.regions)), *as_list(self.annotation)]
        found = tuple(Path(str(name).strip()).expanduser() for name in named)
        for path in found:
            if not path.is_file():
                raise DataError(
                    f"{path.absolute()}: there is no such file; check dataset.regions or dataset.annotation"
                )
        return found


def read_parts(path: Path, allowed: bytes, selection: Selection, mask: SoftMask | None) -> Iterator[Part]:
    """Titles and letters of a FASTA, GenBank, 2bit or GFF3 file, told apart by their content, as selected.

    The mask is told whether it is one. Raises DataError as the readers do, and where what is selected is not
    there.
    """
    head = peek(path)
    kinds = selection.kinds
    if kinds and selection.annotation is None and is_genbank(head):
        return read_genbank(path, allowed, kinds)
    regions = _regions(path, head, selection)
    if is_twobit(path):
        parts = read_twobit(path, {region.sequence for region in regions} if regions is not None else None)
    elif head.startswith(GFF_START):
        parts = embedded_fasta(path, allowed)
    else:
        parts = read_genbank(path, allowed) if is_genbank(head) else read_fasta(path, allowed)
    # Before the selection: a region may well be one repeat.
    if mask is not None:
        parts = mask.watch(parts, str(path))
    return parts if regions is None else select_regions(parts, regions, str(path), strict=not kinds)


def _regions(path: Path, head: bytes, selection: Selection) -> list[Region] | None:
    if selection.regions is not None:
        return parse_regions(selection.regions)
    if not selection.kinds:
        return None
    if selection.annotation is not None:
        return gff_regions(Path(selection.annotation).expanduser(), selection.kinds)
    if head.startswith(GFF_START):
        return gff_regions(path, selection.kinds)
    raise DataError(
        f"{path}: this file has no features (dataset.features={','.join(selection.kinds)}); name its GFF3 "
        "file with dataset.annotation=FILE.gff3, or give a GenBank file"
    )
