"""Whole runs gone on with: what is made again, and what a kill leaves behind."""

import json
import re
import shutil
import subprocess
import sys
from itertools import count
from pathlib import Path
from unittest.mock import patch

import dying
import pytest
import torch
from filelock import FileLock
from tiny import TINY, load_manifest, run_pipeline, some_tunes

from pipeline.data.batching import Window
from pipeline.errors import ConfigError
from pipeline.models.checkpoint import load
from pipeline.training.lit_module import LitModel

ALL = ["ingest", "train", "sample", "postprocess"]


@pytest.fixture
def copied_run(text_run, tmp_path) -> Path:
    return Path(shutil.copytree(text_run, tmp_path / "run"))


def made_anew(folder: Path, text_file: Path, *overrides: str) -> list[str]:
    """The stages that a run in a finished run's folder makes."""
    before = load_manifest(folder)["stages"]
    after = run_pipeline(
        folder, "dataset=text", f"dataset.path={text_file}", *TINY, *overrides, f"run={folder}"
    )["stages"]
    return [
        name
        for name in ALL
        if after[name]["started"] != before[name]["started"] or after[name] != before[name]
    ]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ((), []),
        (("sample.temperature=0.5",), ["sample", "postprocess"]),
        (("model.hidden_size=9",), ["train", "sample", "postprocess"]),
        (("dataset.split.test=0.1",), ALL),
        (("seed=5",), ["train", "sample", "postprocess"]),
        (("dataset.split.seed=5",), ALL),
        (("stages=[sample,postprocess,report]", "sample.prime=the"), ["sample", "postprocess"]),
        (("stages=[report]",), []),
    ],
)
def test_a_run_makes_what_changed_and_what_depends_on_it(copied_run, text_file, overrides, expected):
    assert made_anew(copied_run, text_file, *overrides) == expected


def test_a_setting_of_the_output_alone_reads_and_trains_nothing_anew(fasta_file, tmp_path):
    folder = tmp_path / "run"
    genome = ("dataset=genome", f"dataset.path={fasta_file}", *TINY, "blast=none")
    before = run_pipeline(folder, *genome)["stages"]
    after = run_pipeline(folder, *genome, "domain.max_copy_bp=12", f"run={folder}")["stages"]
    assert [name for name in ALL if after[name] != before[name]] == ["postprocess"]


def test_a_prime_starts_every_sample_and_leaves_the_training_alone(copied_run, text_file):
    before = {path: path.stat().st_mtime_ns for path in (copied_run / "train").rglob("*")}
    made_anew(copied_run, text_file, "stages=[sample,postprocess,report]", "sample.prime=the reel")
    samples = (copied_run / "sample" / "samples.jsonl").read_text().splitlines()
    assert all(json.loads(line)["symbols"].startswith("the reel") for line in samples)
    assert before == {path: path.stat().st_mtime_ns for path in (copied_run / "train").rglob("*")}


def test_stages_that_are_left_out_do_not_read_the_data(copied_run, tmp_path):
    manifest = run_pipeline(
        copied_run, "dataset=text", f"dataset.path={tmp_path / 'gone.txt'}", *TINY, f"run={copied_run}",
        "stages=[sample,postprocess,report]", "sample.count=1",
    )  # fmt: skip
    assert manifest["stages"]["sample"]["kept"]["samples"] == 1


def test_a_sweep_reads_and_trains_once(text_file, tmp_path):
    for number, temperature in enumerate((0.4, 0.8)):
        run_pipeline(
            tmp_path / str(number), "dataset=text", f"dataset.path={text_file}", *TINY,
            f"sample.temperature={temperature}", sweep=tmp_path,
        )  # fmt: skip
    stages = load_manifest(tmp_path / "1")["stages"]
    assert [name for name in ALL if "taken_over_from" in stages[name]] == ["ingest", "train"]
    samples = [(tmp_path / name / "sample" / "samples.jsonl").read_bytes() for name in "01"]
    assert samples[0] != samples[1]


def test_a_second_process_gets_a_clear_error(copied_run, text_file):
    with FileLock(copied_run / ".lock"), pytest.raises(ConfigError, match="another process is working in"):
        made_anew(copied_run, text_file, "seed=9")


@pytest.fixture(scope="module")
def killed_runs(text_file, tmp_path_factory) -> Path:
    """A folder of runs, each killed at one of `dying.POINTS`."""
    root = tmp_path_factory.mktemp("killed")
    overrides = ["dataset=text", f"dataset.path={text_file}", *TINY]
    subprocess.run([sys.executable, dying.__file__, str(root), *overrides], check=True, timeout=120)
    return root


DIFFERENT_EACH_TIME = ("train/tensorboard", "train/last.ckpt", "train/best.ckpt")
"""They hold times; the weights of best.ckpt are compared by what is sampled from it."""


@pytest.mark.parametrize("point", dying.POINTS)
def test_a_killed_run_goes_on_and_equals_an_unbroken_one(killed_runs, text_run, text_file, point):
    folder = killed_runs / point
    run_pipeline(folder, "dataset=text", f"dataset.path={text_file}", *TINY, f"run={folder}")
    expected, found = (load_manifest(each)["stages"] for each in (text_run, folder))
    for name in ALL:
        outputs = [
            {path: checksum for path, checksum in stages[name]["outputs"].items()
             if not path.startswith(DIFFERENT_EACH_TIME)}
            for stages in (expected, found)
        ]  # fmt: skip
        assert outputs[0] == outputs[1]
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in text_run.iterdir())


def test_a_training_that_had_ended_early_is_not_gone_on_with(text_file, tmp_path):
    """As where a kill comes after the last round: the checkpoint says that no round is to follow."""
    overrides = ["dataset=text", f"dataset.path={text_file}", *TINY, "stages=[ingest,train]"]
    overrides += ["train.max_epochs=50", "train.patience=1", "train.lr=0.5"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    steps = _last_step(run_pipeline(whole, *overrides), whole)
    with (
        pytest.raises(KeyboardInterrupt),
        patch("pipeline.stages.train.evaluate", side_effect=KeyboardInterrupt),
    ):
        run_pipeline(broken, *overrides)
    assert _last_step(run_pipeline(broken, *overrides, f"run={broken}"), broken) == steps


def test_a_broken_training_looks_back_at_what_it_had_read(abc_file, tmp_path):
    overrides = ["dataset=abc", f"dataset.path={abc_file}", *TINY, "stages=[ingest,train]"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run_pipeline(whole, *overrides)
    calls, step = count(1), LitModel.training_step

    def breaking(module: LitModel, window: Window) -> torch.Tensor:
        if next(calls) == 16:
            raise KeyboardInterrupt
        return step(module, window)

    with pytest.raises(KeyboardInterrupt), patch.object(LitModel, "training_step", breaking):
        run_pipeline(broken, *overrides)
    (last,) = broken.glob("**/last.ckpt")
    *_, lines = torch.load(last, weights_only=True)["resume"]["carried_state"]
    assert 0 < lines[0, 0] < 90  # in the middle of tunes
    run_pipeline(broken, *overrides, f"run={broken}")
    one, other = (load(folder / "train" / "best.ckpt").model.state_dict() for folder in (whole, broken))
    assert "lookback.table" in one and all(torch.equal(one[name], other[name]) for name in one)


def _last_step(manifest: dict, folder: Path) -> int:
    assert "train" in manifest["stages"]
    return torch.load(folder / "train" / "last.ckpt", weights_only=True)["global_step"]


def test_what_was_made_from_samples_that_are_no_more_is_not_reported(copied_run, text_file):
    arguments = ["dataset=text", f"dataset.path={text_file}", *TINY, f"run={copied_run}"]
    manifest = run_pipeline(copied_run, *arguments, "sample.temperature=0.2", "stages=[sample,report]")
    assert sorted(manifest["stages"]) == ["ingest", "sample", "train"]


def test_a_stage_whose_files_were_changed_is_made_again(copied_run, text_file):
    samples = copied_run / "sample" / "samples.jsonl"
    whole = samples.read_text()
    samples.write_text(whole.replace("e", "E"))
    made_anew(copied_run, text_file)
    assert samples.read_text() == whole


def test_what_is_asked_of_tunes_draws_them_again_and_chooses_the_reference(tmp_path):
    reels = some_tunes(60)
    jigs = re.sub(r"[A-Ga-g]{8}", lambda bar: bar[0][:6], some_tunes(60, seed=2)).replace("M:4/4", "M:6/8")
    (tmp_path / "both.abc").write_text(f"{reels}\n{jigs.replace('X:', 'X:9')}", encoding="utf-8")
    some = ("dataset=abc", f"dataset.path={tmp_path / 'both.abc'}", *TINY, "sample.length=200",
            "dataset.split.test=0.3", "sample.count=4")  # fmt: skip
    before = run_pipeline(tmp_path / "run", *some)["stages"]
    asked = run_pipeline(tmp_path / "run", *some, "domain.meter=6/8", f"run={tmp_path / 'run'}")["stages"]
    tunes = (tmp_path / "run" / "postprocess" / "tunes.abc").read_text(encoding="utf-8")
    assert set(re.findall("^M:.*", tunes, re.MULTILINE)) == {"M:6/8"}
    assert asked["train"] == before["train"] and asked["ingest"] == before["ingest"]
    assert not any("reference" in line for line in before["postprocess"]["summary"])
    (line,) = (each for each in asked["postprocess"]["summary"] if "reference" in each)
    assert re.fullmatch(r"reference: \d+ held-out real records with meter 6/8 \(of the test split\)", line)
