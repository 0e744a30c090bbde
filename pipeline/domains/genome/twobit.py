"""UCSC's 2bit files, streamed: four bases a byte, with lists of the blocks of N and of the blocks in lower
case.

Source: https://genome.ucsc.edu/FAQ/FAQformat.html#format7. Read next: `known_intervals.py`.
"""

import struct
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from pipeline.domains.genome.files import SequenceChunk, SequenceHeader, printable
from pipeline.errors import DataError

SIGNATURES = {b"\x43\x27\x41\x1a": "<", b"\x1a\x41\x27\x43": ">"}
"""First bytes of a file, and its byte order."""
PIECE_BP = 2**18
"""Bases at a time; a multiple of the four in a byte."""

_SHIFTS = np.arange(6, -2, -2)
_FOUR_BASES = np.frombuffer(b"TCAG", np.uint8)[(np.arange(256)[:, None] >> _SHIFTS) & 3].copy()
"""The bases of each byte, ``(256, 4)``."""


class _Blocks(NamedTuple):
    """Spans of a sequence, half-open from 0, ascending and apart, each ``(count,)``."""

    starts: np.ndarray
    stops: np.ndarray


def is_twobit(path: Path) -> bool:
    """Whether the file starts as 2bit does."""
    with path.open("rb") as stream:
        return stream.read(4) in SIGNATURES


def read_twobit(
    path: Path, wanted: Collection[str] | None = None
) -> Iterator[SequenceHeader | SequenceChunk]:
    """Yield each sequence's title and letters; of those not `wanted` only the title, and nothing is read.

    Masked bases are in lower case. Raises DataError for a file that is damaged, truncated, or not of
    version 0 or 1.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        reader = _Reader(path, stream, size)
        for name, offset in reader.index():
            yield SequenceHeader(name, "", 0)
            if wanted is None or name in wanted:
                yield from reader.letters(name, offset)


class _Reader:
    def __init__(self, path: Path, stream: BinaryIO, size: int) -> None:
        self.path, self.stream, self.size = path, stream, size
        self.order = SIGNATURES.get(stream.read(4), "<")
        self.packed = 0

    def index(self) -> list[tuple[str, int]]:
        """Names, and where each sequence's record lies."""
        version, count, _ = self.numbers(3).tolist()
        if version not in (0, 1):
            raise DataError(f"{self.path}: 2bit files have version 0 or 1, this one says {version}")
        entry = 1 + (8 if version else 4)
        if count * entry > self.size:
            raise self.damaged(f"{count:,} sequences are announced in {self.size:,} bytes")
        found = []
        for _ in range(count):
            name = self.bytes(self.bytes(1)[0]).decode("utf-8", "replace")
            (offset,) = struct.unpack(self.order + ("Q" if version else "I"), self.bytes(entry - 1))
            found.append(("_".join(printable(name).split()) or f"unnamed_{len(found) + 1}", offset))
        return found

    def letters(self, name: str, offset: int) -> Iterator[SequenceChunk]:
        """The letters of the sequence whose record lies at `offset`."""
        if offset > self.size:
            raise self.damaged(f"the sequence {name} lies behind its end")
        self.stream.seek(offset)
        length = int(self.numbers(1)[0])
        unknown, masked = self.blocks(name, length), self.blocks(name, length)
        self.numbers(1)
        self.packed += (length + 3) // 4
        if self.stream.tell() + (length + 3) // 4 > self.size or self.packed > self.size:
            raise self.damaged(f"the sequence {name} of {length:,} bases reaches too far")
        for start in range(0, length, PIECE_BP):
            count = min(PIECE_BP, length - start)
            packed = np.frombuffer(self.bytes((count + 3) // 4), np.uint8)
            bases = _FOUR_BASES[packed].reshape(-1)[:count]
            for first, last in _within(unknown, start, start + count):
                bases[first:last] = ord("N")
            plain = not len(_within(unknown, start, start + count))
            small = _within(masked, start, start + count)
            for first, last in small:
                bases[first:last] |= 32
            yield SequenceChunk(bases.tobytes(), plain, upper=not len(small))

    def blocks(self, name: str, length: int) -> _Blocks:
        count = int(self.numbers(1)[0])
        starts = self.numbers(count)
        stops = starts + self.numbers(count)
        if (stops > length).any() or (starts[1:] < stops[:-1]).any():
            raise self.damaged(f"blocks of the sequence {name} overlap or go beyond its {length:,} bases")
        return _Blocks(starts, stops)

    def numbers(self, count: int) -> np.ndarray:
        """The next unsigned numbers of four bytes, as int64."""
        return np.frombuffer(self.bytes(4 * count), f"{self.order}u4").astype(np.int64)

    def bytes(self, count: int) -> bytes:
        # Asked first, so that a false count takes no memory.
        if self.stream.tell() + count > self.size:
            raise self.damaged("it ends too soon")
        found = self.stream.read(count)
        if len(found) < count:
            raise self.damaged("it ends too soon")
        return found

    def damaged(self, what: str) -> DataError:
        return DataError(f"{self.path}: this 2bit file is damaged or truncated: {what}; fetch it again")


def _within(blocks: _Blocks, start: int, stop: int) -> np.ndarray:
    """The parts of blocks between `start` and `stop`, counted from `start`, ``(count, 2)``."""
    first = np.searchsorted(blocks.stops, start, side="right")
    last = np.searchsorted(blocks.starts, stop)
    spans = np.column_stack([blocks.starts[first:last], blocks.stops[first:last]])
    return np.clip(spans, start, stop) - start
