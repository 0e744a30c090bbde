"""Odd names, and runs that begin at the same moment."""

import os
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tiny import load_manifest, on

from pipeline.errors import DataError
from pipeline.records import StageResult
from pipeline.run_folder.folder import RunFolder
from pipeline.run_folder.lock import claim_folder
from pipeline.run_folder.stage import Stage
from pipeline.runtime import files, process
from pipeline.runtime.unpacking import open_unpacked


def test_runs_of_the_same_second_get_folders_of_their_own(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(claim_folder, [tmp_path / "2026-01-31_12-00-00"] * 8))
    assert len(set(claimed)) == 8
    assert min(claimed) == tmp_path / "2026-01-31_12-00-00"


def test_a_second_run_of_the_same_second_is_made_beside_the_first(type_in, text_file, tmp_path, monkeypatch):
    monkeypatch.setattr("hydra.core.utils.datetime", Noon, raising=False)
    for number in ("", "_2"):
        answer = type_in(*on(text_file, "stages=[ingest]"))
        assert answer.status == 0
        assert f"outputs/text/2026-01-31_12-00-00{number}\n" in answer.out


class Noon:
    """A clock that stands still."""

    @staticmethod
    def now():
        import datetime

        return datetime.datetime(2026, 1, 31, 12)


def test_a_name_that_is_not_utf_8_is_told_in_one_line(tmp_path, text_file):
    name = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    shutil.copy(text_file, name)
    for path in (name, os.fsencode(tmp_path)):
        arguments = [b"dataset=text", b"dataset.path='" + path + b"'", b"stages=[ingest]"]
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", *arguments], capture_output=True, cwd=tmp_path
        )
        assert done.returncode == 1
        assert done.stderr.count(b"\n") == 1
        assert b"UTF-8" in done.stderr


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&- >&- 2>&-"])
def test_a_closed_stream_harms_no_file(tmp_path, text_file, closed):
    words = " ".join(shlex.quote(each) for each in on(text_file, "stages=[ingest]", "hydra.run.dir=run"))
    command = f"{shlex.quote(sys.executable)} -m pipeline {words} {closed}"
    assert subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True).returncode == 0
    assert load_manifest(tmp_path / "run")["stages"]["ingest"]["kept"]


def test_a_limit_of_file_size_is_told(tmp_path, text_file):
    words = " ".join(shlex.quote(each) for each in on(text_file, "hydra.run.dir=run"))
    command = f"ulimit -f 4; {shlex.quote(sys.executable)} -m pipeline {words}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "ulimit -f" in done.stderr


def test_an_input_that_grows_while_it_is_read_is_an_error(tmp_path):
    source = tmp_path / "in.txt"
    source.write_text("begun")

    def action(out_dir):
        source.write_text("begun, and gone on with")
        return StageResult()

    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    folder.open({"dataset": "text", "overrides": [], "config": {}}, continuing=False)
    with pytest.raises(DataError, match=r"in\.txt: it changed while it was read"):
        folder.run(Stage("ingest", {}, action, inputs=[source]))
    assert "ingest" not in load_manifest(folder.path)["stages"]


def test_reading_ends_where_an_input_grows_as_fast_as_it_is_read(tmp_path):
    source = tmp_path / "in.txt"
    source.write_bytes(b"a line\n" * 2**17)
    with pytest.raises(DataError, match=r"in\.txt: it changed while it was read"):
        for _ in open_unpacked(source):
            with source.open("ab") as stream:
                stream.write(b"another line\n")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no file whose first byte cannot be read")
def test_a_file_that_cannot_be_read_to_its_end_is_named(type_in, monkeypatch):
    monkeypatch.setattr(files, "_KERNEL_FOLDERS", ())
    answer = type_in("dataset=text", "dataset.path=/proc/self/mem", "stages=[ingest]")
    assert answer.status == 1
    assert "/proc/self/mem: cannot be read (Input/output error)" in answer.err


@pytest.mark.parametrize("spoil", ["others may write", "a link", "another's"])
def test_compiled_code_is_not_kept_where_others_may_write(tmp_path, monkeypatch, spoil):
    package = tmp_path / "package"
    cache = package / "__pycache__"
    cache.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert process._compiled(package).parent == cache
    if spoil == "others may write":
        cache.chmod(0o777)
    elif spoil == "a link":
        shutil.move(cache, tmp_path / "elsewhere")
        cache.symlink_to(tmp_path / "elsewhere")
    else:
        monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert not process._compiled(package).is_relative_to(cache)
