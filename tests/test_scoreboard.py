"""What is real looks real, what is not does not, and words say so."""

import csv

import numpy as np
import pytest

from pipeline.scoreboard import Measure, jensen_shannon, mean, score, shares
from pipeline.scoretable import Words, figures_of, summary_of, verdict, write_table

WORDS = Words("real tunes", "tunes")


def with_one(values):
    return np.column_stack([values, np.ones(len(values))])


HEIGHT = Measure("height", with_one, mean, unit="m")
DICE = Measure("dice", lambda rolls: np.eye(6)[rolls], shares, jensen_shannon)


def rows(groups, *measures):
    return score(groups, {name: np.ones(len(each)) for name, each in groups.items()}, measures)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_distances_of_distributions():
    same = np.array([0.5, 0.5, 0])
    assert jensen_shannon(same, same) == 0
    assert jensen_shannon(np.array([1.0, 0]), np.array([0, 1.0])) == 1
    assert jensen_shannon(np.eye(2), np.array([[1.0, 0], [1, 0]])).tolist() == [0, 1]


def test_a_number_far_off_is_told_with_its_direction_and_null(rng):
    heights = {"samples": (2, 40), "held-out real": (0, 200), "shuffled": (4, 40)}
    (row,) = rows({name: rng.normal(mean, 1, count) for name, (mean, count) in heights.items()}, HEIGHT)
    assert row.distance("samples") == pytest.approx(2, abs=0.5)
    assert verdict(row, WORDS) == "more than in real tunes, but nearer than every null"
    assert row.nearest() == ["samples"]


def test_standard_errors_are_those_of_the_mean(rng):
    (row,) = rows({"samples": rng.normal(0, 3, 40), "held-out real": rng.normal(0, 3, 400)}, HEIGHT)
    assert row.groups["samples"].error == pytest.approx(3 / np.sqrt(40), rel=0.3)
    assert row.groups["held-out real"].error == pytest.approx(3 / np.sqrt(400), rel=0.3)


def test_chance_is_called_noise(rng):
    beyond = 0
    for _ in range(40):
        found = rows({"samples": rng.integers(0, 6, 30), "held-out real": rng.integers(0, 6, 150)}, DICE)
        beyond += found[0].beyond_noise("samples")
    assert beyond <= 2


def test_a_loaded_die_is_found_and_a_nearer_null_named(rng):
    loaded, fair = np.array([0.5, 0.1, 0.1, 0.1, 0.1, 0.1]), np.full(6, 1 / 6)
    drawn = {name: rng.choice(6, 300, p=p) for name, p in
             (("samples", loaded), ("held-out real", fair), ("Markov order 2", fair))}  # fmt: skip
    (row,) = rows(drawn, DICE)
    assert verdict(row, WORDS) == "unlike real tunes; Markov order 2 is nearer"
    assert row.floor < 0.15 < row.distance("samples")


def test_where_shuffled_cannot_be_told_there_is_too_little(rng):
    groups = {name: rng.normal(0, 1, 30) for name in ("samples", "held-out real", "shuffled")}
    (row,) = rows(groups, HEIGHT)
    assert verdict(row, WORDS) == "like real tunes; so is shuffled: too few tunes to tell"
    (kept,) = rows(groups, Measure("height", with_one, mean, kept_by_shuffling=True))
    assert verdict(kept, WORDS) == "like real tunes; so is shuffled"
    assert summary_of([row], WORDS) == ["beside real tunes: too few tunes to tell"]


def test_table_lines_and_figures(rng, tmp_path):
    groups = {"samples": rng.normal(2, 1, 40), "held-out real": rng.normal(0, 1, 200),
              "Markov order 2": rng.normal(0, 1, 40)}  # fmt: skip
    found = rows(groups, HEIGHT)
    write_table({"tunes": {"samples": "40"}}, found, list(groups), WORDS, tmp_path / "table.tsv")
    with (tmp_path / "table.tsv").open() as stream:
        plain, row = csv.DictReader(stream, delimiter="\t")
    assert plain["measure"] == "tunes" and plain["samples"] == "40" and plain["verdict"] == ""
    low, high = map(float, row["interval of the samples"].split(" to "))
    assert low < float(row["samples"]) < high and row["measure"] == "height, m"
    assert row["nearest to real"] == "Markov order 2"
    first, second = summary_of(found, WORDS)
    assert first == "like real tunes in 0 of the 1 measures that tell (Markov order 2 in 1)"
    assert second.startswith("most unlike real tunes: height ") and second.count(" m") == 2
    assert set(figures_of(found)) == {"height, m", "height, m, real"}


def test_without_real_sequences_there_is_no_row():
    assert rows({"samples": np.arange(10.0)}, HEIGHT) == []
