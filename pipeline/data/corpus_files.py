"""Checked reading of the files of a corpus folder, because a folder may come from anyone."""

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np

from pipeline.runtime.files import reading_back
from pipeline.runtime.plain_data import check, load_json

RERUN_INGEST = "run the ingest stage again: stages=[ingest]"
CHUNK_CODES = 2**24
"""Codes that are checked at once."""

Row = tuple[int, str, str]
"""Number, id and metadata (JSON) of a record."""


def read_table(path: Path, width: int) -> np.ndarray:
    """Read an ``(n, width)`` int64 array; raise ValueError for another one, before memory is taken for it."""
    table = np.load(path, mmap_mode="r", allow_pickle=False)
    if table.dtype != np.int64 or table.ndim != 2 or table.shape[1] != width or not len(table):
        raise ValueError(f"{path.name} is {table.dtype} {table.shape}, not int64 (n, {width})")
    return np.array(table)


def check_codes(codes: np.ndarray, size: int, what: str) -> None:
    """Raise ValueError where a code is not below `size`."""
    for at in range(0, len(codes), CHUNK_CODES):
        if (highest := int(codes[at : at + CHUNK_CODES].max())) >= size:
            raise ValueError(f"{what} up to {highest}, where there are {size}")


def check_spans(segments: np.ndarray, spans: np.ndarray, subsets: int) -> None:
    """Raise ValueError where records are not adjacent, or segments are not inside their records."""
    joined = np.array_equal(spans[1:, 0], spans[:-1, 1]) and spans[0, 0] == 0
    if not joined or (spans[:, 0] > spans[:, 1]).any():
        raise ValueError("records that do not follow each other")
    starts, stops, kinds, records = segments.T
    if ((kinds < 0) | (kinds >= subsets) | (records < 0) | (records >= len(spans))).any():
        raise ValueError("segments of no subset or record")
    if ((starts > stops) | (starts < spans[records, 0]) | (stops > spans[records, 1])).any():
        raise ValueError("segments outside their records")


def read_rows(table: TextIO) -> Iterator[Row]:
    """Yield the rows of ``records.tsv`` after its header."""
    next(table, None)
    for number, line in enumerate(table):
        name, _, text = line.rstrip("\n").split("\t", 2)
        yield number, name, text


def find_row(rows: Iterator[Row], record: int, folder: Path) -> tuple[int, str, dict[str, str]]:
    """Return number, id and metadata of a record below in the table; raise DataError where it is damaged."""
    with reading_back(folder / "records.tsv", RERUN_INGEST):
        name, text = next(row[1:] for row in rows if row[0] == record)
        metadata = load_json(text)
        check(metadata, dict[str, str], "metadata")
        return record, name, metadata
