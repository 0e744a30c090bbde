"""Differences in standard errors, where the standard errors are estimated from few values.

Sources: Student, Biometrika 6 (1908) 1; B. L. Welch, Biometrika 34 (1947) 28.
"""

from collections.abc import Sequence

import numpy as np

ROUNDING = 1e-9
"""A standard error below this share of the difference is a rounding error."""


def ratio(difference: float, error: float) -> float:
    """A difference in standard errors; infinite where the error is 0 or a rounding error."""
    if error > ROUNDING * abs(difference):
        return difference / error
    return np.inf if difference > 0 else 0.0


def welch(squares: np.ndarray, degrees_of_freedom: Sequence[float]) -> float:
    """Degrees of freedom of a difference whose two terms have these squared errors."""
    parts = float((squares**2 / np.array(degrees_of_freedom)).sum())
    return float(squares.sum() ** 2) / parts if parts > 0 else np.inf


def as_normal(errors: float, degrees_of_freedom: float) -> float:
    """The standard errors of a normal distribution that are as unlikely as `errors` are in Student's."""
    if not 0 < errors < np.inf or degrees_of_freedom == np.inf:
        return errors
    # SciPy takes long to load.
    from scipy.special import ndtri, stdtr

    tail = float(stdtr(degrees_of_freedom, -errors))
    return min(errors, -float(ndtri(tail))) if tail > 0 else errors
