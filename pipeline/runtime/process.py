"""Settings of the process that decide how fast small models train, and how fast a run ends; made before torch
and numba are imported.

Two traps. glibc hands freed memory back to the system, which clears it page by page when it is taken again:
40% of a small LSTM's step. And OpenMP's threads spin while they wait: on a machine that does anything else at
the same time they keep each other from working, and a step takes up to a hundred times as long.
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
"""A folder with less room is taken for full."""
COMPILED = "compiled-"
"""How our folders of compiled loops are called."""
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # names and values of mallopt(3)


def prepare() -> None:
    """Keep up to 1 GiB of freed memory, and let waiting threads sleep unless the user has said otherwise.

    Compiled loops are kept next to their sources or below the home folder; where neither can be written, in
    the system's temporary folder.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("NUMBA_CACHE_DIR", str(_compiled(Path(__file__).parents[1])))
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**30)
    # Or Python goes once more through all that torch and others have made, to see what could be freed.
    atexit.register(gc.freeze)


def _compiled(package: Path) -> Path:
    """The folder of compiled loops, another one whenever anything compiled has changed: numba looks at the
    file of a function alone, not at what it calls, and fails on a type that has moved."""
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
    """The folder of compiled code where numba could not load it, after ours is removed; else None."""
    frames = traceback.extract_tb(error.__traceback__)
    if not any(Path(frame.filename).parts[-3:] == ("numba", "core", "caching.py") for frame in frames):
        return None
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    if folder.name.startswith(COMPILED):
        shutil.rmtree(folder, ignore_errors=True)
    return folder


def _is_ours(folder: Path) -> bool:
    """Whether this user alone can write there; compiled code is loaded and run, whoever put it there."""
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
