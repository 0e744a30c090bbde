"""Versions of Python, of the system and of all required packages, for the manifest."""

import platform
import re
from importlib.metadata import PackageNotFoundError, requires, version

DISTRIBUTION = "sequence-pipeline"
"""The name of this project among the installed packages."""


def describe_environment() -> dict[str, str]:
    """Return the version of Python, the platform, and the version of every required package, by name."""
    about: dict[str, str] = {"python": platform.python_version(), "platform": platform.platform()}
    for requirement in _requirements():
        if ";" not in requirement:  # optional packages have a marker
            name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
            about[name] = _version(name)
    return about


def _requirements() -> list[str]:
    """The requirements of this project; torch and numpy for a checkout that is not installed."""
    try:
        return requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return ["torch", "numpy"]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
