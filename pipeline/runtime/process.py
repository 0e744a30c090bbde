"""Process settings for speed, which must precede the imports of torch and numba.

By default, glibc returns freed memory to the system, and the system clears it page by page when it is taken
again: 40% of a training step of a small LSTM. By default, waiting threads of OpenMP spin: on a busy machine,
a step takes up to a hundred times as long.
"""

import atexit
import ctypes
import gc
import hashlib
import os
import platform
import shutil
import stat
import tempfile
import traceback
from contextlib import suppress
from pathlib import Path

ROOM_BYTES = 2**20
"""A folder with less free space counts as full."""
COMPILED = "compiled-"
"""Prefix of our folders of compiled code."""
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # names and values of mallopt(3)


def prepare() -> None:
    """Keep up to 1 GiB of freed memory, and let waiting threads sleep, unless the user has set it otherwise.

    Compiled code is cached next to its sources or below the home folder, or else in the temporary folder of
    the system.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("NUMBA_CACHE_DIR", str(_compiled(Path(__file__).parents[1])))
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**30)
    # Without it, Python searches all objects of torch for garbage when it ends.
    atexit.register(gc.freeze)


def _compiled(package: Path) -> Path:
    """Return the folder of compiled code, which depends on all compiled sources.

    numba checks only the file of a function, not the functions that it calls, and fails where a type has
    moved.
    """
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        source = path.read_bytes()
        if any(word in source for word in (b"numba", b"NamedTuple", b"IntEnum")):
            digest.update(source)
    name = f"{COMPILED}{digest.hexdigest()[:12]}"
    shared = Path(tempfile.gettempdir()) / f"sequence-pipeline-{os.getuid()}"
    for place in (package / "__pycache__", Path.home() / ".cache" / "sequence-pipeline", shared):
        if _is_ours(place) and _is_ours(place / name) and _has_room(place / name):
            return place / name
    last = tempfile.mkdtemp(prefix="sequence-pipeline-")
    atexit.register(shutil.rmtree, last, ignore_errors=True)
    return Path(last)


def forget_compiled(error: BaseException) -> Path | None:
    """Remove our folder of compiled code where numba cannot load it; return the folder, or None for other
    errors."""
    frames = traceback.extract_tb(error.__traceback__)
    if not any(Path(frame.filename).parts[-3:] == ("numba", "core", "caching.py") for frame in frames):
        return None
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    if folder.name.startswith(COMPILED):
        shutil.rmtree(folder, ignore_errors=True)
    return folder


def _is_ours(folder: Path) -> bool:
    """Whether only this user can write there, because compiled code in it is run."""
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
        return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022
    return False


def _has_room(folder: Path) -> bool:
    with suppress(OSError), tempfile.TemporaryFile(dir=folder) as stream:
        stream.write(bytes(ROOM_BYTES))
        stream.flush()
        return True
    return False
