"""Safe file access where others may write: no links, atomic writes, bounded size.

A run folder or a cache folder may come from a stranger, or be in a folder where others write. All access to a
known name in it goes through this module. `plain_data.py` checks the content.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from pipeline.errors import DataError, PipelineError

_NO_LINK = os.O_NOFOLLOW | os.O_CLOEXEC
_KERNEL_FOLDERS = ("/proc", "/sys")
"""Their files are regular by their mode, but some never end, and some wait for an event."""
_LINK = "is a link, or no regular file, and is not used here; remove it, or put a copy in its place"


def create(path: Path, mode: int = 0o666) -> BinaryIO:
    """Create a file for writing; raise FileExistsError where the name exists, also as a link."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK, mode), "wb")


def replace(path: Path) -> BinaryIO:
    """Create a file for writing after removing whatever has its name; a link is removed, not followed."""
    path.unlink(missing_ok=True)
    return create(path)


def append(path: Path) -> BinaryIO:
    """Open a file for appending, or create it; raise DataError for any kind of link."""
    stream = _opened(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, "ab")
    if os.fstat(stream.fileno()).st_nlink > 1:
        stream.close()
        raise DataError(f"{path}: {_LINK}")
    return stream


def has_hard_links(folder: Path) -> bool:
    """Whether a file below the folder is a hard link: a change of it would change a file elsewhere."""
    return any(path.is_file() and path.lstat().st_nlink > 1 for path in folder.rglob("*"))


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading; raise DataError for a link, a pipe or a device."""
    return _opened(path, os.O_RDONLY, "rb")


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """Read a whole file; raise DataError as `open_regular`, and where it has more than `max_bytes`."""
    with open_regular(path) as stream:
        content = stream.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise DataError(f"{path}: more than the {max_bytes:,} bytes that are read; was it written by a run?")
    return content


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file atomically: it replaces whatever has its name, and is never incomplete."""
    draft = path.with_name(f".{path.name}.partial")
    with replace(draft) as stream:
        stream.write(content.encode() if isinstance(content, str) else content)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)


def find_fault(path: Path, missing: str = "no such file") -> str:
    """Why a path that a user names is no file to read, `missing` if nothing is there; empty if it is one.

    Links are followed. A pipe or a device is not opened, since that may wait for ever.
    """
    try:
        mode = path.stat().st_mode
        kernel = any(path.resolve().is_relative_to(folder) for folder in _KERNEL_FOLDERS)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return missing
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if stat.S_ISDIR(mode):
        return "a folder, not a regular file"
    if not stat.S_ISREG(mode) or kernel:
        return "not a regular file; save its content to a file and name that"
    return ""


def refuse_links(paths: Iterable[Path]) -> None:
    """Raise DataError where one of these, or anything below it, is neither a regular file nor a folder."""
    for path in paths:
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            continue
        if stat.S_ISDIR(mode):
            refuse_links(path.iterdir())
        elif not stat.S_ISREG(mode):
            raise DataError(f"{path}: {_LINK}")


def is_text(name: str) -> bool:
    """Whether a file name can be encoded as UTF-8; the system accepts any bytes."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def sha256(path: Path) -> str:
    """Return the checksum of a file in hexadecimal; raise DataError where it cannot be read to its end."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:  # on a broken disk, the error names no file
        raise DataError(f"{path}: cannot be read ({error.strerror}); use a whole copy of it") from None


@contextmanager
def reading_back(
    path: Path, remedy: str, what: str = "damaged, or not written by this program"
) -> Iterator[None]:
    """Turn every error of a reader of a damaged or tampered file into a DataError."""
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:  # readers of formats raise a dozen kinds, SyntaxError among them
        why = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise DataError(f"{path}: {what} ({why}); {remedy}") from None


def _opened(path: Path, flags: int, mode: str) -> BinaryIO:
    try:
        # O_NONBLOCK, because opening a pipe waits until someone writes to it.
        number = os.open(path, flags | _NO_LINK | os.O_NONBLOCK, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EMLINK):
            raise DataError(f"{path}: {_LINK}") from None
        raise
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise DataError(f"{path}: {_LINK}")
    return cast(BinaryIO, os.fdopen(number, mode))
