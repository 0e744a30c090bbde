"""Overlap area and divergence of distances, on densities whose figures are known."""

import csv

import numpy as np
import pytest
from scipy import integrate, stats

from pipeline.domains.music.compare.overlap import compare, distances, overlap_and_divergence, write_overlap
from pipeline.domains.music.compare.piece_set import PieceSet, mean_metric


def test_distances_are_euclidean():
    assert distances(np.array([[0.0, 0], [3, 4]]), np.array([[0.0, 0]])).tolist() == [[0], [5]]


def test_the_same_overlaps_wholly_and_the_far_not_at_all():
    values = np.random.default_rng(1).normal(0, 1, 2000)
    area, divergence = overlap_and_divergence(values, values)
    assert (area, divergence) == (pytest.approx(1), pytest.approx(0, abs=1e-9))
    area, divergence = overlap_and_divergence(values, values + 100)
    assert area < 0.01 and divergence > 5
    assert overlap_and_divergence(np.zeros(9), np.zeros(9)) == (1, 0)


def test_it_is_what_kernel_densities_give():
    rng = np.random.default_rng(2)
    one, other = rng.normal(5, 1, 800), rng.normal(6, 1.5, 800)
    first, second = stats.gaussian_kde(one), stats.gaussian_kde(other)
    axis = np.linspace(min(one.min(), other.min()), max(one.max(), other.max()), 1000)
    expected = integrate.trapezoid(np.minimum(first(axis), second(axis)), axis)
    area, divergence = overlap_and_divergence(one, other)
    assert area == pytest.approx(expected, abs=0.01)
    assert divergence == pytest.approx(stats.entropy(first(axis), second(axis)), rel=0.1)


def test_groups_are_compared_with_real_ones_and_real_ones_with_themselves(tmp_path):
    rng = np.random.default_rng(3)
    drawn = {"samples": (0, 40), "held-out real": (0, 80), "shuffled": (9, 40), "few": (0, 1)}
    groups = {name: PieceSet(list(rng.normal(middle, 1, count))) for name, (middle, count) in drawn.items()}
    metric = mean_metric("height", lambda height: (height, 1))
    write_overlap(groups, [metric], tmp_path / "overlap.tsv")
    with (tmp_path / "overlap.tsv").open() as stream:
        area, divergence = csv.DictReader(stream, delimiter="\t")
    assert float(area["samples"]) > 0.8 < float(area["real against itself"])
    assert float(area["shuffled"]) < 0.1 and float(divergence["shuffled"]) > 10 * float(divergence["samples"])
    assert area["few"] == ""
    assert write_overlap({"held-out real": PieceSet([1.0] * 3)}, [metric], tmp_path / "none.tsv") is None


def test_too_few_pieces_have_no_overlap():
    assert compare(np.zeros((3, 1)), np.zeros((40, 1))) is None
