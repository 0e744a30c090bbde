"""The scoreboard's arithmetic: halves, errors, noise, which group is nearest, and what is said of it."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from pipeline.evaluation.metric_comparison.comparison import (
    CONTROL,
    REAL,
    SAMPLES,
    SHUFFLED,
    Estimate,
    Measure,
    Row,
    score,
)
from pipeline.evaluation.metric_comparison.conclusions import (
    Words,
    count_alike,
    most_unlike,
    summary_of,
    verdict,
)
from pipeline.evaluation.metric_comparison.divergence import jensen_shannon, shares
from pipeline.evaluation.metric_comparison.mixtures import mix_letters
from pipeline.evaluation.metric_comparison.student import ratio
from pipeline.evaluation.metric_comparison.subsampling import REPLICATES, Pool, draw_halves
from pipeline.evaluation.metric_comparison.table import figures_of, interval, write_table

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


def test_an_error_that_is_rounding_is_none():
    assert ratio(100.0, 3.6e-15) == ratio(100.0, 0.0) == np.inf
    assert ratio(3.0, 1.5) == 2.0 and ratio(0.0, 0.0) == 0.0


def test_halves_are_disjoint_and_equally_large():
    sizes = np.array([5.0, 1, 9, 3, 7, 2, 8])
    halves = draw_halves(sizes, np.arange(7), 15, np.random.default_rng(1))
    assert halves.half.shape == halves.share.shape == (REPLICATES, 7)
    assert halves.half @ sizes == pytest.approx(np.full(REPLICATES, 17.5)) == halves.rest @ sizes
    assert halves.share @ sizes == pytest.approx(np.full(REPLICATES, 15.0))
    assert (halves.share <= halves.half + 1e-9).all()
    assert len({tuple(row) for row in halves.half.round(3)}) > 50


def test_blocks_are_drawn_whole():
    """Of twelve blocks of ten units six are in a half, whole, and a share has units of all six."""
    blocks = np.repeat(np.arange(12), 10)
    halves = draw_halves(np.full(120, 500.0), blocks, 6000, np.random.default_rng(1))
    of_block = halves.half.reshape(REPLICATES, 12, 10).sum(axis=2)
    assert set(of_block.ravel().round(6)) == {0.0, 10.0}
    assert (halves.share.sum(axis=1).round(6) == 12).all()
    assert halves.scale == pytest.approx(1.0) and halves.freedom == pytest.approx(11)


@pytest.mark.parametrize("number", [5, 8])
def test_the_error_of_a_mean_of_blocks_is_that_between_blocks(number):
    """Units of a block are equal, so that there are only as many values as blocks."""
    values = np.random.default_rng(number).normal(size=number)
    blocks = np.repeat(np.arange(number), 20)
    halves = draw_halves(np.full(len(blocks), 100.0), blocks, 100, np.random.default_rng(1))
    drawn = halves.half @ values[blocks] / (10 * number)
    expected = values.std(ddof=1) / np.sqrt(number)
    assert drawn.std() * halves.scale == pytest.approx(expected, rel=0.21)


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
    assert verdict(number, WORDS) == "differs from real words: more; nearer than every baseline"
    assert verdict(profile, WORDS) == "differs from real words; nearer than every baseline"
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
    assert verdict(told, WORDS) == "no difference found"
    untold, _ = rows(**alike, shuffled=texts(0.5, 100, 3))
    assert verdict(untold, WORDS) == "not tested, too few letters"
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
        "samples: indistinguishable from held-out real words on 0 of 2 metrics of words (shuffled on 0)"
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


def mixed_rows(samples: list[str]) -> list:
    """Both metrics of these samples, with a positive control into which random letters are mixed."""
    real, control, shuffled = texts(0.2, 200, 2), texts(0.2, 100, 3), texts(0.2, 100, 4)
    groups = {SAMPLES: samples, REAL: real, SHUFFLED: shuffled, CONTROL: control}
    pools = {name: Pool.of(group, encode) for name, group in groups.items()}

    def mixer(level: float) -> Pool:
        rng = np.random.default_rng(5)
        return Pool.of([mix_letters(text, level, LETTERS, rng) for text in control], encode)

    return score(pools, [NUMBER, PROFILE], np.random.default_rng(0), mixer=mixer)


def test_no_difference_comes_with_the_mixture_that_would_have_been_found():
    number, profile = mixed_rows(texts(0.2, 100, 1))
    # 10% random letters have a share of 0.23 of a; the standard error is that of 5,000 and 10,000 letters.
    assert number.found_mixture == 0.1 and profile.found_mixture in (0.1, 0.2)
    assert verdict(number, WORDS) == (
        "no difference found; a mixture of about 10% random letters would have been; none for shuffled either"
    )


def test_samples_have_no_part_in_what_is_tested():
    """So that the count of metrics is the same for good samples and for bad ones."""
    good, bad = (mixed_rows(texts(share, 100, 1)) for share in (0.2, 0.8))
    assert [row.testable for row in good] == [row.testable for row in bad] == [True, True]
    assert [row.found_mixture for row in good] == [row.found_mixture for row in bad]
    assert [count_alike(rows, SAMPLES) for rows in (good, bad)] == [2, 0]
    assert [count_alike(rows, CONTROL) for rows in (good, bad)] == [2, 2]


def test_nested_metrics_count_once():
    nested = [replace(measure, family="letters") for measure in (NUMBER, PROFILE)]
    groups = {SAMPLES: texts(0.6, 100, 1), REAL: texts(0.5, 100, 2), SHUFFLED: texts(0.9, 100, 3)}
    found = score({name: Pool.of(group, encode) for name, group in groups.items()}, nested,
                  np.random.default_rng(0))  # fmt: skip
    assert summary_of(groups, found, WORDS)[0] == (
        "samples: indistinguishable from held-out real words on 0 of 1 metrics of words (shuffled on 0)"
    )


def test_nothing_is_concluded_where_shuffled_sequences_are_indistinguishable_too():
    groups = {SAMPLES: texts(0.5, 100, 1), REAL: texts(0.5, 100, 2), SHUFFLED: texts(0.5, 100, 4)}
    pools = {name: Pool.of(group, encode) for name, group in groups.items()}
    found = score(pools, [NUMBER, PROFILE], np.random.default_rng(0))
    testable = [replace(row, found_mixture=0.2) for row in found]
    assert summary_of(groups, testable, WORDS)[0] == (
        "samples: indistinguishable from held-out real words on 2 of 2 metrics of words (shuffled on 2); "
        "too few held-out real words to conclude from"
    )


def test_it_is_said_where_a_markov_chain_is_nearer():
    groups = {SAMPLES: texts(0.8, 100, 1), REAL: texts(0.5, 100, 2), "Markov order 1": texts(0.5, 100, 3),
              SHUFFLED: texts(0.9, 100, 4)}  # fmt: skip
    found = score({name: Pool.of(group, encode) for name, group in groups.items()}, [NUMBER],
                  np.random.default_rng(0))  # fmt: skip
    assert summary_of(groups, found, WORDS)[1] == (
        "samples are nearer to real words than Markov order 1 on 0 metrics; Markov order 1 is nearer on 1 "
        "metric (share of a)"
    )


def test_few_blocks_make_an_error_uncertain():
    """Four standard errors are much with many independent blocks, and little with five."""
    many, few = (
        Row(NUMBER, {SAMPLES: Estimate(np.float64(4), np.float64(0), freedom=99),
                     REAL: Estimate(np.float64(0), np.float64(1), freedom=freedom)})
        for freedom in (99, 4)
    )  # fmt: skip
    assert many.beyond_noise(SAMPLES) and not few.beyond_noise(SAMPLES)
    # Student's t with 4 degrees of freedom exceeds 4 as seldom as a normal variable does 2.41.
    assert few.errors_away(SAMPLES) == pytest.approx(2.41, abs=0.01)


def test_units_keep_to_their_blocks():
    letters = texts(0.5, 300, 1)
    pool = Pool.of(letters, encode, [name for name in "abcdefghij" for _ in range(30)])
    assert pool.blocks.max() == 9
    assert np.bincount(pool.blocks, pool.unit_sizes).tolist() == [1500] * 10
    # Of three blocks nothing is known of how blocks differ: each sequence counts.
    assert Pool.of(letters[:30], encode, ["a"] * 10 + ["b"] * 10 + ["c"] * 10).blocks.tolist() == [*range(30)]
