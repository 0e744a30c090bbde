"""Constrained decoding by a grammar: valid samples are kept, others are resampled or masked."""

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
import pytest
import torch

from pipeline.data.alphabet import Alphabet
from pipeline.errors import ConfigError
from pipeline.generation import engine, rejection
from pipeline.generation.constrained.grammar_constraint import GrammarConstraint
from pipeline.generation.constrained.logits_processor import BatchProcessor, LogitsProcessor
from pipeline.generation.engine import draw
from pipeline.generation.request import Request
from pipeline.grammar import Grammar
from pipeline.models.recurrent import Recurrent
from pipeline.records import Sample
from pipeline.segments import Segments

ALPHABET = Alphabet("ab")


class InPairs(Grammar):
    """Every a is followed by a b, and a b never by another: abab."""

    start = ("a",)

    def step(self, component: int, state: Hashable, letter: int) -> Hashable:
        return "ba"[letter]

    def allowed(self, component: int, state: Hashable) -> tuple[frozenset[int], bool]:
        return frozenset({0 if state == "a" else 1}), state == "a"


def drawn(grammar: GrammarConstraint | None, segments: Segments | None = None, **changes) -> list[Sample]:
    torch.manual_seed(1)
    model = Recurrent("gru", 8, 1, segments=segments).build(len(ALPHABET)).eval()
    with torch.no_grad():
        model.readout.bias[2] = 0.5  # the end comes soon
    request = Request(**{"count": 4000, "length": 40, "seed": 5, "grammar": grammar, **changes})
    return list(draw(model, ALPHABET, request))


def is_good(sample: Sample) -> bool:
    return sample.ended and sample.text == "ab" * (len(sample.text) // 2)


def test_a_sequence_that_is_valid_by_itself_is_kept():
    free, guided = drawn(None), drawn(GrammarConstraint(InPairs(), ALPHABET, 3))
    assert all(map(is_good, guided))
    kept = [(one, other) for one, other in zip(free, guided, strict=True) if is_good(one)]
    assert 500 < len(kept) < 3500 and all(one == other for one, other in kept)


def test_resampled_sequences_are_as_frequent_as_valid_ones_of_the_model():
    free = Counter(sample.text for sample in drawn(None) if is_good(sample))
    resampled = Counter(
        sample.text
        for sample in drawn(GrammarConstraint(InPairs(), ALPHABET, 1000, min_allowed_mass=1.0), seed=6)
    )
    masked = Counter(sample.text for sample in drawn(GrammarConstraint(InPairs(), ALPHABET)))
    share = {name: counts[""] / counts.total() for name, counts in
             {"free": free, "resampled": resampled, "masked": masked}.items()}  # fmt: skip
    assert abs(share["resampled"] - share["free"]) < 0.04
    assert abs(share["masked"] - share["free"]) > 0.1


def test_the_greedy_sequence_is_drawn_once_and_by_the_grammar():
    samples = drawn(
        GrammarConstraint(InPairs(), ALPHABET, 10**9, min_allowed_mass=1.0), count=3, temperature=0.0
    )
    assert len({sample.text for sample in samples}) == 1


def test_a_resampled_sequence_has_seen_nothing_of_what_was_dropped():
    looking = Segments(roles=[0, 2], lengths=[1, 0], distances=[1])
    free, guided = (
        drawn(None, looking),
        drawn(GrammarConstraint(InPairs(), ALPHABET, 10, min_allowed_mass=1.0), looking),
    )
    kept = [(one, other) for one, other in zip(free, guided, strict=True) if is_good(one)]
    assert len(kept) > 500 and all(one == other for one, other in kept)
    good = [[sample.text for sample in samples if is_good(sample)] for samples in (free, guided)]
    one, other = (texts.count("ab") / len(texts) for texts in good)
    assert abs(one - other) < 0.04


def test_neither_rows_nor_threads_change_a_resampled_sequence():
    grammar = GrammarConstraint(InPairs(), ALPHABET, 3)
    assert drawn(grammar, count=700)[650:] == drawn(grammar, count=4000)[650:700]


class HasLength(LogitsProcessor):
    """What rejection sampling is tested with: a sequence has exactly so many letters."""

    is_constraint = True

    def __init__(self, length: int) -> None:
        self.length = length

    def find_violation(self, codes: np.ndarray, prime_length: int) -> str | None:
        return None if len(codes) == self.length else f"length {self.length}"

    def start_batch(self, primes: Sequence[np.ndarray], indices: range) -> BatchProcessor:
        return Unchanged()


class Unchanged(BatchProcessor):
    def process(self, logits: torch.Tensor, drawing: torch.Tensor) -> torch.Tensor:
        return logits

    def advance(self, codes: torch.Tensor, drawing: torch.Tensor) -> None:
        pass


def count_draws(monkeypatch) -> list[int]:
    """The indices of all draws from now on."""
    draws, compiled = [], rejection.draw_compiled

    def counted(*arguments):
        draws.extend(arguments[2])
        return compiled(*arguments)

    monkeypatch.setattr(rejection, "draw_compiled", counted)
    return draws


def test_rejection_sampling_gives_the_same_samples_however_many_are_drawn(monkeypatch):
    monkeypatch.setattr(rejection, "MAX_REJECTIONS", 300)  # one draw in ten is good
    grammar = GrammarConstraint(InPairs(), ALPHABET, 3)
    samples = drawn(grammar, count=150, processor=HasLength(4))
    assert all(len(sample.text) == 4 and is_good(sample) for sample in samples)
    assert samples[:9] == drawn(grammar, count=9, processor=HasLength(4))
    assert [sample.index for sample in samples] == list(range(150))


def test_rejection_sampling_draws_again_only_what_is_missing(monkeypatch):
    draws = count_draws(monkeypatch)
    drawn(GrammarConstraint(InPairs(), ALPHABET, 3), count=64, processor=HasLength(2))
    assert len(draws) == len(set(draws)) < 8 * 64


def test_what_is_never_kept_is_refused_after_the_tries_of_one_sample(monkeypatch):
    draws = count_draws(monkeypatch)
    with pytest.raises(ConfigError, match=r"none of 34 tries of sample 0 keeps length 3 .*\(0 of 93 draws"):
        drawn(GrammarConstraint(InPairs(), ALPHABET, 3), count=640, processor=HasLength(3))
    assert len(draws) == engine.BLOCK + rejection.MAX_REJECTIONS - 1
