"""What the attacks share: a finished run as a stranger hands it in."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny import load_manifest


@pytest.fixture
def stranger(text_run, tmp_path) -> Callable[..., Path]:
    """A copy of a finished run whose manifest `change` has edited, so that the signature does not fit."""

    def make(change: Callable[[dict[str, Any]], Any]) -> Path:
        folder = Path(shutil.copytree(text_run, tmp_path / "run"))
        manifest = load_manifest(folder)
        change(manifest)
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        return folder

    return make


@pytest.fixture
def from_stranger(stranger) -> Callable[..., Path]:
    """A stranger's run with these overrides in the place of the ones that name files."""

    def make(*overrides: str) -> Path:
        def change(manifest):
            plain = [each for each in manifest["overrides"] if not each.startswith("dataset.path")]
            manifest["overrides"] = [*plain, *overrides]

        return stranger(change)

    return make
