"""Compressed files, read in bounded memory: what unpacks to far more than data ever does is refused."""

import io
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.errors import DataError

MAX_RATIO = 100
"""Unpacked bytes for each packed one. Text has 3 to 10, a genome with long runs of N up to 50."""
FREE_BYTES = 2**26
"""Unpacked bytes that are read whatever the ratio."""


class BoundedStream(io.RawIOBase):
    """A stream of unpacked bytes that raises DataError once they are too many for the size of their file."""

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self.stream, self.path = stream, path
        self.left = max(FREE_BYTES, MAX_RATIO * path.stat().st_size)

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
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self.stream.close()
        super().close()


def open_unpacked(path: Path, **options: Any) -> io.BufferedReader:
    """The content of a file, unpacked where it is compressed; `options` are those of xopen."""
    from xopen import xopen

    # In this thread: a second thread waits for its turn longer than it takes to decompress.
    return io.BufferedReader(BoundedStream(xopen(path, "rb", threads=0, **options), path), 2**18)
