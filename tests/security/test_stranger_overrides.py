"""A run folder of a stranger: what its manifest may set, and what it may not."""

import shutil

import pytest
from tiny import TINY, errors, load_manifest

SECRET = "only-the-environment-knows"


@pytest.mark.parametrize(
    "value",
    [
        "${oc.env:SECRET}",
        "'${oc.env:SECRET}'",
        "'${oc.decode:${oc.env:SECRET}}'",
        "'a ${oc.create:{x:1}} ${seed}'",
    ],
)
def test_no_value_is_evaluated(type_in, from_stranger, monkeypatch, value):
    monkeypatch.setenv("SECRET", SECRET)
    folder = from_stranger(f"dataset.about={value}")
    answer = type_in(f"run={folder}", "stages=[report]")
    assert answer.status == 0
    assert load_manifest(folder)["config"]["dataset"]["about"] == value.strip("'")
    for path in ("report.html", "manifest.json", "pipeline.log"):
        assert SECRET not in (folder / path).read_text(encoding="utf-8")


def test_no_resolver_reaches_a_number_or_a_list_or_a_mapping(type_in, from_stranger, monkeypatch):
    monkeypatch.setenv("SECRET", "7")
    answer = errors(type_in(f"run={from_stranger('sample.count=${oc.env:SECRET}')}", "stages=[report]"))
    assert "sample.count" in answer
    assert "Integer" in answer


@pytest.mark.parametrize(
    "override",
    [
        "dataset.path=/etc/passwd",
        "dataset.path='/etc/*'",
        "dataset.sources={evil:[{at:'https://evil.example/x',sha256:a}]}",
        "dataset.pretrained={at:'https://evil.example/x',sha256:a}",
        "dataset.split={file:/etc/passwd}",
        "domain.path=/etc/x.mid",
        "domain.regions=/etc/x.bed",
        "domain.regions=[chr4:1-9,x.bed]",
        "domain.score_regions=x.bed",
        "domain.annotation=/etc/x.gff3",
        "checkpoint=/tmp/evil.ckpt",
        "train.init_from=/tmp/evil.ckpt",
        "score.path=/etc/passwd",
        "blast.url=https://evil.example/",
        "blast=ncbi",
        "blast=ebi",
        "blast.database=/etc/x",
        "render.soundfont=/dev/zero",
        "sample.prime=@/etc/passwd",
        "sample.grid.primes=[a,@/etc/passwd]",
    ],
)
def test_what_lies_outside_needs_the_users_word(type_in, from_stranger, override):
    message = errors(type_in(f"run={from_stranger(override)}", "stages=[report]"))
    assert "you did not make this run on this machine" in message
    assert override in message


@pytest.mark.parametrize(
    "override",
    [
        "experiment=../../../../tmp/evil", "dataset=/tmp/evil", "domain={_target_:os.system}",
        "dataset@hydra=text", "~model", "sample.temperature=0.1,0.2", "sample.seed=glob(*)", "model=[", "=",
    ],
)  # fmt: skip
def test_nothing_but_plain_settings_is_handed_on(type_in, from_stranger, override):
    message = errors(type_in(f"run={from_stranger(override)}", "stages=[report]"))
    assert (
        "no setting that a run may hand on" in message or "no override" in message or "there is no" in message
    )


def test_what_the_user_repeats_is_used(type_in, from_stranger, text_file):
    folder = from_stranger("dataset.path=/etc/passwd")
    answer = type_in(f"run={folder}", f"dataset.path='{text_file}'", "stages=[report]")
    assert answer.status == 0
    assert f"settings of {folder}: dataset=text model.hidden_size=8" in answer.err


def test_the_users_own_run_goes_on_with_its_files_wherever_it_was_moved(type_in, text_file, tmp_path):
    assert type_in("dataset=text", f"dataset.path='{text_file}'", *TINY, "stages=[ingest]",
                   f"hydra.run.dir='{tmp_path / 'own'}'").status == 0  # fmt: skip
    shutil.move(tmp_path / "own", tmp_path / "moved")
    answer = type_in(f"run={tmp_path / 'moved'}", "stages=[ingest]")
    assert answer.status == 0
    assert f"dataset.path='{text_file}'" in answer.err


@pytest.mark.parametrize("name", ["a${b}.txt", "a${oc.env:HOME}.txt", "it$ {}.txt"])
def test_a_dollar_in_a_path_of_the_users_is_a_dollar(type_in, text_file, tmp_path, name):
    shutil.copy(text_file, tmp_path / name)
    run = tmp_path / "run"
    answer = type_in(
        "dataset=text", f"dataset.path='{name}'", *TINY, "stages=[ingest]", f"hydra.run.dir='{run}'"
    )
    assert answer.status == 0
    assert load_manifest(run)["config"]["dataset"]["path"] == name
    assert type_in(f"run={run}", "stages=[ingest]").status == 0


@pytest.mark.parametrize("name", ["it's", "a=b, c", "ünïcödé ♪", "${x}", "[1] (2) {3}", '"q"'])
def test_a_run_folder_may_have_any_name(type_in, text_run, tmp_path, name):
    folder = shutil.copytree(text_run, tmp_path / name)
    answer = type_in(f"run={folder}", "stages=[report]")
    assert answer.status == 0
    assert str(folder) in answer.out


def test_nothing_from_a_manifest_commands_the_terminal(type_in, stranger):
    def change(manifest):
        plain = [each for each in manifest["overrides"] if not each.startswith("dataset.path")]
        manifest["overrides"] = [*plain, "dataset.about='\x1b]0;a\x07'"]
        manifest["stages"]["train"] |= {"summary": ["\x1b[2Jgood"], "warnings": ["\u202ebad"]}

    folder = stranger(change)
    answer = type_in(f"run={folder}", "stages=[report]")
    assert answer.status == 0
    assert r"\x1b[2Jgood" in answer.out
    assert r"\u202ebad" in answer.out
    assert r"\x1b]0;a\x07" in answer.err
    log = (folder / "pipeline.log").read_text(encoding="utf-8")
    assert not {"\x1b", "\x07", "\u202e"} & {*answer.out, *answer.err, *log}


def test_settings_of_an_earlier_version_are_renamed(type_in, from_stranger):
    folder = from_stranger("train.batch=7")
    assert type_in(f"run={folder}", "stages=[report]").status == 0
    manifest = load_manifest(folder)
    assert "train.batch_size=7" in manifest["overrides"]
    assert manifest["config"]["train"]["batch_size"] == 7


def test_a_renamed_setting_that_names_a_file_outside_is_refused(type_in, from_stranger):
    message = errors(type_in(f"run={from_stranger('train.start=/tmp/evil.ckpt')}", "stages=[report]"))
    assert "outside its folder: train.init_from=/tmp/evil.ckpt" in message
