"""The remedy for a model that is worse than its baseline."""

from types import SimpleNamespace

import pytest

from pipeline.evaluation.markov_baseline import Baseline
from pipeline.stages.train_result import gains_by_copies


def baselines(*bits: float) -> list[Baseline]:
    """Markov models of orders 0, 4, 8, 12 and 16; the last is the candidate."""
    tallies = [SimpleNamespace(bits=each) for each in bits]
    return [
        Baseline(f"Markov order {4 * number}", each, each, number == len(bits) - 1, 4 * number)
        for number, each in enumerate(tallies)
    ]


@pytest.mark.parametrize(
    "bits, lead, copies",
    [
        ((1.95, 1.93, 1.92, 1.78, 1.74), 0.175, True),  # a chromosome with repeats: long contexts lead
        ((1.98, 1.94, 1.935, 1.9347, 1.9347), 0.006, False),  # a bacterium: nothing is gained beyond order 8
    ],
)
def test_a_baseline_that_copies_repeats_is_recognised(bits, lead, copies):
    assert gains_by_copies(baselines(*bits), lead) is copies
