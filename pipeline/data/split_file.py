"""A split that a file prescribes: the records, or intervals of them, of each subset.

A line is ``record start end subset``, ``record subset`` (the whole record), or ``start end subset`` where the
data is a single record. Tabs separate the columns, and # starts a comment. Intervals are half-open and count
from 0, in the symbols of the record in its source file, so symbols that a domain removes do not shift them.
Where no row has the subset train, everything that is not held out is trained on. No gap is added.
"""

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.config.schema import SplitSettings
from pipeline.data.corpus import SUBSETS
from pipeline.errors import DataError
from pipeline.records import Notice, Record, Rejection
from pipeline.runtime.files import find_fault

_SHAPE = (
    "a line is record, start, end and subset, or record and subset, or, of a single record, start, end and "
    "subset, with tabs between; # starts a comment"
)
_NUMBER = re.compile(r"[0-9]{1,18}")
_INTERVAL = re.compile(r"(.+):([0-9]+)-([0-9]+)")


@dataclass(frozen=True, slots=True)
class _Row:
    """`record` is None where the line has no name, `stop` is None where the row is a whole record."""

    line: int
    record: str | None
    start: int
    stop: int | None
    kind: int


def resolve_split_files(split: SplitSettings) -> list[Path]:
    """Return the absolute path of the split file, if one is set; raise DataError where it does not exist."""
    if split.file is None:
        return []
    path = Path(split.file).expanduser().absolute()
    missing = f"no such file; dataset.split.file is relative to the working folder {Path.cwd()}"
    if fault := find_fault(path, missing):
        raise DataError(f"{path}: {fault}")
    return [path]


class PrescribedSplit:
    """The rows of a split file, and the lengths and positions of the records that they name.

    Records pass through `track_lengths` as they are read, and through `add` as they are written. Raises
    DataError, with file and line, for a malformed row and for rows that overlap.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[str | None, list[_Row]] = defaultdict(list)
        for row in self._read():
            self.rows[row.record].append(row)
        if not self.rows:
            raise DataError(f"{path}: it has no row; {_SHAPE}")
        if None in self.rows and len(self.rows) > 1:
            raise self._error(self.rows[None][0].line, "no record name, where other rows have one", _SHAPE)
        for rows in self.rows.values():
            self._check_overlaps(rows)
        every = itertools.chain.from_iterable(self.rows.values())
        self.names_training = any(row.kind == SUBSETS.index("train") for row in every)
        self.lengths: dict[str, dict[Path, int]] = defaultdict(dict)
        self.positions: list[tuple[str, int, int]] = []

    def track_lengths(
        self, items: Iterable[Record | Rejection | Notice], path: Path
    ) -> Iterator[Record | Rejection | Notice]:
        """Pass on the items of one source file, and remember the known length of each record that rows
        name."""
        for item in items:
            known = _known_length(item, path)
            if known is not None and (known[0] in self.rows or None in self.rows):
                name, stop = known
                self.lengths[name][path] = max(self.lengths[name].get(path, 0), stop)
            yield item

    def add(self, record: Record) -> None:
        """Add the next record of the corpus by its position in its source."""
        name, start = _source_position(record)
        self.positions.append((name, start, len(record.symbols)))

    def segments(self, spans: np.ndarray) -> np.ndarray:
        """Return ``(n, 4)`` as `Corpus.segments`, of the added records, whose codes are at `spans`.

        Raises DataError, with file and line, for a row whose record was not read, or is shorter.
        """
        self._check_reach()
        segments = []
        for number, ((name, start, length), (first, last)) in enumerate(
            zip(self.positions, spans.tolist(), strict=True)
        ):
            at = first
            for row in self.rows.get(name) or self.rows.get(None, ()):
                low, high = max(row.start - start, 0), length if row.stop is None else row.stop - start
                if low >= length or high <= 0:
                    continue
                # The end code belongs to the last symbol.
                low, high = first + low, first + high if high < length else last
                if low > at and not self.names_training:
                    segments.append((at, low, SUBSETS.index("train"), number))
                segments.append((low, high, row.kind, number))
                at = high
            if at < last and not self.names_training:
                segments.append((at, last, SUBSETS.index("train"), number))
        return np.array(segments, np.int64).reshape(-1, 4)

    def _read(self) -> Iterator[_Row]:
        try:
            with self.path.open(encoding="utf-8-sig") as stream:
                for number, line in enumerate(stream, start=1):
                    if line.strip() and not line.startswith("#"):
                        yield self._row(number, [cell.strip() for cell in line.rstrip("\r\n").split("\t")])
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{self.path}: cannot be read ({error}); {_SHAPE}") from error

    def _row(self, line: int, cells: list[str]) -> _Row:
        if not 2 <= len(cells) <= 4 or not all(cells):
            raise self._error(line, f"{len(cells)} columns, or an empty one", _SHAPE)
        *where, subset = cells
        if subset not in SUBSETS:
            raise self._error(line, f"subset {subset[:40]!r}", f"subsets are {', '.join(SUBSETS)}; {_SHAPE}")
        kind, record = SUBSETS.index(subset), where[0] if len(where) != 2 else None
        if len(where) == 1:
            return _Row(line, record, 0, None, kind)
        if not all(_NUMBER.fullmatch(cell) for cell in where[-2:]):
            raise self._error(line, f"start and end {where[-2][:40]!r} and {where[-1][:40]!r}", _SHAPE)
        start, stop = int(where[-2]), int(where[-1])
        if start >= stop:
            raise self._error(
                line, f"an interval from {start} to {stop}", "the end must be greater than the start"
            )
        return _Row(line, record, start, stop, kind)

    def _check_overlaps(self, rows: list[_Row]) -> None:
        """Sort the rows of one record; raise DataError where two overlap."""
        rows.sort(key=lambda row: row.start)
        for before, after in itertools.pairwise(rows):
            if before.stop is None or after.stop is None or after.start < before.stop:
                raise self._error(
                    max(before.line, after.line),
                    f"an interval that overlaps that of line {min(before.line, after.line)}",
                    "each symbol is in one subset at most; end one interval where the other starts",
                )

    def _check_reach(self) -> None:
        for name, rows in self.rows.items():
            length = self._length(name, rows[0].line)
            for row in rows:
                if row.stop is not None and row.stop > length:
                    raise self._error(
                        row.line, f"an interval up to {row.stop}", f"the record has {length} symbols"
                    )

    def _length(self, name: str | None, line: int) -> int:
        """Return the length of the record that the rows name."""
        if name is None and len(self.lengths) > 1:
            names = " and ".join(repr(known) for known in list(self.lengths)[:2])
            raise self._error(line, "no record name, but the data has several records", f"{names}; {_SHAPE}")
        found = next(iter(self.lengths.values()), {}) if name is None else self.lengths.get(name, {})
        if not found:
            raise self._error(
                line,
                f"record {(name or '')[:80]!r}, which was not read",
                "names are those of the records in the data (a run without this file lists them in "
                "records.tsv, and the rejected ones in rejected.tsv)",
            )
        if len(found) > 1:
            files = " and ".join(str(path) for path in list(found)[:2])
            raise self._error(
                line, f"record {name!r}, which is in {files}", "give one of the files another name"
            )
        return next(iter(found.values()))

    def _error(self, line: int, found: str, allowed: str) -> DataError:
        return DataError(f"{self.path}:{line}: found {found}; {allowed}")


def _source_position(record: Record) -> tuple[str, int]:
    """Return the name of the source record, and the position in it where this record starts, from 0."""
    if "start" in record.metadata:
        return record.metadata["source"], int(record.metadata["start"]) - 1
    return record.id, 0


def _known_length(item: Record | Rejection | Notice, path: Path) -> tuple[str, int] | None:
    """Return the name of a record and a lower bound of its length, if the item tells them."""
    if isinstance(item, Record):
        name, start = _source_position(item)
        return name, start + len(item.symbols)
    # A part that the domain removes, such as N, may be the end of the record.
    match = _INTERVAL.fullmatch(item.where.removeprefix(f"{path}:"))
    return (match[1], int(match[3])) if match else None
