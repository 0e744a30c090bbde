import numpy as np
import pytest

from pipeline.training.diagnostics import advise, time_to_reach


def make_rows(validation, training) -> list[dict[str, float]]:
    """Ten training measurements before each validation."""
    rows = []
    for number, (v, t) in enumerate(zip(validation, training, strict=True)):
        rows += [{"step": number * 100 + k * 10 + 9, "train_bits": t} for k in range(10)]
        rows.append({"step": number * 100 + 99, "validation_bits": v})
    return rows


ROUNDS = np.arange(20)


@pytest.mark.parametrize(
    ("validation", "training", "expected"),
    [
        (3 - 0.05 * ROUNDS, 3.02 - 0.05 * ROUNDS, "underfitting: the loss was still falling, by 0.4"),
        (
            2 + 0.01 * (ROUNDS - 6) ** 2,
            2.5 - 0.05 * ROUNDS,
            "overfitting since epoch 3.5: validation rose by 1.6",
        ),
        (
            2 + 0.9**ROUNDS,
            1.5 + 0.9**ROUNDS,
            "data-limited: validation 2.135, training 1.635 bits, a gap of 0.5",
        ),
        (
            2 + 0.5**ROUNDS,
            2 + 0.5**ROUNDS,
            "neither over- nor underfitting: validation 2.000, training 2.000",
        ),
    ],
)
def test_what_the_curves_say(validation, training, expected):
    assert advise(make_rows(validation, training), epochs_per_step=0.005).startswith(expected)


def test_few_validations_say_nothing():
    assert advise(make_rows([3, 2], [3, 2]), 0.1) is None
    assert advise([], 0.1) is None


def power_law(steps, exponent=0.05):
    return [{"step": float(step), "validation_bits": 3.0 * step**-exponent} for step in steps]


def test_the_time_to_reach_a_baseline_continues_the_curve():
    """A power law that reaches its target after four times the steps takes three times the time more."""
    rows = power_law(range(100, 2001, 100))
    said = time_to_reach(rows, 3.0 * 8000**-0.05, seconds=600, steps=2000)
    assert "about 30 more minutes" in said and "budget=40m" in said and "if the trend" in said


def test_no_time_is_promised_where_none_can_be_estimated():
    rows = power_law(range(100, 2001, 100))
    assert "more than 30 times" in time_to_reach(rows, 1.0, 600, 2000)
    assert "cannot be estimated" in time_to_reach(rows[:3], 1.9, 600, 300)
    assert "on the validation split it is no worse" in time_to_reach(rows, 2.9, 600, 2000)
    flat = [{"step": float(step), "validation_bits": 2.0} for step in range(1, 21)]
    assert "more time will not help" in time_to_reach(flat, 1.9, 600, 20)
