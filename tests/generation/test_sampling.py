import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.alphabet import BOS, EOS, UNKNOWN, Alphabet
from pipeline.errors import DataError
from pipeline.generation.block_sampler import uniforms
from pipeline.generation.engine import BLOCK, draw
from pipeline.generation.request import Request
from pipeline.generation.token_choice import SamplingParams
from pipeline.models.recurrent import CELLS, Recurrent
from pipeline.records import Sample

LOGITS = torch.tensor([[0.0, 1.0, 2.0, 3.0, -1.0]], dtype=torch.float64)
ALPHABET = Alphabet("ACGT")

# --- decoders ---------------------------------------------------------------------------------------------


def drawn_shares(params: SamplingParams, logits: torch.Tensor, count: int = 20_000) -> np.ndarray:
    numbers = torch.from_numpy((np.arange(count) + 0.5) / count)
    codes = params.choose(logits.expand(count, -1), numbers)
    return np.bincount(codes.numpy(), minlength=logits.shape[-1]) / count


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_codes_are_drawn_with_their_probabilities(temperature):
    expected = (LOGITS / temperature).softmax(-1)[0].numpy()
    assert drawn_shares(SamplingParams(temperature), LOGITS) == pytest.approx(expected, abs=1e-3)


def test_temperature_zero_takes_the_likeliest():
    assert drawn_shares(SamplingParams(0.0), LOGITS)[3] == 1.0
    assert drawn_shares(SamplingParams(0.0, forbidden=(3,)), LOGITS)[2] == 1.0


@pytest.mark.parametrize("temperature", [1e-300, 1e-5])
def test_a_tiny_temperature_overflows_nothing(temperature):
    assert drawn_shares(SamplingParams(temperature), LOGITS)[3] == 1.0


def test_top_k_keeps_the_k_likeliest():
    shares = drawn_shares(SamplingParams(top_k=2), LOGITS)
    assert set(np.flatnonzero(shares)) == {2, 3}
    assert shares[3] / shares[2] == pytest.approx(math.e, rel=0.01)
    assert drawn_shares(SamplingParams(top_k=99), LOGITS) == pytest.approx(
        drawn_shares(SamplingParams(), LOGITS)
    )


def test_top_p_keeps_the_fewest_that_hold_p():
    probabilities = LOGITS.softmax(-1)[0]  # about 0.64 for code 3, 0.24 for code 2, 0.09 for code 1
    assert set(np.flatnonzero(drawn_shares(SamplingParams(top_p=0.5), LOGITS))) == {3}
    assert set(
        np.flatnonzero(drawn_shares(SamplingParams(top_p=float(probabilities[3]) + 0.01), LOGITS))
    ) == {2, 3}
    assert set(np.flatnonzero(drawn_shares(SamplingParams(top_p=1e-9), LOGITS))) == {3}


def test_min_p_keeps_what_is_not_far_below_the_likeliest():
    probabilities = LOGITS.softmax(-1)[0]
    share = float(probabilities[2] / probabilities[3])
    assert set(np.flatnonzero(drawn_shares(SamplingParams(min_p=share - 0.01), LOGITS))) == {2, 3}
    assert set(np.flatnonzero(drawn_shares(SamplingParams(min_p=share + 0.01), LOGITS))) == {3}


def test_typical_keeps_what_is_as_surprising_as_expected():
    # The likeliest tells less than the entropy of 1.4 bits, the middle ones nearly that.
    logits = torch.tensor([[0.7, 0.1, 0.1, 0.1]], dtype=torch.float64).log()
    entropy = 0.7 * math.log2(1 / 0.7) + 0.3 * math.log2(10)
    assert abs(math.log2(10) - entropy) > abs(math.log2(1 / 0.7) - entropy)
    assert set(np.flatnonzero(drawn_shares(SamplingParams(typical_p=0.5), logits))) == {0}
    logits = torch.tensor([[0.4, 0.15, 0.15, 0.15, 0.15]], dtype=torch.float64).log()
    assert set(np.flatnonzero(drawn_shares(SamplingParams(typical_p=0.5), logits))) == {1, 2, 3, 4}


logit_rows = st.lists(st.floats(-50, 50), min_size=4, max_size=4)


@given(
    logit_rows,
    st.floats(0, 3),
    st.sampled_from([None, 1, 3]),
    st.sampled_from([None, 0.2, 0.9]),
    st.sampled_from([None, 0.1, 1.0]),
    st.sampled_from([None, 0.2, 0.9]),
    st.floats(0, 1, exclude_max=True),
)
def test_a_forbidden_code_is_never_chosen(row, temperature, top_k, top_p, min_p, typical_p, number):
    params = SamplingParams(temperature, top_k, top_p, (0, 3), min_p, typical_p)
    logits = torch.tensor([row], dtype=torch.float64)
    assert params.probabilities(logits).sum().item() == pytest.approx(1.0)
    assert params.choose(logits, torch.tensor([number], dtype=torch.float64)).item() in (1, 2)


@pytest.mark.parametrize("number", [0.0, np.nextafter(1.0, 0.0)])
def test_the_ends_of_the_unit_interval_are_codes_too(number):
    logits = torch.tensor([[-torch.inf, 0.0, 0.0, -torch.inf]], dtype=torch.float64)
    assert SamplingParams().choose(logits, torch.tensor([number])).item() in (1, 2)


def test_the_given_logits_stay_as_they_are():
    before = LOGITS.clone()
    SamplingParams(0.5, 2, 0.9, (0,)).probabilities(LOGITS)
    assert torch.equal(LOGITS, before)


# --- the engine -------------------------------------------------------------------------------------------


def small_model(cell: str = "lstm", alphabet: Alphabet = ALPHABET) -> torch.nn.Module:
    torch.manual_seed(3)
    return Recurrent(cell, 16, 2).build(len(alphabet)).eval()


REQUEST = Request(count=5, length=30, seed=11, open_ended=True)


def drawn(request: Request = REQUEST, cell: str = "lstm", **changes) -> list:
    return list(draw(small_model(cell), ALPHABET, dataclasses.replace(request, **changes)))


def test_an_open_ended_sequence_has_exactly_the_length_and_only_symbols():
    for sample in drawn(count=3, prime="GATTACA"):
        assert len(sample.symbols) == 30
        assert sample.symbols.startswith("GATTACA")
        assert set(sample.symbols) <= set("ACGT")
        assert (sample.prime_length, sample.ended) == (7, False)


def test_a_sequence_with_an_end_stops_there():
    samples = drawn(count=40, length=8, open_ended=False)
    ended = [sample for sample in samples if sample.ended]
    assert ended and len(ended) < len(samples)
    assert all(len(sample.symbols) < 8 for sample in ended)
    assert all(len(sample.symbols) == 8 for sample in samples if not sample.ended)


def test_drawing_may_begin_with_any_sample():
    every = drawn(count=BLOCK + 5)
    for first in (3, BLOCK - 1, BLOCK + 2):
        assert (
            list(draw(small_model(), ALPHABET, dataclasses.replace(REQUEST, count=BLOCK + 5), first))
            == (every[first:])
        )


def test_primes_of_several_lengths_go_around():
    primes = ("ACG", "", "GATTACA")
    samples = drawn(count=7, primes=primes)
    for sample in samples:
        prime = primes[sample.index % 3]
        assert sample.symbols.startswith(prime) and len(sample.symbols) == 30
        assert sample.prime_length == len(prime)
    # The same prime and random numbers give the same sequence, whatever else is in the block.
    alone = drawn(count=7, prime="GATTACA")
    assert [s.symbols for s in samples[2::3]] == [s.symbols for s in alone[2::3]]
    assert drawn(count=BLOCK + 2, primes=primes)[:7] == samples


@pytest.mark.parametrize("cell", CELLS)
def test_a_sample_depends_on_its_index_not_on_how_many_are_drawn(cell):
    many = drawn(count=BLOCK + 3, length=12, cell=cell)
    few = drawn(count=2, length=12, cell=cell)
    assert many[:2] == few
    assert [sample.index for sample in many] == list(range(BLOCK + 3))
    assert len({sample.symbols for sample in many}) > BLOCK // 2


def test_a_shorter_sequence_is_the_start_of_a_longer_one():
    for short, long in zip(drawn(length=10), drawn(length=30), strict=True):
        assert long.symbols.startswith(short.symbols)


def test_the_seed_decides():
    assert drawn() == drawn()
    assert [s.symbols for s in drawn()] != [s.symbols for s in drawn(seed=12)]
    assert [s.symbols for s in drawn(seed=2**63 + 1)] != [s.symbols for s in drawn(seed=2**63 + 2)]


def test_random_numbers_come_from_seed_and_index():
    assert np.array_equal(uniforms(1, 2, 5), uniforms(1, 2, 9)[:5])
    assert not np.array_equal(uniforms(1, 2, 5), uniforms(1, 3, 5))
    assert not np.array_equal(uniforms(1, 2, 5), uniforms(2, 1, 5))


@pytest.mark.parametrize("cell", CELLS)
def test_the_log_probability_is_that_of_one_pass_over_the_whole_sequence(cell):
    model = small_model(cell)
    for sample in draw(model, ALPHABET, Request(4, 25, 5, "ACG", temperature=0.8)):
        codes = torch.from_numpy(ALPHABET.encode(sample.symbols).astype(np.int64))
        targets = torch.cat([codes, torch.tensor([EOS])]) if sample.ended else codes
        inputs = torch.cat([torch.tensor([BOS]), targets[:-1]])
        with torch.no_grad():
            logits, _ = model(inputs[None])
        log_probabilities = logits[0].double().log_softmax(-1).gather(-1, targets[:, None])
        assert sample.log_probability == pytest.approx(float(log_probabilities[3:].sum()), rel=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_greedy_samples_follow_the_model(cell):
    """Without chance, the next symbol is the likeliest after everything before it."""
    model = small_model(cell)
    (sample,) = draw(model, ALPHABET, Request(1, 15, 0, open_ended=True, temperature=0.0))
    codes = [BOS]
    for _ in range(15):
        with torch.no_grad():
            logits = model(torch.tensor([codes]))[0][0, -1]
        logits[[BOS, EOS, UNKNOWN]] = -torch.inf
        codes.append(int(logits.argmax()))
    assert sample.symbols == ALPHABET.decode(codes)


def test_drawing_leaves_the_random_numbers_of_torch_alone():
    model = small_model()
    before = torch.get_rng_state()
    list(draw(model, ALPHABET, REQUEST))
    assert torch.equal(torch.get_rng_state(), before)


def test_an_unknown_symbol_in_the_prime_is_an_error():
    with pytest.raises(DataError, match=r"sample\.prime: symbol 'N' at position 3"):
        drawn(prime="ACN")


def test_symbols_of_several_characters():
    notes = Alphabet(["C4", "D4", "E4"])
    samples = draw(small_model(alphabet=notes), notes, Request(2, 8, 0, ("C4", "E4"), open_ended=True))
    for sample in samples:
        assert sample.symbols[:2] == ("C4", "E4")
        assert set(sample.symbols) <= set(notes.symbols)
        assert type(sample).from_json(sample.to_json()) == sample


def test_a_sample_of_line_separators_is_one_line_of_the_file():
    """Some characters end a line for Python's splitlines, but not in a file of JSON lines."""
    sample = Sample(3, 2**60, "a\u2028b\x85c\nd", 0, True, -1.5)
    assert "\n" not in sample.to_json()
    assert Sample.from_json(sample.to_json() + "\n") == sample
