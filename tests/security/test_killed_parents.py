"""A process that is killed outright takes every program along that it has started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

STARTING = {
    "a function in a child": "call_isolated(here + 'note_and_wait', {'path': note}, 60)",
    "a worker": "Worker(here + 'note_and_wait', 60)({'path': note})",
    "a program and its children": "run_program(['sh', '-c', 'sleep 60 & echo $! > \"$0\"; wait', note], 60)",
    "native code that keeps the interpreter": "call_isolated(here + 'hold', {'path': note}, 60)",
}
SCRIPT = """
import sys
from pipeline.runtime.subprocess_call import Worker, call_isolated
from pipeline.runtime.programs import run_program
here, note = 'test_killed_parents:', sys.argv[1]
{}
"""


def note_and_wait(path: str):
    Path(path).write_text(f"{os.getpid()}\n")
    time.sleep(60)


def hold(path: str):
    """As native code that never gives up the interpreter's lock."""
    import ctypes

    Path(path).write_text(f"{os.getpid()}\n")
    ctypes.PyDLL(None).sleep(60)


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # What has ended and waits for init to ask after it is no more.
    status = Path(f"/proc/{process}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


def wait_until(condition) -> bool:
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("what", STARTING)
def test_children_end_with_a_killed_parent(tmp_path, what):
    note = tmp_path / "pid"
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", SCRIPT.format(STARTING[what]), str(note)]
    parent = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths}, cwd=Path(__file__).parents[2])
    assert wait_until(lambda: note.exists() and note.read_text().endswith("\n"))
    child = int(note.read_text())
    assert is_alive(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert wait_until(lambda: not is_alive(child))
