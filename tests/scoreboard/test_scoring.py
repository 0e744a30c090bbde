"""The scoreboard's arithmetic: halves, errors, noise, which group is nearest, and what is said of it."""

import csv

import numpy as np
import pytest

from pipeline.scoreboard.distances import jensen_shannon, shares
from pipeline.scoreboard.pools import REPLICATES, Pool, draw_halves
from pipeline.scoreboard.scoring import REAL, SAMPLES, SHUFFLED, Measure, score
from pipeline.scoreboard.table import figures_of, interval, write_table
from pipeline.scoreboard.verdicts import Words, most_unlike, summary_of, verdict

LETTERS = "ab"
WORDS = Words("letters", "words", "real words", ("share of",))


def encode(text: str) -> np.ndarray:
    return np.array([LETTERS.find(letter) % 256 for letter in text], np.uint8)


def tally(pool: Pool) -> np.ndarray:
    places = np.flatnonzero(pool.codes < 2)
    return pool.tally(places, pool.codes[places], 2)


def share_of_a(counts: np.ndarray) -> np.ndarray:
    return counts[..., 0] / counts.sum(axis=-1)


NUMBER = Measure("share of a", tally, share_of_a)
PROFILE = Measure("spectrum", tally, shares, jensen_shannon)


def texts(share: float, number: int, seed: int, length: int = 50) -> list[str]:
    drawn = np.random.default_rng(seed).random((number, length)) < share
    return ["".join("ba"[int(is_a)] for is_a in row) for row in drawn]


def rows(**groups: list[str]):
    named = {name.replace("real", REAL): Pool.of(group, encode) for name, group in groups.items()}
    return score(named, [NUMBER, PROFILE], np.random.default_rng(0))


def test_halves_are_disjoint_and_equally_large():
    sizes = np.array([5.0, 1, 9, 3, 7, 2, 8])
    first, second = draw_halves(sizes, 15, np.random.default_rng(1))
    assert first.shape == (REPLICATES, 7)
    assert first @ sizes == pytest.approx(np.full(REPLICATES, 15.0)) == second @ sizes
    assert (first + second).max() <= 1 + 1e-9
    assert len({tuple(row) for row in first.round(3)}) > 50


def test_the_error_of_a_mean_is_its_standard_error():
    group = texts(0.5, 150, 1)
    row = rows(samples=group, real=texts(0.5, 400, 2))[0]
    means = [text.count("a") / len(text) for text in group]
    assert row.groups[SAMPLES].value == pytest.approx(np.mean(means))
    # The spread between a hundred halves is known to 7 percent, and three of that.
    assert row.groups[SAMPLES].error == pytest.approx(np.std(means) / np.sqrt(150), rel=0.21)
    low, high = interval(row, SAMPLES)
    assert low < 0.5 < high and high - low == pytest.approx(2 * 1.96 * row.groups[SAMPLES].error)


@pytest.mark.parametrize("size", [40, 120])
def test_real_against_real_is_noise_and_seldom_more(size):
    """Of two hundred comparisons of like with like hardly any may exceed three standard errors."""
    beyond = [
        row.beyond_noise(SAMPLES)
        for seed in range(100)
        for row in rows(samples=texts(0.4, size, seed), real=texts(0.4, 2 * size, 1000 + seed))
    ]
    assert sum(beyond) <= 4


def test_groups_of_unequal_size_are_compared_in_equal_shares():
    """A group ten times as large is no nearer for that."""
    few = rows(samples=texts(0.5, 40, 1), real=texts(0.5, 80, 2))[1]
    many = rows(samples=texts(0.5, 40, 1), real=texts(0.5, 80, 2), other=texts(0.5, 800, 3))[1]
    assert many.distance("other") < 2.5 * many.distance(SAMPLES)
    assert few.distance(SAMPLES) == pytest.approx(many.distance(SAMPLES), rel=0.5)


def test_what_differs_is_seen_and_the_nearest_named():
    groups = {"samples": texts(0.6, 100, 1), "real": texts(0.5, 100, 2), "shuffled": texts(0.9, 100, 3)}
    number, profile = rows(**groups)
    assert verdict(number, WORDS) == "differs from real words: more; nearer than every null"
    assert verdict(profile, WORDS) == "differs from real words; nearer than every null"
    assert number.nearest() == [SAMPLES]
    groups["samples"], groups["shuffled"] = groups["shuffled"], groups["samples"]
    number, _ = rows(**groups)
    assert verdict(number, WORDS) == "differs from real words: more; shuffled nearer"
    groups["samples"] = texts(0.6, 100, 4)
    number, _ = rows(**groups)
    assert verdict(number, WORDS) == "differs from real words: more; as near as shuffled"


def test_within_noise_says_whether_a_shuffle_is_so_too():
    alike = {"samples": texts(0.5, 100, 1), "real": texts(0.5, 100, 2)}
    told, _ = rows(**alike, shuffled=texts(0.9, 100, 3))
    assert verdict(told, WORDS) == "as real words, within noise"
    untold, _ = rows(**alike, shuffled=texts(0.5, 100, 3))
    assert verdict(untold, WORDS) == "too few letters to tell samples and shuffled from real words"
    assert verdict(rows(samples=alike["samples"])[0], WORDS) == ""


def test_the_table_the_summary_and_the_figures_say_the_same(tmp_path):
    groups = {SAMPLES: texts(0.6, 100, 1), REAL: texts(0.5, 100, 2), SHUFFLED: texts(0.9, 100, 3)}
    found = score({name: Pool.of(group, encode) for name, group in groups.items()}, [NUMBER, PROFILE],
                  np.random.default_rng(0))  # fmt: skip
    path = write_table(groups, found, tmp_path / "statistics.tsv", WORDS)
    with path.open(encoding="utf-8") as stream:
        table = {row["measure"]: row for row in csv.DictReader(stream, delimiter="\t")}
    assert table["sequences"][REAL] == "100" and table["letters"][SAMPLES] == "5000"
    assert table["letters"]["verdict"] == ""
    row = table["share of a"]
    assert float(row[SHUFFLED]) > float(row[SAMPLES]) > float(row[REAL])
    assert row["nearest to real"] == "samples" and " to " in row["interval of the samples"]
    assert summary_of(groups, found, WORDS)[0] == (
        "samples cannot be told from real words by 0 of 2 measures of words (shuffled by 0)"
    )
    assert figures_of(found)["share of a"] == pytest.approx(float(row[SAMPLES]), rel=1e-3)
    assert figures_of(found)["spectrum, real"] == pytest.approx(found[1].floor.mean())


def test_distances_are_those_of_the_definition():
    assert jensen_shannon(np.array([3, 1, 0]), np.array([6, 2, 0])) == pytest.approx(0, abs=1e-7)
    p, q = np.array([0.5, 0.5, 0]), np.array([0, 0.5, 0.5])
    assert jensen_shannon(p, q) == pytest.approx(np.sqrt(0.5))
    assert shares(np.zeros(3)).tolist() == [0, 0, 0]


def test_what_is_most_unlike_is_told_with_the_real_value():
    found = rows(samples=texts(0.9, 60, 1), real=texts(0.5, 200, 2), shuffled=texts(0.9, 60, 3))
    (line,) = most_unlike(found, WORDS)
    assert line.startswith("most unlike real words: ") and "spectrum 0.3" in line
    assert "share of a 0.899 (real words 0.50" in line
    assert most_unlike(rows(samples=texts(0.5, 60, 1), real=texts(0.5, 200, 2)), WORDS) == []


def test_the_noise_of_numbers_is_told_too():
    number = rows(samples=texts(0.5, 60, 1), real=texts(0.5, 200, 2))[0]
    assert 0 < number.floor.mean() < 0.05
