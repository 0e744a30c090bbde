"""Ctrl-C at any moment, full disks, closed folders: one message, and nothing lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tiny import errors, load_manifest, on

from pipeline.records import Sample
from pipeline.training.lit_module import LitModel


@pytest.fixture(autouse=True)
def interruptible():
    """Ctrl-C counts, even where the tests run in the background of a shell that has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupting(function, call: int):
    """The function, with a Ctrl-C at one of its calls."""
    calls = []

    def interrupted(self, *args):
        calls.append(1)
        if len(calls) == call:
            signal.raise_signal(signal.SIGINT)
        return function(self, *args)

    return interrupted


@pytest.mark.parametrize(
    ("kind", "name", "stage"),
    [
        (LitModel, "training_step", "train"),
        (LitModel, "validation_step", "train"),
        (Sample, "to_json", "sample"),
    ],
)
def test_ctrl_c_keeps_what_was_finished(
    type_in, text_run, text_file, tmp_path, monkeypatch, kind, name, stage
):
    def training_step(self, window):
        return interrupted(self, window)

    interrupted = interrupting(getattr(kind, name), 3)
    with monkeypatch.context() as patched:
        patched.setattr(kind, name, training_step if stage == "train" else interrupted)
        answer = type_in(*on(text_file, "hydra.run.dir=run"))
    assert answer.status == 130
    assert answer.err.count("error: stopped; finished stages are kept") == 1
    assert f"continue with: python -m pipeline run={tmp_path / 'run'}" in answer.err
    assert stage not in load_manifest(tmp_path / "run")["stages"]
    assert type_in("run=run").status == 0
    for path in ("sample/samples.jsonl", "train/metrics.csv"):
        assert (tmp_path / "run" / path).read_bytes() == (text_run / path).read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_from_outside_while_training(text_file, tmp_path, number):
    command = [
        sys.executable,
        "-m",
        "pipeline",
        *on(text_file, "train.max_epochs=100000", "hydra.run.dir=run"),
    ]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TQDM_DISABLE": "1"},
    )  # fmt: skip
    while not list(tmp_path.glob("run/.train-*.partial/metrics.csv")) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.startswith("error: stopped; finished stages are kept")
    assert err.count("\n") == 2


def test_a_run_in_the_background_can_be_terminated(text_file, tmp_path):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # what a shell does before it starts one
    test_a_signal_from_outside_while_training(text_file, tmp_path, signal.SIGTERM)


def test_an_error_after_a_finished_stage_says_how_to_go_on(type_in, text_file, tmp_path, monkeypatch):
    def nothing_left(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr(torch, "save", nothing_left)
    message = errors(type_in(*on(text_file, "hydra.run.dir=run")))
    assert "out of memory; lower train.batch_size, model.hidden_size or sample.count" in message


@pytest.fixture
def small_disk(tmp_path):
    """Makes a disk of so many kilobytes, which only root can."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(kilobytes: int, *options: str) -> Path:
        settings = ",".join([f"size={kilobytes}k", *options])
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", settings, "tmpfs", disk], capture_output=True)
        if done.returncode:
            pytest.skip("no right to make a small disk here")
        return disk

    yield mount
    while subprocess.run(["umount", "--lazy", disk], capture_output=True).returncode == 0:
        pass


@pytest.mark.parametrize("kilobytes", [4, 40, 100, 200])
def test_a_full_disk_gets_one_message_and_the_run_goes_on_when_there_is_room(
    type_in, text_file, small_disk, kilobytes
):
    disk = small_disk(kilobytes)
    answer = type_in(*on(text_file, f"hydra.run.dir={disk}/run"))
    assert "No space left on device; make room there" in errors(answer)
    small_disk(10_000, "remount")
    begun = (disk / "run" / "manifest.json").exists()
    answer = type_in(f"run={disk}/run") if begun else type_in(*on(text_file, f"hydra.run.dir={disk}/run"))
    assert answer.status == 0
    assert (disk / "run" / "report.html").exists()


def test_a_folder_that_cannot_be_written(type_in, text_file, small_disk):
    disk = small_disk(1_000, "ro")
    assert f"{disk}/run: Read-only file system" in errors(
        type_in(*on(text_file, f"hydra.run.dir={disk}/run"))
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(type_in, text_file, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    assert "closed/run: Permission denied" in errors(type_in(*on(text_file, "hydra.run.dir=closed/run")))
