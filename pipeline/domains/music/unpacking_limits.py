"""Refuses scores that take gigabytes to read: archives that unpack to far more, and XML with entities."""

import zipfile
from pathlib import Path

from pipeline.errors import DataError

MAX_UNPACKED_BYTES = 2**26
"""Bytes of all files in a .mxl archive; a symphony has 20 MB."""


def check_score_file(path: Path) -> None:
    """Check a file of a score, which may be an archive.

    Raises DataError for an archive that is too large, and for XML that declares entities: nested ones may
    unfold to gigabytes, and MusicXML needs none.
    """
    try:
        if not zipfile.is_zipfile(path):
            _check_entities(path, path.read_bytes())
            return
        with zipfile.ZipFile(path) as archive:
            size = sum(part.file_size for part in archive.infolist())
            if size > MAX_UNPACKED_BYTES:
                raise DataError(
                    f"{path}: it unpacks to {size:,} bytes, more than {MAX_UNPACKED_BYTES:,}; is it a score?"
                )
            for part in archive.infolist():
                _check_entities(path, archive.read(part))
    except (OSError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read ({error}); export it again as MusicXML") from None


def _check_entities(path: Path, content: bytes) -> None:
    if b"<!ENTITY" in content.replace(b"\0", b""):  # also in UTF-16
        raise DataError(f"{path}: its XML declares entities, which scores do not need; export it again")
