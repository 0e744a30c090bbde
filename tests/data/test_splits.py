"""Splits of records in groups, and of blocks at random places: shares, borders, seeds."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sequences import make_spans

from pipeline.data.corpus import SUBSETS
from pipeline.data.splits import split_blocks, split_records

fractions = st.sampled_from([0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4])


def measure_share(segments: np.ndarray, subset: str) -> float:
    """The share of the symbols of all segments."""
    sizes = segments[:, 1] - segments[:, 0]
    return sizes[segments[:, 2] == SUBSETS.index(subset)].sum() / sizes.sum()


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def records(spans: np.ndarray, groups=None, shares=(0.1, 0.1), seed: int = 0) -> np.ndarray:
    groups = np.arange(len(spans)) if groups is None else np.array(groups)
    return split_records(spans, groups, *shares, random(seed))


@given(st.lists(st.integers(1, 200), min_size=60, max_size=200), st.integers(0, 100))
def test_whole_records_fall_to_exactly_one_subset(lengths, seed):
    spans = make_spans(*lengths)
    segments = records(spans, shares=(0.2, 0.1), seed=seed)
    assert np.array_equal(segments[:, :2], spans)
    assert np.array_equal(segments[:, 3], np.arange(len(spans)))
    slack = max(lengths) / sum(lengths)
    assert abs(measure_share(segments, "validation") - 0.2) <= slack
    assert abs(measure_share(segments, "test") - 0.1) <= slack


@given(st.lists(st.integers(0, 60), min_size=200, max_size=300), st.integers(0, 100))
def test_a_group_falls_to_one_subset_and_the_shares_are_kept(labels, seed):
    groups = np.unique(labels, return_inverse=True)[1]
    segments = records(make_spans(*[10] * len(groups)), groups, (0.2, 0.1), seed)
    for group in range(groups.max() + 1):
        assert len(set(segments[groups == group, 2])) == 1
    largest = np.bincount(groups).max() / len(groups)
    assert abs(measure_share(segments, "validation") - 0.2) <= max(largest, 0.02)
    assert abs(measure_share(segments, "test") - 0.1) <= max(largest, 0.02)


def test_a_group_too_large_to_be_held_out_is_trained_on():
    for seed in range(20):
        segments = records(make_spans(*[10] * 100), [0] * 40 + [*range(1, 61)], seed=seed)
        assert set(segments[:40, 2]) == {0}
        assert measure_share(segments, "test") == measure_share(segments, "validation") == pytest.approx(0.1)


def test_of_few_long_records_each_subset_has_one():
    for seed in range(20):
        assert set(records(make_spans(50, 40, 90), shares=(0.05, 0.05), seed=seed)[:, 2]) == {0, 1, 2}


def test_which_records_are_held_out_depends_on_the_seed():
    spans = make_spans(*[10] * 100)
    first, again, other = (records(spans, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def blocks(spans: np.ndarray, *settings, seed: int = 0) -> np.ndarray:
    return split_blocks(spans, np.arange(len(spans)), *settings, random(seed))


# --- blocks -----------------------------------------------------------------------------------------------


@given(
    st.lists(st.integers(1, 5_000), min_size=1, max_size=30), fractions, fractions, st.integers(0, 60),
    st.integers(0, 9),
)  # fmt: skip
def test_blocks_never_overlap_nor_cross_records(lengths, validation, test, gap, seed):
    spans = make_spans(*lengths)
    length = max(1, int(spans[-1, 1]) // 50)
    segments = blocks(spans, validation, test, gap, length, seed=seed)
    assert (segments[:, 0] < segments[:, 1]).all()
    ordered = segments[np.argsort(segments[:, 0])]
    assert (ordered[1:, 0] >= ordered[:-1, 1]).all()
    for start, stop, _, record in segments:
        assert spans[record, 0] <= start < stop <= spans[record, 1]


@given(fractions, fractions, st.integers(1_000, 30_000), st.integers(0, 9))
def test_blocks_hold_out_the_shares_asked_for(validation, test, length, seed):
    segments = blocks(make_spans(1_000_000), validation, test, 0, length, seed=seed)
    assert measure_share(segments, "validation") == pytest.approx(validation, abs=0.001)
    assert measure_share(segments, "test") == pytest.approx(test, abs=0.001)


def test_held_out_blocks_lie_at_random_places_over_the_whole_corpus():
    places = []
    for seed in range(30):
        segments = blocks(make_spans(1_000_000), 0.05, 0.05, 0, 2_000, seed=seed)
        tested = segments[segments[:, 2] == 2]
        assert len(tested) == 25 and set(tested[:, 1] - tested[:, 0]) == {2_000}
        assert set(tested[:, 0] * 5 // 1_000_000) == set(range(5))
        places.append(tested[:, 0])
    assert len(np.unique(places)) > 700
    assert 0.4 < np.mean(places) / 1_000_000 < 0.6


def test_a_block_lies_within_one_record_where_it_can():
    segments = blocks(make_spans(*[10_000] * 50), 0.1, 0.1, 0, 2_500)
    tested = segments[segments[:, 2] == 2]
    assert (tested[:, 1] - tested[:, 0] == 2_500).mean() > 0.9


def test_training_keeps_its_distance_from_what_is_held_out():
    segments = blocks(make_spans(100_000), 0.05, 0.05, 150, 1_000)
    ordered = segments[np.argsort(segments[:, 0])]
    for left, right in pairwise(ordered):
        if 0 in (left[2], right[2]):
            assert right[0] - left[1] == 150
    assert ordered[0, 0] == 0 and ordered[-1, 1] == 100_000


def test_blocks_of_some_records_leave_the_others_to_training():
    spans = make_spans(10_000, 20_000, 30_000)
    segments = split_blocks(spans, np.array([0, 2]), 0.1, 0.1, 20, 1_000, random())
    held_out = segments[segments[:, 2] > 0]
    assert set(held_out[:, 3].tolist()) == {0, 2}
    assert (held_out[:, 1] - held_out[:, 0]).sum() == 8_000
    assert segments[segments[:, 3] == 1].tolist() == [[10_000, 30_000, 0, 1]]
    assert (segments[1:, 0] >= segments[:-1, 1]).all()
