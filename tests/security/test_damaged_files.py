"""Whatever a run reads back may be damaged or hostile: a result or one line, never a traceback."""

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from fuzzing import damage

from pipeline.data.corpus import SUBSETS, Corpus
from pipeline.domains.text import Text
from pipeline.errors import DataError
from pipeline.models.checkpoint import KEY, load
from pipeline.records import read_samples
from pipeline.runtime.manifest import read_manifest
from pipeline.runtime.plain_data import load_json
from pipeline.training.autotune import _read_result
from pipeline.training.metrics_log import MetricsLog
from pipeline.training.previews import show_previews
from pipeline.training.trainer import _read_resume_point


def read_corpus(path: Path) -> None:
    corpus = Corpus.open(path.parent)
    for subset in SUBSETS:
        list(corpus.records(subset, Text()))


READERS = {
    "manifest.json": lambda path: read_manifest(path.parent),
    "ingest/corpus.json": read_corpus,
    "ingest/segments.npy": read_corpus,
    "ingest/records.npy": read_corpus,
    "ingest/records.tsv": read_corpus,
    "ingest/codes.bin": read_corpus,
    "train/best.ckpt": load,
    "train/last.ckpt": _read_resume_point,
    "train/plan.json": _read_result,
    "train/previews.jsonl": show_previews,
    "train/metrics.csv": lambda path: MetricsLog(path, 10**9),
    "sample/samples.jsonl": lambda path: list(read_samples(path)),
}
"""Each file that is read back, and its reader."""


@pytest.mark.parametrize("name", READERS)
def test_a_reader_gives_a_result_or_a_data_error(text_run, tmp_path, name):
    folder = Path(shutil.copytree(text_run, tmp_path / "run"))
    path, whole = folder / name, (folder / name).read_bytes()
    READERS[name](path)
    refused = 0
    for seed in range(40):
        path.write_bytes(whole)
        damage(path, seed)
        try:
            READERS[name](path)
        except DataError as error:
            refused += 1
            assert "\n" not in str(error)
            assert str(error).startswith(str(folder))
    assert refused


@pytest.mark.parametrize(
    "text", ["[" * 10_000, '{"a":' * 50 + "1" + "}" * 50, '["\\ud800"]', "9" * 5000, "nul", ""]
)
def test_a_json_text_that_could_not_be_handled_later_is_refused(text):
    with pytest.raises(ValueError):
        load_json(text)


@pytest.mark.parametrize("seed", range(8))
def test_a_command_gives_a_result_or_one_line(type_in, text_run, tmp_path, seed):
    folder = Path(shutil.copytree(text_run, tmp_path / "run"))
    damage(folder / [*READERS][seed % len(READERS)], seed)
    answer = type_in(f"run={folder}", "stages=[sample,postprocess,report]", "sample.temperature=0.9")
    assert answer.status in (0, 1)
    assert answer.err.count("error: ") == answer.status


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stages": {f"s{n}": {} for n in range(100)}}, "more than 64 stages"),
        ({"overrides": ["seed=1"] * 2000}, "more than 1000 overrides"),
        ({"stages": 100}, "manifest.stages is"),
        ({"format": 10**4000}, "this version reads 1"),
    ],
)
def test_a_manifest_of_countless_stages_is_refused_in_a_short_line(text_run, tmp_path, change, message):
    manifest = json.loads((text_run / "manifest.json").read_text(encoding="utf-8"))
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | change))
    with pytest.raises(DataError, match=message) as error:
        read_manifest(tmp_path)
    assert len(str(error.value)) < 500


def test_a_corpus_of_seeming_terabytes_is_not_read(text_run, tmp_path):
    folder = Path(shutil.copytree(text_run / "ingest", tmp_path / "ingest"))
    os.truncate(folder / "codes.bin", 2**40)
    with pytest.raises(DataError, match="codes, and records up to"):
        Corpus.open(folder)


@pytest.fixture
def checkpoint(text_run, tmp_path):
    return Path(shutil.copy(text_run / "train" / "best.ckpt", tmp_path))


def test_a_checkpoint_that_asks_for_gigabytes_gets_none(checkpoint):
    content = torch.load(checkpoint, weights_only=True)
    for sizes in ({"hidden_size": 65_536, "num_layers": 3}, {"num_layers": 65_536}):
        content[KEY]["model"] |= sizes
        torch.save(content, checkpoint)
        with pytest.raises(DataError, match=r"of another size|more layers than weights"):
            load(checkpoint)


def test_a_compressed_checkpoint_is_not_unpacked(checkpoint):
    packed = io.BytesIO()
    with zipfile.ZipFile(checkpoint) as whole, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in whole.namelist():
            archive.writestr(name, whole.read(name))
    checkpoint.write_bytes(packed.getvalue())
    with pytest.raises(DataError, match="not a checkpoint that can be read safely"):
        load(checkpoint)


def test_a_checkpoint_with_an_interpolation_is_plain_data(checkpoint, monkeypatch):
    monkeypatch.setenv("SECRET", "64")
    content = torch.load(checkpoint, weights_only=True)
    content[KEY]["model"]["hidden_size"] = "${oc.decode:${oc.env:SECRET}}"
    torch.save(content, checkpoint)
    with pytest.raises(DataError, match=r"does not fit together .*oc.env:SECRET"):
        load(checkpoint)


COMPILED = """
from numba import njit
from pipeline import __main__

@njit(cache=True)
def add(a, b):
    return a + b

with __main__._errors_as_messages():
    print(add(1, 2))
"""


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
def test_damaged_compiled_code_is_removed_and_the_run_ends_in_one_line(tmp_path, suffix):
    (tmp_path / "compiled.py").write_text(COMPILED)
    cache = tmp_path / "compiled-0123"
    paths = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": paths}

    def call():
        command = [sys.executable, tmp_path / "compiled.py"]
        return subprocess.run(command, capture_output=True, text=True, env=environment)

    assert call().stdout == "3\n"
    (kept,) = cache.rglob(f"*.{suffix}")
    kept.write_bytes(b"damaged")
    damaged = call()
    assert damaged.returncode == 1
    assert damaged.stderr == (
        f"error: {cache}: the compiled code that is kept there is damaged; it was removed; run again\n"
    )
    assert call().stdout == "3\n"
