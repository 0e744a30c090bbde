"""The folder of a run and its manifest: a stage is reused, resumed or run, and then recorded.

A stage writes into a hidden folder, which gets its final name only when the stage is complete; then the
manifest is replaced in one step. A folder under its final name is therefore complete, and a killed run
resumes where it stopped. A stage is reused where its settings, its inputs and the version of the program are
the same.
"""

import json
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from pipeline import __version__
from pipeline.config.schema import STAGES
from pipeline.errors import ConfigError, DataError
from pipeline.run_folder.environment import describe_environment
from pipeline.run_folder.lock import LOCK, hold_lock, hold_stage_lock
from pipeline.run_folder.reuse import clear_partials, explain_change, is_current, take_over
from pipeline.run_folder.stage import (
    Stage,
    compute_fingerprint,
    current_time,
    file_states,
    refuse_changed,
    run_stage,
)
from pipeline.runtime.files import refuse_links, sha256, write_atomically
from pipeline.runtime.manifest import FORMAT, MANIFEST, read_manifest

log = logging.getLogger(__name__)

LOG, REPORT = "pipeline.log", "report.html"


class RunFolder:
    """One run's folder and manifest."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.manifest: dict[str, Any] = {}
        self._previous: dict[str, Any] | None = None

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder and hold its lock; raise ConfigError where another process holds it."""
        self.path.mkdir(parents=True, exist_ok=True)
        self._refuse_links()
        with hold_lock(self.path):
            yield

    def _refuse_links(self) -> None:
        """Raise DataError where a name that a run reads or writes is a link, or no regular file."""
        names = [MANIFEST, f".{MANIFEST}.partial", REPORT, f".{REPORT}.partial", LOG, LOCK, *STAGES]
        refuse_links([*(self / name for name in names), *self.path.glob(".*.partial")])

    def open(self, fresh: Mapping[str, Any], continuing: bool) -> None:
        """Read the manifest, or create it from `fresh`; raise ConfigError where there is one, unless
        `continuing`."""
        found = read_manifest(self.path)
        if found and not continuing:
            raise ConfigError(
                f"{self.path}: already holds a run; continue it with run={self.path}, or choose another "
                "folder with hydra.run.dir=FOLDER"
            )
        self._previous = found
        stages = found["stages"] if found else {}
        created = found["created"] if found else current_time()
        self.manifest = {
            "format": FORMAT, "version": __version__, "created": created, **fresh,
            "environment": describe_environment(), "stages": stages,
        }  # fmt: skip
        self.save()

    def has_overrides(self, overrides: Sequence[str]) -> bool:
        """Whether the folder holds a run with these very overrides."""
        found = read_manifest(self.path)
        return found is not None and found["overrides"] == list(overrides)

    def restore_settings(self) -> None:
        """Restore the recorded settings after a refused one, so that the next ``run=`` starts from valid
        settings."""
        if self._previous:
            self.manifest |= {key: self._previous.get(key) for key in ("overrides", "signature", "config")}
            self.save()

    def save(self) -> None:
        """Replace the manifest in one step."""
        write_atomically(self / MANIFEST, json.dumps(self.manifest, indent=1, ensure_ascii=False))

    def run(self, stage: Stage, donors: Sequence[Path] = ()) -> bool:
        """Bring one stage up to date, and return whether it was run or taken over.

        `donors` are run folders of the same sweep. An equal stage is taken over from them instead of run
        again.
        """
        before = file_states(stage.inputs)
        inputs = {str(path): sha256(path) for path in stage.inputs}
        needed = self._needed(stage)
        fingerprint = compute_fingerprint(stage, inputs, needed)
        if is_current(self.path, self.manifest, stage.name, fingerprint):
            log.info("%-12s up to date", stage.name)
            return False
        if previous := self.manifest["stages"].get(stage.name):
            why = explain_change(previous, stage.settings, inputs, needed)
            log.info("%-12s run again: %s", stage.name, why)
        partial = self / f".{stage.name}-{fingerprint[:12]}.partial"
        clear_partials(self.path, stage.name, keep=partial if stage.keeps_partial else None)
        # Of the jobs of a sweep that run side by side, one makes an equal stage and the others wait for it.
        with hold_stage_lock(self.path.parent, fingerprint) if donors else nullcontext():
            entry = take_over(stage.name, fingerprint, partial, donors)
            if entry is None:
                made = run_stage(stage, partial)
                entry = {"fingerprint": fingerprint, "needs": needed, "inputs": inputs, **made}
                refuse_changed(stage.inputs, before)
            self._record(stage.name, partial, entry)
        return True

    def _record(self, name: str, partial: Path, entry: dict[str, Any]) -> None:
        """Put a finished stage in its place and its entry into the manifest."""
        if self.manifest["stages"].pop(name, None):
            self.save()  # a killed run must not leave an entry for files that are replaced now
        self._put_in_place(name, partial)
        self.manifest["stages"][name] = entry
        self.save()

    def require(self, name: str) -> None:
        """Raise DataError where a stage is not there, or was made from another result than the present
        one."""
        if name not in self.manifest["stages"] or not (self / name).is_dir():
            raise DataError(f"{self.path}: stage {name} has not been run here; add it to stages=[…]")
        for needed, fingerprint in self.manifest["stages"][name].get("needs", {}).items():
            if self._fingerprint(needed) != fingerprint:
                raise DataError(
                    f"{self.path}: stage {name} was made from another {needed} than the one there now; "
                    "add it to stages=[…]"
                )

    def forget_stale(self) -> None:
        """Drop the entries of stages whose inputs were replaced, so that no report mixes two runs."""
        for name in list(self.manifest["stages"]):
            try:
                self.require(name)
            except DataError as error:
                log.warning("not shown: %s", error)
                del self.manifest["stages"][name]
        self.save()

    def _needed(self, stage: Stage) -> dict[str, str | None]:
        """The fingerprints of the stages that a stage reads; raises DataError where one is not usable."""
        for name in stage.needs:
            self.require(name)
        return {name: self._fingerprint(name) for name in stage.needs}

    def _fingerprint(self, name: str) -> str | None:
        return self.manifest["stages"].get(name, {}).get("fingerprint")

    def _put_in_place(self, name: str, partial: Path) -> None:
        final, old = self / name, self / f".{name}-old.partial"
        if final.exists():
            final.rename(old)
        partial.rename(final)
        shutil.rmtree(old, ignore_errors=True)
