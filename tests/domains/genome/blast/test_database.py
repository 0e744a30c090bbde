"""Kept databases: built once, whole or not at all, by however many at a time; and those that users name."""

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.domains.genome.blast.backend import BLASTN, BLASTP
from pipeline.domains.genome.blast.database import (
    FILES,
    cache_folder,
    cached_database,
    find_user_database,
    is_complete,
)
from pipeline.errors import ConfigError, ToolError

needs_makeblastdb = pytest.mark.skipif(not shutil.which("makeblastdb"), reason="makeblastdb is not on PATH")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("SEQUENCE_PIPELINE_CACHE", str(tmp_path / "a cache"))
    return cache_folder()


class Builder:
    """Builds a database of one file, slowly, and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, folder: Path) -> None:
        self.count += 1
        time.sleep(0.05)
        (folder / "db.nsq").write_text("sequences")


def test_a_database_is_built_once_for_each_text_and_format(tmp_path):
    build = Builder()
    first = cached_database("sum", "BLAST+ 5", build, tmp_path)
    assert first.with_suffix(".nsq").read_text() == "sequences"
    assert cached_database("sum", "BLAST+ 5", build, tmp_path) == first
    assert build.count == 1
    others = {
        cached_database("other", "BLAST+ 5", build, tmp_path),
        cached_database("sum", "4", build, tmp_path),
    }
    assert len(others | {first}) == 3


def test_many_that_start_together_build_it_once(tmp_path):
    build, found = Builder(), set()

    def bring() -> None:
        found.add(cached_database("sum", "4", build, tmp_path))

    threads = [threading.Thread(target=bring) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (build.count, len(found)) == (1, 1)


def test_what_a_killed_run_left_half_built_is_built_anew(tmp_path, cache):
    """The process ends in the middle, as by a kill: nothing is cleaned up."""
    code = (
        "import os, pathlib\n"
        "from pipeline.domains.genome.blast.database import cached_database\n"
        "def build(folder):\n"
        "    (folder / 'db.nsq').write_text('seq')\n"
        "    os._exit(9)\n"
        "cached_database('sum', '4', build, pathlib.Path('.'))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == 9
    assert list(cache.glob("*.partial/db.nsq"))
    found = cached_database("sum", "4", Builder(), tmp_path)
    assert found.with_suffix(".nsq").read_text() == "sequences"
    assert not list(cache.glob("*.partial"))


@pytest.mark.parametrize("damage", ["cut off", "gone", "no list", "nonsense in the list"])
def test_a_damaged_database_is_built_anew(tmp_path, damage):
    build = Builder()
    found = cached_database("sum", "4", build, tmp_path)
    data, listing = found.with_suffix(".nsq"), found.parent / FILES
    {
        "cut off": lambda: data.write_text("seq"),
        "gone": data.unlink,
        "no list": listing.unlink,
        "nonsense in the list": lambda: listing.write_text("[1, 2"),
    }[damage]()
    assert not is_complete(found.parent)
    assert cached_database("sum", "4", build, tmp_path) == found
    assert (build.count, is_complete(found.parent)) == (2, True)


def test_a_failed_build_leaves_nothing_that_looks_whole(tmp_path):
    def fail(folder: Path) -> None:
        (folder / "db.nsq").write_text("seq")
        raise ToolError("makeblastdb ended with status 1")

    with pytest.raises(ToolError):
        cached_database("sum", "4", fail, tmp_path)
    assert cached_database("sum", "4", Builder(), tmp_path).with_suffix(".nsq").read_text() == "sequences"


def test_where_nothing_can_be_kept_it_is_built_for_this_run(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("SEQUENCE_PIPELINE_CACHE", str(tmp_path / "file"))
    (tmp_path / "spare").mkdir()
    assert cached_database("sum", "4", Builder(), tmp_path / "spare").is_relative_to(tmp_path / "spare")


def test_what_was_not_used_for_months_makes_room(tmp_path):
    old, young = (cached_database(name, "4", Builder(), tmp_path) for name in ("old", "young"))
    long_ago = time.time() - 100 * 86_400
    os.utime(old.parent, (long_ago, long_ago))
    cached_database("new", "4", Builder(), tmp_path)
    assert (old.parent.exists(), young.parent.exists()) == (False, True)


@needs_makeblastdb
def test_a_database_of_the_user_s_is_known_by_its_files(tmp_path):
    (tmp_path / "my flies.fa").write_text(">chr4\nACGTACGTACGTTTGACCA\n")
    make = ["makeblastdb", "-in", "-", "-dbtype", "nucl", "-title", "flies", "-out", "flies"]
    with (tmp_path / "my flies.fa").open() as source:
        subprocess.run(make, cwd=tmp_path, stdin=source, check=True, capture_output=True)
    assert find_user_database(str(tmp_path / "flies"), BLASTN) == tmp_path / "flies"
    with pytest.raises(ConfigError, match=r"of the other kind \(nucl\); blastp cannot read it"):
        find_user_database(str(tmp_path / "flies"), BLASTP)


@pytest.mark.parametrize(
    "name, what", [("no.fa", "is not there"), ("my.fa", "is a file"), ("", "is a folder")]
)
def test_what_is_no_database_is_an_error_with_a_remedy(tmp_path, name, what):
    (tmp_path / "my.fa").write_text(">a\nACGT\n")
    message = rf"blast\.database=.*{what}, .*makeblastdb -in FILE\.fa -dbtype nucl"
    with pytest.raises(ConfigError, match=message):
        find_user_database(str(tmp_path / name), BLASTN)
