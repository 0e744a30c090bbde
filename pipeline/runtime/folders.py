"""The program's own folders: shipped resources, and the cache between runs."""

import os
from pathlib import Path

import platformdirs

from pipeline.errors import ToolError

PACKAGE_FOLDER = Path(__file__).resolve().parents[1]
CACHE_VARIABLE = "SEQUENCE_PIPELINE_CACHE"
"""Environment variable that names the cache folder."""


def cache_folder() -> Path:
    """Return the cache folder: the value of `CACHE_VARIABLE`, or else the cache folder of the user."""
    folder = os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("sequence-pipeline")
    return Path(folder).expanduser().resolve()


def resource_folder(name: str) -> Path:
    """Return the folder ``conf`` or ``datasets``: inside an installed package, next to the package in a
    checkout.

    Raises ToolError where neither exists.
    """
    for folder in (PACKAGE_FOLDER / name, PACKAGE_FOLDER.parent / name):
        if folder.is_dir():
            return folder
    raise ToolError(f"{PACKAGE_FOLDER}: the installation has no folder {name!r}; install the project again")
