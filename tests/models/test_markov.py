"""A Markov model among the models: what it gives is what its baseline gives."""

import numpy as np
import pytest
import torch
from tiny import load_manifest, run_pipeline, some_dna, some_text

from pipeline.data.alphabet import BOS, EOS, Alphabet
from pipeline.data.corpus import Corpus
from pipeline.domains.text import Text
from pipeline.errors import ConfigError, DataError
from pipeline.evaluation.bits import evaluate
from pipeline.evaluation.markov_baseline import choose_markov_model
from pipeline.generation.engine import draw
from pipeline.generation.request import Request
from pipeline.models.checkpoint import load, save, write_small
from pipeline.models.markov import MarkovChain
from pipeline.models.ngram.markov import Markov
from pipeline.records import Sample

SMALL = ("model=markov", "sample.count=4", "sample.length=60")


@pytest.fixture(scope="module")
def text_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("markov")
    (folder / "words.txt").write_text(some_text(), encoding="utf-8")
    run_pipeline(folder / "run", "dataset=text", f"dataset.path={folder / 'words.txt'}", *SMALL)
    return folder / "run"


def counted(orders: int = 4, vocab_size: int = 9, both: bool = False):
    """A model of random text, and its counts as the baseline has them."""
    codes = np.random.default_rng(0).integers(3, vocab_size, 400).astype(np.uint8)
    text = np.concatenate([[BOS], codes[:150], [BOS], codes[150:]]).astype(np.uint8)
    complement = np.concatenate([np.arange(3), np.arange(3, vocab_size)[::-1]]) if both else None
    model = MarkovChain(max_order=orders - 1).build(vocab_size)
    model.text = torch.from_numpy(text)
    if both:
        model.complement = torch.from_numpy(complement)
    model.escape_weights = torch.linspace(1, 3, orders)
    weights = model.escape_weights.tolist()
    return model, Markov.fit(text, [(0, len(text))], vocab_size, weights, complement, BOS)


@pytest.mark.parametrize("both", [False, True])
def test_its_logits_are_those_of_the_baseline(both):
    model, baseline = counted(both=both)
    codes = np.random.default_rng(1).integers(3, 9, 200)
    with torch.no_grad():
        logits, _ = model(torch.from_numpy(np.concatenate([[BOS], codes[:-1]]))[None])
    found = logits[0].double().log_softmax(-1).numpy()[np.arange(200), codes]
    assert found == pytest.approx(baseline.log_probabilities(codes.astype(np.uint8), [(0, 200)]), abs=1e-5)


def test_compiled_samples_have_the_log_probabilities_of_the_baseline():
    model, baseline = counted()
    alphabet = Alphabet("abcdef")
    for sample in draw(model, alphabet, Request(3, 50, 7, prime="ab")):
        codes = alphabet.encode(sample.symbols)
        nats = baseline.log_probabilities(codes, [(0, len(codes))])[2:]
        end = 0.0
        if sample.ended:
            closed = np.append(codes, EOS).astype(codes.dtype)
            end = baseline.log_probabilities(closed, [(0, len(closed))])[-1]
        assert sample.log_probability == pytest.approx(nats.sum() + end, abs=1e-4)


def test_the_command_trains_samples_and_scores_it_as_its_baseline(text_run):
    stages = load_manifest(text_run)["stages"]
    figures = stages["train"]["figures"]
    assert figures["conclusion"] == "no difference found"
    assert figures["test_bits"] == pytest.approx(figures["markov_bits"], abs=1e-4)
    assert stages["train"]["warnings"] == [] and figures["parameters"] == 0
    lines = (text_run / "sample" / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    assert len([Sample.from_json(line) for line in lines]) == 4


def test_its_checkpoint_is_as_small_as_the_text_and_opens_again(text_run, tmp_path):
    corpus, path = Corpus.open(text_run / "ingest"), text_run / "train" / "best.ckpt"
    assert path.stat().st_size < 2 * corpus.subset_size("train") + 10_000
    bits = evaluate(load(path).model, corpus, "test").bits
    chosen = choose_markov_model(corpus, Text()).best
    assert len(load(path).model.escape_weights) == chosen.order + 1
    write_small(path, tmp_path / "small.ckpt")
    assert evaluate(load(tmp_path / "small.ckpt").model, corpus, "test").bits == pytest.approx(bits, abs=1e-3)


def test_constraints_hold(tmp_path):
    (tmp_path / "a.fa").write_text(">a\n" + some_dna(), encoding="ascii")
    constraint = "sample.constraints=[{kind: motifs, never: [GAA, TTC]}]"
    data = ("dataset=genome", f"dataset.path={tmp_path / 'a.fa'}", "blast=none")
    run_pipeline(tmp_path / "run", *data, *SMALL, constraint, "stages=[ingest,train,sample]")
    lines = (tmp_path / "run" / "sample" / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    drawn = ["".join(Sample.from_json(line).symbols) for line in lines]
    assert len(drawn) == 4 and not any("GAA" in each or "TTC" in each for each in drawn)


@pytest.mark.parametrize(
    ("name", "tensor"),
    [("text", torch.full((9,), 200, dtype=torch.uint8)), ("text", torch.zeros(3, 3, dtype=torch.uint8)),
     ("complement", torch.tensor([99])), ("escape_weights", torch.full((4,), -1.0)),
     ("escape_weights", torch.ones(99))],
)  # fmt: skip
def test_a_checkpoint_that_cannot_be_counted_is_refused(text_run, tmp_path, name, tensor):
    loaded = load(text_run / "train" / "best.ckpt")
    model = loaded.model
    setattr(model, name, tensor)
    save(tmp_path / "odd.ckpt", model, loaded.about)
    with pytest.raises(DataError, match="does not fit together"):
        load(tmp_path / "odd.ckpt")


def test_an_order_out_of_range_is_an_error():
    with pytest.raises(ConfigError, match=r"model\.order=99"):
        MarkovChain(order=99)
