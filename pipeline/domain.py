"""The interfaces between stages and domains: stages know no domain, and domains know no stage.

A domain reads, checks and writes its records; a render turns finished records into further files. To add one,
implement `Domain` in a package of its own (`pipeline/domains/text.py` is the smallest) and name it in
`conf/domain/` and `conf/dataset/`; nothing else changes.
"""

import abc
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.grammar import Grammar
from pipeline.records import DomainOutput, Notice, Record, References, Rejection, Sample, Symbols
from pipeline.segments import Segments

AttributeCounts = Counter[frozenset[tuple[str, str]]]
"""The number of records with each set of attributes, which are pairs of name and value."""


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


class Component:
    """Base class of domains and renders, which a file of ``conf/`` chooses.

    Its attributes name the settings that need care where a run is continued, or where another user continues
    it.
    """

    file_settings: ClassVar[tuple[str, ...]] = ()
    """Settings that name files or addresses. A run of another user must not bring them; see `names_file`."""
    data_settings: ClassVar[tuple[str, ...]] = ()
    """Settings that name parts of the data. A run that is continued with other data drops them."""
    score_settings: ClassVar[tuple[str, ...]] = ()
    """Settings that only the stage `score` reads. A run continued with another `score.path` drops them."""
    sends_data: ClassVar[bool] = False
    """Whether it sends sequences to a server, which a run of another user must not choose."""

    @classmethod
    def names_file(cls, setting: str, value: object) -> bool:
        """Tell whether this value of a setting names a file or an address.

        Parameters
        ----------
        setting : str
            Name of the setting.
        value : object
            Its value.

        Returns
        -------
        bool
            True where a run of another user must not bring the value.
        """
        return setting in cls.file_settings and value is not None


class Domain(Component, abc.ABC):
    """The records, symbols and files of one domain.

    Implementations are frozen dataclasses, whose fields are the settings ``domain.*``. Only `read`, `finish`
    and `write` are required; the other methods have defaults.
    """

    family: ClassVar[str]
    """The family of the domain, such as "genome", "music" or "text". A render states the family that it
    reads."""
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
    open_ended: ClassVar[bool] = False
    """True where sequences have no natural end; then the end symbol is neither learned nor sampled."""

    lead: ClassVar[int] = 0
    """The default of `sample.lead` in an open-ended domain, in symbols."""

    remark: ClassVar[str] = ""
    """A line for the summary on how the data is read, such as the reason for the choice of this domain."""
    separator: ClassVar[str] = ""
    """The separator between symbols where people read them."""
    larger_unit: ClassVar[str | None] = None
    """A unit that does not depend on the representation, such as a note. Bits per unit compare models with
    different symbols."""

    record_suffix: ClassVar[str] = ".txt"
    """The suffix of files with texts of `format_record`."""
    gap_unit: ClassVar[str | None] = None
    """The unit of the length of a gap for infilling, such as bar; None: symbols."""
    gap_symbols: ClassVar[int] = 1
    """Symbols of a `gap_unit`, at most."""

    output_settings: ClassVar[tuple[str, ...]] = ()
    """Settings that only affect output. With other values, samples are written again, and nothing else."""
    request_settings: ClassVar[tuple[str, ...]] = ()
    """Settings that request attributes of samples. With other values, samples are drawn again, without
    training."""

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

    def to_score(self) -> "Domain":
        """Return the domain that reads the sequences of the stage `score`.

        Returns
        -------
        Domain
            This domain, unless other settings apply to scoring.
        """
        return self

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

    @property
    def sample_length(self) -> int:
        """The default of `sample.length` in this domain.

        Returns
        -------
        int
            Symbols.
        """
        return 500

    @property
    def has_requests(self) -> bool:
        """Whether the settings request attributes that only the grammar can guarantee.

        Returns
        -------
        bool
            False by default.
        """
        return False

    def segments(self, symbols: Sequence[str]) -> Segments | None:
        """Describe how symbols divide sequences into segments, for lookback features.

        Parameters
        ----------
        symbols : Sequence[str]
            The alphabet, in its order.

        Returns
        -------
        Segments | None
            None where sequences have no segments.
        """
        return None

    @property
    def requested(self) -> Mapping[str, str]:
        """Attributes that the settings request of every sample.

        Returns
        -------
        Mapping[str, str]
            Setting to value, as in `attributes`.
        """
        return {}

    def requested_attributes(self, prime: Symbols) -> Mapping[str, str]:
        """Return the attributes that the settings and a prime request of a sample.

        Parameters
        ----------
        prime : Symbols
            The start of the sample.

        Returns
        -------
        Mapping[str, str]
            Setting to value. Only real records with these attributes are references for the sample.
        """
        return self.requested

    def attributes(self, record: Record) -> Mapping[str, str]:
        """Return the attributes of a record that can be requested.

        Parameters
        ----------
        record : Record
            The record.

        Returns
        -------
        Mapping[str, str]
            The name of the setting to the value.
        """
        return {}

    def grammar(self, symbols: Sequence[str], training: AttributeCounts | None = None) -> Grammar | None:
        """Build the grammar for models of these symbols.

        Parameters
        ----------
        symbols : Sequence[str]
            The alphabet of the model, in its order.
        training : AttributeCounts | None
            Counts of the attributes of the training records. Requested attributes then imply others that
            occur with them.

        Returns
        -------
        Grammar | None
            None where every sequence is valid.

        Raises
        ------
        ConfigError
            Where no training record has the requested attributes together.
        """
        return None

    def shuffle_start(self, symbols: Symbols) -> int:
        """Return the position before which symbols stay in place in the shuffled baseline.

        Parameters
        ----------
        symbols : Symbols
            A sequence.

        Returns
        -------
        int
            The position, from 0.
        """
        return 0

    def parse_prime(self, text: str) -> Symbols:
        """Parse a prime that the user gives as text.

        Parameters
        ----------
        text : str
            The start of a sequence.

        Returns
        -------
        Symbols
            Its symbols, and those before it that the grammar implies.
        """
        return text

    def parse_rest(self, text: str) -> Symbols:
        """Parse the end of a sequence that the user gives as text.

        Parameters
        ----------
        text : str
            The end of a sequence.

        Returns
        -------
        Symbols
            Its symbols.
        """
        return text

    def gap_end(self, symbols: Symbols, begun: int, units: int, right: Symbols) -> int | None:
        """Find the end of a gap of a number of `gap_unit` in a candidate of infilling.

        Parameters
        ----------
        symbols : Symbols
            The candidate.
        begun : int
            The first symbol of the gap.
        units : int
            The length of the gap, in `gap_unit`.
        right : Symbols
            The right context.

        Returns
        -------
        int | None
            The end, exclusive; None where the candidate is too short.
        """
        return begun + units if begun + units <= len(symbols) else None

    @abc.abstractmethod
    def finish(self, sample: Sample) -> Record | Rejection:
        """Check and normalise one raw sample.

        Parameters
        ----------
        sample : Sample
            A sequence as the model wrote it.

        Returns
        -------
        Record | Rejection
            A rejection with a reason where the sample is invalid; never an error.
        """

    def audit(
        self, records: Sequence[Record], references: References, out_dir: Path
    ) -> tuple[Sequence[Record], DomainOutput]:
        """Compare the samples with the training records for copies, before they are written.

        Parameters
        ----------
        records : Sequence[Record]
            The finished samples.
        references : References
            The groups to compare with.
        out_dir : Path
            The folder to write into, which exists.

        Returns
        -------
        tuple[Sequence[Record], DomainOutput]
            The records to keep, with the metadata `copied` where flagged, and an output with the rejected
            ones.
        """
        return records, DomainOutput()

    def rank(self, records: Sequence[Record]) -> Sequence[Record]:
        """Order the finished records for renders and people; the first ones are shown.

        Parameters
        ----------
        records : Sequence[Record]
            The finished samples.

        Returns
        -------
        Sequence[Record]
            The same records, by default in the order of sampling.
        """
        return records

    @abc.abstractmethod
    def write(self, records: Sequence[Record], out_dir: Path) -> DomainOutput:
        """Write the finished records in the format of the domain.

        Parameters
        ----------
        records : Sequence[Record]
            The finished samples. Their metadata has the keys model, temperature, seed, index, log_probability
            (nats) and bits_per_symbol.
        out_dir : Path
            The folder to write into, which exists.

        Returns
        -------
        DomainOutput
            The files, sections and lines.
        """

    def format_record(self, record: Record, number: int) -> str:
        """Format one sequence of a reference group.

        Parameters
        ----------
        record : Record
            The record.
        number : int
            Its number in the file, from 1.

        Returns
        -------
        str
            The text, in the format of the domain.
        """
        return f"{record.text}\n\n"

    def write_tracks(self, tracks: Iterable[tuple[Record, np.ndarray]], out_dir: Path) -> DomainOutput:
        """Write the surprisal along records for other programs.

        Parameters
        ----------
        tracks : Iterable[tuple[Record, np.ndarray]]
            Records without their symbols, and the surprisal of each symbol in bits ``(length,)``.
        out_dir : Path
            The folder to write into, which exists.

        Returns
        -------
        DomainOutput
            The files.
        """
        return DomainOutput()

    def compare(self, records: Sequence[Record], references: References, out_dir: Path) -> DomainOutput:
        """Compare statistics of the samples with those of the reference groups.

        Parameters
        ----------
        records : Sequence[Record]
            The finished samples.
        references : References
            The groups to compare with.
        out_dir : Path
            The folder to write into, which exists.

        Returns
        -------
        DomainOutput
            Tables, plots and conclusions.
        """
        return DomainOutput()


class Render(Component, abc.ABC):
    """Turns finished records into further files: MIDI, a score, a table of search hits."""

    family: ClassVar[str]
    """The `Domain.family` that it reads."""

    @abc.abstractmethod
    def __call__(
        self, records: Sequence[Record], references: References, out_dir: Path, seed: int
    ) -> DomainOutput:
        """Write the files of the render.

        Parameters
        ----------
        records : Sequence[Record]
            The finished samples.
        references : References
            The groups to compare with.
        out_dir : Path
            An existing folder, shared with the files of the domain; the render makes its own folder in it.
        seed : int
            Seed of random choices.

        Returns
        -------
        DomainOutput
            The files, sections and lines. An unusable record is a rejection in it, not an error.
        """
