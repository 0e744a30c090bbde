"""Reuse of finished stages: of this run folder, or of another job of the same sweep."""

import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.runtime.files import has_hard_links, sha256
from pipeline.runtime.manifest import read_manifest

log = logging.getLogger(__name__)

MAX_NAMED = 3
"""Changed settings that are named in a line."""


def is_current(folder: Path, manifest: Mapping[str, Any], name: str, fingerprint: str) -> bool:
    """Whether a folder holds the stage with this fingerprint, and all its files are unchanged."""
    entry = manifest.get("stages", {}).get(name)
    if not entry or entry["fingerprint"] != fingerprint:
        return False
    files = ((folder / path, digest) for path, digest in entry["outputs"].items())
    return all(path.is_file() and sha256(path) == digest for path, digest in files)


def explain_change(
    entry: Mapping[str, Any],
    settings: Mapping[str, Any],
    inputs: Mapping[str, str],
    needed: Mapping[str, Any],
) -> str:
    """Say why a stage with this manifest entry is run again: what differs in its settings and inputs."""
    before, now = (dict(flatten_settings(each)) for each in (entry.get("settings", {}), settings))
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if changed:
        more = f" and {len(changed) - MAX_NAMED} more" if len(changed) > MAX_NAMED else ""
        return f"changed: {', '.join(changed[:MAX_NAMED])}{more}"
    if {*entry.get("inputs", {}).values()} != {*inputs.values()}:
        return "an input file has changed"
    if dict(entry.get("needs", {})) != dict(needed):
        return "a stage that it reads was run again"
    return "its files or the version of the program have changed"


def flatten_settings(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted name and the value of each setting of a nested mapping."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from flatten_settings(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, node


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
