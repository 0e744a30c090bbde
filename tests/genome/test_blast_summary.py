"""What is said of the hits: a fair comparison of the groups, and a verdict that holds."""

import math
import random
from itertools import combinations
from pathlib import Path

import pytest

from pipeline.genome.blast_summary import Searched, smaller_p, summarise
from pipeline.genome.hits import Hit


def searched(group: str, evalues: list[float]) -> list[Searched]:
    found = []
    for number, value in enumerate(evalues, start=1):
        hit = Hit("q", "chr4:1-500", "90.000", 30, 3, 0, 1, 30, 1, 30, f"{value:.2e}", "30.1")
        best = hit if math.isfinite(value) else None
        found.append(Searched(group, f"{group}_{number}", 500, best, int(best is not None)))
    return found


def lines(tmp_path: Path, **groups: list[float]) -> tuple[str, ...]:
    every = [one for group, values in groups.items() for one in searched(group, values)]
    return summarise(every, 10.0, "the training data", "BLAST+.", tmp_path).summary


def test_every_group_s_best_stands_in_one_line(tmp_path):
    found = lines(tmp_path, samples=[1e-4, 0.5, math.inf], shuffled=[2.5e-5, math.inf, 3.0], real=[math.inf])
    assert found == (
        "BLAST against the training data: best E-value 0.0001 (samples_1 ~ chr4:1-500, 90.0% over 30 bp); "
        "shuffled 2.5e-05, real no hit (of 1)",
        "BLAST, median of the best E-values: samples 0.5, shuffled 3, real no hit",
        "BLAST: too few sequences to tell the samples from shuffled ones (3)",
    )


def test_chance_is_called_chance_and_copies_are_called_near(tmp_path):
    rng = random.Random(4)
    chance = [[10 ** rng.gauss(-1, 1) for _ in range(60)] for _ in range(2)]
    verdict = lines(tmp_path, samples=chance[0], shuffled=chance[1])[-1]
    assert verdict.startswith("BLAST: the samples are no nearer to the training data than shuffled seq")
    near = [value / 100 for value in chance[0]]
    verdict = lines(tmp_path, samples=near, shuffled=chance[1])[-1]
    assert verdict.startswith("BLAST: the samples are nearer to the training data than shuffled sequences")
    # Farther than chance is not nearer.
    assert "no nearer" in lines(tmp_path, samples=chance[1], shuffled=near)[-1]


def test_no_hit_at_all_is_no_nearer(tmp_path):
    found = lines(tmp_path, samples=[math.inf] * 6, shuffled=[math.inf] * 6)
    assert found[0].endswith("no hit below E = 10 for any of 6 samples; shuffled no hit")
    assert "no nearer" in found[-1]


@pytest.mark.parametrize(
    "first", [(1, 2, 3, 4, 6, 7, 9), (2, 3, 5, 7, 11, 12, 13), (1, 1, 2, 2, 3, 8, math.inf)]
)
def test_the_p_value_is_near_the_exact_one(first):
    second = (2, 5, 8, 10, 11, 12, math.inf)
    values = [*first, *second]
    order = sorted(values)
    ranks = [(order.index(v) + len(order) - 1 - order[::-1].index(v)) / 2 for v in values]
    sums = [sum(chosen) for chosen in combinations(ranks, len(first))]
    exact = sum(each <= sum(ranks[: len(first)]) for each in sums) / len(sums)
    assert smaller_p(first, second) == pytest.approx(exact, abs=0.01)
