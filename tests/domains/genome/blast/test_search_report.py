"""What is said of the hits: a fair comparison of the groups, and a verdict that holds."""

import csv
import math
import random
from pathlib import Path

from pipeline.domains.genome.blast.backend import BLASTN
from pipeline.domains.genome.blast.hits import Hit
from pipeline.domains.genome.blast.query_results import LocatedHit, QueryResult
from pipeline.domains.genome.blast.search_report import SearchDescription, write_results

SEARCH = SearchDescription(10.0, "the training data", "BLAST+.", BLASTN)


def searched(group: str, evalues: list[float]) -> list[QueryResult]:
    found = []
    for number, value in enumerate(evalues, start=1):
        hit = Hit("q", "chr4:1-500", "90.000", 30, 3, 0, 1, 30, 1, 30, f"{value:.2e}", "30.1")
        best = LocatedHit(hit, 6.0, "chr4", 1, 30) if math.isfinite(value) else None
        found.append(QueryResult(group, f"{group}_{number}", 500, best, int(best is not None)))
    return found


def lines(tmp_path: Path, **groups: list[float]) -> tuple[str, ...]:
    every = [one for group, values in groups.items() for one in searched(group, values)]
    return write_results([], every, SEARCH, tmp_path).summary


def test_every_group_s_best_stands_in_one_line(tmp_path):
    found = lines(tmp_path, samples=[1e-4, 0.5, math.inf], shuffled=[2.5e-5, math.inf, 3.0], real=[math.inf])
    assert found == (
        "BLAST against the training data: best E-value 0.0001 (samples_1 ~ chr4:1-500, 90.0% over 30 bp); "
        "shuffled 2.5e-05, real no hit (of 1)",
        "BLAST, median of the best E-values: samples 0.5, shuffled 3, real no hit",
        "BLAST: too few sequences to compare the best hits of the samples (3) with others",
    )


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def test_chance_is_called_chance_and_copies_are_called_near(tmp_path):
    rng = random.Random(4)
    chance = [[10 ** rng.gauss(-1, 1) for _ in range(60)] for _ in range(2)]
    first, second = lines(tmp_path, samples=chance[0], shuffled=chance[1])[-2:]
    assert (
        first
        == "BLAST: the samples' best hits in the training data are indistinguishable from those of shuffled"
    )
    assert "are indistinguishable from those of shuffled (smaller E-value in 5" in second
    near = [value / 100 for value in chance[0]]
    first, second = lines(tmp_path, samples=near, shuffled=chance[1], real=near)[-2:]
    assert first == (
        "BLAST: the samples are nearer to the training data than shuffled, but indistinguishable from real"
    )
    assert "best hits are better than those of shuffled (smaller" in second
    # Farther than chance is not nearer.
    first, second = lines(tmp_path, samples=chance[1], shuffled=near)[-2:]
    assert first == "BLAST: the samples are farther from the training data than shuffled"
    assert "are worse than those of shuffled" in second


def test_the_groups_stand_in_a_table_with_their_tests(tmp_path):
    samples, others = [1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4], [0.5, 1.0, 2.0, 3.0, math.inf, math.inf]
    lines(tmp_path, samples=samples, shuffled=others)
    own, shuffled = table(tmp_path / "blast_comparison.tsv")
    assert (own["group"], own["with_a_hit"], own["samples_are"]) == ("samples", "6", "")
    assert (shuffled["with_a_hit"], shuffled["median_evalue"]) == ("4", "2")
    assert (own["median_identity_percent"], own["median_coverage_percent"]) == ("90.0", "6.0")
    # All 36 pairs are won: of 924 ways to share the ranks out one is as extreme on each side.
    assert (shuffled["samples_smaller_share"], shuffled["samples_are"]) == ("1.000", "better")
    assert 0.001 < float(shuffled["p_value"]) < 0.01


def test_no_hit_at_all_is_no_nearer(tmp_path):
    found = lines(tmp_path, samples=[math.inf] * 6, shuffled=[math.inf] * 6)
    assert found[0].endswith("no hit below E = 10 for any of 6 samples; shuffled no hit")
    assert "indistinguishable from" in found[-1]
