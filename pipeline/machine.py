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
import tempfile
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # names and values of mallopt(3)


def prepare() -> None:
    """Keep up to 1 GiB of freed memory, and let waiting threads sleep unless the user has said otherwise.

    Compiled loops are kept beside their sources or below the home folder; where neither can be written, in
    the system's temporary folder.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("NUMBA_CACHE_DIR", str(_compiled(Path(__file__).parent)))
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
    places = (package, "__pycache__"), (Path.home(), ".cache/sequence-pipeline")
    kept = Path(tempfile.gettempdir()) / f"sequence-pipeline-{os.getuid()}"
    kept = next((place / folder for place, folder in places if os.access(place, os.W_OK)), kept)
    return kept / f"compiled-{digest.hexdigest()[:12]}"
