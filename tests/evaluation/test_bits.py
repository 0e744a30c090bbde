import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.data.alphabet import BOS, EOS
from pipeline.data.corpus import Corpus
from pipeline.evaluation.bits import Tally, evaluate, evaluation_streams
from pipeline.models.model import Model
from pipeline.models.recurrent import CELLS, Recurrent


class Fixed(Model):
    """The same probabilities everywhere: of code c it gives weights[c]."""

    def __init__(self, weights) -> None:
        super().__init__()
        self.logits = torch.tensor(weights, dtype=torch.float64).log()

    def forward(self, symbols, state=None):
        return self.logits.expand(*symbols.shape, -1), state


def one_pass(model: nn.Module, corpus: Corpus, subset: str) -> list[tuple[int, float]]:
    """Place and surprisal in bits of every code, segment by segment, in one long forward pass each."""
    found = []
    for start, stop in corpus.subset_segments(subset):
        codes = torch.from_numpy(corpus.codes[start:stop].astype(np.int64))
        inputs = torch.cat([torch.tensor([BOS]), codes[:-1]])
        with torch.no_grad():
            log2 = model(inputs[None])[0][0].double().log_softmax(-1) / np.log(2)
        found += [(start + at, -log2[at, code].item()) for at, code in enumerate(codes)]
    return found


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("subset", ["train", "validation", "test"])
def test_bits_are_those_of_one_long_pass_over_each_segment(make_corpus, monkeypatch, cell, subset):
    monkeypatch.setattr("pipeline.evaluation.bits.EVALUATION_TIME", 7)
    monkeypatch.setattr("pipeline.evaluation.bits.EVALUATION_STREAMS", 3)
    corpus = make_corpus()
    model = Recurrent(cell, 8, 1).build(len(corpus.alphabet)).eval()
    bits = [each for place, each in one_pass(model, corpus, subset) if corpus.codes[place] != EOS]
    tally = evaluate(model, corpus, subset)
    assert tally.counts.sum() == len(bits)
    assert tally.bits == pytest.approx(np.mean(bits), rel=1e-6)


def test_end_symbols_are_context_but_not_counted(make_corpus):
    corpus = make_corpus()
    size = len(corpus.alphabet)
    uniform = evaluate(Fixed([1.0] * size), corpus, "test")
    assert uniform.bits == pytest.approx(np.log2(size))
    ends = len(corpus.subset_segments("test"))
    assert uniform.counts.sum() == corpus.subset_size("test") - ends


def test_marks_are_scored_apart(make_corpus):
    corpus = make_corpus()
    place = np.arange(len(corpus.codes))
    marked = dataclasses.replace(corpus, mark_names=("plain", "odd"), marks=(place % 2).astype(np.uint8))
    model = Recurrent("gru", 8, 1).build(len(corpus.alphabet)).eval()
    tally = evaluate(model, marked, "train")
    found = [pair for pair in one_pass(model, corpus, "train") if corpus.codes[pair[0]] != EOS]
    for name, parity in (("plain", 0), ("odd", 1)):
        expected = np.mean([bits for place, bits in found if place % 2 == parity])
        assert tally.bits_by_mark[name] == pytest.approx(expected, rel=1e-6)
    assert tally.bits == pytest.approx(evaluate(model, corpus, "train").bits, rel=1e-9)


def test_a_mark_that_does_not_occur_is_left_out(make_corpus):
    corpus = make_corpus()
    none = dataclasses.replace(
        corpus, mark_names=("plain", "odd"), marks=np.zeros(len(corpus.codes), np.uint8)
    )
    assert list(evaluate(Fixed([1.0] * len(corpus.alphabet)), none, "test").bits_by_mark) == ["plain"]


def test_a_tally_begins_at_zero_again(make_corpus):
    tally = Tally(make_corpus())
    tally.add_surprisal(np.array([1.0]), np.array([5]), np.array([0]))
    assert tally.bits == pytest.approx(1 / np.log(2))
    tally.reset()
    assert tally.bits == 0.0


def test_evaluation_reads_every_code_of_a_split(make_corpus):
    corpus = make_corpus()
    streams = evaluation_streams(corpus, "validation")
    places = np.concatenate([w.positions[w.targets >= 0] for w in streams.windows(streams.buckets(None))])
    spans = corpus.subset_segments("validation")
    assert sorted(places) == sorted(np.concatenate([np.arange(start, stop) for start, stop in spans]))
