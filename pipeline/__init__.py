"""Generate sequences in a domain: genomes and music.

Start with `conf/config.yaml` (every setting on one page), then `pipeline/run.py` (the order of the
stages), then `pipeline/domains/text.py` (the smallest domain). From other programs: `load` and `generate`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.api import generate, load

__version__ = "0.1.0"
__all__ = ["generate", "load"]


def __getattr__(name: str) -> Any:
    """Import `load` or `generate` when it is used: `process.prepare` must precede the import of torch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pipeline.runtime import process  # saves 0.05 s where only the version is read

    process.prepare()
    from pipeline import api  # saves 2.8 s of torch

    return getattr(api, name)
