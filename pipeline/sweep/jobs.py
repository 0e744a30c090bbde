"""The jobs of a sweep folder: their settings, figures and failures, read from what each job has written."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from pipeline.errors import DataError
from pipeline.runtime.files import read_bounded, write_atomically
from pipeline.runtime.manifest import read_manifest
from pipeline.runtime.plain_data import check, load_json

FAILURE = "failure.json"
"""In the folder of a job that failed: its overrides and its error."""
MAX_FAILURE_BYTES = 2**20


class Failure(TypedDict):
    """The content of `failure.json`."""

    overrides: list[str]
    error: str


@dataclass(frozen=True)
class Job:
    """One job: its folder, the overrides by key, the figures of its stages by name, and its error, if any.

    Bits are per symbol; `seconds` are those of all stages.
    """

    folder: Path
    settings: Mapping[str, str]
    figures: Mapping[str, Any]
    seconds: float = 0.0
    error: str | None = None


def record_failure(folder: Path, overrides: Sequence[str], error: str) -> None:
    """Write `failure.json` into the folder of a job."""
    folder.mkdir(parents=True, exist_ok=True)
    content: Failure = {"overrides": list(overrides), "error": error}
    write_atomically(folder / FAILURE, json.dumps(content, indent=1, ensure_ascii=False))


def read_jobs(sweep: Path) -> list[Job]:
    """The jobs of a sweep folder in the order of their names, numbers by value.

    Raises DataError where the manifest or the failure of a job is damaged.
    """
    folders = sorted((each for each in sweep.iterdir() if each.is_dir()), key=_natural_order)
    return [job for folder in folders if (job := _read_job(folder)) is not None]


def _read_job(folder: Path) -> Job | None:
    failure = _read_failure(folder / FAILURE)
    manifest = read_manifest(folder)
    if manifest is None:
        return (
            None if failure is None else Job(folder, _by_key(failure["overrides"]), {}, 0.0, failure["error"])
        )
    stages = manifest["stages"].values()
    return Job(
        folder,
        _by_key(manifest["overrides"]),
        {name: value for stage in stages for name, value in stage.get("figures", {}).items()},
        sum(stage.get("seconds", 0.0) for stage in stages),
        None if failure is None else failure["error"],
    )


def _read_failure(path: Path) -> Failure | None:
    try:
        content = load_json(read_bounded(path, MAX_FAILURE_BYTES))
        check(content, Failure, "failure")
    except FileNotFoundError:
        return None
    except (ValueError, OSError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read ({error}); remove it and run the sweep again") from None
    return content


def _by_key(overrides: Sequence[str]) -> dict[str, str]:
    """Overrides by key, values without Hydra's quotes."""
    pairs = (each.lstrip("+~").partition("=") for each in overrides)
    return {key: re.sub(r"^'(.*)'$", r"\1", value) for key, _, value in pairs}


def _natural_order(folder: Path) -> list[tuple[int, str]]:
    """Numbers in a name by their value, so that job 10 follows job 9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", folder.name)]
