"""Files, read in bounded memory: one that expands far more than data does, or grows meanwhile, is refused."""

import io
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.errors import DataError

MAX_RATIO = 100
"""Decompressed bytes per compressed byte, at most. Text has 3 to 10, a genome with long runs of N up to
50."""
FREE_BYTES = 2**26
"""Decompressed bytes that are read whatever the ratio."""


class BoundedStream(io.RawIOBase):
    """A stream of decompressed bytes that raises DataError where they are too many for the size of their
    file, or where the file changes its size: one that grows as fast as it is read would never end."""

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self.stream, self.path, self.size = stream, path, path.stat().st_size
        self.left = max(FREE_BYTES, MAX_RATIO * self.size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.stream.read(len(buffer))
        self.left -= len(data)
        if self.left < 0:
            raise DataError(
                f"{self.path}: it unpacks to more than {MAX_RATIO} times its size, as no data does; "
                "to read it nevertheless, unpack it and name the result"
            )
        if self.path.stat().st_size != self.size:
            raise DataError(f"{self.path}: it changed while it was read; run again when it is whole")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self.stream.close()
        super().close()


def open_unpacked(path: Path, **options: Any) -> io.BufferedReader:
    """Open a file, decompressed where it is compressed; `options` are those of xopen."""
    from xopen import xopen  # late: most commands read no data

    # threads=0, because a second thread waits longer than the decompression takes.
    return io.BufferedReader(BoundedStream(xopen(path, "rb", threads=0, **options), path), 2**18)
