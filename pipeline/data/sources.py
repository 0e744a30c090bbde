"""The files of a data set: the user's own, those shipped with this program or a package, and downloads.

`locate` returns paths of existing files; the domain reads them.
"""

import glob
import hashlib
import importlib.util
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.config.schema import PRETRAINED
from pipeline.data import download
from pipeline.errors import ConfigError, DataError, ToolError
from pipeline.runtime.files import find_fault, is_text
from pipeline.runtime.folders import resource_folder


@dataclass(frozen=True, slots=True)
class Source:
    """One entry of the file list of a data set.

    `at` is ``embedded:folder/file`` (in the folder ``datasets`` of this program), ``package:name/glob``
    (inside an installed package) or an https address. `sha256` is checked where it is given. `checksums` is
    the address, absolute or relative to `at`, of a list in the format of md5sum.
    """

    at: str
    sha256: str | None = None
    checksums: str | None = None


def locate(
    path: str | None,
    entries: Sequence[Source],
    accepts_file: Callable[[Path], bool],
    cache_dir: Path | None = None,
) -> list[Path]:
    """Return the absolute paths of the files to read: those of the user's `path`, or else those of `entries`.

    `path` is a file, a folder (walked in sorted order, without hidden folders) or a glob, with ``~`` for the
    home folder. `accepts_file` selects the files of a folder, and the matches of a glob if it accepts any. A
    file that `path` names itself is always read.

    Raises ConfigError where there is neither a path nor an entry, DataError where a file is missing, is
    unreadable or has another checksum, and ToolError where the network or a package fails.
    """
    if path is not None:
        return _own_files(path, accepts_file)
    if not entries:
        raise ConfigError(
            "this data set has no files of its own; name yours with dataset.path=FILE, a folder, or a glob "
            "in quotes such as 'dataset.path=\"data/*.txt\"'"
        )
    return [found for entry in entries for found in _entry_files(entry, cache_dir)]


def checkpoint_path(name: str, given: str | None, dataset: Any) -> Path | None:
    """Return the checkpoint that the setting `name` names as `given`, or None.

    `dataset` is a `DatasetSettings` or its node of the configuration. Raises ConfigError for the pretrained
    checkpoint of a data set that has none.
    """
    if given != PRETRAINED:
        return Path(given).expanduser() if given else None
    if dataset.pretrained is None:
        raise ConfigError(
            f"{name}={PRETRAINED}: the data set {dataset.name} comes with no checkpoint; name a .ckpt file "
            "that a run wrote, or leave it out"
        )
    about = {name: value for name, value in dataset.pretrained.items() if name != "held_out"}
    (path,) = locate(None, [Source(**about)], lambda _: True)
    return path


def held_out_list_path(dataset: Any) -> Path | None:
    """Return the held-out list of the pretrained checkpoint, where the data set has one and `path` is not
    set."""
    if dataset.path is not None or not (dataset.pretrained or {}).get("held_out"):
        return None
    (path,) = locate(None, [Source(dataset.pretrained["held_out"])], lambda _: True)
    return path


def _own_files(text: str, accepts_file: Callable[[Path], bool]) -> list[Path]:
    if not text.strip():
        raise ConfigError("dataset.path is empty; give a file, a folder or a glob, or leave it out")
    path = Path(os.path.abspath(os.path.expanduser(text)))  # noqa: PTH100, PTH111 - keeps links as named
    try:
        if path.is_dir():
            return _walk(path, accepts_file)
        if path.exists():
            return [_readable(path)]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    if glob.has_magic(text):
        return _matches(path, accepts_file)
    near = path
    while not near.exists():
        near = near.parent
    raise DataError(
        f"{path}: no such file or folder ({near} is there, the rest is not); "
        f"dataset.path is relative to the working folder {Path.cwd()}"
    )


def _walk(folder: Path, accepts_file: Callable[[Path], bool]) -> list[Path]:
    found, others = [], 0
    for where, folders, names in os.walk(folder, onerror=_raise, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files = [Path(where, name) for name in names if Path(where, name).is_file()]
        fitting = [file for file in files if accepts_file(file)]
        found += fitting
        others += len(files) - len(fitting)
    if not found:
        raise DataError(
            f"{folder}: no file in this folder fits the data set's domain ({others} others are there); name "
            "the file itself with dataset.path=... to read it whatever its name"
        )
    return [_readable(file) for file in sorted(found)]


def _matches(pattern: Path, accepts_file: Callable[[Path], bool]) -> list[Path]:
    matched = [Path(name) for name in sorted(glob.glob(str(pattern), recursive=True))]  # noqa: PTH207
    files = [file for file in matched if file.is_file()]
    found = [file for file in files if accepts_file(file)] or files
    if not found:
        raise DataError(
            f"{pattern}: no file matches this glob; "
            f"dataset.path is relative to the working folder {Path.cwd()}"
        )
    return [_readable(file) for file in found]


def _readable(path: Path) -> Path:
    if not is_text(str(path)):
        raise DataError(f"{str(path)!a}: the name is not UTF-8; rename the file, or name a link to it")
    if fault := find_fault(path):
        raise DataError(f"{path}: {fault}")
    if not os.access(path, os.R_OK):
        raise DataError(f"{path}: permission denied; make it readable, for example with chmod u+r")
    return path


def _raise(error: OSError) -> None:
    raise error


def _entry_files(entry: Source, cache_dir: Path | None) -> list[Path]:
    scheme, _, rest = entry.at.partition(":")
    if entry.at.startswith(download.SCHEMES):
        return [download.fetch(entry.at, entry.sha256, entry.checksums, cache_dir)]
    if scheme == "embedded":
        return [_embedded(rest, entry.sha256)]
    if scheme == "package":
        return _packaged(rest)
    raise ConfigError(f"source {entry.at!r}: starts with none of embedded:, package:, https://")


def _embedded(name: str, sha256: str | None) -> Path:
    path = resource_folder("datasets") / name
    if not path.is_file():
        raise DataError(f"{path}: this embedded file is missing; install the project again")
    if sha256 and hashlib.sha256(path.read_bytes()).hexdigest() != sha256.lower():
        raise DataError(
            f"{path}: this embedded file was changed (expected sha256 {sha256}); restore it, or name yours "
            "with dataset.path=..."
        )
    return path


def _packaged(pattern: str) -> list[Path]:
    """Return the files that match ``name/glob`` inside an installed package, which is not imported."""
    name, *inside = PurePosixPath(pattern).parts
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ToolError(f"the package {name!r} is not installed; run: pip install {name}")
    folder = Path(next(iter(spec.submodule_search_locations)))
    found = sorted(path for path in folder.glob("/".join(inside)) if path.is_file())
    if not found:
        raise DataError(
            f"{folder / Path(*inside)}: nothing matches in the installed package {name!r}; this version does "
            f"not have it: try another, with pip install --upgrade {name}"
        )
    return found
