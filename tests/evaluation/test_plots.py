import re

import numpy as np

from pipeline.evaluation.plots import GROUP_STYLES, colour, group_style, learning_curves


def curve_rows():
    """Rows as a CSV logger writes them: training bits at some steps, validation bits at others."""
    rng = np.random.default_rng(0)
    for step in range(10, 2000, 10):
        yield {"step": step, "train_bits": 1.7 + 2.5 * np.exp(-step / 200) + rng.normal(0, 0.02)}
        if step % 100 == 0:
            yield {"step": step, "validation_bits": 1.75 + 2.4 * np.exp(-step / 200)}


def test_learning_curves_are_the_same_bytes_each_time(tmp_path):
    baseline = {"Markov order 6 (test)": 2.2, "uniform": 4.5}
    one, two = (
        learning_curves(curve_rows(), tmp_path / name, "character", baseline).read_bytes()
        for name in ("1.svg", "2.svg")
    )
    assert one == two
    assert one.startswith(b"<?xml")


def test_learning_curves_bear_few_or_odd_rows(tmp_path):
    for rows in ([], [{"step": 1, "train_bits": 3.0}], [{"step": 1, "validation_bits": float("nan")}]):
        text = learning_curves(rows, tmp_path / "c.svg", "base", {}).read_text(encoding="utf-8")
        assert re.search("</svg>\\s*$", text)


def test_a_group_has_one_colour():
    assert colour("samples") != colour("shuffled")
    assert colour("Markov order 12") == colour("Markov order 12")


def test_a_group_looks_the_same_in_every_figure_whatever_follows_its_first_word():
    assert group_style("Markov order 5") == group_style("Markov order 13")
    looks = [*GROUP_STYLES.values(), group_style("another group")]
    assert len({look.dashes for look in looks}) == len({look.marker for look in looks}) == len(looks)
