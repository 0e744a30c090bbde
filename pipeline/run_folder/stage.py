"""One stage as a run folder sees it: its action with bound settings, its fingerprint, and its manifest
entry."""

import hashlib
import json
import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline import __version__
from pipeline.errors import DataError
from pipeline.records import ReportSection, StageResult
from pipeline.runtime.files import sha256

FileState = tuple[int, int, int]
"""Inode, size and time of the last change of a file."""


@dataclass(frozen=True)
class Stage:
    """A stage with its settings bound.

    `action` writes into the folder that it is given. `needs` names the stages whose output it reads, and
    `inputs` are files outside the run folder. With `keeps_partial`, the folder of a killed stage is kept, and
    `action` resumes.
    """

    name: str
    settings: Mapping[str, Any]
    action: Callable[[Path], StageResult]
    needs: tuple[str, ...] = ()
    inputs: Sequence[Path] = ()
    keeps_partial: bool = False


def compute_fingerprint(stage: Stage, inputs: Mapping[str, str], needed: Mapping[str, str | None]) -> str:
    """Hash all that determines the result of a stage.

    `inputs` maps each input file to its sha256, `needed` each stage that it reads to the fingerprint of that
    stage.
    """
    whole = [stage.name, __version__, stage.settings, list(inputs.values()), needed]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def run_stage(stage: Stage, partial: Path) -> dict[str, Any]:
    """Run a stage in the folder `partial`, and return what the manifest records of its result."""
    partial.mkdir(exist_ok=True)
    started, begun = time.perf_counter(), current_time()
    try:
        result = stage.action(partial)
    except BaseException:
        if not stage.keeps_partial:
            shutil.rmtree(partial, ignore_errors=True)
        raise
    outputs = {
        f"{stage.name}/{path.relative_to(partial)}": sha256(path)
        for path in sorted(partial.rglob("*"))
        if path.is_file()
    }
    return {
        "settings": stage.settings, "seed": stage.settings.get("seed"),
        "started": begun, "outputs": outputs,
        "kept": dict(result.kept), "rejected": dict(result.rejected),
        "seconds": round(time.perf_counter() - started, 2),
        "summary": list(result.summary), "conclusions": list(result.conclusions),
        "warnings": list(result.warnings),
        "figures": _replace_non_finite(result.figures), "notes": dict(result.notes),
        "sections": [_relative(section, partial, stage.name) for section in result.sections],
    }  # fmt: skip


def file_states(paths: Sequence[Path]) -> list[FileState]:
    """Return the state of each file, to be compared by `refuse_changed`."""
    return [(s.st_ino, s.st_size, s.st_mtime_ns) for s in (path.stat() for path in paths)]


def refuse_changed(paths: Sequence[Path], before: Sequence[FileState]) -> None:
    """Raise DataError where an input has changed since `before`: the stage may have read a mixture of two
    versions."""
    for path, old, new in zip(paths, before, file_states(paths), strict=True):
        if new != old:
            raise DataError(f"{path}: it changed while it was read; run again when it is whole")


def current_time() -> str:
    """Return the time in UTC, in ISO format with seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _relative(section: ReportSection, partial: Path, name: str) -> dict[str, Any]:
    files = [f"{name}/{path.relative_to(partial)}" for path in section.files]
    return {**asdict(section), "files": files}


def _replace_non_finite(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Replace numbers that are not finite by None, because JSON has none."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in figures.items()}
