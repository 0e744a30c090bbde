"""The seam between the stages, which know no domain, and the domains, which know no stage.

A domain says what a record is, how to read, check and write it; a render turns finished records
into further files. To add one, implement `Domain` in a package of its own (`pipeline/domains/text.py` is
the smallest) and name it in `conf/domain/` and `conf/dataset/`; nothing else changes.
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
"""How many records have which attributes, each a name and a value."""


@dataclass(frozen=True, slots=True)
class SketchSettings:
    """How sequences are compared by minimizers (see `minimizers.py`): k-mers of `k` symbols, of each
    `window` neighbouring ones the smallest; windows are wider where the corpus is large."""

    k: int
    window: int


class Component:
    """Base class of domains and renders, which a file of ``conf/`` chooses. Its attributes name the settings
    that need care where a run is continued, or where another user continues it."""

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
        """Whether this value of a setting names a file or an address."""
        return setting in cls.file_settings and value is not None


class Domain(Component, abc.ABC):
    """What a record is in one domain. Implementations are frozen dataclasses, whose fields are settings."""

    family: ClassVar[str]
    """Renders state the family that they can read: "genome", "music", "text"."""
    symbol_name: ClassVar[str] = "character"
    """What one symbol is called, as in "bits per base"."""
    alphabet: ClassVar[tuple[str, ...] | None] = None
    """The symbols in their fixed order, or None: the sorted symbols of the data."""
    complement: ClassVar[Mapping[str, str] | None] = None
    """Symbol to symbol, where the reverse complement of a sequence is as likely as itself."""
    wildcards: ClassVar[Mapping[str, str]] = {}
    """What each letter that stands for one of several symbols stands for, as in motifs."""
    mark_names: ClassVar[tuple[str, ...]] = ()
    """Names of the values of `Record.marks`."""
    open_ended: ClassVar[bool] = False
    """True where sequences have no natural end: the end symbol is neither learned nor sampled."""

    lead: ClassVar[int] = 0
    """Of an open-ended domain, the default of `sample.lead`: symbols of the hidden lead-in of a sample."""

    remark: ClassVar[str] = ""
    """A line on how data is read to be told with it, such as why this domain was chosen."""
    separator: ClassVar[str] = ""
    """What stands between two symbols where people read them."""
    larger_unit: ClassVar[str | None] = None
    """What sequences are made of whatever their symbols, such as notes: bits per unit compare models whose
    symbols differ."""

    record_suffix: ClassVar[str] = ".txt"
    """Of files with what `format_record` gives."""
    gap_unit: ClassVar[str | None] = None
    """What the length of a gap to be filled is given in, such as bar; None: in symbols."""
    gap_symbols: ClassVar[int] = 1
    """Symbols that a `gap_unit` has, at most."""

    output_settings: ClassVar[tuple[str, ...]] = ()
    """Settings that only matter once samples are drawn: with others nothing is read or trained anew."""
    request_settings: ClassVar[tuple[str, ...]] = ()
    """Settings that say what is asked of samples: with others samples are drawn again, and nothing is read
    or trained again."""

    @abc.abstractmethod
    def read(self, path: Path) -> Iterator[Record | Rejection | Notice]:
        """Stream the records of one file.

        Raises DataError, with file and line, where the file as a whole cannot be read as this domain.
        """

    def read_corpus(self, path: Path) -> Iterator[Record | Rejection | Notice]:
        """What of a file is learned from: all that `read` gives, unless settings choose parts of it."""
        yield from self.read(path)

    def auxiliary_files(self) -> tuple[Path, ...]:
        """Further files that the settings name for reading the corpus; DataError where one is missing."""
        return ()

    def to_score(self) -> "Domain":
        """The domain that reads the sequences of the stage `score`, by default this one."""
        return self

    @property
    def reads_parts(self) -> bool:
        """Whether settings choose parts of sequences. Symbols of the sequence then precede a record."""
        return False

    def accepts_file(self, path: Path) -> bool:
        """Whether a file met while walking a folder should be read; a file named by the user always is."""
        return not path.name.startswith(".")

    def title_data(self, files: Sequence[Path]) -> str:
        """The name of the data that these files hold, for the title of the report: an organism, a book; by
        default the name of the file, or of the folder of several."""
        name = files[0].name if len(files) == 1 else files[0].parent.name
        return re.sub(r"(\.\w{1,8}){1,2}$", "", name) or name

    def duplicate_key(self, record: Record) -> bytes | None:
        """Records with equal keys are duplicates, and only the first is kept; None keeps all."""
        return None

    @property
    def sketch(self) -> SketchSettings | None:
        """How near-copies are found by their symbols, which the fixed alphabet has; None finds none."""
        return None

    def fingerprints(self, record: Record) -> np.ndarray:
        """Hashes of parts of a record ``(parts,)`` uint64, by which near-copies are found where symbols do
        not tell them: those with a fifth in common stay on one side of a split (`near_copy_groups.py`)."""
        return np.zeros(0, np.uint64)

    def count_units(self, symbols: Symbols) -> int:
        """How many of `larger_unit` a sequence has."""
        return 0

    def variants(self, record: Record) -> Iterator[Record]:
        """The same record in other words, such as a tune in other keys: learned beside it where it is in the
        training split, and nowhere else. Each has an id of its own."""
        yield from ()

    def part_id(self, record_id: str, start: int, stop: int) -> str:
        """The name of a part of a record, from symbol `start` to `stop` (half-open, from 0)."""
        return f"{record_id}/{start + 1}-{stop}"

    @property
    def sample_length(self) -> int:
        """The default of `sample.length`, where a data set leaves it to its domain."""
        return 500

    @property
    def has_requests(self) -> bool:
        """Whether the settings ask for something that only the grammar keeps."""
        return False

    def segments(self, symbols: Sequence[str]) -> Segments | None:
        """How these symbols divide sequences into segments, for lookback features; None where they do not."""
        return None

    @property
    def requested(self) -> Mapping[str, str]:
        """Attributes that the settings request of every sample: setting to value, as in `attributes`."""
        return {}

    def requested_attributes(self, prime: Symbols) -> Mapping[str, str]:
        """The attributes that the settings and a prime request of a sample; real records without them are no
        reference for it."""
        return self.requested

    def attributes(self, record: Record) -> Mapping[str, str]:
        """The attributes of a record that can be requested, by the name of their setting."""
        return {}

    def grammar(self, symbols: Sequence[str], training: AttributeCounts | None = None) -> Grammar | None:
        """What may follow what, for models of these symbols; None where all may.

        Where the attributes of the training records are counted, those that are requested bring along others
        that go with them. Raises ConfigError where no training record has them together.
        """
        return None

    def shuffle_start(self, symbols: Symbols) -> int:
        """Symbols before this position stay in place when a sequence is shuffled as a null model."""
        return 0

    def parse_prime(self, text: str) -> Symbols:
        """The symbols of a starting text given by the user; may add what the domain's grammar implies."""
        return text

    def parse_rest(self, text: str) -> Symbols:
        """The symbols of a text given by the user as the end of a sequence."""
        return text

    def gap_end(self, symbols: Symbols, begun: int, units: int, right: Symbols) -> int | None:
        """Where a gap of so many `gap_unit` ends that starts at symbol `begun` of a candidate and is followed
        by the right side; None where the candidate is too short."""
        return begun + units if begun + units <= len(symbols) else None

    @abc.abstractmethod
    def finish(self, sample: Sample) -> Record | Rejection:
        """Check and normalise one raw sample. A bad one is a Rejection with a reason, never an error."""

    def audit(
        self, records: Sequence[Record], references: References, out_dir: Path
    ) -> tuple[Sequence[Record], DomainOutput]:
        """Compare the samples with the training records for copies, before they are written: the records to
        keep, flagged ones with the metadata `copied`, dropped ones as rejections in the output."""
        return records, DomainOutput()

    def rank(self, records: Sequence[Record]) -> Sequence[Record]:
        """The finished records, those first that renders and people should see first; as drawn by default."""
        return records

    @abc.abstractmethod
    def write(self, records: Sequence[Record], out_dir: Path) -> DomainOutput:
        """Write the finished records as the domain's own format; metadata of a record says how it was made
        (keys: model, temperature, seed, index, log_probability, bits_per_symbol)."""

    def format_record(self, record: Record, number: int) -> str:
        """One sequence of a reference group, number `number` of its file from 1, in the domain's format."""
        return f"{record.text}\n\n"

    def write_tracks(self, tracks: Iterable[tuple[Record, np.ndarray]], out_dir: Path) -> DomainOutput:
        """Files for other programs of the surprisal along records: each comes without its symbols, and with
        the bits of each of them ``(length,)``."""
        return DomainOutput()

    def compare(self, records: Sequence[Record], references: References, out_dir: Path) -> DomainOutput:
        """Statistics of the samples beside those of the reference groups: tables, plots, verdicts."""
        return DomainOutput()


class Render(Component, abc.ABC):
    """Turns finished records into further files: MIDI, a score, a table of search hits."""

    family: ClassVar[str]
    """The `Domain.family` that it reads."""

    @abc.abstractmethod
    def __call__(
        self, records: Sequence[Record], references: References, out_dir: Path, seed: int
    ) -> DomainOutput:
        """Write below `out_dir` (which exists, and is its own or shared with the domain's files: the render
        makes the folder it wants). One bad record is a Rejection in the output, not an error."""
