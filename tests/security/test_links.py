"""Links planted in a run folder: nothing outside is written to, read, or waited for."""

import os
import shutil

import pytest
from tiny import errors, load_manifest, on

from pipeline.errors import DataError
from pipeline.records import StageResult
from pipeline.run_folder.folder import RunFolder
from pipeline.run_folder.stage import Stage
from pipeline.runtime import files

PLANTED = (
    "manifest.json", "pipeline.log", ".lock", "train", "sample/samples.jsonl", "ingest/codes.bin",
    "train/tensorboard", ".train-0123456789ab.partial", ".sample-0123456789ab.partial/samples.jsonl",
    "report.html", ".report.html.partial", ".manifest.json.partial",
)  # fmt: skip
"""Whatever a run reads or writes in its folder."""


@pytest.fixture
def victim(tmp_path):
    path = tmp_path / "victim"
    path.write_text("precious")
    return path


@pytest.mark.parametrize("name", PLANTED)
@pytest.mark.parametrize("to_folder", [False, True])
def test_a_link_is_refused_and_not_followed(type_in, text_run, tmp_path, victim, name, to_folder):
    folder = shutil.copytree(text_run, tmp_path / "run")
    planted, target = folder / name, tmp_path if to_folder else victim
    planted.parent.mkdir(exist_ok=True)
    shutil.rmtree(planted, ignore_errors=True)
    planted.unlink(missing_ok=True)
    planted.symlink_to(target)
    before = sorted(tmp_path.iterdir())
    message = errors(type_in(f"run={folder}", "seed=5"))
    assert f"{planted}: is a link" in message
    assert victim.read_text() == "precious"
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["manifest.json", "pipeline.log", ".lock", "sample/samples.jsonl"])
def test_a_pipe_is_refused_and_not_waited_for(type_in, text_run, tmp_path, name):
    folder = shutil.copytree(text_run, tmp_path / "run")
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert f"{folder / name}: is a link, or no regular file" in errors(type_in(f"run={folder}", "seed=5"))


def test_a_link_to_a_run_folder_is_fine(type_in, text_run, tmp_path):
    folder = shutil.copytree(text_run, tmp_path / "run")
    (tmp_path / "latest").symlink_to(folder)
    assert type_in("run=latest", "stages=[report]").status == 0


def test_a_file_of_the_users_may_be_a_link(type_in, text_file, tmp_path):
    (tmp_path / "data.txt").symlink_to(text_file)
    answer = type_in(*on(tmp_path / "data.txt", "stages=[ingest]", "hydra.run.dir=run"))
    assert answer.status == 0
    assert load_manifest(tmp_path / "run")["stages"]["ingest"]["kept"]


def test_a_written_file_takes_the_place_of_a_link_and_of_a_draft(tmp_path, victim):
    for name in ("page.html", ".page.html.partial"):
        (tmp_path / name).symlink_to(victim)
    files.write_atomically(tmp_path / "page.html", "new")
    assert (tmp_path / "page.html").read_text() == "new"
    assert not (tmp_path / "page.html").is_symlink()
    assert victim.read_text() == "precious"


def test_a_file_of_unbounded_size_is_not_read(tmp_path):
    with (tmp_path / "large").open("wb") as stream:
        stream.truncate(2**40)
    with pytest.raises(DataError, match="more than the 100 bytes"):
        files.read_bounded(tmp_path / "large", 100)


@pytest.mark.parametrize("name", ["pipeline.log", ".lock"])
def test_a_hard_link_is_refused_where_a_run_would_change_its_file(type_in, text_run, tmp_path, victim, name):
    folder = shutil.copytree(text_run, tmp_path / "run")
    (folder / name).unlink(missing_ok=True)
    os.link(victim, folder / name)
    assert f"{folder / name}: is a link" in errors(type_in(f"run={folder}", "seed=5"))
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("linked", [False, True])
def test_a_partial_stage_with_a_hard_link_is_not_gone_on_with(tmp_path, victim, linked):
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    folder.open({"dataset": "text", "overrides": [], "config": {}}, continuing=False)

    def killed(out_dir):
        (out_dir / "metrics.csv").write_text("step\n")
        raise KeyboardInterrupt

    def go_on(out_dir):
        with (out_dir / "metrics.csv").open("a") as stream:
            stream.write("1\n")
        return StageResult()

    with pytest.raises(KeyboardInterrupt):
        folder.run(Stage("train", {}, killed, keeps_partial=True))
    if linked:
        (partial,) = folder.path.glob(".train-*.partial")
        (partial / "metrics.csv").unlink()
        os.link(victim, partial / "metrics.csv")
    folder.run(Stage("train", {}, go_on, keeps_partial=True))
    assert victim.read_text() == "precious"
    assert (folder / "train" / "metrics.csv").read_text() == ("1\n" if linked else "step\n1\n")
