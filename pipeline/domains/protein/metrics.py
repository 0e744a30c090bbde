"""The metrics of the comparison table of proteins, in its order; `properties.py` has the counts."""

from functools import partial

import numpy as np

from pipeline.domains.protein.properties import (
    complexity_tally,
    hydropathy_tally,
    length_tally,
    mean_tally,
    word_tally,
)
from pipeline.evaluation.metric_comparison.divergence import jensen_shannon, proportions
from pipeline.evaluation.metric_comparison.metric import Metric

WORD_LENGTHS = range(1, 4)


def spectrum(k: int) -> str:
    """The name of the metric of k-mers."""
    return "JS distance of amino-acid composition" if k == 1 else f"JS distance of {k}-mers"


def metrics() -> list[Metric]:
    """All metrics. A shuffle keeps the length, both ends, and how often each pair of residues occurs."""
    return [
        Metric("mean length (residues)", mean_tally, partial(_ratio, of=1), kept_by_shuffling=True),
        Metric("JS distance of lengths", length_tally, proportions, jensen_shannon, kept_by_shuffling=True),
        Metric("begin with methionine (%)", mean_tally, _with_methionine, kept_by_shuffling=True),
        *(
            Metric(
                spectrum(k), partial(word_tally, k=k), proportions, jensen_shannon, kept_by_shuffling=k <= 2,
                family="k-mers",
            )
            for k in WORD_LENGTHS
        ),
        Metric("mean hydropathy (GRAVY)", hydropathy_tally, partial(_ratio, of=1), kept_by_shuffling=True),
        Metric(
            "spread of hydropathy between proteins (standard deviation)",
            hydropathy_tally, _spread, kept_by_shuffling=True,
        ),
        Metric("probably membrane-spanning (% of proteins)", hydropathy_tally, _membrane),
        Metric("residues of low complexity, SEG (%)", complexity_tally, _low_complexity),
    ]  # fmt: skip


def _ratio(counts: np.ndarray, of: int) -> np.ndarray:
    """A sum over proteins, divided by their number."""
    return counts[..., of] / np.maximum(counts[..., 0], 1e-9)


def _with_methionine(counts: np.ndarray) -> np.ndarray:
    return 100 * _ratio(counts, 2)


def _spread(counts: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(_ratio(counts, 2) - _ratio(counts, 1) ** 2, 0))


def _membrane(counts: np.ndarray) -> np.ndarray:
    return 100 * _ratio(counts, 3)


def _low_complexity(counts: np.ndarray) -> np.ndarray:
    return 100 * counts[..., 0] / np.maximum(counts[..., 1], 1e-9)
