"""BLAST databases: built once per training text and kept in the user's cache folder, or named by the user.

A database is a folder named by the checksum of its content. It is built in a temporary folder, under a lock,
and renamed when it is complete; a list of its files and their sizes reveals later damage. So the next run
never mistakes the remains of a killed run for a database.
"""

import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from pipeline.data import download
from pipeline.domains.genome.blast.backend import DATABASE, Program
from pipeline.errors import ConfigError, ToolError
from pipeline.runtime.files import find_fault

log = logging.getLogger(__name__)

FILES = "files.json"
ROOM_BYTES = 2**20
"""A folder with less free space counts as full."""
KEPT_DAYS = 60
"""Databases not used for so long are removed when another is built."""
SUFFIXES = {"nucl": ("nin", "nal"), "prot": ("pin", "pal")}
"""Suffixes of index and alias files. Source: the BLAST Command Line Applications User Manual."""


def cached_database(checksum: str, form: str, build: Callable[[Path], None], spare: Path) -> Path:
    """Return the path, without suffix, of the database with this checksum, in the format `form`.

    A database that is not in the cache is built by `build`, which gets the folder. Where the cache folder
    cannot be written, the database is built below `spare`.
    """
    name = hashlib.sha256(f"{form} {checksum}".encode()).hexdigest()[:24]
    try:
        home = cache_folder()
        home.mkdir(parents=True, exist_ok=True)
        _check_room(home)
        _build_once(home / name, build)
        return home / name / DATABASE
    except (OSError, ToolError) as error:
        if isinstance(error, ToolError) and _has_room(home):
            raise
        log.info("no BLAST database can be kept in %s (%s)", home, error)
    _build_once(spare / name, build)
    return spare / name / DATABASE


def _check_room(folder: Path) -> None:
    """Raise OSError where the folder cannot be written or its disk is full."""
    with tempfile.TemporaryFile(dir=folder) as stream:
        stream.write(bytes(ROOM_BYTES))
        stream.flush()


def _has_room(folder: Path) -> bool:
    try:
        _check_room(folder)
    except OSError:
        return False
    return True


def cache_folder() -> Path:
    """The folder of cached databases."""
    return download.cache_folder() / "blast"


def _build_once(folder: Path, build: Callable[[Path], None]) -> None:
    """Build a database unless it is there and whole."""
    from filelock import FileLock

    with FileLock(folder.with_name(f"{folder.name}.lock")):
        if is_complete(folder):
            os.utime(folder)
            return
        draft = folder.with_name(f"{folder.name}.partial")
        for left_over in (folder, draft):
            shutil.rmtree(left_over, ignore_errors=True)
        draft.mkdir()
        build(draft)
        sizes = {path.name: path.stat().st_size for path in draft.iterdir()}
        (draft / FILES).write_text(json.dumps(sizes), encoding="utf-8")
        draft.rename(folder)
    _remove_unused(folder.parent)


def is_complete(folder: Path) -> bool:
    """Whether a kept database has all its files, with the sizes that they were built with."""
    try:
        sizes = json.loads((folder / FILES).read_text(encoding="utf-8"))
        return bool(sizes) and all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError, RecursionError):
        return False


def _remove_unused(home: Path) -> None:
    oldest = time.time() - KEPT_DAYS * 86_400
    for listing in home.glob(f"*/{FILES}"):
        if listing.parent.stat().st_mtime < oldest:
            shutil.rmtree(listing.parent, ignore_errors=True)


def find_user_database(path: str, program: Program) -> Path:
    """A database of the user's, by its path without suffix. Raises ConfigError where there is none."""
    base = Path(path).expanduser().resolve()
    there = {kind for kind, suffixes in SUFFIXES.items() if _has(base, suffixes)}
    if program.molecule in there:
        _refuse_special(base, path)
        return base
    if there:
        raise ConfigError(
            f"blast.database={path}: is a database of the other kind ({', '.join(there)}); "
            f"{program.name} cannot read it"
        )
    index = f"{path}.{SUFFIXES[program.molecule][0]}"
    make = f"makeblastdb -in FILE.fa -dbtype {program.molecule} -out {path}"
    what = "is a file" if base.is_file() else "is a folder" if base.is_dir() else "is not there"
    raise ConfigError(
        f"blast.database={path}: {what}, and no BLAST database ({index}) is there; give "
        f"a database's path without its suffix, or make one: {make}"
    )


def _refuse_special(base: Path, path: str) -> None:
    """Raise ConfigError where a file of the database is a pipe or a device, which BLAST+ would wait for."""
    part = re.compile(re.escape(base.name) + r"(\.\d+)?\.[np][a-z]{2}")
    for file in filter(lambda each: part.fullmatch(each.name), base.parent.iterdir()):
        if fault := find_fault(file):
            raise ConfigError(f"blast.database={path}: {file.name} is {fault}")


def _has(base: Path, suffixes: Iterable[str]) -> bool:
    """Whether an index or alias is there; the first of several volumes is called ``NAME.00``."""
    names = (f"{base.name}{part}.{suffix}" for part in ("", ".00") for suffix in suffixes)
    return any(base.with_name(name).exists() for name in names)
