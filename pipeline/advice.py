"""What the learning curves say: whether to train longer, to give more data, or a larger model."""

from collections.abc import Mapping, Sequence

import numpy as np

FEW = 4
"""Fewer validations tell no tendency."""
NOTABLE = 0.01
"""Bits per symbol by which two figures must differ to be spoken of, and as a share of the loss."""
WIDE = 0.05
"""Share of the loss by which training must be better than validation for the data to be what is short."""


def advise(rows: Sequence[Mapping[str, float]], epochs_per_step: float) -> str | None:
    """One line on a training, from the rows of its metrics; None where there are too few to tell."""
    steps, validation = _column(rows, "validation_bits")
    train_steps, training = _column(rows, "train_bits")
    if len(validation) < FEW or not len(training):
        return None
    best = int(validation.argmin())
    train_at_best, train_at_end = (
        _mean_until(train_steps, training, steps, number) for number in (best, len(steps) - 1)
    )
    gap, notable = validation[best] - train_at_best, max(NOTABLE, NOTABLE * validation[best])
    shown = f"validation {validation[best]:.3f}, training {train_at_best:.3f} bits, a gap of {gap:.3f}"
    if validation[-1] - validation[best] > notable and train_at_end < train_at_best:
        return (
            f"overfitting since epoch {steps[best] * epochs_per_step:.2g}: validation rose by "
            f"{validation[-1] - validation[best]:.3f} bits while training fell (what is kept is the best); "
            "more data, model.dropout or a smaller model helps, not more time"
        )
    gained = float(np.interp(0.6 * steps[-1], steps, validation)) - validation[best]
    if gap > WIDE * validation[best]:
        return (
            f"data-limited: {shown}; more data, model.dropout or a smaller model helps more than longer "
            "training"
        )
    if gained > notable:
        return (
            f"underfitting: the loss was still falling, by {gained:.3f} bits in the last two fifths "
            f"({shown}); train longer (train.max_epochs, or a larger budget)"
        )
    return f"neither over- nor underfitting: {shown}; a larger model, trained longer, may learn more"


def _column(rows: Sequence[Mapping[str, float]], name: str) -> tuple[np.ndarray, np.ndarray]:
    points = [(row["step"], row[name]) for row in rows if np.isfinite(row.get(name, np.nan))]
    return np.array([p[0] for p in points]), np.array([p[1] for p in points])


def _mean_until(train_steps: np.ndarray, training: np.ndarray, steps: np.ndarray, number: int) -> float:
    """The training loss over the round that ended with a validation."""
    start = steps[number - 1] if number else -1
    inside = (train_steps > start) & (train_steps <= steps[number])
    return float(training[inside].mean()) if inside.any() else float(training[-1])
