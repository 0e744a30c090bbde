"""Differences in standard errors, where the errors themselves are known from few values.

Sources: Student, Biometrika 6 (1908) 1; B. L. Welch, Biometrika 34 (1947) 28.
"""

from collections.abc import Sequence

import numpy as np

ROUNDING = 1e-9
"""An error below this share of the difference comes from rounding."""


def ratio(difference: float, error: float) -> float:
    """A difference in standard errors; infinite where the error is 0 but for rounding."""
    if error > ROUNDING * abs(difference):
        return difference / error
    return np.inf if difference > 0 else 0.0


def welch(squares: np.ndarray, freedom: Sequence[float]) -> float:
    """Degrees of freedom of a difference whose two parts have these squared errors."""
    parts = float((squares**2 / np.array(freedom)).sum())
    return float(squares.sum() ** 2) / parts if parts > 0 else np.inf


def as_normal(errors: float, freedom: float) -> float:
    """What is as unlikely in a normal distribution as so many standard errors in Student's."""
    if not 0 < errors < np.inf or freedom == np.inf:
        return errors
    # SciPy takes a while to load.
    from scipy.special import ndtri, stdtr

    tail = float(stdtr(freedom, -errors))
    return min(errors, -float(ndtri(tail))) if tail > 0 else errors
