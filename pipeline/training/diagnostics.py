"""Conclusions from learning curves: whether more time, more data or a larger model would help."""

from collections.abc import Mapping, Sequence

import numpy as np

MIN_VALIDATIONS = 4
"""The fewest validations that show a trend."""
MIN_DIFFERENCE = 0.01
"""The smallest difference worth mention, in bits per symbol, and as a share of the loss."""
MIN_GENERALISATION_GAP = 0.05
"""The generalisation gap, as a share of the loss, above which a training is called data-limited."""

MIN_SLOPE = 0.002
"""The exponent of the power law of validation bits below which they count as flat."""
MAX_EXTRAPOLATION = 30
"""The longest estimate, in multiples of the training so far."""


def advise(rows: Sequence[Mapping[str, float]], epochs_per_step: float) -> str | None:
    """A one-line conclusion from the rows of a training's metrics; None where there are too few rows."""
    steps, validation = _column(rows, "validation_bits")
    train_steps, training = _column(rows, "train_bits")
    if len(validation) < MIN_VALIDATIONS or not len(training):
        return None
    best = int(validation.argmin())
    train_at_best, train_at_end = (
        _mean_until(train_steps, training, steps, number) for number in (best, len(steps) - 1)
    )
    gap, notable = validation[best] - train_at_best, max(MIN_DIFFERENCE, MIN_DIFFERENCE * validation[best])
    shown = f"validation {validation[best]:.3f}, training {train_at_best:.3f} bits, a gap of {gap:.3f}"
    if validation[-1] - validation[best] > notable and train_at_end < train_at_best:
        return (
            f"overfitting since epoch {steps[best] * epochs_per_step:.2g}: validation rose by "
            f"{validation[-1] - validation[best]:.3f} bits while training fell (the best checkpoint is "
            "kept); more data, model.dropout or a smaller model helps, not more time"
        )
    gained = float(np.interp(0.6 * steps[-1], steps, validation)) - validation[best]
    if gap > MIN_GENERALISATION_GAP * validation[best]:
        return (
            f"data-limited: {shown}. More data, model.dropout or a smaller model helps more than longer "
            "training"
        )
    if gained > notable:
        return (
            f"underfitting: the loss was still falling, by {gained:.3f} bits in the last two fifths "
            f"({shown}). Train longer (train.max_epochs, or a larger budget)"
        )
    return f"neither over- nor underfitting: {shown}. A larger model, trained longer, may learn more"


def time_to_reach(rows: Sequence[Mapping[str, float]], target: float, seconds: float, steps: int) -> str:
    """Advice for a training whose validation bits exceed `target`, those of a baseline: more time, with an
    estimate, or something else.

    `seconds` and `steps` are those of the training so far. The estimate continues a power law, bits = a *
    steps ** -b (Hestness et al., "Deep learning scaling is predictable, empirically", 2017), fitted to the
    second half of the validations.
    """
    where, bits = _column(rows, "validation_bits")
    if len(bits) and bits.min() <= target:
        return "how long it would take cannot be estimated: on the validation split it is no worse"
    later = where >= where[-1] / 2 if len(where) else np.zeros(0, bool)
    if later.sum() < MIN_VALIDATIONS or not steps:
        return "train longer (how long cannot be estimated from so few validations)"
    slope, offset = np.polyfit(np.log(where[later]), np.log(bits[later]), 1)
    if slope > -MIN_SLOPE:
        return (
            "more time will not help, since validation no longer falls; more data, model.dropout, or another "
            "model or model.hidden_size may"
        )
    wanted = float((np.log(target) - offset) / slope) - np.log(where[-1])
    if wanted > np.log(MAX_EXTRAPOLATION):
        times = f"{MAX_EXTRAPOLATION} times the time so far"
        return f"train longer, or another model: at this rate, more than {times}"
    minutes = seconds * (np.exp(max(wanted, 0.0)) - 1) / 60
    total = int(np.ceil(seconds / 60 + minutes - 0.1))
    return (
        f"train longer: about {_minutes(minutes)} at this rate, if the trend of the validation bits holds "
        f"(budget={total}m in all)"
    )


def _minutes(minutes: float) -> str:
    return "1 more minute" if minutes <= 1 else f"{np.ceil(minutes - 0.1):.0f} more minutes"


def _column(rows: Sequence[Mapping[str, float]], name: str) -> tuple[np.ndarray, np.ndarray]:
    points = [(row["step"], row[name]) for row in rows if np.isfinite(row.get(name, np.nan))]
    return np.array([p[0] for p in points]), np.array([p[1] for p in points])


def _mean_until(train_steps: np.ndarray, training: np.ndarray, steps: np.ndarray, number: int) -> float:
    """The training loss over the round that ended with a validation."""
    start = steps[number - 1] if number else -1
    inside = (train_steps > start) & (train_steps <= steps[number])
    return float(training[inside].mean()) if inside.any() else float(training[-1])
