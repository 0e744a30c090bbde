import csv
import json
from dataclasses import dataclass, replace

import pytest
import torch
from tiny import compose_config, load_manifest, run_pipeline

from pipeline.config.build import plain_settings
from pipeline.config.schema import TrainSettings
from pipeline.domains.text import Text
from pipeline.errors import ConfigError
from pipeline.run import explicit_settings
from pipeline.training.autotune import RESULT_FILE, Autotuner, AutotuneResult, _choose_for_budget, autotune
from pipeline.training.inputs import TrainInputs

LSTM = {"_target_": "pipeline.models.recurrent.Recurrent", "cell": "lstm", "hidden_size": 10, "num_layers": 2}


@pytest.fixture
def make_inputs(make_corpus):
    def make(budget_s: float | None, explicit: tuple[str, ...] | None = (), **settings) -> TrainInputs:
        return TrainInputs(
            make_corpus(), Text(), LSTM, TrainSettings(**settings), budget_s, None, 0, explicit
        )

    return make


@dataclass
class KnownMachine:
    """A trial whose times are known: so many floating-point operations a second, and a cost of each step."""

    operations_a_second: float
    overhead_s: float = 0.002
    parameters: int = 0
    elapsed_s: float = 0.0

    def time_step(self, hidden_size: int | None, batch: int, time: int) -> AutotuneResult:
        self.parameters = 16 * (hidden_size or 10) ** 2
        seconds = self.overhead_s + 6 * self.parameters * batch * time / self.operations_a_second
        return AutotuneResult(2, batch, time, 0.005, hidden_size, seconds)


class Large:
    """The corpus of a test, as if it were large."""

    def __init__(self, corpus, symbols: int) -> None:
        self.alphabet, self.symbols = corpus.alphabet, symbols

    def subset_size(self, subset: str) -> int:
        return self.symbols


def test_more_time_or_a_faster_machine_means_a_larger_model(make_inputs):
    sizes = []
    for budget_s, speed in ((20, 5e10), (600, 5e10), (600, 5e12)):
        inputs = make_inputs(budget_s)
        plan = _choose_for_budget(
            replace(inputs, corpus=Large(inputs.corpus, 1_000_000)), KnownMachine(speed)
        )
        sizes.append(plan.hidden_size)
    assert sizes == sorted(set(sizes))
    assert 128 <= sizes[1] <= 256


def test_little_data_is_not_given_a_large_model(make_inputs):
    inputs = make_inputs(600)
    plan = _choose_for_budget(replace(inputs, corpus=Large(inputs.corpus, 50_000)), KnownMachine(5e12))
    assert plan.hidden_size == 64


@pytest.mark.parametrize(
    ("explicit", "message"),
    [((), r"^budget: no model\.hidden_size of 64, .*: no such size; set model\.hidden_size"),
     (("model.hidden_size",), "^no such size$")],
)  # fmt: skip
def test_a_model_that_refuses_every_size_is_one_error(make_inputs, explicit, message):
    class Refusing(KnownMachine):
        def time_step(self, hidden_size: int | None, batch: int, time: int) -> AutotuneResult:
            raise ConfigError("no such size")

    with pytest.raises(ConfigError, match=message):
        _choose_for_budget(make_inputs(20, explicit), Refusing(5e10))


def test_short_budgets_get_small_batches(make_inputs):
    short, long = (_choose_for_budget(make_inputs(s), KnownMachine(5e10)) for s in (30, 3000))
    assert short.batch_size == 16
    assert long.batch_size > 16


def test_a_machine_whose_steps_all_take_as_long_gets_large_batches_until_the_epochs_are_many(make_inputs):
    inputs = make_inputs(15)
    gpu = KnownMachine(1e15, overhead_s=0.0037)
    plans = [
        _choose_for_budget(replace(inputs, corpus=Large(inputs.corpus, symbols)), gpu)
        for symbols in (1_000_000, 100_000_000)
    ]
    assert [(plan.batch_size, plan.bptt_steps) for plan in plans] == [(256, 64), (256, 128)]


@pytest.mark.parametrize(
    ("explicit", "settings"),
    [
        (("train.batch_size", "train.bptt_steps"), {"batch_size": 7, "bptt_steps": 11}),
        (("train.lr",), {"lr": 0.5}),
    ],
)
def test_what_was_given_is_kept(make_inputs, explicit, settings):
    plan = _choose_for_budget(make_inputs(600, explicit, **settings), KnownMachine(5e12))
    for name, value in settings.items():
        assert getattr(plan, name) == value if name != "lr" else plan.lr == 0.005  # as the trial has it


def test_a_size_that_was_given_is_kept(make_inputs):
    plan = _choose_for_budget(make_inputs(600, ("model.hidden_size",)), KnownMachine(5e12))
    assert plan.hidden_size is None


def test_without_a_budget_nothing_but_threads_is_chosen(make_inputs, tmp_path):
    inputs = make_inputs(None, batch_size=5)
    chosen, said = autotune(inputs, 1, tmp_path)
    assert (chosen.settings, chosen.model, said) == (replace(inputs.settings, threads=1), inputs.model, "")


def test_the_choice_is_made_once(make_inputs, tmp_path):
    inputs = make_inputs(1.0)
    first = autotune(inputs, 1, tmp_path)
    stored = json.loads((tmp_path / RESULT_FILE).read_text())
    (tmp_path / RESULT_FILE).write_text(json.dumps({**stored, "hidden_size": 33, "threads": 1}))
    second = autotune(inputs, 1, tmp_path)
    assert second[0].model["hidden_size"] == 33
    assert (first[1], first[0].settings) == (second[1], second[0].settings)
    # Which sizes and batch, this machine's speed decides; the line names those that were taken.
    model, train = first[0].model, first[0].settings
    size = f"{model['num_layers']}x{model['hidden_size']}"
    assert first[1].startswith(f"budget 1s: lstm {size}, batch {train.batch_size} x {train.bptt_steps}")


def test_a_plan_of_an_earlier_version_is_read(make_inputs, tmp_path):
    first = autotune(make_inputs(None, batch_size=5, bptt_steps=11), 1, tmp_path)
    stored = json.loads((tmp_path / RESULT_FILE).read_text())
    earlier = {"batch": stored.pop("batch_size"), "time": stored.pop("bptt_steps"), **stored}
    (tmp_path / RESULT_FILE).write_text(json.dumps(earlier))
    assert autotune(make_inputs(None), 1, tmp_path)[0].settings == first[0].settings


def test_threads_that_were_given_are_used(make_inputs, tmp_path):
    before = torch.get_num_threads()
    try:
        chosen, _ = autotune(make_inputs(None, threads=3), 8, tmp_path)
        assert (chosen.settings.threads, torch.get_num_threads()) == (3, 3)
    finally:
        torch.set_num_threads(before)


def test_small_steps_get_one_thread_without_a_trial(make_inputs):
    plan, _ = Autotuner(make_inputs(None), 8).begin(None, 4, 8)
    assert plan.threads == 1


def test_explicit_settings_are_those_of_the_command_line_and_of_an_experiment():
    given = ["dataset=folk", "model=gru", "model.hidden_size=9", "train.lr=0.1", "seed=3"]
    assert explicit_settings(given) == ("model.hidden_size", "train.lr")
    found = explicit_settings(["experiment=drosophila"])
    assert found == ("model.hidden_size", "model.num_layers", "train.max_epochs")
    config = plain_settings(compose_config("experiment=drosophila"))
    assert config["model"]["hidden_size"] == 64


def test_a_found_learning_rate_is_the_same_each_time_and_shown(text_file, tmp_path):
    overrides = ("dataset=text", f"dataset.path={text_file}", "model.hidden_size=16", "train.max_epochs=1")
    found = []
    for name in "ab":
        run_pipeline(tmp_path / name, *overrides, "train.find_lr=true", "stages=[ingest,train]")
        found.append(json.loads((tmp_path / name / "train" / RESULT_FILE).read_text())["lr"])
    assert found[0] == found[1]
    assert 1e-3 < found[0] < 0.3
    with (tmp_path / "a" / "train" / "learning_rate_search.tsv").open() as stream:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(stream, delimiter="\t")]
    lowest = min(rows, key=lambda row: row["bits"])
    assert found[0] < lowest["learning_rate"]
    stage = load_manifest(tmp_path / "a")["stages"]["train"]
    assert any("found by a range test" in line for line in stage["summary"])
    assert any(section["title"] == "Learning-rate range test" for section in stage["sections"])
