"""Reuse of finished stages: of this run folder, or of another job of the same sweep."""

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.runtime.files import has_hard_links, sha256
from pipeline.runtime.manifest import read_manifest

log = logging.getLogger(__name__)


def is_current(folder: Path, manifest: Mapping[str, Any], name: str, fingerprint: str) -> bool:
    """Whether a folder holds the stage with this fingerprint, and all its files are unchanged."""
    entry = manifest.get("stages", {}).get(name)
    if not entry or entry["fingerprint"] != fingerprint:
        return False
    files = ((folder / path, digest) for path, digest in entry["outputs"].items())
    return all(path.is_file() and sha256(path) == digest for path, digest in files)


def take_over(name: str, fingerprint: str, partial: Path, donors: Sequence[Path]) -> dict[str, Any] | None:
    """Copy a finished stage from the first donor that holds it into `partial`, and return its manifest entry.

    Files are hard-linked where the file system can. Returns None where no donor holds the stage.
    """
    for donor in donors:
        manifest = read_manifest(donor) or {}
        if donor.resolve() != partial.parent and is_current(donor, manifest, name, fingerprint):
            log.info("%-12s taken over from %s", name, donor)
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(donor / name, partial, copy_function=_link_or_copy)
            return {**manifest["stages"][name], "taken_over_from": str(donor)}
    return None


def clear_partials(folder: Path, name: str, keep: Path | None) -> None:
    """Remove unfinished folders of a stage, except `keep`; its files must not be hard links, which others
    share."""
    for path in folder.glob(f".{name}-*.partial"):
        if path != keep or has_hard_links(path):
            shutil.rmtree(path)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
