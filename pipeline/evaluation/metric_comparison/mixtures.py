"""Real sequences with a share that is not real; the smallest that is found shows the power of a test."""

from collections.abc import Callable

import numpy as np

from pipeline.evaluation.metric_comparison.groups import MetricGroup

MIXTURES = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5)
"""Shares that are not real, in the order in which they are easier to find."""
Mixer = Callable[[float], MetricGroup]
"""The control group with such a share of its symbols replaced by random ones."""


def mix_symbols(text: str, share: float, symbols: str, rng: np.random.Generator) -> str:
    """The text in which each symbol is replaced with probability `share`, uniformly from `symbols`."""
    codes = np.frombuffer(text.encode("ascii"), np.uint8)
    random = np.frombuffer(symbols.encode("ascii"), np.uint8)[rng.integers(len(symbols), size=len(codes))]
    return np.where(rng.random(len(codes)) < share, random, codes).tobytes().decode("ascii")


def mix_units(counts: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    """Counts ``(units, bins)`` in which a share of the units, evenly spread, is replaced by other units."""
    mixed = counts.copy()
    positions = np.linspace(0, len(mixed) - 1, round(share * len(mixed))).round().astype(int)
    mixed[positions] = other[np.arange(len(positions)) % len(other)]
    return mixed
