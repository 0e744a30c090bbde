"""The manifest of a run folder: its keys, and its checked reading, whoever wrote it."""

from pathlib import Path, PurePosixPath
from typing import Any, NotRequired, TypedDict

from pipeline.errors import DataError
from pipeline.runtime.files import read_bounded
from pipeline.runtime.plain_data import check, load_json

MANIFEST = "manifest.json"
FORMAT = 1
MAX_BYTES = 2**26
MAX_ENTRIES = {"stages": 64, "overrides": 1000}


class ShownFiles(TypedDict):
    """A section of the report, with files relative to the run folder."""

    title: str
    files: list[str]
    caption: str
    part: NotRequired[str]


class StageEntry(TypedDict):
    """The record of a stage; `outputs` are files of the run folder with their sha256."""

    fingerprint: str
    outputs: dict[str, str]
    summary: list[str]
    inputs: NotRequired[dict[str, str]]
    needs: NotRequired[dict[str, str | None]]
    settings: NotRequired[dict[str, Any]]
    seed: NotRequired[int | None]
    started: NotRequired[str]
    conclusions: NotRequired[list[str]]
    warnings: NotRequired[list[str]]
    notes: NotRequired[dict[str, str]]
    kept: NotRequired[dict[str, int]]
    rejected: NotRequired[dict[str, int]]
    seconds: NotRequired[float]
    figures: NotRequired[dict[str, float | str | None]]
    sections: NotRequired[list[ShownFiles]]


class Manifest(TypedDict):
    """The whole file. `signature` identifies the user who typed the `overrides` (`overrides.sign`)."""

    format: int
    created: str
    overrides: list[str]
    stages: dict[str, StageEntry]
    version: NotRequired[str]
    dataset: NotRequired[str]
    signature: NotRequired[str | None]
    config: NotRequired[dict[str, Any]]
    environment: NotRequired[dict[str, str]]


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Read the manifest of a run folder; return None where there is none, and raise DataError for a damaged
    one."""
    path = folder / MANIFEST
    try:
        content = read_bounded(path, MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); name another run folder") from None
    try:
        manifest = load_json(content)
        if isinstance(manifest, dict) and manifest.get("format") != FORMAT:
            raise ValueError(f"format {str(manifest.get('format'))[:40]!r}, this version reads {FORMAT}")
        _check_counts(manifest)
        _rename_keys(manifest)
        check(manifest, Manifest, "manifest")
        for name, entry in manifest["stages"].items():
            if not name.isidentifier():
                raise ValueError(f"there is no stage {name[:40]!r}")
            _check_inside(entry)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a manifest of a run ({error}); name another run folder") from None
    return manifest


def _rename_keys(manifest: Any) -> None:
    """Give the keys of older manifests their present names."""
    stages = manifest.get("stages") if isinstance(manifest, dict) else None
    for entry in stages.values() if isinstance(stages, dict) else ():
        if isinstance(entry, dict) and "exhibits" in entry:
            entry["sections"] = entry.pop("exhibits")


def _check_counts(manifest: Any) -> None:
    """Raise ValueError where there are more entries than a run writes."""
    for name, most in MAX_ENTRIES.items():
        entries = manifest.get(name) if isinstance(manifest, dict) else None
        if isinstance(entries, dict | list) and len(entries) > most:
            raise ValueError(f"more than {most} {name}")


def _check_inside(entry: StageEntry) -> None:
    """Raise ValueError where a file of a stage is outside the run folder."""
    shown = [name for each in entry.get("sections", ()) for name in each["files"]]
    for name in (*entry["outputs"], *shown):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\0" in name:
            raise ValueError(f"{name!r} lies outside the run folder")
