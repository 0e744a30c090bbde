"""A grammar lets what a model draws by itself stand, where it is good, and keeps to what it allows."""

from collections import Counter
from collections.abc import Hashable

import torch

from pipeline.data.alphabet import Alphabet
from pipeline.generation.constrained.grammar import Guide
from pipeline.generation.engine import Request, draw
from pipeline.grammar import Grammar
from pipeline.models.recurrent import Recurrent
from pipeline.records import Sample
from pipeline.segments import Phrases

ALPHABET = Alphabet("ab")


class InPairs(Grammar):
    """Every a is followed by a b, and a b never by another: abab."""

    start = ("a",)

    def step(self, strand: int, state: Hashable, letter: int) -> Hashable:
        return "ba"[letter]

    def allowed(self, strand: int, state: Hashable) -> tuple[frozenset[int], bool]:
        return frozenset({0 if state == "a" else 1}), state == "a"


def drawn(guide: Guide | None, phrases: Phrases | None = None, **changes) -> list[Sample]:
    torch.manual_seed(1)
    model = Recurrent("gru", 8, 1, phrases=phrases).build(len(ALPHABET)).eval()
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
    looking = Phrases(roles=[0, 2], lengths=[1, 0], distances=[1])
    free, guided = drawn(None, looking), drawn(Guide(InPairs(), ALPHABET, 10, lost=1.0), looking)
    kept = [(one, other) for one, other in zip(free, guided, strict=True) if is_good(one)]
    assert len(kept) > 500 and all(one == other for one, other in kept)
    good = [[sample.text for sample in samples if is_good(sample)] for samples in (free, guided)]
    one, other = (texts.count("ab") / len(texts) for texts in good)
    assert abs(one - other) < 0.04


def test_neither_rows_nor_threads_change_what_is_drawn_anew():
    guide = Guide(InPairs(), ALPHABET, 3)
    assert drawn(guide, count=700)[650:] == drawn(guide, count=4000)[650:700]
