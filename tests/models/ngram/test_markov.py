from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.models.ngram.markov import Markov, shuffle_keeping_pairs

START, END = 0, 1
COMPLEMENT = np.array([0, 4, 3, 2, 1, 5])

texts = st.lists(st.lists(st.integers(2, 5), max_size=12), min_size=1, max_size=6)


def lay(texts):
    """Codes and segments of sequences, each led by START and closed by END, START outside the segments."""
    codes, segments = [], []
    for text in texts:
        begin = len(codes) + 1
        codes += [START, *text, END]
        segments.append((begin, len(codes)))
    return np.array(codes, np.uint8), segments


class Naive:
    """The recursion as the docstring of `Markov` states it, one symbol at a time."""

    def __init__(self, sequences, vocab_size, weights):
        self.vocab_size, self.weights = vocab_size, weights
        self.counts, self.successors = Counter(), {}
        for sequence in sequences:
            for order in range(len(weights)):
                padded = ["start"] * order + list(sequence)
                for i, symbol in enumerate(sequence):
                    context = tuple(padded[i : i + order])
                    self.counts[context, symbol] += 1
                    self.counts[context] += 1
                    self.successors.setdefault(context, set()).add(symbol)

    def probability(self, history, symbol):
        answer = 1 / self.vocab_size
        for order, weight in enumerate(self.weights):
            context = tuple((["start"] * order + list(history))[len(history) :])
            if context in self.successors:
                escape = weight * len(self.successors[context])
                answer = (self.counts[context, symbol] + escape * answer) / (self.counts[context] + escape)
        return answer


@settings(deadline=None)
@given(train=texts, scored=texts, order=st.integers(0, 4))
def test_probabilities_are_those_of_a_naive_model(train, scored, order):
    weights = [0.5 + k for k in range(order + 1)]
    model = Markov.fit(*lay(train), 6, weights, start_code=START)
    naive = Naive([[*t, END] for t in train], 6, weights)
    expected = [naive.probability(t[:i], ([*t, END])[i]) for t in scored for i in range(len(t) + 1)]
    assert np.exp(model.log_probabilities(*lay(scored))) == pytest.approx(expected)


@settings(deadline=None)
@given(train=texts, history=st.lists(st.integers(2, 5), max_size=6), order=st.integers(0, 5))
def test_probabilities_sum_to_one_over_the_vocabulary(train, history, order):
    model = Markov.fit(*lay(train), 6, [0.7] * (order + 1))
    last = [
        model.log_probabilities(np.array([*history, symbol]), [(0, len(history) + 1)])[-1]
        for symbol in range(6)
    ]
    assert np.exp(last).sum() == pytest.approx(1)


def test_a_long_segment_scores_the_same_in_one_piece_and_in_many(monkeypatch):
    codes = np.random.default_rng(0).integers(1, 5, 3000).astype(np.uint8)
    model = Markov.fit(codes, [(0, 2000)], 5, [1.0] * 5)
    whole = model.log_probabilities(codes, [(10, 2990), (2995, 3000)])
    original = model.log_probabilities.__globals__["_batches"]
    monkeypatch.setattr("pipeline.models.ngram.markov._batches", lambda s, k: original(s, k, most=64))
    assert np.array_equal(model.log_probabilities(codes, [(10, 2990), (2995, 3000)]), whole)


def test_a_start_symbol_inside_a_segment_ends_the_context_and_costs_nothing():
    codes, segments = lay([[2, 3, 3], [3, 2], [2, 2, 4]])
    apart = Markov.fit(codes, segments, 6, [1.0] * 4, start_code=START)
    together = Markov.fit(codes, [(0, len(codes))], 6, [1.0] * 4, start_code=START)
    scores = together.log_probabilities(codes, [(0, len(codes))])
    assert (scores[codes == START] == 0).all()
    assert np.array_equal(scores[codes != START], apart.log_probabilities(codes, segments))


def test_both_strands_score_a_sequence_and_its_reverse_complement_alike():
    codes = np.random.default_rng(1).integers(1, 5, 500).astype(np.uint8)
    model = Markov.fit(codes, [(0, 200), (200, 500)], 5, [1.0] * 4, complement=COMPLEMENT)
    turned = COMPLEMENT[codes[::-1]]
    # Count by count the model is symmetric: the mean over whole gram tables agrees, whatever the ends do.
    forward = Markov.fit(codes, [(0, 200), (200, 500)], 5, [1.0] * 4)
    backward = Markov.fit(turned, [(0, 300), (300, 500)], 5, [1.0] * 4)
    for both, one, other in zip(model.levels, forward.levels, backward.levels, strict=True):
        assert both.counts.sum() == one.counts.sum() + other.counts.sum()
    again = Markov.fit(turned, [(0, 300), (300, 500)], 5, [1.0] * 4, complement=COMPLEMENT)
    assert np.array_equal(
        model.log_probabilities(codes, [(0, 500)]), again.log_probabilities(codes, [(0, 500)])
    )


@settings(deadline=None)
@given(order=st.integers(0, 3), seed=st.integers(0, 99))
def test_samples_follow_the_probabilities(order, seed):
    rng = np.random.default_rng(seed)
    codes, segments = lay(rng.integers(2, 4, (20, 6)).tolist())
    model = Markov.fit(codes, segments, 5, [1.0] * (order + 1), start_code=START)
    drawn = model.sample(4000, 2, rng, forbidden=[END])
    found = Counter(tuple(row) for row in drawn)
    allowed = [2, 3, 4]
    expected = {}
    for first in allowed:
        for second in allowed:
            expected[first, second] = np.exp(
                model.log_probabilities(np.array([first, second]), [(0, 2)]).sum()
            )
    # With END forbidden each step is renormalised over what is left.
    for first in allowed:
        step = [
            np.exp(model.log_probabilities(np.array([first, s]), [(0, 2)])[1]) for s in range(5) if s > END
        ]
        start = [np.exp(model.log_probabilities(np.array([s]), [(0, 1)])[0]) for s in range(5) if s > END]
        for second in allowed:
            share = expected[first, second] / sum(start) / sum(step)
            assert found[first, second] / 4000 == pytest.approx(share, abs=0.04)


def test_samples_end_at_the_end_symbol_and_go_on_from_a_prime():
    model = Markov.fit(*lay([[2, 3, 4, 5]] * 3), 6, [1e-9] * 3, start_code=START)
    rng = np.random.default_rng(0)
    assert [row.tolist() for row in model.sample(2, 9, rng, end_code=END)] == [[2, 3, 4, 5]] * 2
    assert [row.tolist() for row in model.sample(1, 9, rng, END, prime=[2, 3])] == [[4, 5]]
    assert model.sample(1, 3, rng, END)[0].tolist() == [2, 3, 4]
    assert model.sample(3, 5, np.random.default_rng(7))[0].dtype == np.uint8


def test_the_same_seed_gives_the_same_samples():
    model = Markov.fit(*lay([[2, 3, 4, 5, 5, 2]] * 3), 6, [1.0] * 3, start_code=START)
    one, two = (model.sample(5, 40, np.random.default_rng(3)) for _ in range(2))
    assert [row.tolist() for row in one] == [row.tolist() for row in two]


def test_all_symbols_forbidden_is_an_error():
    model = Markov.fit(*lay([[2, 3]]), 4, [1.0], start_code=START)
    with pytest.raises(DataError, match="every symbol is forbidden"):
        model.sample(1, 3, np.random.default_rng(0), forbidden=[1, 2, 3])


@settings(deadline=None)
@given(codes=st.lists(st.integers(0, 4), max_size=60), seed=st.integers(0, 9))
def test_a_shuffle_keeps_every_pair_and_the_ends(codes, seed):
    codes = np.array(codes, np.uint8)
    shuffled = shuffle_keeping_pairs(codes, np.random.default_rng(seed))
    assert shuffled.dtype == codes.dtype
    assert Counter(pairwise(shuffled.tolist())) == Counter(pairwise(codes.tolist()))
    assert shuffled[:1].tolist() == codes[:1].tolist()
    assert shuffled[-1:].tolist() == codes[-1:].tolist()


def test_a_shuffle_is_uniform_over_the_sequences_with_those_pairs():
    codes, rng = np.array([0, 1, 0, 2, 0, 1, 1, 2, 0]), np.random.default_rng(0)
    possible = set()
    wanted = Counter(pairwise(codes.tolist()))

    def extend(row, left):
        if not left:
            possible.add(tuple(row))
        for pair in list(left):
            if pair[0] == row[-1]:
                extend([*row, pair[1]], left - Counter([pair]))

    extend([0], wanted)
    drawn = Counter(tuple(shuffle_keeping_pairs(codes, rng).tolist()) for _ in range(6000))
    assert set(drawn) == possible
    mean = 6000 / len(possible)
    chi_square = sum((n - mean) ** 2 / mean for n in drawn.values())
    # 99.99% point of the chi-square distribution is below twice the degrees of freedom plus 20.
    assert chi_square < 2 * (len(possible) - 1) + 20
