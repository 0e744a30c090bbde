"""Settings of the process that decide how fast small models train; made before torch is imported.

Two traps. glibc hands freed memory back to the system, which clears it page by page when it is taken again:
40% of a small LSTM's step. And OpenMP's threads spin while they wait: on a machine that does anything else at
the same time they keep each other from working, and a step takes up to a hundred times as long.
"""

import ctypes
import os
import platform

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # names and values of mallopt(3)


def prepare() -> None:
    """Keep up to 1 GiB of freed memory, and let waiting threads sleep unless the user has said otherwise."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**30)
