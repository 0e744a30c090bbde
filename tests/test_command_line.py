"""What a user types, and what answers. Mostly in this process, because each start takes seconds."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny import TINY, command_line, errors, load_manifest, on, run_pipeline

from pipeline.config.overrides import _is_replaced_by_alternative
from pipeline.models.checkpoint import load
from pipeline.records import Sample

DATA_SETS = (
    "abc", "chorales", "dm6", "drosophila", "folk", "genome", "lercio", "midi", "nottingham", "performance",
    "piano", "protein", "shakespeare", "text",
)  # fmt: skip


# --- asking -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [(), ("model=gru",), ("dataset=",), ("dataset=flie",), ("dataset=flie", "seed=1")]
)
def test_no_data_set_or_a_wrong_one_lists_them_with_a_line_on_each(type_in, arguments):
    message = errors(type_in(*arguments))
    rows = [line.split(maxsplit=1) for line in message.splitlines() if line.startswith("  ")]
    assert tuple(row[0] for row in rows) == DATA_SETS
    assert all(len(row[1]) > 20 for row in rows)
    assert "for example: python -m pipeline dataset=drosophila" in message
    assert ("there is no such data set" in message) == any("dataset=" in each for each in arguments)


def test_help_helps(type_in):
    answer = type_in("--help")
    assert answer.status == 0
    for wanted in ("dataset=folk render=midi", "run=outputs/", "temperature: 1.0", "max_epochs", "--cfg job"):
        assert wanted in answer.out


def test_help_shows_the_groups_of_the_data_set_and_no_others(type_in):
    assert "\nblast: ebi, local, ncbi, none, protein\n" in type_in("dataset=genome", "--help").out
    for arguments in (("--help",), ("dataset=folk", "--help"), ()):
        answer = type_in(*arguments)
        assert "blast" not in f"{answer.out}{answer.err}".lower()


def test_help_may_be_read_in_part(tmp_path):
    reader = subprocess.Popen(["head", "-n", "1"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    streams = {"capture_output": False, "stdout": reader.stdin, "stderr": subprocess.PIPE}
    done = command_line("--help", cwd=tmp_path, **streams)
    reader.communicate()
    assert done.stderr == ""


def test_the_settings_of_a_run_can_be_shown_without_running_it(type_in, tmp_path):
    answer = type_in("dataset=folk", "render=midi", "--cfg", "job")
    assert answer.status == 0
    assert "pipeline.domains.music.render.midi.MidiRender" in answer.out
    assert list(tmp_path.iterdir()) == []


def test_a_start_is_quick_where_nothing_is_to_be_done(tmp_path):
    """Neither a mistake nor help waits for torch."""
    code = "import sys; from pipeline import __main__; assert not {'torch', 'music21'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    done = command_line("sample.temperatur=1", "dataset=text", cwd=tmp_path)
    assert done.returncode == 1
    assert "did you mean sample.temperature" in done.stderr
    assert list(tmp_path.iterdir()) == []


# --- mistakes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("dataset=text", "model.hiden_size=3"), "there is no such setting; did you mean model.hidden_size"),
        (("dataset=text", "+model.hiden_size=3"), "there is no such setting; did you mean model.hidden_size"),
        (("dataset=text", "temperature=1"), "did you mean sample.temperature"),
        (("dataset=dm6", "dataset.regions=chr4"), "it is now named domain.regions"),
        (("dataset=dm6", "score.regions=chr4"), "it is now named domain.score_regions"),
        (("dataset=folk", "blast=local"), "blast=local: only the data sets dm6, drosophila, genome"),
        (("dataset=folk", "blast.evalue=1"), "only the data sets dm6, drosophila, genome, protein have"),
        (("dataset=folk", "+blast=local"), "blast: this one is for genome, but the data set is music"),
        (("dataset=folk", "+blast.evalue=1"), "blast: there is no such setting"),
        (("dataset=genome", "blast=foo"), "blast=foo: not one of ebi, local, ncbi, none, protein"),
        (("dataset=text", "modle=gru"), "modle: there is no such setting; did you mean model"),
        (("dataset=text", "++train.epochs=3"), "did you mean train.max_epochs"),
        (("dataset=text", "xyzzy=3"), "xyzzy: there is no such setting; see --help for all settings"),
        (("dataset=text", "model=perceptron"), "model=perceptron: not one of gru, lstm,"),
        (("dataset=folk", "render=mp3"), "render=mp3: not one of all, audio, midi, none, scamp, score"),
        (("dataset=text", "sample.count=many"), "sample.count: Value 'many' of type 'str' could not be conv"),
        (("dataset=text", "model.hidden_size=big"), "model.hidden_size: Value 'big'"),
        (("dataset=text", "sample.temperature=-1"), "sample.temperature=-1.0 is out of range: at least 0"),
        (("dataset=text", "sample.prime=[1"), "sample.prime=[1: cannot be read"),
        (("dataset=text", "sample.prime=café"), "a value with letters beyond ASCII needs quotes"),
        (("dataset=text", "dataset.path=a,b.txt"), "dataset.path=a,b.txt: cannot be read; a value with , ="),
        (("dataset=text", "model=min_gru", "model.cell=gru"), "model.cell: the model chosen here has no"),
        (("dataset=text",), "dataset=text reads files of yours: dataset.path=FILE, FOLDER or 'GLOB'"),
        (("dataset=text", "dataset.path=no.txt"), "no.txt: no such file or folder"),
        (("dataset=text", "dataset.source=a"), "dataset.source='a': dataset=text has no sources; leave"),
        (("dataset=drosophila", "dataset.source=dm9"), "dataset.source='dm9' is not one of embedded; or set"),
        (("dataset=genome", "render=midi"), "render: this one is for music, but the data set is genome"),
        (("dataset=folk", "sample.prime=hello"), "sample.prime: 'hello' is not R:, M:, L: or K:"),
        (("run=nowhere",), "run=nowhere: no manifest.json in "),
    ],
)  # fmt: skip
def test_a_mistake_gets_one_message_and_leaves_nothing(type_in, tmp_path, arguments, message):
    answer = type_in(*arguments)
    assert message in errors(answer)
    assert list(tmp_path.rglob("*")) in ([], [tmp_path / "outputs"])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("time: 30", "train.time: there is no such setting; it is now named train.bptt_steps"),
        ("bptt_step: 30", "train.bptt_step: there is no such setting; did you mean train.bptt_steps"),
    ],
)
@pytest.mark.parametrize(
    ("group", "arguments"), [("experiment", ("dataset=text",)), ("dataset", ()), ("model", ("dataset=text",))]
)
def test_a_wrong_setting_in_a_file_of_the_users_is_named(
    type_in, tmp_path, group, arguments, setting, message
):
    path = tmp_path / "mine" / group / "own.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(f"# @package _global_\ntrain:\n  {setting}\n")
    assert message in errors(type_in(f"--config-dir={tmp_path / 'mine'}", f"{group}=own", *arguments))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.txt", b"", "empty.txt: no record could be kept: it is empty"),
        ("binary.txt", bytes(range(256)) * 50, "binary.txt: found a NUL byte, so this is not text"),
        ("small.txt", b"too small\n", "1 record with 10 symbols is too little for the split"),
        ("latin.txt", "perché\n".encode("latin-1"), "latin.txt: after line 0, byte 0xe9 is not utf-8; set"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_learned_from(type_in, tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    assert message in errors(type_in("dataset=text", f"dataset.path={name}"))


def test_a_prime_outside_the_alphabet_is_told_before_training(type_in, text_file, tmp_path):
    answer = type_in(*on(text_file, "sample.prime=the @", "hydra.run.dir=run"))
    assert "sample.prime: symbol '@' at position 5 is not among what the model learns" in errors(answer)
    assert not (tmp_path / "run" / "train").exists()
    assert type_in("run=run", "sample.prime=the").status == 0


def test_a_refused_setting_is_not_remembered(type_in, text_run, tmp_path):
    shutil.copytree(text_run, tmp_path / "run")
    errors(type_in("run=run", "sample.prime=@"))
    answer = type_in("run=run")
    assert answer.status == 0
    assert load_manifest(tmp_path / "run")["config"]["sample"]["prime"] == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("checkpoint=other.ckpt",), "other.ckpt: its alphabet ("),
        (("checkpoint=words.txt",), "words.txt: not a checkpoint that can be read safely"),
        (("checkpoint=missing.ckpt",), "missing.ckpt: no such checkpoint"),
        (("checkpoint=pretrained",), "checkpoint=pretrained: the data set text comes with no checkpoint"),
        (
            ("train.init_from=pretrained",),
            "train.init_from=pretrained: the data set text comes with no checkpoint",
        ),
    ],
)
def test_a_checkpoint_that_does_not_fit(type_in, text_file, tmp_path, arguments, message):
    shutil.copy(text_file, tmp_path / "words.txt")
    (tmp_path / "other.txt").write_text(text_file.read_text().replace("j", "q"))
    run_pipeline(tmp_path / "other", "dataset=text", f"dataset.path={tmp_path / 'other.txt'}", *TINY)
    shutil.copy(tmp_path / "other" / "train" / "best.ckpt", tmp_path / "other.ckpt")
    assert message in errors(type_in(*on(text_file, *arguments)))


def test_a_checkpoint_that_fits_is_used_instead_of_training(type_in, text_run, text_file, tmp_path):
    assert type_in(*on(text_file, f"checkpoint={text_run}/train/best.ckpt", "hydra.run.dir=run")).status == 0
    assert (tmp_path / "run" / "train" / "best.ckpt").read_bytes() == (
        text_run / "train" / "best.ckpt"
    ).read_bytes()
    assert not (tmp_path / "run" / "train" / "last.ckpt").exists()
    assert "another split" not in str(load_manifest(tmp_path / "run")["stages"]["train"]["summary"])


def test_a_training_begins_with_a_checkpoint(type_in, text_run, text_file, tmp_path):
    start = f"train.init_from={text_run}/train/best.ckpt"
    answer = type_in(*on(text_file, start, "model=gru", "train.lr=1e-9", "hydra.run.dir=run"))
    assert answer.status == 0
    before, after = (load(run / "train" / "best.ckpt") for run in (text_run, tmp_path / "run"))
    assert after.about == before.about
    for name, tensor in after.model.state_dict().items():
        assert torch.allclose(tensor, before.model.state_dict()[name], atol=1e-4)
    assert f"trained from {text_run}" in answer.out
    (tmp_path / "other.txt").write_text(text_file.read_text().replace("j", "q"))
    other = type_in("dataset=text", f"dataset.path={tmp_path / 'other.txt'}", start, *TINY)
    assert "best.ckpt: its alphabet (" in errors(other)


def test_a_training_begun_from_a_checkpoint_adds_a_look_back_that_sees_nothing_at_first(
    type_in, abc_file, tmp_path
):  # fmt: skip
    data = ("dataset=abc", f"dataset.path={abc_file}", *TINY, "stages=[ingest,train]")
    assert type_in(*data, "model.lookback=false", "hydra.run.dir=one").status == 0
    start = f"train.init_from={tmp_path}/one/train/best.ckpt"
    added = type_in(*data, start, "model.lookback=true", "train.lr=1e-9", "hydra.run.dir=two")
    assert added.status == 0 and "with lookback" in added.out
    before, after = (load_manifest(tmp_path / run)["stages"]["train"]["figures"] for run in ("one", "two"))
    assert after["parameters"] > before["parameters"]
    assert after["test_bits"] == pytest.approx(before["test_bits"], abs=1e-3)


def test_a_checkpoint_that_may_know_the_test_split_is_reported(type_in, text_run, text_file, tmp_path):
    checkpoint = f"checkpoint={text_run}/train/best.ckpt"
    assert type_in(*on(text_file, checkpoint, "hydra.run.dir=run", "dataset.split.seed=7")).status == 0
    summary = load_manifest(tmp_path / "run")["stages"]["train"]["summary"]
    assert any("was trained on other data or another split" in line for line in summary)


# --- going on ---------------------------------------------------------------------------------------------


def test_a_run_says_what_it_made_and_where(type_in, text_file, tmp_path):
    answer = type_in(*on(text_file))
    assert answer.status == 0
    (report,) = tmp_path.glob("outputs/text/*/report.html")
    last_lines = answer.out.rpartition("\n\n")[2].strip().splitlines()
    assert last_lines[-1] == f"report: {report}"
    # One round of training leaves the model worse than its baseline, which is said before all else.
    assert last_lines[0].startswith("this model is worse than its baseline (Markov order")
    assert "120 records with" in last_lines[1]
    headline = next(line for line in last_lines if "bits per character on the test split" in line)
    assert "best Markov model" in headline and "The model predicts worse" in headline
    assert any("training" in line for line in last_lines)
    for noise in ("Warning", "warning", "GPU available", "litlogger", "`Trainer"):
        assert noise not in answer.out + answer.err


def test_a_finished_run_is_not_entered_unasked(type_in, text_run, text_file, tmp_path):
    shutil.copytree(text_run, tmp_path / "run")
    assert "already holds a run; continue it with run=" in errors(
        type_in(*on(text_file, "hydra.run.dir=run"))
    )


def test_what_is_asked_for_now_takes_the_place_of_an_earlier_grid(type_in, text_run, tmp_path):
    shutil.copytree(text_run, tmp_path / "run")
    again = ("run=run", "stages=[sample]")
    type_in(*again, "sample.grid.temperatures=[0.5,1]", "sample.grid.primes=[the,a]", "sample.beam=null")
    assert load_manifest(tmp_path / "run")["stages"]["sample"]["kept"]["samples"] == 12
    answer = type_in(*again, "sample.temperature=0.7")
    gone = "sample.grid.temperatures=[0.5,1], of the earlier run, is replaced by sample.temperature=0.7"
    assert gone in answer.err
    assert load_manifest(tmp_path / "run")["stages"]["sample"]["kept"]["samples"] == 6
    assert "sample.grid.primes=[the,a]" in type_in(*again, "sample.beam=3").err
    assert load_manifest(tmp_path / "run")["stages"]["sample"]["kept"]["samples"] == 3
    assert type_in(*again, "sample.grid.primes=[the,a]").status == 0
    assert load_manifest(tmp_path / "run")["config"]["sample"]["beam"] is None


def test_going_on_needs_no_setting_again(type_in, text_run, tmp_path):
    shutil.copytree(text_run, tmp_path / "a run")
    answer = type_in(
        "run=a run", "stages=[sample,postprocess,report]", "sample.prime='the reel'", "sample.count=2"
    )
    assert answer.status == 0
    assert "ingest" not in answer.out
    lines = (tmp_path / "a run" / "sample" / "samples.jsonl").read_text().splitlines()
    assert [Sample.from_json(line).symbols[:8] for line in lines] == ["the reel"] * 2
    assert load_manifest(tmp_path / "a run")["config"]["model"]["hidden_size"] == 8


def test_a_sweep_trains_once(type_in, text_file, tmp_path):
    answer = type_in("-m", *on(text_file, "sample.temperature=0.4,0.8"))
    assert answer.status == 0
    assert answer.out.count("train        taken over from") == 1
    reports = sorted(tmp_path.glob("outputs/text/*_sweep/?/report.html"))
    assert [report.parent.name for report in reports] == ["0", "1"]


def test_a_sweep_goes_on_with_a_run(type_in, text_run, tmp_path):
    shutil.copytree(text_run, tmp_path / "run")
    answer = type_in("run=run", "-m", "sample.temperature=0.4,0.8")
    assert answer.status == 0
    assert answer.out.count("train        taken over from") == 2


def test_a_run_folder_cannot_set_hydra_itself(type_in, text_run, tmp_path):
    """A folder from a stranger: its overrides are ours alone, never Hydra's callbacks."""
    folder = Path(shutil.copytree(text_run, tmp_path / "run"))
    manifest = load_manifest(folder)
    manifest["overrides"].append("+hydra.callbacks.c={_target_:os.system,command:echo}")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert "hydra.callbacks.c: there is no such setting" in errors(type_in(f"run={folder}"))


def test_a_group_chosen_anew_drops_the_settings_of_the_one_before(type_in, abc_file, tmp_path):
    first = type_in("dataset=abc", f"dataset.path='{abc_file}'", "render=midi", "render.instrument=violin",
                    "stages=[ingest]", f"hydra.run.dir='{tmp_path / 'run'}'")  # fmt: skip
    assert first.status == 0
    assert type_in(f"run={tmp_path / 'run'}", "render=none", "stages=[ingest]").status == 0


def test_an_accelerator_that_is_not_there_is_told_at_once(type_in, text_file):
    if torch.backends.mps.is_available():
        pytest.skip("this machine has one")
    answer = type_in(*on(text_file, "train.accelerator=mps"))
    assert "train.accelerator=mps: torch finds none" in errors(answer)


def test_a_run_that_does_not_train_does_not_wait_for_lightning():
    script = "import sys, pipeline.run; print('pytorch_lightning' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_new_path_takes_the_place_of_the_regions_of_an_earlier_one():
    given = {"score.path": "new.fa", "dataset.path": "other.fa"}
    for stale in ("domain.score_regions=chr1:1-20", "domain.regions=a.bed", "dataset.source=ucsc"):
        assert _is_replaced_by_alternative(stale, given)
    assert not _is_replaced_by_alternative("domain.score_regions=chr1:1-20", {"sample.count": "3"})
