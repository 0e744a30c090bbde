"""Scores that would take gigabytes to read: archives that unpack to far more, and XML with entities."""

import zipfile
from pathlib import Path

from pipeline.errors import DataError

MAX_UNPACKED_BYTES = 2**26
"""Of all files in a .mxl archive; a symphony takes 20 MB."""


def refuse_bombs(path: Path) -> None:
    """Raise DataError for such a score. MusicXML needs no entities, which may double a text at every line."""
    try:
        if not zipfile.is_zipfile(path):
            _refuse_entities(path, path.read_bytes())
            return
        with zipfile.ZipFile(path) as archive:
            size = sum(part.file_size for part in archive.infolist())
            if size > MAX_UNPACKED_BYTES:
                raise DataError(
                    f"{path}: it unpacks to {size:,} bytes, more than {MAX_UNPACKED_BYTES:,}; is it a score?"
                )
            for part in archive.infolist():
                _refuse_entities(path, archive.read(part))
    except (OSError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read ({error}); export it again as MusicXML") from None


def _refuse_entities(path: Path, content: bytes) -> None:
    if b"<!ENTITY" in content.replace(b"\0", b""):  # also in UTF-16
        raise DataError(f"{path}: its XML declares entities, which scores do not need; export it again")
