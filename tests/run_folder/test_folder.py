import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from tiny import load_manifest

from pipeline.errors import ConfigError, DataError
from pipeline.records import DomainOutput, Rejection, ReportSection, StageResult, outputs_to_result
from pipeline.run_folder.folder import RunFolder, read_manifest, write_atomically
from pipeline.run_folder.stage import Stage

# --- stages that write a word -----------------------------------------------------------------------------


def opened(path: Path, continuing: bool = True) -> RunFolder:
    folder = RunFolder(path)
    path.mkdir(exist_ok=True)
    folder.open({"overrides": []}, continuing)
    return folder


def stage(
    name: str, word: str = "word", needs: tuple[str, ...] = (), made: list | None = None, **kwargs
) -> Stage:
    """Writes `word` into a file, and says in `made` that it did."""

    def action(out_dir: Path) -> StageResult:
        if made is not None:
            made.append(name)
        (out_dir / "out.txt").write_text(word)
        section = ReportSection("The word", (out_dir / "out.txt",))
        return StageResult({"words": 1}, {"bad": 2}, ("a word",), {"letters": len(word)}, (section,))

    return Stage(name, {"word": word}, action, needs, **kwargs)


def test_a_stage_is_made_once(tmp_path):
    made: list[str] = []
    assert opened(tmp_path).run(stage("a", made=made))
    assert not opened(tmp_path).run(stage("a", made=made))
    assert made == ["a"]
    assert (tmp_path / "a" / "out.txt").read_text() == "word"


def test_a_checkout_that_was_never_installed_runs(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.run_folder.environment.DISTRIBUTION", "sequence-pipeline-of-nobody")
    opened(tmp_path).run(stage("a"))
    environment = load_manifest(tmp_path)["environment"]
    assert environment["numpy"] == np.__version__
    assert set(environment) == {"python", "platform", "torch", "numpy"}


def test_the_manifest_says_what_was_made(tmp_path):
    source = tmp_path / "source.txt"
    source.write_text("in")
    opened(tmp_path / "run").run(stage("a", inputs=[source]))
    entry = load_manifest(tmp_path / "run")["stages"]["a"]
    assert entry["settings"] == {"word": "word"}
    assert entry["inputs"] == {str(source): hashlib.sha256(b"in").hexdigest()}
    assert list(entry["outputs"]) == ["a/out.txt"]
    assert (entry["kept"], entry["rejected"], entry["summary"]) == ({"words": 1}, {"bad": 2}, ["a word"])
    shown = {"title": "The word", "files": ["a/out.txt"], "caption": "", "part": "details"}
    assert entry["sections"] == [shown]


def chain(folder: Path, made: list, first: str = "1", second: str = "2", third: str = "3") -> None:
    """a, then b that needs a, then c that needs b, and d that needs nothing."""
    run = opened(folder)
    run.run(stage("a", first, made=made))
    run.run(stage("b", second, ("a",), made=made))
    run.run(stage("c", third, ("b",), made=made))
    run.run(stage("d", made=made))


@pytest.mark.parametrize(
    ("changes", "again"),
    [({}, ""), ({"first": "x"}, "abc"), ({"second": "x"}, "bc"), ({"third": "x"}, "c")],
)
def test_what_changed_is_made_again_and_what_depends_on_it_and_nothing_else(tmp_path, changes, again):
    made: list[str] = []
    chain(tmp_path, made)
    made.clear()
    chain(tmp_path, made, **changes)
    assert "".join(made) == again


def test_a_changed_input_file_is_noticed_a_moved_one_is_the_same(tmp_path):
    made: list[str] = []
    source, moved = tmp_path / "source.txt", tmp_path / "moved.txt"
    source.write_text("one")
    shutil.copy(source, moved)
    opened(tmp_path / "run").run(stage("a", made=made, inputs=[source]))
    opened(tmp_path / "run").run(stage("a", made=made, inputs=[moved]))
    assert made == ["a"]
    moved.write_text("two")
    opened(tmp_path / "run").run(stage("a", made=made, inputs=[moved]))
    assert made == ["a", "a"]


def test_a_missing_output_is_made_again(tmp_path):
    made: list[str] = []
    opened(tmp_path).run(stage("a", made=made))
    (tmp_path / "a" / "out.txt").unlink()
    opened(tmp_path).run(stage("a", made=made))
    assert made == ["a", "a"]


def test_a_needed_stage_must_have_been_run(tmp_path):
    with pytest.raises(DataError, match=r"stage a has not been run here; add it to stages="):
        opened(tmp_path).run(stage("b", needs=("a",)))


def test_a_needed_stage_must_be_of_the_data_that_is_there(tmp_path):
    """Ingest alone is made anew; sampling must not take the checkpoint of the old data for its own."""
    chain(tmp_path, [])
    folder = opened(tmp_path)
    folder.run(stage("a", "other"))
    with pytest.raises(DataError, match="stage b was made from another a than the one there now"):
        folder.run(stage("c", "3", ("b",)))


def failing(name: str, **kwargs) -> Stage:
    def action(out_dir: Path) -> StageResult:
        (out_dir / "half.txt").write_text("half")
        raise DataError("no more")

    return Stage(name, {}, action, **kwargs)


def test_a_stage_that_fails_leaves_what_was_there_and_nothing_half_written(tmp_path):
    opened(tmp_path).run(stage("a"))
    with pytest.raises(DataError, match="no more"):
        opened(tmp_path).run(failing("a"))
    assert (tmp_path / "a" / "out.txt").read_text() == "word"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "manifest.json"]
    made: list[str] = []
    assert not opened(tmp_path).run(stage("a", made=made))


def test_what_is_worth_going_on_from_is_kept_for_the_same_settings_only(tmp_path):
    with pytest.raises(DataError, match="no more"):
        opened(tmp_path).run(failing("a", keeps_partial=True))
    (partial,) = tmp_path.glob(".a-*.partial")
    assert (partial / "half.txt").read_text() == "half"
    opened(tmp_path).run(stage("a", "other settings", keeps_partial=True))
    assert not (tmp_path / "a" / "half.txt").exists()
    assert not list(tmp_path.glob(".a-*"))


def test_no_entry_ever_stands_for_the_files_of_other_settings(tmp_path, monkeypatch):
    """Killed after the new files took their place and before the manifest said so."""
    opened(tmp_path).run(stage("a", "old"))
    folder = opened(tmp_path)
    put_in_place = folder._put_in_place

    def then_die(*args):
        put_in_place(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(folder, "_put_in_place", then_die)
    with pytest.raises(KeyboardInterrupt):
        folder.run(stage("a", "new"))
    opened(tmp_path).run(stage("a", "old"))
    assert (tmp_path / "a" / "out.txt").read_text() == "old"


def test_equal_stages_are_taken_over_from_a_donor(tmp_path):
    made: list[str] = []
    chain(tmp_path / "one", made)
    made.clear()
    other = opened(tmp_path / "two")
    donors = [tmp_path / "nothing there", tmp_path / "one", tmp_path / "two"]
    other.run(stage("a", "1", made=made), donors)
    other.run(stage("b", "changed", ("a",), made=made), donors)
    assert made == ["b"]
    assert other.manifest["stages"]["a"]["taken_over_from"] == str(tmp_path / "one")
    assert (tmp_path / "two" / "a" / "out.txt").read_text() == "1"


# --- the folder and its manifest --------------------------------------------------------------------------


def test_a_folder_with_a_run_is_not_entered_unasked(tmp_path):
    opened(tmp_path)
    with pytest.raises(ConfigError, match=r"already holds a run; continue it with run="):
        opened(tmp_path, continuing=False)


def test_one_process_at_a_time(tmp_path):
    with FileLock(tmp_path / ".lock"), pytest.raises(ConfigError, match="another process is working in"):  # noqa: SIM117
        with RunFolder(tmp_path).locked():
            pass
    with RunFolder(tmp_path).locked():
        assert (tmp_path / ".lock").exists()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"format": 2}', '{"format": 1}', '{"format": 1, "stages": 3}']
)
def test_a_damaged_manifest_is_an_error_that_names_it(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(DataError, match=r"manifest\.json: not a manifest of a run"):
        read_manifest(tmp_path)


def test_a_file_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    write_atomically(path, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(OSError, match="No space"):
        patched.setattr(os, "fsync", full)
        write_atomically(path, "new")
    assert path.read_text() == "old"
    write_atomically(path, "new")
    assert path.read_text() == "new"
    assert [each.name for each in tmp_path.iterdir()] == ["file.txt"]


def test_outputs_become_one_result(tmp_path):
    sections = tuple(ReportSection(title, ()) for title in "xyz")
    rejections = [Rejection("1", "no end"), Rejection("2", "no end"), Rejection("3", "no notes")]
    outputs = [
        DomainOutput(sections[:1], ("one",), figures={"a": 1, "b": None}, rejections=tuple(rejections[:1])),
        DomainOutput(sections[1:], ("two", "three"), figures={"c": "x"}, rejections=tuple(rejections[1:])),
    ]
    result = outputs_to_result(outputs, {"raw": 4})
    assert result.kept == {"raw": 4}
    assert result.rejected == {"no end": 2, "no notes": 1}
    assert result.summary == ("one", "two", "three")
    assert result.figures == {"a": 1, "b": None, "c": "x"}
    assert result.sections == sections
