"""What every model family of conf/model promises, whatever is inside."""

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import compose_config

from pipeline.config.build import build, plain_settings
from pipeline.config.schema import TrainSettings
from pipeline.data.batching import ContiguousStreams
from pipeline.data.corpus import Corpus
from pipeline.generation.compiled.export import export_model
from pipeline.generation.compiled.sampler import DecodeStep
from pipeline.models.checkpoint import KEY, describe, load
from pipeline.models.model import Model, TrainingEvidence
from pipeline.models.state import detach
from pipeline.runtime.folders import resource_folder
from pipeline.training.lit_module import LitModel, Schedule, TrainingWindows

FAMILIES = sorted(path.stem for path in (resource_folder("conf") / "model").glob("*.yaml"))
LEARNING = [family for family in FAMILIES if family != "markov"]
"""Those with parameters; a Markov model is counted."""
VOCAB, BATCH, TIME = 9, 3, 24
SMALL = {"hidden_size": 8, "num_layers": 2}
SMALLER_STILL = {"transformer": {"heads": 2, "context": 10}}
"""So short a context that it moves on within these few steps."""


def load_node(family: str) -> dict:
    """The family's own file, with small sizes."""
    node = plain_settings(compose_config("dataset=text", f"model={family}").model)
    return {**node, **SMALL, **SMALLER_STILL.get(family, {})}


def small(family: str, vocab_size: int = VOCAB) -> torch.nn.Module:
    torch.manual_seed(0)
    model = build(load_node(family), "model").build(vocab_size).double()
    if family in ("markov", "mixture"):
        letters = np.random.default_rng(2).integers(1, vocab_size - 2, 400).astype(np.uint8)
        model.text = torch.from_numpy(np.concatenate([[0], letters, [0]]).astype(np.uint8))
    return model


def symbols(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).integers(0, VOCAB, shape))


def list_tensors(state) -> list[torch.Tensor]:
    if isinstance(state, tuple):
        return [tensor for part in state for tensor in list_tensors(part)]
    return [state] if isinstance(state, torch.Tensor) else []


def in_pieces(model: torch.nn.Module, inputs: torch.Tensor, widths: list[int]) -> torch.Tensor:
    """The logits of `inputs`, in calls of these widths."""
    state, logits = None, []
    for part in inputs.split(widths, 1):
        found, state = model(part, state)
        logits.append(found)
    return torch.cat(logits, 1)


def test_the_families():
    assert {"gru", "lstm", "min_gru", "rnn", "transformer"} <= set(FAMILIES)


@pytest.mark.parametrize(
    "widths", [[1] * TIME, [7, 1, 1, 12, 3], [TIME - 1, 1]], ids=["ones", "mixed", "last"]
)
@pytest.mark.parametrize("family", FAMILIES)
def test_calls_of_any_width_give_the_logits_of_one(family, widths):
    model, inputs = small(family), symbols(BATCH, TIME)
    whole, _ = model(inputs)
    assert whole.shape == (BATCH, TIME, VOCAB)
    torch.testing.assert_close(in_pieces(model, inputs, widths), whole)


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_is_seen_before_its_time(family):
    model, inputs = small(family), symbols(BATCH, TIME)
    other = inputs.clone()
    other[:, 12] = (other[:, 12] + 1) % VOCAB
    one, two = model(inputs)[0], model(other)[0]
    torch.testing.assert_close(one[:, :12], two[:, :12])
    assert not torch.isclose(one[:, 12], two[:, 12]).all(-1).any()


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_are_independent(family):
    model, inputs = small(family), symbols(BATCH, TIME)
    halves = [TIME // 2, TIME // 2]
    together = in_pieces(model, inputs, halves)
    for row in range(BATCH):
        torch.testing.assert_close(in_pieces(model, inputs[row : row + 1], halves)[0], together[row])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_over_windows_is_that_of_one_long_pass(make_corpus, family):
    corpus, totals = make_corpus(), []
    for time in (7, 100_000):
        streams = ContiguousStreams(corpus.codes, corpus.subset_segments("train"), 4, time)
        feed = TrainingWindows(streams, 0, streams.steps(TrainingWindows(streams, 0, 1).buckets(0)))
        module = LitModel(
            small(family, len(corpus.alphabet)), corpus, TrainSettings(), Schedule(1, 1), feed, {}
        )
        totals.append(sum(float(module.training_step(w).detach()) * w.targets.numel() for w in feed))
    assert totals[0] == pytest.approx(totals[1], rel=1e-6)


@pytest.mark.parametrize("family", LEARNING)
def test_a_detached_state_has_no_history_and_the_same_values(family):
    model, inputs = small(family), symbols(BATCH, TIME)
    _, state = model(inputs)
    assert any(tensor.requires_grad for tensor in list_tensors(state))
    cut = detach(state)
    assert not any(tensor.requires_grad for tensor in list_tensors(cut))
    torch.testing.assert_close(model(inputs, cut)[0], model(inputs, state)[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_state_never_grows_beyond_its_bound(family):
    model, sizes = small(family), []
    state = None
    for _ in range(4):
        _, state = model(symbols(1, TIME), state)
        sizes.append(sum(tensor.numel() for tensor in list_tensors(state)))
    assert len(set(sizes)) == 1


@pytest.mark.parametrize("family", LEARNING)
def test_every_weight_learns_through_a_carried_state(family):
    model, inputs = small(family), symbols(BATCH, TIME)
    _, state = model(inputs)
    logits, _ = model(inputs, detach(state))
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), inputs.roll(1, 1).flatten()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("family", LEARNING)
def test_a_few_steps_learn_more_than_how_often_each_symbol_occurs(family):
    """In single precision, as in training: a text whose symbols only their neighbours tell."""
    model = small(family).float().train()
    text = torch.from_numpy(np.random.default_rng(0).integers(0, 3, (8, 40)).cumsum(1) % VOCAB)
    counts = Counter(text.flatten().tolist())
    order_0 = -sum(n / text.numel() * math.log(n / text.numel()) for n in counts.values())
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    for _ in range(80):
        logits, _ = model(text[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), text[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.8 * order_0


@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_brings_the_same_model_back(make_corpus, family, tmp_path):
    corpus = make_corpus()
    model = small(family, len(corpus.alphabet)).float().eval()
    weights = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    path = tmp_path / "best.ckpt"
    torch.save({"state_dict": weights, KEY: describe(load_node(family), corpus.alphabet)}, path)
    loaded, inputs = load(path), symbols(BATCH, TIME)
    assert torch.equal(loaded.model(inputs)[0], model(inputs)[0])


# --- the interface ----------------------------------------------------------------------------------------


def prepared(family: str, corpus: Corpus, folder: Path) -> tuple[Model, TrainingEvidence | None]:
    torch.manual_seed(0)
    model = build(load_node(family), "model").build(len(corpus.alphabet)).eval()
    return model, model.prepare(corpus, None, folder)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_evidence_of_a_prepared_model_is_what_its_forward_takes(make_corpus, family, tmp_path):
    corpus = make_corpus()
    model, evidence = prepared(family, corpus, tmp_path)
    streams = ContiguousStreams(corpus.codes, corpus.subset_segments("train"), BATCH, TIME)
    window = next(iter(TrainingWindows(streams, 0, 1, evidence)))
    found = [window.evidence] if window.evidence else []
    assert bool(found) == (evidence is not None)
    assert model(window.inputs, None, *found)[0].shape == (*window.inputs.shape, len(corpus.alphabet))
    if evidence is not None:
        evidence.close()


@pytest.mark.parametrize("family", FAMILIES)
def test_exported_weights_step_as_the_model_does(make_corpus, family, tmp_path):
    corpus = make_corpus()
    model, _ = prepared(family, corpus, tmp_path)
    exported = export_model(model)
    assert (exported is None) == (family == "transformer")
    if exported is None:
        return
    inputs, state, steps = symbols(BATCH, TIME), None, []
    stepping = DecodeStep(exported, TIME)
    for step in inputs.split(1, 1):
        logits, state = stepping(step, state)
        steps.append(torch.as_tensor(logits))
    torch.testing.assert_close(torch.cat(steps, 1).float(), model(inputs)[0].float(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_begins_with_the_weights_of_another(make_corpus, family, tmp_path):
    corpus = make_corpus()
    model, _ = prepared(family, corpus, tmp_path)
    torch.manual_seed(1)
    other = build(load_node(family), "model").build(len(corpus.alphabet)).eval()
    other.load_start(model.state_dict())
    assert torch.equal(other(symbols(BATCH, TIME))[0], model(symbols(BATCH, TIME))[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_only_models_that_copy_heed_the_copy_weight(make_corpus, family, tmp_path):
    corpus = make_corpus()
    model, _ = prepared(family, corpus, tmp_path)
    inputs = torch.from_numpy(corpus.codes[:TIME].astype(np.int64))[None]
    before = model(inputs)[0]
    model.set_copy_weight(0.0)
    assert torch.equal(model(inputs)[0], before) == (family != "mixture")
