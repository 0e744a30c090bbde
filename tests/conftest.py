"""What the tests of the core share: small files, corpora and finished runs; real data where it lies."""

import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.runtime import process

process.prepare()  # before anything imports torch
os.environ.setdefault("TQDM_DISABLE", "1")

from hydra.core.hydra_config import HydraConfig  # noqa: E402
from tiny import SHARED, TINY, run_pipeline, some_dna, some_text, some_tunes  # noqa: E402

from pipeline import __main__  # noqa: E402
from pipeline.config.schema import SplitSettings  # noqa: E402
from pipeline.data.corpus import Corpus  # noqa: E402
from pipeline.domains.text import Text  # noqa: E402
from pipeline.stages.ingest import ingest  # noqa: E402


@pytest.fixture(scope="session")
def text_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "words.txt"
    path.write_text(some_text(), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def fasta_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "small.fa"
    path.write_text(">chr1 made up\n" + some_dna(), encoding="ascii")
    return path


@pytest.fixture(scope="session")
def abc_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "reels.abc"
    path.write_text(some_tunes(), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_files(text_file, fasta_file, abc_file) -> dict[str, Path]:
    """A small file for each domain, by the data set that reads it."""
    return {"text": text_file, "genome": fasta_file, "abc": abc_file}


@pytest.fixture(scope="session")
def text_run(text_file, tmp_path_factory) -> Path:
    """A finished run on text; tests that change it copy it first."""
    folder = tmp_path_factory.mktemp("runs") / "text"
    run_pipeline(folder, "dataset=text", f"dataset.path={text_file}", *TINY)
    return folder


@pytest.fixture
def make_corpus(tmp_path) -> Callable[..., Corpus]:
    """Writes some text as a corpus of paragraphs, and opens it."""

    def make(text: str = some_text(), split: SplitSettings | None = None) -> Corpus:
        path, folder = tmp_path / "corpus.txt", tmp_path / "corpus"
        path.write_text(text, encoding="utf-8")
        folder.mkdir(exist_ok=True)
        ingest([path], Text(), split or SplitSettings(), "error", folder)
        return Corpus.open(folder)

    return make


@pytest.fixture
def type_in(monkeypatch, tmp_path, capfd):
    """``python -m pipeline`` with these arguments, in an empty working folder: status, out, err."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str):
        HydraConfig.instance().cfg = None
        monkeypatch.setattr(sys, "argv", ["pipeline", *arguments])
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        capfd.readouterr()
        try:
            __main__.main()
            status = 0
        except SystemExit as exit_:
            status = exit_.code or 0
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            for handler in logging.getLogger("pipeline").handlers:
                with suppress(OSError):  # where the disk was full
                    handler.close()
            logging.getLogger("pipeline").handlers = []
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return SimpleNamespace(status=status, out=out, err=err)

    return call


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as `data` every test that asks for the real data beside the checkout."""
    for item in items:
        if {"shared_data", "shared"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.data)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"no real data at {SHARED}")
    return SHARED
