"""The part of the interface `Domain` that reads files and describes a corpus."""

import abc
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.records import Notice, Record, Rejection, Symbols


@dataclass(frozen=True, slots=True)
class SketchSettings:
    """How sequences are compared by minimizers (see `minimizers.py`).

    Attributes
    ----------
    k : int
        Length of a k-mer, in symbols.
    window : int
        Adjacent k-mers of which one is kept; more where the corpus is large.
    """

    k: int
    window: int


class CorpusInterface(abc.ABC):
    """The alphabet of a domain, and its methods that read files and describe records for their split."""

    symbol_name: ClassVar[str] = "character"
    """The name of a symbol, as in "bits per base"."""
    alphabet: ClassVar[tuple[str, ...] | None] = None
    """The symbols in their fixed order; None: the sorted symbols of the data."""
    complement: ClassVar[Mapping[str, str] | None] = None
    """The complement of each symbol, where the reverse complement of a sequence is as likely as the
    sequence."""
    wildcards: ClassVar[Mapping[str, str]] = {}
    """The symbols that each ambiguity code stands for, for motifs."""
    mark_names: ClassVar[tuple[str, ...]] = ()
    """Names of the values of `Record.marks`."""
    remark: ClassVar[str] = ""
    """A line for the summary on how the data is read, such as the reason for the choice of this domain."""
    larger_unit: ClassVar[str | None] = None
    """A unit that does not depend on the representation, such as a note. Bits per unit compare models with
    different symbols."""

    @abc.abstractmethod
    def read(self, path: Path) -> Iterator[Record | Rejection | Notice]:
        """Stream the records of one file.

        Parameters
        ----------
        path : Path
            A file, compressed or not.

        Yields
        ------
        Record | Rejection | Notice
            The records in their order, and what was left out or must be known.

        Raises
        ------
        DataError
            With file and line, where the whole file cannot be read as this domain.
        """

    def read_corpus(self, path: Path) -> Iterator[Record | Rejection | Notice]:
        """Stream the records of one file that the corpus consists of.

        Parameters
        ----------
        path : Path
            A file, compressed or not.

        Yields
        ------
        Record | Rejection | Notice
            All items of `read`, or parts of them that the settings choose.
        """
        yield from self.read(path)

    def auxiliary_files(self) -> tuple[Path, ...]:
        """List further files that the settings name for reading the corpus.

        Returns
        -------
        tuple[Path, ...]
            The files, which exist.

        Raises
        ------
        DataError
            Where a file is missing.
        """
        return ()

    @property
    def reads_parts(self) -> bool:
        """Whether settings choose parts of sequences, so that symbols of the sequence precede a record.

        Returns
        -------
        bool
            False by default.
        """
        return False

    def accepts_file(self, path: Path) -> bool:
        """Tell whether a file in a folder is read; a file that the user names itself always is.

        Parameters
        ----------
        path : Path
            A file below the folder of the user.

        Returns
        -------
        bool
            By default true, unless the file is hidden.
        """
        return not path.name.startswith(".")

    def title_data(self, files: Sequence[Path]) -> str:
        """Name the data of these files for the title of the report, such as an organism or a book.

        Parameters
        ----------
        files : Sequence[Path]
            The files of the corpus.

        Returns
        -------
        str
            By default the name of the file, or of the folder of several files.
        """
        name = files[0].name if len(files) == 1 else files[0].parent.name
        return re.sub(r"(\.\w{1,8}){1,2}$", "", name) or name

    def duplicate_key(self, record: Record) -> bytes | None:
        """Return the key by which duplicates are found; of several records with one key, the first is kept.

        Parameters
        ----------
        record : Record
            The record.

        Returns
        -------
        bytes | None
            The key, or None where the record is always kept.
        """
        return None

    @property
    def sketch(self) -> SketchSettings | None:
        """How near-copies are found by the symbols of a fixed alphabet.

        Returns
        -------
        SketchSettings | None
            None where they are not found by symbols.
        """
        return None

    def fingerprints(self, record: Record) -> np.ndarray:
        """Hash parts of a record by which near-copies are found where their symbols differ.

        See `near_copy_groups.py`.

        Parameters
        ----------
        record : Record
            The record.

        Returns
        -------
        np.ndarray
            Hashes ``(parts,)`` uint64. Records with a fifth in common stay on one side of a split.
        """
        return np.zeros(0, np.uint64)

    def count_units(self, symbols: Symbols) -> int:
        """Count the `larger_unit` of a sequence, such as its notes.

        Parameters
        ----------
        symbols : Symbols
            A sequence.

        Returns
        -------
        int
            The number of units.
        """
        return 0

    def variants(self, record: Record) -> Iterator[Record]:
        """Yield equivalent records for data augmentation, such as a tune in other keys.

        Parameters
        ----------
        record : Record
            A record of the training split; no other split has variants.

        Yields
        ------
        Record
            A variant, with its own id.
        """
        yield from ()

    def part_id(self, record_id: str, start: int, stop: int) -> str:
        """Name a part of a record.

        Parameters
        ----------
        record_id : str
            The id of the record.
        start : int
            The first symbol of the part, from 0.
        stop : int
            The end of the part, exclusive.

        Returns
        -------
        str
            The id of the part.
        """
        return f"{record_id}/{start + 1}-{stop}"
