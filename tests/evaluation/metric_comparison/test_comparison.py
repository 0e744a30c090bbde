"""The comparison of groups: subsamples, errors, noise, the nearest group, and the conclusions."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from pipeline.evaluation.metric_comparison.comparison import compare_metrics
from pipeline.evaluation.metric_comparison.conclusions import (
    ComparisonTerms,
    conclude,
    count_indistinguishable,
    describe_largest_differences,
    list_warnings,
    summarize,
)
from pipeline.evaluation.metric_comparison.divergence import jensen_shannon, proportions
from pipeline.evaluation.metric_comparison.groups import CONTROL, RANDOM, REAL, SAMPLES, SHUFFLED
from pipeline.evaluation.metric_comparison.metric import Metric
from pipeline.evaluation.metric_comparison.mixtures import mix_symbols
from pipeline.evaluation.metric_comparison.result import Estimate, MetricResult
from pipeline.evaluation.metric_comparison.sequence_set import SequenceSet
from pipeline.evaluation.metric_comparison.student import ratio
from pipeline.evaluation.metric_comparison.subsampling import REPLICATES, draw_subsamples
from pipeline.evaluation.metric_comparison.table import collect_figures, confidence_interval, write_table

LETTERS = "ab"
TERMS = ComparisonTerms("letters", "words", "real words", ("share of",))


def encode(text: str) -> np.ndarray:
    return np.array([LETTERS.find(letter) % 256 for letter in text], np.uint8)


def tally(pool: SequenceSet) -> np.ndarray:
    places = np.flatnonzero(pool.codes < 2)
    return pool.tally(places, pool.codes[places], 2)


def share_of_a(counts: np.ndarray) -> np.ndarray:
    return counts[..., 0] / counts.sum(axis=-1)


NUMBER = Metric("share of a", tally, share_of_a)
PROFILE = Metric("spectrum", tally, proportions, jensen_shannon)


def texts(share: float, number: int, seed: int, length: int = 50) -> list[str]:
    drawn = np.random.default_rng(seed).random((number, length)) < share
    return ["".join("ba"[int(is_a)] for is_a in row) for row in drawn]


def rows(**groups: list[str]):
    return compare({name.replace("real", REAL): group for name, group in groups.items()}, NUMBER, PROFILE)


def compare(groups: dict[str, list[str]], *metrics: Metric) -> list[MetricResult]:
    encoded = {name: SequenceSet.encode(group, encode) for name, group in groups.items()}
    return compare_metrics(encoded, metrics, np.random.default_rng(0))


def test_an_error_that_is_rounding_is_none():
    assert ratio(100.0, 3.6e-15) == ratio(100.0, 0.0) == np.inf
    assert ratio(3.0, 1.5) == 2.0 and ratio(0.0, 0.0) == 0.0


def test_halves_are_disjoint_and_equally_large():
    sizes = np.array([5.0, 1, 9, 3, 7, 2, 8])
    halves = draw_subsamples(sizes, np.arange(7), 15, np.random.default_rng(1))
    assert halves.half.shape == halves.matched.shape == (REPLICATES, 7)
    assert halves.half @ sizes == pytest.approx(np.full(REPLICATES, 17.5)) == halves.complement @ sizes
    assert halves.matched @ sizes == pytest.approx(np.full(REPLICATES, 15.0))
    assert (halves.matched <= halves.half + 1e-9).all()
    assert len({tuple(row) for row in halves.half.round(3)}) > 50


def test_blocks_are_drawn_whole():
    """Of twelve blocks of ten units six are in a half, whole, and a share has units of all six."""
    blocks = np.repeat(np.arange(12), 10)
    halves = draw_subsamples(np.full(120, 500.0), blocks, 6000, np.random.default_rng(1))
    of_block = halves.half.reshape(REPLICATES, 12, 10).sum(axis=2)
    assert set(of_block.ravel().round(6)) == {0.0, 10.0}
    assert (halves.matched.sum(axis=1).round(6) == 12).all()
    assert halves.scale == pytest.approx(1.0) and halves.degrees_of_freedom == pytest.approx(11)


@pytest.mark.parametrize("number", [5, 8])
def test_the_error_of_a_mean_of_blocks_is_that_between_blocks(number):
    """Units of a block are equal, so that there are only as many values as blocks."""
    values = np.random.default_rng(number).normal(size=number)
    blocks = np.repeat(np.arange(number), 20)
    halves = draw_subsamples(np.full(len(blocks), 100.0), blocks, 100, np.random.default_rng(1))
    drawn = halves.half @ values[blocks] / (10 * number)
    expected = values.std(ddof=1) / np.sqrt(number)
    assert drawn.std() * halves.scale == pytest.approx(expected, rel=0.21)


def test_the_error_of_a_mean_is_its_standard_error():
    group = texts(0.5, 150, 1)
    row = rows(samples=group, real=texts(0.5, 400, 2))[0]
    means = [text.count("a") / len(text) for text in group]
    assert row.groups[SAMPLES].value == pytest.approx(np.mean(means))
    # The spread between a hundred halves is known to 7 percent, and three of that.
    assert row.groups[SAMPLES].standard_error == pytest.approx(np.std(means) / np.sqrt(150), rel=0.21)
    low, high = confidence_interval(row, SAMPLES)
    assert low < 0.5 < high and high - low == pytest.approx(2 * 1.96 * row.groups[SAMPLES].standard_error)


@pytest.mark.parametrize(
    ("name", "distance", "signed", "value", "expected"),
    [
        ("tunes with a loop (%)", None, False, 6.0, (0.0, 25.6)),
        ("membrane-spanning (% of proteins)", None, False, 95.0, (75.4, 100.0)),
        ("GC at the start less that of the rest (%)", None, True, 6.0, (-13.6, 25.6)),
        ("bars in a tune", None, False, 6.0, (-13.6, 25.6)),
        ("keys, JS distance", jensen_shannon, False, 0.9, (0.704, 1.0)),
    ],
)
def test_an_interval_stays_within_the_possible_values(name, distance, signed, value, expected):
    metric = Metric(name, lambda _: np.ones((1, 1)), lambda counts: counts, distance, signed=signed)
    estimate = Estimate(np.array(value), np.array(10.0), np.array([value - 0.1, value + 0.1]))
    found = confidence_interval(MetricResult(metric, {SAMPLES: estimate}), SAMPLES)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("size", [40, 120])
def test_real_against_real_is_noise_and_seldom_more(size):
    """Of two hundred comparisons of like with like hardly any may exceed three standard errors."""
    beyond = [
        row.differs_from_real(SAMPLES)
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
    assert conclude(number, TERMS) == "differs from real words: more; nearer than every baseline"
    assert conclude(profile, TERMS) == "differs from real words; nearer than every baseline"
    assert number.nearest() == [SAMPLES]
    groups["samples"], groups["shuffled"] = groups["shuffled"], groups["samples"]
    number, _ = rows(**groups)
    assert conclude(number, TERMS) == "differs from real words: more; shuffled nearer"
    groups["samples"] = texts(0.6, 100, 4)
    number, _ = rows(**groups)
    assert conclude(number, TERMS) == "differs from real words: more; as near as shuffled"


def test_within_noise_says_whether_a_shuffle_is_so_too():
    alike = {"samples": texts(0.5, 100, 1), "real": texts(0.5, 100, 2)}
    told, _ = rows(**alike, shuffled=texts(0.9, 100, 3))
    assert conclude(told, TERMS) == "no difference found"
    untold, _ = rows(**alike, shuffled=texts(0.5, 100, 3))
    assert conclude(untold, TERMS) == "not tested, too few letters"
    assert conclude(rows(samples=alike["samples"])[0], TERMS) == ""


def test_the_table_the_summary_and_the_figures_say_the_same(tmp_path):
    groups = {SAMPLES: texts(0.6, 100, 1), REAL: texts(0.5, 100, 2), SHUFFLED: texts(0.9, 100, 3)}
    found = compare(groups, NUMBER, PROFILE)
    path = write_table(groups, found, tmp_path / "statistics.tsv", TERMS)
    with path.open(encoding="utf-8") as stream:
        table = {row["metric"]: row for row in csv.DictReader(stream, delimiter="\t")}
    assert table["sequences"][REAL] == "100" and table["letters"][SAMPLES] == "5000"
    assert table["letters"]["conclusion"] == ""
    row = table["share of a"]
    assert float(row[SHUFFLED]) > float(row[SAMPLES]) > float(row[REAL])
    assert row["nearest to real"] == "samples" and " to " in row["interval of the samples"]
    assert summarize(groups, found, TERMS)[0] == (
        "samples: indistinguishable from held-out real words on 0 of 2 metrics of words (shuffled on 0)"
    )
    assert collect_figures(found)["share of a"] == pytest.approx(float(row[SAMPLES]), rel=1e-3)
    assert collect_figures(found)["spectrum, real"] == pytest.approx(found[1].self_distances.mean())


def test_distances_are_those_of_the_definition():
    assert jensen_shannon(np.array([3, 1, 0]), np.array([6, 2, 0])) == pytest.approx(0, abs=1e-7)
    p, q = np.array([0.5, 0.5, 0]), np.array([0, 0.5, 0.5])
    assert jensen_shannon(p, q) == pytest.approx(np.sqrt(0.5))
    assert proportions(np.zeros(3)).tolist() == [0, 0, 0]


def test_what_is_most_unlike_is_told_with_the_real_value():
    found = rows(samples=texts(0.9, 60, 1), real=texts(0.5, 200, 2), shuffled=texts(0.9, 60, 3))
    (line,) = describe_largest_differences(found, TERMS)
    assert line.startswith("most unlike real words: ") and "spectrum 0.3" in line
    assert "share of a 0.899 (real words 0.50" in line
    assert describe_largest_differences(rows(samples=texts(0.5, 60, 1), real=texts(0.5, 200, 2)), TERMS) == []


def test_the_noise_of_numbers_is_told_too():
    number = rows(samples=texts(0.5, 60, 1), real=texts(0.5, 200, 2))[0]
    assert 0 < number.self_distances.mean() < 0.05


def mixed_rows(samples: list[str]) -> list:
    """Both metrics of these samples, with a positive control into which random letters are mixed."""
    real, control, shuffled = texts(0.2, 200, 2), texts(0.2, 100, 3), texts(0.2, 100, 4)
    groups = {SAMPLES: samples, REAL: real, SHUFFLED: shuffled, CONTROL: control}
    pools = {name: SequenceSet.encode(group, encode) for name, group in groups.items()}

    def mixer(level: float) -> SequenceSet:
        rng = np.random.default_rng(5)
        return SequenceSet.encode([mix_symbols(text, level, LETTERS, rng) for text in control], encode)

    return compare_metrics(pools, [NUMBER, PROFILE], np.random.default_rng(0), mixer=mixer)


def test_no_difference_comes_with_the_mixture_that_would_have_been_found():
    number, profile = mixed_rows(texts(0.2, 100, 1))
    # 10% random letters have a share of 0.23 of a; the standard error is that of 5,000 and 10,000 letters.
    assert number.min_detected_mixture == 0.1 and profile.min_detected_mixture in (0.1, 0.2)
    assert conclude(number, TERMS) == (
        "no difference found; a mixture of about 10% random letters would have been; none for shuffled either"
    )


def test_samples_have_no_part_in_what_is_tested():
    """So that the count of metrics is the same for good samples and for bad ones."""
    good, bad = (mixed_rows(texts(share, 100, 1)) for share in (0.2, 0.8))
    assert [row.testable for row in good] == [row.testable for row in bad] == [True, True]
    assert [row.min_detected_mixture for row in good] == [row.min_detected_mixture for row in bad]
    assert [count_indistinguishable(rows, SAMPLES) for rows in (good, bad)] == [2, 0]
    assert [count_indistinguishable(rows, CONTROL) for rows in (good, bad)] == [2, 2]


def test_nested_metrics_count_once():
    nested = [replace(measure, family="letters") for measure in (NUMBER, PROFILE)]
    groups = {SAMPLES: texts(0.6, 100, 1), REAL: texts(0.5, 100, 2), SHUFFLED: texts(0.9, 100, 3)}
    found = compare(groups, *nested)
    assert summarize(groups, found, TERMS)[0] == (
        "samples: indistinguishable from held-out real words on 0 of 1 metrics of words (shuffled on 0)"
    )


def test_nothing_is_concluded_where_shuffled_sequences_are_indistinguishable_too():
    groups = {SAMPLES: texts(0.5, 100, 1), REAL: texts(0.5, 100, 2), SHUFFLED: texts(0.5, 100, 4)}
    pools = {name: SequenceSet.encode(group, encode) for name, group in groups.items()}
    found = compare_metrics(pools, [NUMBER, PROFILE], np.random.default_rng(0))
    testable = [replace(row, min_detected_mixture=0.2) for row in found]
    assert summarize(groups, testable, TERMS)[0] == (
        "samples: indistinguishable from held-out real words on 2 of 2 metrics of words (shuffled on 2); "
        "too few held-out real words to conclude from"
    )


def test_it_is_said_where_a_markov_chain_is_nearer():
    groups = {SAMPLES: texts(0.8, 100, 1), REAL: texts(0.5, 100, 2), "Markov order 1": texts(0.5, 100, 3),
              SHUFFLED: texts(0.9, 100, 4)}  # fmt: skip
    found = compare(groups, NUMBER)
    assert summarize(groups, found, TERMS)[1] == (
        "samples are nearer to real words than Markov order 1 on 0 metrics. Markov order 1 is nearer on 1 "
        "metric (share of a)"
    )


def test_a_difference_is_said_where_no_reference_differs():
    groups = {SAMPLES: texts(0.9, 100, 1), REAL: texts(0.5, 100, 2), "Markov order 1": texts(0.5, 100, 3),
              SHUFFLED: texts(0.9, 100, 4)}  # fmt: skip
    several = [replace(NUMBER, name=f"{NUMBER.name}, again {number}") for number in range(2)]
    found = [replace(each, mixed_in=RANDOM) for each in compare(groups, *several)]
    alike = {**groups, SAMPLES: texts(0.5, 100, 5), SHUFFLED: texts(0.5, 100, 6)}
    counted = replace(compare(alike, NUMBER)[0], metric=replace(NUMBER, constant_in_references=True))
    assert [each.testable for each in (counted, *found)] == [True, False, False]
    lines = summarize(groups, [counted, *found], TERMS)
    assert "on 1 of 1 metrics" in lines[0] and "too few held-out real words to conclude from" in lines[0]
    assert "; the samples also differ on 2 metrics (share of a, again 0; share of a, again 1)" in lines[0]
    assert "Markov order 1 is nearer on 2 metrics" in lines[1]
    (warning,) = list_warnings([counted, *found], TERMS)
    assert warning.startswith(
        "the samples are worse than those of Markov order 1: it is nearer to real words"
    )


def test_few_blocks_make_an_error_uncertain():
    """Four standard errors are much with many independent blocks, and little with five."""
    many, few = (
        MetricResult(NUMBER, {SAMPLES: Estimate(np.float64(4), np.float64(0), degrees_of_freedom=99),
                     REAL: Estimate(np.float64(0), np.float64(1), degrees_of_freedom=freedom)})
        for freedom in (99, 4)
    )  # fmt: skip
    assert many.differs_from_real(SAMPLES) and not few.differs_from_real(SAMPLES)
    # Student's t with 4 degrees of freedom exceeds 4 as seldom as a normal variable does 2.41.
    assert few.standard_errors_from_real(SAMPLES) == pytest.approx(2.41, abs=0.01)


def test_units_keep_to_their_blocks():
    letters = texts(0.5, 300, 1)
    pool = SequenceSet.encode(letters, encode, [name for name in "abcdefghij" for _ in range(30)])
    assert pool.blocks.max() == 9
    assert np.bincount(pool.blocks, pool.unit_sizes).tolist() == [1500] * 10
    # Of three blocks nothing is known of how blocks differ: each sequence counts.
    assert SequenceSet.encode(letters[:30], encode, ["a"] * 10 + ["b"] * 10 + ["c"] * 10).blocks.tolist() == [
        *range(30)
    ]
