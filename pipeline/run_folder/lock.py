"""The lock of a run folder: one process at a time works in it, and none follows a link out of it."""

import itertools
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import ConfigError
from pipeline.runtime.files import append, create

log = logging.getLogger(__name__)

LOCK = ".lock"


@contextmanager
def hold_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a run folder; raise ConfigError where another process holds it."""
    append(folder / LOCK).close()
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigError(
            f"{folder}: another process is working in this folder; wait for it, or name another "
            "folder with hydra.run.dir=FOLDER"
        ) from None
    try:
        yield
    finally:
        lock.release()


def claim_folder(path: Path) -> Path:
    """Make and return a folder that no other run has claimed: `path`, else the first free of path_2, path_3 …

    Several runs may start in the same second, and so have the same default folder.
    """
    for number in itertools.count(1):
        folder = path if number == 1 else path.with_name(f"{path.name}_{number}")
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            create(folder / LOCK).close()
            return folder
    raise AssertionError("itertools.count never ends")


@contextmanager
def hold_stage_lock(sweep: Path, fingerprint: str) -> Iterator[None]:
    """Hold the lock of one stage among the jobs of a sweep; wait while another job makes an equal stage."""
    path = sweep / f".{fingerprint[:12]}.lock"
    append(path).close()
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("waiting for another job of the sweep, which makes an equal stage")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
