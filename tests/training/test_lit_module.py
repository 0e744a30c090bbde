import csv
import json
import math

import numpy as np
import numpy_rnn
import pytest
import torch
from power_cut import PowerCut, dying_at
from tiny import TINY, load_manifest, run_pipeline

from pipeline.config.schema import TrainSettings
from pipeline.data.batching import ContiguousStreams
from pipeline.data.corpus import Corpus
from pipeline.errors import ConfigError, DataError
from pipeline.evaluation.bits import evaluate
from pipeline.models.checkpoint import load
from pipeline.models.recurrent import CELLS, Recurrent, RecurrentModel
from pipeline.training.lit_module import LitModel, Schedule, TrainingWindows

VOCAB, BATCH, TIME = 9, 3, 12


def build(cell: str, layers: int = 1, dropout: float = 0.0) -> RecurrentModel:
    torch.manual_seed(0)
    return Recurrent(cell, 6, layers, dropout).build(VOCAB).double()


def symbols(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).integers(0, VOCAB, shape))


def mean_nats(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


# --- models -----------------------------------------------------------------------------------------------


def test_loss_and_gradients_equal_those_of_the_network_written_by_hand():
    model, inputs, targets = build("rnn"), symbols(BATCH, TIME), symbols(BATCH, TIME).flip(0)
    torch.nn.init.normal_(model.layers.bias_ih_l0)
    torch.nn.init.normal_(model.readout.bias)
    hidden = torch.randn(1, BATCH, 6, dtype=torch.float64).tanh()
    loss = mean_nats(model(inputs, hidden)[0], targets)
    loss.backward()
    weights = {name: p.detach().numpy() for name, p in model.named_parameters()}
    by_hand = weights, inputs.numpy(), targets.numpy(), hidden[0].numpy()
    assert loss.item() == pytest.approx(numpy_rnn.loss(*by_hand), rel=1e-12)
    expected = numpy_rnn.gradients(*by_hand)
    for name, parameter in model.named_parameters():
        np.testing.assert_allclose(
            parameter.grad.numpy(), expected[name], rtol=1e-9, atol=1e-12, err_msg=name
        )


def test_the_network_by_hand_has_the_gradients_of_finite_differences():
    model = build("rnn")
    weights = {name: p.detach().numpy().copy() for name, p in model.named_parameters()}
    data = symbols(2, 5).numpy(), symbols(2, 5).flip(1).numpy(), np.full((2, 6), 0.3)
    expected = numpy_rnn.gradients(weights, *data)
    rng, step = np.random.default_rng(0), 1e-6
    for name, value in weights.items():
        place = tuple(rng.integers(0, size) for size in value.shape)
        before, losses = value[place], []
        for changed in (before + step, before - step):
            value[place] = changed
            losses.append(numpy_rnn.loss(weights, *data))
        value[place] = before
        assert (losses[0] - losses[1]) / (2 * step) == pytest.approx(expected[name][place], abs=1e-8), name


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_one_step_at_a_time_gives_the_logits_of_the_whole_sequence(cell, layers):
    model, inputs = build(cell, layers), symbols(BATCH, TIME)
    whole, last = model(inputs)
    state, steps = None, []
    for time in range(TIME):
        logits, state = model(inputs[:, time : time + 1], state)
        steps.append(logits)
    torch.testing.assert_close(torch.cat(steps, 1), whole)
    torch.testing.assert_close(state, last)


@pytest.mark.parametrize("cell", CELLS)
def test_shapes(cell):
    logits, state = build(cell, layers=2)(symbols(BATCH, TIME))
    assert logits.shape == (BATCH, TIME, VOCAB)
    parts = state if isinstance(state, tuple) else (state,)
    assert len(parts) == (2 if cell == "lstm" else 1)
    assert all(part.shape == (2, BATCH, 6) for part in parts)


def test_the_forget_gate_starts_open():
    layers = build("lstm", layers=2).layers
    for layer in (0, 1):
        bias = getattr(layers, f"bias_ih_l{layer}") + getattr(layers, f"bias_hh_l{layer}")
        assert bias.tolist() == [0.0] * 6 + [1.0] * 6 + [0.0] * 12


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "tcn"}, "model.cell='tcn' is not one of rnn, lstm, gru"),
        ({"hidden_size": 0}, "model.hidden_size=0 is not between 1 and 65536"),
        ({"num_layers": -1}, "model.num_layers=-1 is not between"),
        ({"dropout": 1.0}, "model.dropout=1.0 is not at least 0 and below 1"),
    ],
)
def test_sizes_out_of_range(settings, message):
    with pytest.raises(ConfigError) as caught:
        Recurrent(**settings)
    assert message in str(caught.value)


# --- one step of training ---------------------------------------------------------------------------------


def make_module(corpus: Corpus, cell: str, time: int) -> LitModel:
    torch.manual_seed(0)
    model = Recurrent(cell, 8, 1).build(len(corpus.alphabet)).double()
    streams = ContiguousStreams(corpus.codes, corpus.subset_segments("train"), 4, time)
    return LitModel(model, corpus, TrainSettings(), Schedule(1, 1), TrainingWindows(streams, 0, 1), {})


@pytest.mark.parametrize("cell", CELLS)
def test_the_loss_over_windows_with_carried_state_is_that_of_one_long_pass(make_corpus, cell):
    corpus = make_corpus()
    totals = []
    for time in (7, 100_000):
        module = make_module(corpus, cell, time)
        windows = one_epoch(module)
        totals.append(sum(float(module.training_step(w).detach()) * w.targets.numel() for w in windows))
    assert totals[0] == pytest.approx(totals[1], rel=1e-6)


def one_epoch(module: LitModel) -> list:
    streams = module.windows.streams
    steps = streams.steps(module.windows.buckets(0))
    return list(TrainingWindows(streams, 0, steps))


def test_the_carried_state_has_no_history(make_corpus):
    module = make_module(make_corpus(), "lstm", 7)
    for window in one_epoch(module)[:2]:
        module.training_step(window).backward()  # a second time through a kept graph would raise
    assert not any(part.requires_grad for part in module._state)


def test_the_learning_rate_warms_up_and_falls():
    schedule = Schedule(rounds=10, steps_per_round=10)
    assert schedule.progress(50, 0.0) == 0.5
    assert Schedule(10, 10, budget_s=4.0).progress(10, 3.0) == 0.75
    assert schedule.progress(1000, 0.0) == 1.0


# --- whole trainings --------------------------------------------------------------------------------------

ROUNDS = (
    "train.max_epochs=6",
    "train.patience=0",
    "model.dropout=0.2",
    "model.num_layers=2",
    "train.lr=0.02",
)


def read_weights(folder) -> dict[str, torch.Tensor]:
    return load(folder / "train" / "best.ckpt").model.state_dict()


def assert_same_learning(one, other) -> None:
    """Equal to the last bit: weights, samples, logged figures, the tested bits."""
    for (name, a), (_, b) in zip(read_weights(one).items(), read_weights(other).items(), strict=True):
        assert torch.equal(a, b), name
    for name in ("sample/samples.jsonl", "train/scores.tsv", "train/metrics.csv"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


@pytest.fixture(scope="module")
def unbroken(text_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    run_pipeline(folder, "dataset=text", f"dataset.path={text_file}", *TINY, *ROUNDS)
    return folder


def test_the_same_seed_gives_the_same_bytes(unbroken, text_file, tmp_path):
    run_pipeline(tmp_path / "again", "dataset=text", f"dataset.path={text_file}", *TINY, *ROUNDS)
    assert_same_learning(unbroken, tmp_path / "again")


def test_another_seed_gives_others(unbroken, text_file, tmp_path):
    run_pipeline(tmp_path / "other", "dataset=text", f"dataset.path={text_file}", *TINY, *ROUNDS, "seed=1")
    assert not torch.equal(*(read_weights(f)["readout.weight"] for f in (unbroken, tmp_path / "other")))


@pytest.mark.parametrize("share", [0.01, 0.5, 0.97])
def test_a_training_that_died_and_went_on_equals_an_unbroken_one(
    unbroken, text_file, tmp_path, monkeypatch, share
):
    overrides = ("dataset=text", f"dataset.path={text_file}", *TINY, *ROUNDS)
    steps = torch.load(unbroken / "train" / "last.ckpt", weights_only=True)["global_step"]
    with monkeypatch.context() as patched, pytest.raises(PowerCut):
        patched.setattr(LitModel, "training_step", dying_at(int(share * steps)))
        run_pipeline(tmp_path / "run", *overrides)
    assert "train" not in load_manifest(tmp_path / "run")["stages"]
    run_pipeline(tmp_path / "run", *overrides, f"run={tmp_path / 'run'}")
    assert_same_learning(unbroken, tmp_path / "run")


def test_averaged_weights_are_kept_and_gone_on_with_to_the_bit(text_file, tmp_path, monkeypatch, unbroken):
    overrides = ("dataset=text", f"dataset.path={text_file}", *TINY, *ROUNDS, "train.ema_decay=0.99")
    run_pipeline(tmp_path / "whole", *overrides)
    with monkeypatch.context() as patched, pytest.raises(PowerCut):
        patched.setattr(LitModel, "training_step", dying_at(150))
        run_pipeline(tmp_path / "broken", *overrides)
    run_pipeline(tmp_path / "broken", *overrides, f"run={tmp_path / 'broken'}")
    assert_same_learning(tmp_path / "whole", tmp_path / "broken")
    # The average is only looked at: what is learned is as without it, what is kept is not.
    last, last_plain = (
        torch.load(folder / "train" / "last.ckpt", weights_only=True)["state_dict"]
        for folder in (tmp_path / "whole", unbroken)
    )
    assert all(torch.equal(last[name], last_plain[name]) for name in last)
    kept, kept_plain = (read_weights(folder)["readout.weight"] for folder in (tmp_path / "whole", unbroken))
    assert not torch.equal(kept, kept_plain)


def test_a_loss_that_is_not_finite_ends_in_a_clear_error(text_file, tmp_path, monkeypatch):
    forward = RecurrentModel.forward

    def exploding(model, *args):
        logits, state = forward(model, *args)
        return logits * math.nan, state

    monkeypatch.setattr(RecurrentModel, "forward", exploding)
    with pytest.raises(
        DataError, match=r"loss is not finite at step \d+.*lower train\.lr .* or train\.gradient_clip_val"
    ):
        run_pipeline(tmp_path / "run", "dataset=text", f"dataset.path={text_file}", *TINY)


def test_a_loss_that_explodes_ends_the_training_and_the_run_goes_on_with_the_best(
    text_file, tmp_path, monkeypatch
):
    step = LitModel.training_step
    half = 250

    def training_step(module, window):
        return step(module, window) * (math.inf if module.global_step == half else 1)

    monkeypatch.setattr(LitModel, "training_step", training_step)
    manifest = run_pipeline(tmp_path / "run", "dataset=text", f"dataset.path={text_file}", *TINY, *ROUNDS)
    said = manifest["stages"]["train"]["summary"]
    assert any("the best checkpoint is kept and used, best.ckpt of step" in line for line in said), said
    assert all(torch.isfinite(weight).all() for weight in read_weights(tmp_path / "run").values())
    kept = torch.load(tmp_path / "run" / "train" / "last.ckpt", weights_only=True)
    assert 0 < kept["global_step"] <= half
    assert all(torch.isfinite(weight).all() for weight in kept["state_dict"].values())


def test_a_learning_rate_far_too_high_ends_in_a_clear_error(text_file, tmp_path):
    wild = ("train.lr=9.9", "train.gradient_clip_val=1e8", "train.weight_decay=10")
    with pytest.raises(DataError, match=r"before anything was learned; lower train\.lr \(now 9\.9\)"):
        run_pipeline(tmp_path / "run", "dataset=text", f"dataset.path={text_file}", *TINY, *ROUNDS, *wild)


def test_training_stops_where_nothing_is_gained(text_file, tmp_path):
    patient = ("train.max_epochs=40", "train.patience=2", "train.lr=1e-9")
    run_pipeline(tmp_path / "run", "dataset=text", f"dataset.path={text_file}", *TINY, *patient)
    with (tmp_path / "run" / "train" / "metrics.csv").open() as stream:
        validations = [row for row in csv.DictReader(stream) if row["validation_bits"]]
    assert len(validations) == 3


def test_a_budget_ends_the_training(text_file, tmp_path):
    begun = ("train.max_epochs=100000", "budget=1s", "stages=[ingest,train]")
    manifest = run_pipeline(tmp_path / "run", "dataset=text", f"dataset.path={text_file}", *TINY, *begun)
    assert 1.0 < manifest["stages"]["train"]["seconds"] < 20


def test_the_best_checkpoint_has_the_fewest_bits_on_validation(unbroken):
    loaded, corpus = load(unbroken / "train" / "best.ckpt"), Corpus.open(unbroken / "ingest")
    with (unbroken / "train" / "metrics.csv").open() as stream:
        logged = [float(row["validation_bits"]) for row in csv.DictReader(stream) if row["validation_bits"]]
    assert evaluate(loaded.model, corpus, "validation").bits == pytest.approx(min(logged), rel=1e-6)


def test_the_tested_bits_are_in_the_manifest(unbroken):
    loaded, corpus = load(unbroken / "train" / "best.ckpt"), Corpus.open(unbroken / "ingest")
    figures = json.loads((unbroken / "manifest.json").read_text())["stages"]["train"]["figures"]
    assert evaluate(loaded.model, corpus, "test").bits == pytest.approx(figures["test_bits"], rel=1e-9)
