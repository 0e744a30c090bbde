"""Where compiled code is kept."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pipeline
from pipeline.runtime import process

SCRIPT = """
from pipeline.runtime import process
process.prepare()
from pipeline.caller import call
print(call(1))
"""


def answer(folder: Path) -> int:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA")}
    environment["PYTHONPATH"] = str(folder)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=folder, env=environment, capture_output=True, check=True
    )
    return int(done.stdout)


def test_a_compiled_function_is_made_anew_when_what_it_calls_has_changed(tmp_path):
    package = tmp_path / "pipeline"
    for name in ("__init__.py", "runtime/__init__.py", "runtime/process.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(pipeline.__file__).parent / name, package / name)
    head = "from numba import njit\n"
    (package / "caller.py").write_text(
        head + "from pipeline.called import step\n@njit(cache=True)\ndef call(x):\n    return step(x)\n"
    )
    for more in (1, 20):
        (package / "called.py").write_text(head + f"@njit\ndef step(x):\n    return x + {more}\n")
        assert answer(tmp_path) == 1 + more


def test_other_sources_leave_compiled_code_alone(tmp_path):
    (tmp_path / "loops.py").write_text("import numba")
    before = process._compiled(tmp_path)
    (tmp_path / "other.py").write_text("x = 1")
    assert process._compiled(tmp_path) == before
    (tmp_path / "loops.py").write_text("import numba  # again")
    assert process._compiled(tmp_path) != before


def test_the_end_of_a_run_does_not_go_through_all_that_was_made():
    script = "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count())); " + (
        "from pipeline.runtime import process; process.prepare()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 1000
