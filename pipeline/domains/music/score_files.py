"""Files of scores, MusicXML and Humdrum, parsed by music21.

Files that would take gigabytes to parse are refused: archives that unpack to far more, and XML with entities.
"""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import DataError

SCORE_SUFFIXES = (".mxl", ".musicxml", ".xml", ".krn")
MAX_SCORE_BYTES = 2**24
"""Size of a file."""
MAX_UNPACKED_BYTES = 2**26
"""Size of all files in a .mxl archive; a symphony has 20 MB."""

Converted = TypeVar("Converted")


def parse_score(path: Path, convert: Callable[[Any], Converted]) -> Converted:
    """Parse a score and convert it.

    Parameters
    ----------
    path
        The file.
    convert
        Called with the `music21.stream.Score`; it may raise any error of music21.

    Returns
    -------
    object
        The result of `convert`.

    Raises
    ------
    DataError
        Where the file is too large, declares entities, or music21 cannot parse or convert it.
    """
    from music21 import converter

    _check_file(path)
    try:
        return convert(converter.parse(str(path), forceSource=True, storePickle=False))
    except Exception as error:  # music21 raises errors of many kinds on a broken file
        why = f"{type(error).__name__}: {str(error)[:120]}"
        raise DataError(f"{path}: music21 cannot read it ({why}); export it again as MusicXML") from None


def _check_file(path: Path) -> None:
    """Raises DataError for a file or archive that is too large, and for XML that declares entities.

    Nested entities may unfold to gigabytes, and MusicXML needs none.
    """
    try:
        if (size := path.stat().st_size) > MAX_SCORE_BYTES:
            raise DataError(
                f"{path}: {size:,} bytes are more than the {MAX_SCORE_BYTES:,} allowed; is it a score?"
            )
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
