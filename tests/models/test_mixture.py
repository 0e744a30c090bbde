"""Tests of the mixture alone: its training text, its training, and damaged files."""

import copy
import dataclasses
import itertools
import warnings

import numpy as np
import pytest
import torch
from tiny import some_dna, some_tunes

from pipeline.config.schema import SplitSettings, TrainSettings
from pipeline.data.alphabet import BOS, SPECIALS, Alphabet
from pipeline.data.corpus import Corpus
from pipeline.domains.genome.domain import Nucleotide
from pipeline.domains.music.abc.domain import Abc
from pipeline.errors import ConfigError, DataError
from pipeline.evaluation.bits import evaluate
from pipeline.generation.engine import draw
from pipeline.generation.request import Request
from pipeline.generation.surprisal import compute_surprisals
from pipeline.models.checkpoint import KEY, describe, load
from pipeline.models.context_mixing.training_index import TrainingIndex
from pipeline.models.mixture import Mixture
from pipeline.models.model import Model
from pipeline.stages.ingest import ingest
from pipeline.training.inputs import TrainInputs
from pipeline.training.trainer import fit

NODE = {
    "_target_": "pipeline.models.mixture.Mixture", "hidden_size": 6, "num_layers": 1, "orders": [1, 2, 11],
    "gate_size": 5,
}  # fmt: skip
DNA, LARGE = Alphabet("ACGT"), Alphabet("abcdefghijklmnopqrstuvwxyz")


def make_text(alphabet: Alphabet, size: int = 300, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(1, len(alphabet) - len(SPECIALS) + 1, size).astype(np.uint8)


def make_model(alphabet: Alphabet, seed: int = 3, cell: str = "lstm"):
    """A model with a text, and gates that open."""
    torch.manual_seed(seed)
    settings = {name: value for name, value in NODE.items() if name != "_target_"}
    model = Mixture(cell, **settings).build(len(alphabet)).eval()
    complement = np.array([0, 4, 3, 2, 1], np.uint8) if alphabet is DNA else None
    index = TrainingIndex.from_pieces(model.layout, [make_text(alphabet)], complement)
    model.text = torch.from_numpy(index.text)
    if complement is not None:
        model.complement = torch.from_numpy(complement)
    return model


def make_codes(alphabet: Alphabet, rows: int = 3) -> torch.Tensor:
    """Sequences of which one is a copy of the model's text."""
    x = np.stack([make_text(alphabet, 60, seed) for seed in range(rows)]).astype(np.int64)
    return torch.from_numpy(np.pad(x + len(SPECIALS) - 1, ((0, 0), (1, 0)), constant_values=BOS))


def content(model, alphabet: Alphabet) -> dict:
    weights = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    return {"state_dict": weights, KEY: describe(NODE, alphabet)}


@pytest.mark.parametrize("alphabet", [DNA, LARGE], ids=["dense", "large"])
def test_a_checkpoint_brings_the_text_along(alphabet, tmp_path):
    model, inputs = make_model(alphabet), make_codes(alphabet)
    torch.save(content(model, alphabet), tmp_path / "best.ckpt")
    loaded = load(tmp_path / "best.ckpt").model
    expected = model(inputs)[0]
    assert torch.equal(loaded(inputs)[0], expected)
    model.text, model._library = torch.zeros(0, dtype=torch.uint8), None
    assert not torch.allclose(model(inputs)[0], expected)


@pytest.mark.parametrize("alphabet", [DNA, LARGE], ids=["dense", "large"])
@pytest.mark.parametrize("widths", [[1] * 61, [40, 1, 20]], ids=["ones", "mixed"])
def test_calls_of_any_width_give_the_logits_of_one(alphabet, widths):
    model, inputs = make_model(alphabet), make_codes(alphabet)
    state, parts = None, []
    for part in inputs.split(widths, 1):
        logits, state = model(part, state)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, 1), model(inputs)[0])


@pytest.mark.parametrize("alphabet", [DNA, LARGE], ids=["dense", "large"])
def test_a_model_that_believes_copies_goes_on_with_one(alphabet):
    model, text = make_model(alphabet), make_text(alphabet)
    torch.nn.init.zeros_(model.gate[2].weight)
    torch.nn.init.constant_(model.gate[2].bias, 3.0)
    letters = alphabet.decode(text.astype(np.int64) + len(SPECIALS) - 1)
    request = Request(2, 90, seed=1, prime=letters[:30], open_ended=True, temperature=0)
    for sample in draw(model, alphabet, request):
        assert sample.symbols == letters[:90]
    model.set_copy_weight(0.0)
    assert next(iter(draw(model, alphabet, request))).symbols != letters[:90]


@pytest.mark.parametrize("alphabet", [DNA, LARGE], ids=["dense", "large"])
@pytest.mark.parametrize("open_ended", [True, False])
def test_a_sample_is_the_same_among_any_number_and_with_any_number_of_threads(alphabet, open_ended):
    model = make_model(alphabet)
    request = Request(300, 40, seed=5, open_ended=open_ended)
    many = list(draw(model, alphabet, request))
    assert list(draw(model, alphabet, dataclasses.replace(request, count=1))) == many[:1]
    assert list(draw(model, alphabet, dataclasses.replace(request, count=66), first=60)) == many[60:66]
    assert list(draw(model, alphabet, request, threads=3)) == many
    assert len({sample.symbols for sample in many}) > 100


class Plain(Model):
    """A model in double precision that offers nothing but its forward."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = copy.deepcopy(model).double()

    def forward(self, symbols, state=None):
        return self.model(symbols, state)


@pytest.mark.parametrize("alphabet", [DNA, LARGE], ids=["dense", "large"])
def test_the_compiled_step_gives_the_probabilities_of_the_model(alphabet):
    model, codes = make_model(alphabet, cell="gru"), make_codes(alphabet)[:, 1:].numpy()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)  # biases, too
    fast, slow = (list(compute_surprisals(each, codes, with_end=True)) for each in (model, Plain(model)))
    np.testing.assert_allclose(fast, slow, atol=2e-5)


def test_a_code_that_is_none_is_refused_before_it_is_looked_up():
    with pytest.raises(IndexError):
        make_model(DNA)(torch.tensor([[BOS, 7, 200]]))


def test_a_trace_has_the_logits_of_the_model():
    model, inputs = make_model(DNA), make_codes(DNA, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(model, inputs)
    torch.testing.assert_close(traced(inputs)[0], model(inputs)[0])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("text", torch.zeros(9), "text of shape (9,) and type torch.float32"),
        ("text", torch.zeros(3, 3, dtype=torch.uint8), "text of shape (3, 3)"),
        ("text", torch.tensor([0, 1, 5, 0], dtype=torch.uint8), "text has letter 5, of 4"),
        ("text", "ACGT", "no attribute"),
        ("text", None, "Missing key"),
        ("complement", torch.arange(5), "complement of shape (5,) and type torch.int64"),
        ("complement", torch.zeros(4, dtype=torch.uint8), "complement of shape (4,)"),
        ("complement", torch.tensor([0, 4, 3, 2, 9], dtype=torch.uint8), "complement has letter 9, of 4"),
        ("complement", torch.tensor([0, 4, 4, 2, 1], dtype=torch.uint8), "does not map back"),
        ("complement", None, "Missing key"),
    ],
)
def test_a_damaged_text_is_an_error(name, value, message, tmp_path):
    whole = content(make_model(DNA), DNA)
    whole["state_dict"][f"model.{name}"] = value
    if value is None:
        del whole["state_dict"][f"model.{name}"]
    torch.save(whole, tmp_path / "best.ckpt")
    with pytest.raises(DataError) as caught:
        load(tmp_path / "best.ckpt")
    assert "best.ckpt: the checkpoint does not fit together" in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "rnn"}, "model.cell"),
        ({"orders": [3, 0]}, "0 is not between 1 and 32"),
        ({"copy_after": 33}, "33 is not between 1 and 32"),
        ({"gate_size": 0}, "model.gate_size=0 is not between 1 and 65536"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ConfigError) as caught:
        Mixture(**settings)
    assert message in str(caught.value)


def test_too_many_symbols_are_an_error():
    Mixture().build(255 + len(SPECIALS))
    with pytest.raises(ConfigError, match="at most 255 symbols, and the data have 256"):
        Mixture().build(256 + len(SPECIALS))


@pytest.fixture
def make_inputs(tmp_path):
    """A tiny training on DNA or tunes."""

    def make(kind: str, epochs: int = 2) -> TrainInputs:
        folder = tmp_path / f"{kind}_corpus"
        domain = Nucleotide() if kind == "dna" else Abc()
        if not folder.exists():
            folder.mkdir()
            path = tmp_path / ("some.fa" if kind == "dna" else "some.abc")
            path.write_text(">one\n" + some_dna(6_000) if kind == "dna" else some_tunes(40))
            ingest([path], domain, SplitSettings(), "error", folder)
        settings = TrainSettings(
            max_epochs=epochs, batch_size=8, bptt_steps=16, previews=[], accelerator="cpu"
        )
        return TrainInputs(Corpus.open(folder), domain, NODE, settings, None, None, 0)

    return make


@pytest.mark.parametrize("kind", ["dna", "tunes"])
def test_a_training_learns_and_leaves_a_model_with_its_text(kind, make_inputs, tmp_path):
    inputs, folder = make_inputs(kind), tmp_path / "train"
    folder.mkdir()
    assert fit(inputs, folder) is None
    assert not list(folder.glob("evidence*"))
    model, corpus = load(folder / "best.ckpt").model, inputs.corpus
    assert (len(model.complement) > 0) == (kind == "dna")
    train = int((corpus.codes[corpus.subset_segments("train")[0, 0] :][:50] >= len(SPECIALS)).sum())
    assert len(model.text) > train
    untrained = Mixture(hidden_size=6, num_layers=1).build(len(corpus.alphabet))
    assert evaluate(model, corpus, "test").bits < evaluate(untrained, corpus, "test").bits


@pytest.mark.parametrize("kind", ["dna", "tunes"])
def test_compiled_samples_of_a_checkpoint_are_the_plain_ones(kind, make_inputs, tmp_path):
    fit(make_inputs(kind), tmp_path)
    loaded = load(tmp_path / "best.ckpt")
    model, alphabet = loaded.model, loaded.alphabet
    learned = alphabet.decode(model.text[1:41].numpy().astype(np.int64) + len(SPECIALS) - 1)
    request = Request(40, 60, seed=2, primes=(learned, learned[:2]), temperature=0.7, top_p=0.95)
    drawn = []
    for share, typical_p in ((1.0, None), (1.0, 0.9), (0.4, None), (0.0, None)):
        model.set_copy_weight(share)
        request = dataclasses.replace(request, typical_p=typical_p)  # with which a step at a time is compiled
        fast, slow = (list(draw(each, alphabet, request)) for each in (model, Plain(model)))
        assert [each.symbols for each in fast] == [each.symbols for each in slow]
        nats = [each.log_probability for each in slow]
        assert [each.log_probability for each in fast] == pytest.approx(nats, abs=1e-4)
        drawn.append([each.symbols for each in fast])
    assert all(one != other for one, other in itertools.pairwise(drawn))


def test_a_broken_training_goes_on_as_if_it_had_not_been(make_inputs, tmp_path, monkeypatch):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
    fit(make_inputs("dna"), whole)

    from pipeline.training.lit_module import LitModel

    ends = LitModel.on_train_epoch_end

    def dies(self: LitModel) -> None:
        ends(self)
        if self.trainer.current_epoch == 1:
            raise OSError("the machine went off")

    with monkeypatch.context() as patch:
        patch.setattr(LitModel, "on_train_epoch_end", dies)
        with pytest.raises(OSError, match="went off"):
            fit(make_inputs("dna"), broken)
    assert (broken / "last.ckpt").exists()
    fit(make_inputs("dna"), broken)
    one, two = (torch.load(folder / "last.ckpt", weights_only=True) for folder in (whole, broken))
    assert one["global_step"] == two["global_step"]
    for name, tensor in one["state_dict"].items():
        assert torch.equal(tensor, two["state_dict"][name]), name
    assert not list(broken.glob("evidence*"))
