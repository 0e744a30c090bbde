"""A grammar lets what a model draws by itself stand, where it is good, and keeps to what it allows."""

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
import pytest
import torch

from pipeline.data.alphabet import Alphabet
from pipeline.errors import ConfigError
from pipeline.generation import engine
from pipeline.generation.constrained.grammar import Guide
from pipeline.generation.constrained.logits_processor import Controls, Steering
from pipeline.generation.engine import Request, draw
from pipeline.grammar import Grammar
from pipeline.models.recurrent import Recurrent
from pipeline.records import Sample
from pipeline.segments import Segments

ALPHABET = Alphabet("ab")


class InPairs(Grammar):
    """Every a is followed by a b, and a b never by another: abab."""

    start = ("a",)

    def step(self, strand: int, state: Hashable, letter: int) -> Hashable:
        return "ba"[letter]

    def allowed(self, strand: int, state: Hashable) -> tuple[frozenset[int], bool]:
        return frozenset({0 if state == "a" else 1}), state == "a"


def drawn(guide: Guide | None, segments: Segments | None = None, **changes) -> list[Sample]:
    torch.manual_seed(1)
    model = Recurrent("gru", 8, 1, segments=segments).build(len(ALPHABET)).eval()
    with torch.no_grad():
        model.readout.bias[2] = 0.5  # the end comes soon
    request = Request(**{"count": 4000, "length": 40, "seed": 5, "guide": guide, **changes})
    return list(draw(model, ALPHABET, request))


def is_good(sample: Sample) -> bool:
    return sample.ended and sample.text == "ab" * (len(sample.text) // 2)


def test_what_is_good_when_drawn_freely_is_left_as_it_is():
    free, guided = drawn(None), drawn(Guide(InPairs(), ALPHABET, 3))
    assert all(map(is_good, guided))
    kept = [(one, other) for one, other in zip(free, guided, strict=True) if is_good(one)]
    assert 500 < len(kept) < 3500 and all(one == other for one, other in kept)


def test_sequences_drawn_anew_are_as_often_each_as_good_ones_drawn_freely():
    free = Counter(sample.text for sample in drawn(None) if is_good(sample))
    anew = Counter(sample.text for sample in drawn(Guide(InPairs(), ALPHABET, 1000, lost=1.0), seed=6))
    masked = Counter(sample.text for sample in drawn(Guide(InPairs(), ALPHABET)))
    share = {name: counts[""] / counts.total() for name, counts in
             {"free": free, "anew": anew, "masked": masked}.items()}  # fmt: skip
    assert abs(share["anew"] - share["free"]) < 0.04
    assert abs(share["masked"] - share["free"]) > 0.1


def test_the_greedy_sequence_is_drawn_once_and_by_the_grammar():
    samples = drawn(Guide(InPairs(), ALPHABET, 10**9, lost=1.0), count=3, temperature=0.0)
    assert len({sample.text for sample in samples}) == 1


def test_what_is_drawn_anew_has_seen_nothing_of_what_was_dropped():
    looking = Segments(roles=[0, 2], lengths=[1, 0], distances=[1])
    free, guided = drawn(None, looking), drawn(Guide(InPairs(), ALPHABET, 10, lost=1.0), looking)
    kept = [(one, other) for one, other in zip(free, guided, strict=True) if is_good(one)]
    assert len(kept) > 500 and all(one == other for one, other in kept)
    good = [[sample.text for sample in samples if is_good(sample)] for samples in (free, guided)]
    one, other = (texts.count("ab") / len(texts) for texts in good)
    assert abs(one - other) < 0.04


def test_neither_rows_nor_threads_change_what_is_drawn_anew():
    guide = Guide(InPairs(), ALPHABET, 3)
    assert drawn(guide, count=700)[650:] == drawn(guide, count=4000)[650:700]


class HasLength(Controls):
    """What rejection sampling is tested with: a sequence has exactly so many letters."""

    checks_all = True

    def __init__(self, length: int) -> None:
        self.length = length

    def problem(self, codes: np.ndarray, begun: int) -> str | None:
        return None if len(codes) == self.length else f"length {self.length}"

    def begin(self, starts: Sequence[np.ndarray], indices: range) -> Steering:
        return Unsteered()


class Unsteered(Steering):
    def adjust(self, logits: torch.Tensor, drawing: torch.Tensor) -> torch.Tensor:
        return logits

    def advance(self, codes: torch.Tensor, drawing: torch.Tensor) -> None:
        pass


def count_draws(monkeypatch) -> list[int]:
    """The indices of all draws from now on."""
    draws, compiled = [], engine._draw_compiled

    def counted(*arguments):
        draws.extend(arguments[5])
        return compiled(*arguments)

    monkeypatch.setattr(engine, "_draw_compiled", counted)
    return draws


def test_rejection_sampling_gives_the_same_samples_however_many_are_drawn(monkeypatch):
    monkeypatch.setattr(engine, "MAX_RESAMPLES", 300)  # one draw in ten is good
    guide = Guide(InPairs(), ALPHABET, 3)
    samples = drawn(guide, count=150, controls=HasLength(4))
    assert all(len(sample.text) == 4 and is_good(sample) for sample in samples)
    assert samples[:9] == drawn(guide, count=9, controls=HasLength(4))
    assert [sample.index for sample in samples] == list(range(150))


def test_rejection_sampling_draws_again_only_what_is_missing(monkeypatch):
    draws = count_draws(monkeypatch)
    drawn(Guide(InPairs(), ALPHABET, 3), count=64, controls=HasLength(2))
    assert len(draws) == len(set(draws)) < 8 * 64


def test_what_is_never_kept_is_refused_after_the_tries_of_one_sample(monkeypatch):
    draws = count_draws(monkeypatch)
    with pytest.raises(ConfigError, match=r"none of 34 tries of sample 0 keeps length 3 .*\(0 of 93 draws"):
        drawn(Guide(InPairs(), ALPHABET, 3), count=640, controls=HasLength(3))
    assert len(draws) == engine.BLOCK + engine.MAX_RESAMPLES - 1
