"""The program's own folders: shipped resources, and the cache between runs."""

import os
from pathlib import Path

import platformdirs

from pipeline.errors import ToolError

PACKAGE_FOLDER = Path(__file__).resolve().parents[1]
CACHE_VARIABLE = "SEQUENCE_PIPELINE_CACHE"
"""Environment variable that names the cache folder."""


def cache_folder() -> Path:
    """Where files are kept between runs: what `CACHE_VARIABLE` names, else the user's cache folder."""
    folder = os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("sequence-pipeline")
    return Path(folder).expanduser().resolve()


def resource_folder(name: str) -> Path:
    """Our own folder ``conf`` or ``datasets``: inside the package where installed, beside it in a checkout.

    Raises ToolError where neither is there.
    """
    for folder in (PACKAGE_FOLDER / name, PACKAGE_FOLDER.parent / name):
        if folder.is_dir():
            return folder
    raise ToolError(f"{PACKAGE_FOLDER}: the installation has no folder {name!r}; install the project again")
