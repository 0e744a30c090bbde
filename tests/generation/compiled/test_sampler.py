"""Every fast path draws the symbols that the plain one draws, and always the same bytes."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.data.alphabet import Alphabet
from pipeline.generation.block_sampler import uniforms
from pipeline.generation.compiled import philox, sampler, surprisal, token_choice
from pipeline.generation.compiled.export import export_model
from pipeline.generation.engine import draw
from pipeline.generation.request import Request
from pipeline.generation.token_choice import SamplingParams
from pipeline.models.min_gru import MinGru
from pipeline.models.model import Model
from pipeline.models.recurrent import CELLS, Recurrent
from pipeline.segments import Segments

ALPHABET = Alphabet("ACGT")
WIDE = Alphabet(map(chr, range(200, 340)))
SEGMENTS = Segments(roles=[2, 0, 3, 0], lengths=[0, 1, 2.5, 1], distances=[1, 3, 31])
FAMILIES = [
    *(Recurrent(cell, 24, 2) for cell in CELLS),
    *(Recurrent(cell, 24, 3, residual=True, layer_norm=True, tied=True) for cell in CELLS),
    Recurrent("lstm", 40, 1, residual=True), Recurrent("gru", 40, 2, layer_norm=True),
    *(Recurrent(cell, 24, 2, segments=SEGMENTS) for cell in CELLS),
    Recurrent("lstm", 24, 2, residual=True, layer_norm=True, segments=SEGMENTS),
    MinGru(24, 2), MinGru(16, 3, expansion=2),
]  # fmt: skip
SAMPLING_PARAMS = [
    {"temperature": 0.0}, {"temperature": 0.7}, {"temperature": 1.6, "top_k": 3}, {"top_p": 0.8},
    {"top_k": 4, "top_p": 0.7, "min_p": 0.1, "temperature": 1.3}, {"typical_p": 0.9},
]  # fmt: skip


class Plain(Model):
    """A model in double precision that offers nothing but its forward."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model.double()

    def forward(self, symbols, state=None):
        return self.model(symbols, state)


def built(settings, alphabet: Alphabet = ALPHABET, plain: bool = False) -> nn.Module:
    torch.manual_seed(1)
    model = settings.build(len(alphabet)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # Biases and norms too; and logits that lie apart.
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return Plain(model) if plain else model


def assert_same(fast: list, slow: list) -> None:
    assert [sample.symbols for sample in fast] == [sample.symbols for sample in slow]
    assert [sample.ended for sample in fast] == [sample.ended for sample in slow]
    expected = [sample.log_probability for sample in slow]
    assert [sample.log_probability for sample in fast] == pytest.approx(expected, abs=1e-4, rel=1e-5)


REQUEST = Request(count=150, length=40, seed=7, prime="GAT")


@pytest.mark.parametrize("settings", FAMILIES, ids=repr)
@pytest.mark.parametrize("open_ended", [True, False])
def test_compiled_samples_are_the_plain_ones(settings, open_ended):
    request = dataclasses.replace(REQUEST, open_ended=open_ended)
    fast = list(draw(built(settings), ALPHABET, request))
    assert_same(fast, list(draw(built(settings, plain=True), ALPHABET, request)))
    assert len({sample.symbols for sample in fast}) > 40


@pytest.mark.parametrize("params", SAMPLING_PARAMS, ids=str)
@pytest.mark.parametrize("alphabet", [ALPHABET, WIDE], ids=len)
def test_compiled_token_choice_is_the_plain_one(params, alphabet):
    settings = Recurrent("lstm", 24, 2)
    request = Request(100, 30, 3, alphabet.symbols[:2], **params)
    fast = list(draw(built(settings, alphabet), alphabet, request))
    assert_same(fast, list(draw(built(settings, alphabet, plain=True), alphabet, request)))


@pytest.mark.parametrize("settings", [Recurrent("lstm", 24, 2), MinGru(24, 2)], ids=str)
def test_the_same_bytes_for_any_count_order_and_number_of_threads(settings):
    model = built(settings)
    request = dataclasses.replace(REQUEST, count=500)
    every = list(draw(model, ALPHABET, request))
    assert [sample.index for sample in every] == list(range(500))
    assert list(draw(model, ALPHABET, request, threads=3)) == every
    assert list(draw(model, ALPHABET, dataclasses.replace(request, count=1))) == every[:1]
    assert list(draw(model, ALPHABET, dataclasses.replace(request, count=14))) == every[:14]
    assert list(draw(model, ALPHABET, request, first=333)) == every[333:]
    alone = dataclasses.replace(request, count=499)
    assert list(draw(model, ALPHABET, alone, first=498)) == every[498:499]


@pytest.mark.parametrize("int8", [False, True])
@pytest.mark.parametrize("rows", [1, 7, 48])
def test_the_same_bytes_for_any_number_of_rows(rows, int8):
    exported = export_model(built(Recurrent("gru", 40, 2)), int8)
    starts = sampler.start_after_primes(exported, [np.array([0, 3, 4])], [30])
    params = token_choice.compile_sampling_params(SamplingParams(forbidden=(0,)), len(ALPHABET))
    job = sampler.SamplingJob(exported, starts, params, 5)
    all_at_once = sampler.draw_chunk(job, range(100, 190), 96)
    some = sampler.draw_chunk(job, range(100, 190), rows)
    for one, other in zip(all_at_once[1:], some[1:], strict=True):
        assert np.array_equal(one, other)
    for length, one, other in zip(all_at_once[1], all_at_once[0], some[0], strict=True):
        assert np.array_equal(one[:length], other[:length])


def test_primes_of_several_lengths_take_turns():
    request = Request(60, 20, 9, primes=("", "ACGT", "TT"), open_ended=True)
    settings = Recurrent("lstm", 24, 2)
    fast = list(draw(built(settings), ALPHABET, request))
    assert_same(fast, list(draw(built(settings, plain=True), ALPHABET, request)))
    assert all(sample.symbols.startswith(request.primes[sample.index % 3]) for sample in fast)


def test_weights_of_8_bits_give_nearly_the_same_probabilities():
    model = built(Recurrent("lstm", 64, 2))
    request = dataclasses.replace(REQUEST, open_ended=True)
    exact, rounded = (
        list(draw(model, ALPHABET, dataclasses.replace(request, int8=int8))) for int8 in (False, True)
    )
    same = [one.symbols == other.symbols for one, other in zip(exact, rounded, strict=True)]
    assert np.mean(same) > 0.3
    kept = list(itertools.compress(zip(exact, rounded, strict=True), same))
    worse = np.mean([other.bits_per_symbol - one.bits_per_symbol for one, other in kept])
    assert 0 < abs(worse) < 0.005


def test_a_model_elsewhere_or_in_another_precision_takes_the_plain_path():
    model = built(Recurrent("lstm", 24, 2)).double()
    assert len(list(draw(model, ALPHABET, REQUEST))) == REQUEST.count


def test_the_random_numbers_are_those_of_numpy():
    numbers = np.zeros(philox.BLOCK)
    for seed, index in ((0, 0), (5, 7), (2**63 + 1, 2**40)):
        found = []
        for block in range(5):
            philox.fill(np.uint64(seed), np.uint64(index), block, numbers)
            found.extend(numbers)
        assert np.array_equal(found, uniforms(seed, index, len(found)))


def test_a_tie_at_the_edge_of_the_unit_interval_draws_an_allowed_code():
    params = token_choice.compile_sampling_params(SamplingParams(forbidden=(0, 2, 4)), 5)
    logits = np.array([9.0, 0.0, 9.0, 0.0, 9.0], np.float32)
    for number, expected in ((0.0, 1), (0.49, 1), (0.51, 3), (np.nextafter(1.0, 0.0), 3)):
        code, nats = token_choice.choose(logits, params, params.allowed, number, np.empty(5))
        assert code == expected
        assert nats == pytest.approx(float(torch.from_numpy(logits).log_softmax(0)[1]), rel=1e-5)


@pytest.mark.parametrize("settings", FAMILIES[:2], ids=str)
def test_a_step_gives_the_logits_of_the_model(settings):
    model = built(settings)
    step, codes = sampler.DecodeStep(export_model(model), 9), torch.randint(0, 7, (5, 9))
    logits, state = step(codes[:, :6])
    with torch.no_grad():
        expected = model(codes)[0]
    assert torch.allclose(logits[:, 0], expected[:, 5], atol=1e-5)
    logits, _ = step(codes[:, 6:], state)
    assert torch.allclose(logits[:, 0], expected[:, 8], atol=1e-5)


@pytest.mark.parametrize("segments", [None, SEGMENTS])
def test_compiled_reading_finds_the_surprisals_of_the_model(segments):
    model = built(Recurrent("lstm", 24, 2, segments=segments))
    sequences = [np.random.default_rng(n).integers(3, 7, 40 + n) for n in range(3)]
    found = list(surprisal.compute_surprisals(export_model(model), sequences, with_end=False))
    for codes, nats in zip(sequences, found, strict=True):
        with torch.no_grad():
            log_shares = model(torch.tensor([[0, *codes[:-1]]]))[0][0].log_softmax(-1)
        expected = -log_shares[torch.arange(len(codes)), torch.from_numpy(codes)]
        assert np.allclose(nats, expected.numpy(), atol=1e-4)
