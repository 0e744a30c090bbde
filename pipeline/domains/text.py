"""Plain text as a domain: the smallest example of the interface `Domain`."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pipeline.config.checks import check_choice
from pipeline.domain import Domain
from pipeline.errors import ConfigError, DataError
from pipeline.records import RESULTS, DomainOutput, Record, Rejection, ReportSection, Sample
from pipeline.runtime.unpacking import open_unpacked

UNITS = ("line", "paragraph", "file")
MAX_RECORD_CHARACTERS = 2**22
"""Characters of the longest record; a longer one is cut, so that any file is read in bounded memory."""


@dataclass(frozen=True)
class Text(Domain):
    """Text files, plain or compressed, cut into records by line, paragraph or file.

    Raises
    ------
    ConfigError
        Where `records` is not one of `UNITS`, or the encoding is not known.
    """

    records: str = "paragraph"
    """One record: a line, a paragraph (up to an empty line), or a file."""
    encoding: str = "utf-8"
    """The encoding of the files, as Python names it, such as latin-1."""

    family: ClassVar[str] = "text"

    def __post_init__(self) -> None:
        check_choice("domain.records", self.records, UNITS)
        try:
            "".encode(self.encoding)
        except LookupError:
            raise ConfigError(
                f"domain.encoding={self.encoding!r} is not an encoding that Python knows; "
                "usual ones are utf-8, latin-1, utf-16"
            ) from None

    @property
    def open_ended(self) -> bool:
        """Whether records have no end to learn: a file is cut somewhere, a line or paragraph is whole."""
        return self.records == "file"

    def read(self, path: Path) -> Iterator[Record | Rejection]:
        """Stream the records of a file; ids are ``name:line`` of their first line, line ends become ``\\n``.

        Raises
        ------
        DataError
            Where the file cannot be read, or is no text in this encoding.
        """
        lines: list[str] = []
        start, size = 1, 0
        for number, line in enumerate(self._lines(path), start=1):
            ends = self.records == "line" or (self.records == "paragraph" and not line)
            lines.append(line)
            size += len(line)
            if ends or size >= MAX_RECORD_CHARACTERS:
                yield from _record(path, start, lines)
                lines, start, size = [], number + 1, 0
        yield from _record(path, start, lines)

    def duplicate_key(self, record: Record) -> bytes | None:
        """A line or paragraph, whatever its case and spacing; files are never duplicates."""
        return None if self.records == "file" else " ".join(record.text.casefold().split()).encode()

    def finish(self, sample: Sample) -> Record | Rejection:
        """The sample as a record; a rejection for blank text."""
        if not str(sample.symbols).strip():
            return Rejection(f"sample {sample.index + 1}", "blank text")
        return Record(f"synthetic_{sample.index + 1:04d}", sample.symbols)

    def write(self, records: Sequence[Record], out_dir: Path) -> DomainOutput:
        """Write `samples.txt`: each sample after a line with its metadata."""
        path = out_dir / "samples.txt"
        blocks = [f"# {_origin(record)}\n{record.symbols}\n" for record in records]
        path.write_text("\n".join(blocks), encoding="utf-8")
        return DomainOutput(sections=(ReportSection("Sampled text", (path,), part=RESULTS),), files=(path,))

    @property
    def _not_text(self) -> str:
        return (
            f"found a NUL byte, so this is not text in {self.encoding}; give a text file, or set "
            "domain.encoding"
        )

    def _lines(self, path: Path) -> Iterator[str]:
        # utf-8-sig drops a byte order mark.
        encoding = "utf-8-sig" if self.encoding == "utf-8" else self.encoding
        number = 0
        try:
            with io.TextIOWrapper(open_unpacked(path), encoding) as stream:
                # A very long line is read in parts.
                lines = iter(lambda: stream.readline(MAX_RECORD_CHARACTERS), "")
                for number, line in enumerate(lines, start=1):
                    if "\x00" in line:
                        raise DataError(f"{path}:{number}: {self._not_text}")
                    yield line.rstrip("\n")
        except UnicodeDecodeError as error:
            if b"\x00" in error.object:
                raise DataError(f"{path}: {self._not_text}") from None
            raise DataError(
                f"{path}: after line {number}, byte 0x{error.object[error.start]:02x} is not "
                f"{self.encoding}; set domain.encoding=latin-1, or the encoding of the file"
            ) from None
        except (EOFError, OSError) as error:
            raise DataError(
                f"{path}: cannot be read after line {number}: {error}; is the file complete?"
            ) from None


def _record(path: Path, start: int, lines: list[str]) -> Iterator[Record]:
    text = "\n".join(lines).rstrip("\n")
    if text.strip():
        yield Record(f"{path.name}:{start}", text)


def _origin(record: Record) -> str:
    return ", ".join([record.id, *(f"{name} {value}" for name, value in record.metadata.items())])
