"""The order of the stages, the run folder, and its manifest: what is reused, what is made anew.

A stage writes into a hidden folder that takes its name only when it is whole; then the manifest is
replaced in one step. So whatever carries its proper name is complete, and a killed run goes on where it
stopped. A stage is reused when its settings, its inputs and the program's version are as they were.
"""

import hashlib
import itertools
import json
import logging
import math
import os
import platform
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pipeline import __version__
from pipeline.config.schema import STAGES
from pipeline.errors import ConfigError, DataError
from pipeline.records import ReportSection, StageResult
from pipeline.runtime.files import append, create, has_hard_links, refuse_links, write_atomically
from pipeline.runtime.manifest import FORMAT, MANIFEST, read_manifest

log = logging.getLogger(__name__)

LOCK, LOG, REPORT = ".lock", "pipeline.log", "report.html"
DISTRIBUTION = "sequence-pipeline"
"""Our name among the installed packages."""


@dataclass(frozen=True)
class Stage:
    """A stage with its settings bound. `needs` names the stages whose output it reads; `inputs` are files
    from outside; `keeps_partial` where a killed run's folder is worth going on from."""

    name: str
    settings: Mapping[str, Any]
    action: Callable[[Path], StageResult]
    needs: tuple[str, ...] = ()
    inputs: Sequence[Path] = ()
    keeps_partial: bool = False


class RunFolder:
    """One run's folder and manifest."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.manifest: dict[str, Any] = {}
        self._before: dict[str, Any] | None = None

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process; ConfigError where another one does."""
        self.path.mkdir(parents=True, exist_ok=True)
        self._refuse_links()
        append(self.path / LOCK).close()
        lock = FileLock(self.path / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise ConfigError(
                f"{self.path}: another process is working in this folder; wait for it, or name another "
                "folder with hydra.run.dir=FOLDER"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def _refuse_links(self) -> None:
        """Raise DataError where something that we write or read here is a link, or no file."""
        names = [MANIFEST, f".{MANIFEST}.partial", REPORT, f".{REPORT}.partial", LOG, LOCK, *STAGES]
        refuse_links([*(self / name for name in names), *self.path.glob(".*.partial")])

    def open(self, fresh: Mapping[str, Any], going_on: bool) -> None:
        """Read the manifest, or begin one; a folder that has one is only entered if `going_on`."""
        found = read_manifest(self.path)
        if found and not going_on:
            raise ConfigError(
                f"{self.path}: already holds a run; go on with it by run={self.path}, or choose another "
                "folder with hydra.run.dir=FOLDER"
            )
        self._before = found
        stages = found["stages"] if found else {}
        created = found["created"] if found else _now()
        self.manifest = {
            "format": FORMAT, "version": __version__, "created": created, **fresh,
            "environment": _environment(), "stages": stages,
        }  # fmt: skip
        self.save()

    def remember_as_before(self) -> None:
        """A setting was refused: the next ``run=`` of this folder begins with those of the time before."""
        if self._before:
            self.manifest |= {key: self._before.get(key) for key in ("overrides", "signature", "config")}
            self.save()

    def save(self) -> None:
        """Replace the manifest in one step."""
        write_atomically(self / MANIFEST, json.dumps(self.manifest, indent=1, ensure_ascii=False))

    def run(self, stage: Stage, donors: Sequence[Path] = ()) -> bool:
        """Bring one stage up to date; whether it was made anew.

        `donors` are other run folders, of the same sweep, whose equal stage is taken over rather than made.
        """
        before = [_state(path) for path in stage.inputs]
        inputs = {str(path): sha256(path) for path in stage.inputs}
        fingerprint = self._fingerprint(stage, inputs)
        if self._is_current(self.path, self.manifest, stage.name, fingerprint):
            log.info("%-12s as it was", stage.name)
            return False
        partial = self / f".{stage.name}-{fingerprint[:12]}.partial"
        self._clear_partials(stage.name, keep=partial if stage.keeps_partial else None)
        entry = self._take_over(stage.name, fingerprint, partial, donors)
        if entry is None:
            entry = self._make(stage, inputs, fingerprint, partial)
            _refuse_changed(stage, before)
        if self.manifest["stages"].pop(stage.name, None):
            self.save()  # so that no entry ever stands for another's files, whenever we are killed
        self._put_in_place(stage.name, partial)
        self.manifest["stages"][stage.name] = entry
        self.save()
        return True

    def require(self, name: str) -> None:
        """DataError where a stage that another reads has not been run, or reads what is no more."""
        if name not in self.manifest["stages"] or not (self / name).is_dir():
            raise DataError(f"{self.path}: stage {name} has not been run here; add it to stages=[…]")
        for needed, made_as in self.manifest["stages"][name].get("needs", {}).items():
            if self._made_as(needed) != made_as:
                raise DataError(
                    f"{self.path}: stage {name} was made from another {needed} than the one there now; "
                    "add it to stages=[…]"
                )

    def forget_stale(self) -> None:
        """Drop the entries of stages that were made from what is no more, so that no report mixes runs."""
        for name in list(self.manifest["stages"]):
            try:
                self.require(name)
            except DataError as error:
                log.warning("not shown: %s", error)
                del self.manifest["stages"][name]
        self.save()

    def _made_as(self, name: str) -> str | None:
        return self.manifest["stages"].get(name, {}).get("fingerprint")

    def _make(
        self, stage: Stage, inputs: Mapping[str, str], fingerprint: str, partial: Path
    ) -> dict[str, Any]:
        partial.mkdir(exist_ok=True)
        started, begun = time.perf_counter(), _now()
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
            "fingerprint": fingerprint, "needs": {name: self._made_as(name) for name in stage.needs},
            "settings": stage.settings, "seed": stage.settings.get("seed"),
            "started": begun, "inputs": inputs, "outputs": outputs,
            "kept": dict(result.kept), "rejected": dict(result.rejected),
            "seconds": round(time.perf_counter() - started, 2),
            "summary": list(result.summary), "conclusions": list(result.conclusions),
            "warnings": list(result.warnings),
            "figures": _finite(result.figures), "notes": dict(result.notes),
            "sections": [_relative(section, partial, stage.name) for section in result.sections],
        }  # fmt: skip

    def _fingerprint(self, stage: Stage, inputs: Mapping[str, str]) -> str:
        needed = {}
        for name in stage.needs:
            self.require(name)
            needed[name] = self._made_as(name)
        whole = [stage.name, __version__, stage.settings, list(inputs.values()), needed]
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()

    @staticmethod
    def _is_current(folder: Path, manifest: Mapping[str, Any], name: str, fingerprint: str) -> bool:
        entry = manifest.get("stages", {}).get(name)
        if not entry or entry["fingerprint"] != fingerprint:
            return False
        files = ((folder / path, digest) for path, digest in entry["outputs"].items())
        return all(path.is_file() and sha256(path) == digest for path, digest in files)

    def _take_over(
        self, name: str, fingerprint: str, partial: Path, donors: Sequence[Path]
    ) -> dict[str, Any] | None:
        for donor in donors:
            manifest = read_manifest(donor) or {}
            if donor.resolve() != self.path and self._is_current(donor, manifest, name, fingerprint):
                log.info("%-12s taken over from %s", name, donor)
                shutil.rmtree(partial, ignore_errors=True)
                shutil.copytree(donor / name, partial, copy_function=_link_or_copy)
                return {**manifest["stages"][name], "taken_over_from": str(donor)}
        return None

    def _clear_partials(self, name: str, keep: Path | None) -> None:
        for path in self.path.glob(f".{name}-*.partial"):
            if path != keep or has_hard_links(path):
                shutil.rmtree(path)

    def _put_in_place(self, name: str, partial: Path) -> None:
        final, old = self / name, self / f".{name}-old.partial"
        if final.exists():
            final.rename(old)
        partial.rename(final)
        shutil.rmtree(old, ignore_errors=True)


def claim_folder(path: Path) -> Path:
    """The folder, or the first of path_2, path_3 … that no other run has begun in: several may begin in the
    same second."""
    for number in itertools.count(1):
        folder = path if number == 1 else path.with_name(f"{path.name}_{number}")
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            create(folder / LOCK).close()
            return folder
    raise AssertionError("counting ends never")


def sha256(path: Path) -> str:
    """The checksum of a file, in hexadecimal. Raises DataError where it cannot be read to its end."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:  # of a broken disk the error names no file
        raise DataError(f"{path}: cannot be read ({error.strerror}); use a whole copy of it") from None


def _relative(section: ReportSection, partial: Path, name: str) -> dict[str, Any]:
    files = [f"{name}/{path.relative_to(partial)}" for path in section.files]
    return {**asdict(section), "files": files}


def _state(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _refuse_changed(stage: Stage, before: Sequence[tuple[int, int, int]]) -> None:
    """DataError where an input was written to while it was read: what was made is of no one state of it."""
    for path, state in zip(stage.inputs, before, strict=True):
        if _state(path) != state:
            raise DataError(f"{path}: it changed while it was read; run again when it is whole")


def _finite(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures, None for what is no number: JSON knows no NaN."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in figures.items()}


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _environment() -> dict[str, str]:
    """Python, the system, and the version of every package that we depend on."""
    about: dict[str, str] = {"python": platform.python_version(), "platform": platform.platform()}
    for requirement in _requirements():
        if ";" not in requirement:
            name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
            about[name] = _version(name)
    return about


def _requirements() -> list[str]:
    """What we depend on; a checkout that was never installed does not say."""
    try:
        return requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return ["torch", "numpy"]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
