"""Options of numba for compiled functions, by their callers."""

from typing import Any

COMPILED: dict[str, Any] = {
    "nogil": True,
    "cache": True,
    "error_model": "numpy",
    "fastmath": {"contract", "arcp", "nsz"},
}
"""For functions that Python calls. Fused multiply-add is allowed; infinities and NaN keep their meaning."""

BARE: dict[str, Any] = {**COMPILED, "_nrt": False}
"""Arrays are not counted, and none can be made: of small steps the counting would be a third of the time."""

# Any: numba's stubs type the options of an overload as a TypedDict.
INNER: Any = {**BARE, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""For what only compiled code calls (from Python it would crash): compiled in less time."""
