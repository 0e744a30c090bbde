"""Beam search, spans and scores, on real models of every family."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from pipeline.config.sampling import FillSettings
from pipeline.data.alphabet import BOS, EOS, Alphabet
from pipeline.domains.genome.domain import Nucleotide
from pipeline.errors import ConfigError
from pipeline.generation.beam_search import search
from pipeline.generation.infilling import Gap, fill
from pipeline.generation.request import Request
from pipeline.generation.surprisal import compute_surprisals
from pipeline.models.min_gru import MinGru
from pipeline.models.mixture import Mixture
from pipeline.models.recurrent import Recurrent
from pipeline.models.state import BatchAxes
from pipeline.models.transformer import Transformer

DNA = Alphabet("ACGT")


class WithEnds(Nucleotide):
    """Bases that come to an end."""

    open_ended = False


FAMILIES = {
    "rnn": Recurrent("rnn", 8, 1), "lstm": Recurrent("lstm", 8, 2), "gru": Recurrent("gru", 8, 2),
    "min_gru": MinGru(8, 2), "transformer": Transformer(8, 1, heads=2, context=4),
    "mixture": Mixture(hidden_size=8, num_layers=1, copy_after=2, repeat_after=2, orders=[1, 2]),
}  # fmt: skip


def model_of(family: str) -> torch.nn.Module:
    torch.manual_seed(3)
    model = FAMILIES[family].build(len(DNA)).eval()
    if family == "mixture":
        model.add_text(DNA.encode("GATTACATTAGGATTACCA" * 4))
    return model


def log_probability(model: torch.nn.Module, codes: list[int], start: int) -> float:
    with torch.no_grad():
        logits = model(torch.tensor([[BOS, *codes[:-1]]]))[0][0].double()
    return float(logits.log_softmax(-1).gather(-1, torch.tensor(codes)[:, None])[start:].sum())


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_of_a_state_can_be_chosen(family):
    model = model_of(family)
    symbols = torch.from_numpy(np.random.default_rng(1).integers(3, 7, (3, 9)))
    rows = torch.tensor([2, 0, 2])
    with torch.inference_mode():
        axes, whole = BatchAxes(model), model(symbols[rows])[0]
        state = axes.select(model(symbols[:, :5])[1], rows)
        assert torch.allclose(model(symbols[rows, 5:], state)[0], whole[:, 5:], atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_beam_that_is_wide_enough_finds_the_best_sequences(family):
    model = model_of(family)
    every = [list(codes) for codes in itertools.product(range(3, 7), repeat=4)]
    prime = DNA.encode("GA").astype(int).tolist()
    values = {DNA.decode(prime + codes): log_probability(model, prime + codes, 2) for codes in every}
    best = sorted(values, key=values.get, reverse=True)[:5]
    found = list(search(model, DNA, Request(5, 6, 0, "GA", open_ended=True), 256, 1.0))
    assert [each.symbols for each in found] == best
    for each in found:
        assert each.log_probability == pytest.approx(values[each.symbols], abs=2e-3)
        assert each.ranked_by == pytest.approx(each.log_probability / 4) and not each.ended


def test_a_beam_finds_sequences_that_end_and_weighs_their_lengths():
    model = model_of("lstm")
    for power in (0.0, 0.7, 2.0):
        found = list(search(model, DNA, Request(6, 8, 0), 64, power))
        assert [each.ranked_by for each in found] == sorted((e.ranked_by for e in found), reverse=True)
        for each in found:
            codes = [*DNA.encode(each.symbols).tolist(), *([EOS] if each.ended else [])]
            assert each.log_probability == pytest.approx(log_probability(model, codes, 0), abs=1e-4)
            assert each.ranked_by == pytest.approx(each.log_probability / len(codes) ** power)
    lengths = [
        np.mean([len(each.symbols) for each in search(model, DNA, Request(6, 8, 0), 64, power)])
        for power in (0.0, 2.0)
    ]
    assert lengths[0] < lengths[1]


def test_a_wider_beam_is_no_worse_than_the_greedy_one():
    model, request = model_of("gru"), Request(1, 20, 0, open_ended=True)
    ranks = [next(search(model, DNA, request, width, 1.0)).ranked_by for width in (1, 32)]
    assert ranks[1] >= ranks[0]


@pytest.mark.parametrize("family", ["lstm", "transformer"])  # compiled, and not
@pytest.mark.parametrize("with_end", [True, False])
def test_surprisals_are_those_of_each_sequence_alone(family, with_end):
    model = model_of(family)
    rng = np.random.default_rng(2)
    sequences = [rng.integers(3, 7, size) for size in (700, 1, 30, 0, *[5] * 66)]
    for codes, nats in zip(sequences, compute_surprisals(model, sequences, with_end), strict=True):
        whole = [*codes.tolist(), *([EOS] if with_end else [])]
        assert len(nats) == len(whole)
        if whole:
            assert -nats.sum() == pytest.approx(log_probability(model, whole, 0), rel=1e-5)


def test_a_gap_is_filled_by_what_is_likeliest_with_the_right_side():
    model = model_of("lstm")
    request = Request(4, 5, 7, "GA", open_ended=True)
    settings = FillSettings("TTACA", 1, 3, 3000)
    found = list(fill(model, DNA, request, Gap(WithEnds(), settings, "TTACA")))
    every = {
        DNA.decode(middle): log_probability(
            model, [*DNA.encode("GA"), *middle, *DNA.encode("TTACA"), EOS], 2
        ) / (len(middle) + 6)
        for size in (1, 2, 3) for middle in itertools.product(range(3, 7), repeat=size)
    }  # fmt: skip
    best = sorted(every, key=every.get, reverse=True)[:4]
    assert [each.symbols[2:-5] for each in found] == best
    for each in found:
        assert each.symbols.startswith("GA") and each.symbols.endswith("TTACA") and each.ended
        assert each.ranked_by == pytest.approx(every[each.symbols[2:-5]], abs=1e-4)
        codes = [*DNA.encode(each.symbols).tolist(), EOS]
        assert each.log_probability == pytest.approx(log_probability(model, codes, 2), abs=1e-4)


def test_a_right_side_that_is_not_known_is_an_error():
    request = Request(4, 5, 7, "GA", open_ended=True)
    with pytest.raises(ConfigError, match=r"sample\.fill\.right: symbol 'X'"):
        list(fill(model_of("rnn"), DNA, request, Gap(Nucleotide(), FillSettings("AX"), "AX")))
    with pytest.raises(ConfigError, match="but one left side"):
        several = dataclasses.replace(request, primes=("A", "C"))
        list(fill(model_of("rnn"), DNA, several, Gap(Nucleotide(), FillSettings("A"), "A")))
