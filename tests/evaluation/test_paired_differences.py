"""Whether two models differ is decided by blocks, not by symbols."""

from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.evaluation.bits import Tally
from pipeline.evaluation.paired_differences import compare_tallies

SIZE = 1000


def tallies(differences, size=SIZE):
    """Two tallies over blocks of `size` symbols, whose bits per symbol differ by so much."""
    spans = np.column_stack([np.arange(len(differences)) * size, np.arange(1, len(differences) + 1) * size])
    corpus = SimpleNamespace(mark_names=(), marks=None)
    codes, positions = np.full(len(differences) * size, 5), np.arange(len(differences) * size)
    found = []
    for bits in (2 + np.array(differences), np.full(len(differences), 2.0)):
        found.append(Tally(corpus, spans))
        found[-1].add_surprisal(np.repeat(bits, size) * np.log(2), codes, positions)
    return found


def test_five_blocks_that_disagree_show_no_difference():
    """Those of a worm's chromosome: 0.050 is their standard error."""
    found = compare_tallies(*tallies([0.097, 0.101, -0.015, -0.109, -0.134]))
    assert found.bits == pytest.approx(-0.012)
    assert found.error == pytest.approx(0.050, abs=1e-3)
    assert found.conclusion == "no difference found"
    assert found.better_blocks == 3


def test_blocks_that_agree_show_one():
    assert compare_tallies(*tallies([-0.03, -0.02, -0.025, -0.03])).conclusion == "better"
    assert compare_tallies(*tallies([0.03, 0.02, 0.025, 0.03])).conclusion == "worse"


def test_few_blocks_tell_nothing_however_many_symbols_they_have():
    found = compare_tallies(*tallies([-0.5, -0.5, -0.5], size=100_000))
    assert (found.conclusion, found.low, found.high) == ("too few blocks", None, None)


def test_equal_models_and_rounding_errors_are_no_difference():
    assert compare_tallies(*tallies([0.0] * 6)).conclusion == "no difference found"
    assert compare_tallies(*tallies([1e-7] * 6)).conclusion == "no difference found"


def test_intervals_hold_the_true_difference_as_often_as_they_say():
    rng = np.random.default_rng(0)
    found = [compare_tallies(*tallies(rng.normal(0.02, 0.05, 8), size=10)) for _ in range(400)]
    assert np.mean([each.low <= 0.02 <= each.high for each in found]) == pytest.approx(0.95, abs=0.03)
