"""A child that compiles ahead spares the run its wait, and can do nothing else to it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny import compose_config, errors

from pipeline.generation.engine import draw
from pipeline.generation.request import Request
from pipeline.models.checkpoint import load
from pipeline.stages import warmup
from pipeline.stages.warmup import BackgroundWarmup

REQUEST = {"count": 5, "length": 30, "seed": 3}
EVALUATE_AND_SAMPLE = """
import json, sys
from pathlib import Path
from pipeline.runtime import process
process.prepare()
import numpy as np
import torch
from numba.core import event
from pipeline.models.checkpoint import load
from pipeline.evaluation.exact_matches import find_matches
from pipeline.generation.engine import draw
from pipeline.generation.request import Request

loaded = load(Path(sys.argv[1]))
with event.install_recorder("numba:compile") as compiled:
    with torch.inference_mode():
        loaded.model(torch.ones(3, 7, dtype=torch.int64))
    samples = [s.to_json() for s in draw(loaded.model, loaded.alphabet, Request(**json.loads(sys.argv[2])))]
    list(find_matches([np.zeros(9, np.uint8)], lambda: [np.zeros(9, np.uint8)], 4, (2, 3)))
print(json.dumps({"compiled": len(compiled.buffer), "samples": samples}))
"""
LEAVE_A_CHILD_BEHIND = """
import os, signal, sys
from pathlib import Path
from pipeline.stages import warmup
warmup._cores = lambda: 2
print(warmup.BackgroundWarmup(Path(sys.argv[1]))._child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def two_cores_and_nothing_compiled(monkeypatch, tmp_path):
    monkeypatch.setattr(warmup, "_cores", lambda: 2)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "compiled"))


@pytest.fixture
def checkpoint(text_run) -> Path:
    return text_run / "train" / "best.ckpt"


def test_what_was_compiled_ahead_need_not_be_compiled_again_and_changes_no_sample(checkpoint, capfd):
    with BackgroundWarmup(checkpoint) as child:
        child.wait()
        assert child._child.wait() == 0
    with BackgroundWarmup(checkpoint) as again:
        assert again._child is None
    assert capfd.readouterr() == ("", "")
    command = [sys.executable, "-c", EVALUATE_AND_SAMPLE, str(checkpoint), json.dumps(REQUEST)]
    done = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert done["compiled"] == 0
    loaded = load(checkpoint)
    assert done["samples"] == [s.to_json() for s in draw(loaded.model, loaded.alphabet, Request(**REQUEST))]


def test_a_child_that_fails_is_not_heard(tmp_path, capfd):
    (tmp_path / "no.ckpt").write_text("no checkpoint")
    with BackgroundWarmup(tmp_path / "no.ckpt") as child:
        child.wait()
        assert child._child is None
    assert capfd.readouterr() == ("", "")
    assert not warmup._mark(tmp_path / "no.ckpt", False).exists()


def test_the_child_ends_with_us_whatever_ends_us(checkpoint):
    command = [sys.executable, "-c", LEAVE_A_CHILD_BEHIND, str(checkpoint)]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert gone(int(done.stdout))
    with BackgroundWarmup(checkpoint) as child:
        number = child._child.pid
    assert gone(number)


def gone(number: int) -> bool:
    for _ in range(200):
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return True
        # Whoever has no parent left may not be buried at once.
        status = Path(f"/proc/{number}/stat")
        if status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("more", [(), ("checkpoint=pretrained", "stages=[sample]")])
def test_nothing_is_compiled_ahead_where_there_is_nothing_to_do_meanwhile(more):
    with BackgroundWarmup.from_config(compose_config("dataset=folk", *more)) as child:
        assert child._child is None


def test_nothing_is_compiled_ahead_on_one_core(checkpoint, monkeypatch):
    monkeypatch.setattr(warmup, "_cores", lambda: 1)
    with BackgroundWarmup(checkpoint) as child:
        assert child._child is None


@pytest.mark.parametrize("given", ["pretrained", "missing.ckpt"])
def test_a_wrong_checkpoint_is_told_by_the_run(type_in, text_file, given):
    answer = type_in("dataset=text", f"dataset.path='{text_file}'", f"checkpoint={given}")
    assert "checkpoint" in errors(answer)


def test_a_run_from_a_checkpoint_compiles_ahead():
    with BackgroundWarmup.from_config(compose_config("dataset=folk", "checkpoint=pretrained")) as child:
        assert child._child.poll() is None
