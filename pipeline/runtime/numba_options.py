"""Options of numba for compiled functions, by their callers."""

COMPILED = {"nogil": True, "cache": True, "error_model": "numpy", "fastmath": {"contract", "arcp", "nsz"}}
"""For functions that Python calls. Fused multiply-add is allowed; infinities and NaN keep their meaning."""


BARE = {**COMPILED, "_nrt": False}
"""Arrays are not counted, and none can be made: of small steps the counting would be a third of the time."""


INNER = {**BARE, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""For what only compiled code calls (from Python it would crash): compiled in less time."""
