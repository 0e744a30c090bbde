"""How much the variety among real pieces and their distances from others overlap, as mgeval measures it.

Of each measure, pieces are compared two by two by the Euclidean distance of their features. Distances within
the real set, and from each real piece to each of another set, are two densities, by Gaussian kernels of
Scott's width. The overlap area is what lies under both, 1 for the same; the Kullback-Leibler divergence, in
nats, is that of the first from the second, 0 for the same. Source: L.-C. Yang, A. Lerch, On the evaluation
of generative models in music, Neural Computing and Applications 32 (2020) 4773. Their code takes the
divergence of densities on two different axes; here both are on one, from the least distance to the largest.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.domains.music.compare.note_measures import Pieces
from pipeline.evaluation.metric_comparison.groups import REAL
from pipeline.evaluation.metric_comparison.metric import Metric

MAX_PIECES = 100
"""Pieces of each set that are compared: their pairs are thousands."""
MIN_PIECES = 6
POINTS = 1000
COLUMNS = ("measure", "figure")


def write_overlap(groups: Mapping[str, Pieces], measures: Sequence[Metric], path: Path) -> Path | None:
    """`overlap.tsv`: the overlap area and the divergence of each group by measure, real pieces against other
    real ones beside them; None where there are too few real pieces."""
    real = _features(groups[REAL], measures) if measures else []
    if not real or min(map(len, real)) < 2 * MIN_PIECES:
        return None
    others = {name: _features(group, measures) for name, group in groups.items() if name != REAL}
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, delimiter="\t", lineterminator="\n")
        table.writerow((*COLUMNS, *others, "real against itself"))
        for number, measure in enumerate(measures):
            own = real[number]
            pairs = [compare(own, each[number]) for each in others.values()]
            pairs.append(compare(own[::2], own[1::2]))
            for at, figure in enumerate(("overlap area", "KL divergence")):
                cells = ("" if pair is None else f"{pair[at]:.3f}" for pair in pairs)
                table.writerow((measure.name.split(", ")[0], figure, *cells))
    return path


def _features(group: Pieces, measures: Sequence[Metric]) -> list[np.ndarray]:
    """By measure the features of the pieces that have some, ``(pieces, n)``, of pieces spread over all."""
    chosen = np.unique(np.linspace(0, len(group.pieces) - 1, MAX_PIECES).round().astype(int))
    some = Pieces([group.pieces[number] for number in chosen])
    found = []
    for measure in measures:
        counts = measure.count(some)
        values = measure.value(counts[counts.any(axis=1)])
        found.append(np.nan_to_num(values.reshape(len(values), -1)))
    return found


def compare(real: np.ndarray, other: np.ndarray) -> tuple[float, float] | None:
    """Overlap area and divergence (nats) of the distances within the real features and from these to others,
    each ``(pieces, n)``; None of too few pieces."""
    if min(len(real), len(other)) < MIN_PIECES:
        return None
    within = distances(real, real)[np.triu_indices(len(real), 1)]
    return overlap_and_divergence(within, distances(real, other).ravel())


def distances(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Euclidean distances of rows, ``(len(some), len(others))``."""
    squares = (some**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * some @ others.T
    return np.sqrt(np.maximum(squares, 0))


def overlap_and_divergence(within: np.ndarray, between: np.ndarray) -> tuple[float, float]:
    """Overlap area and Kullback-Leibler divergence (nats) of two sets of distances.

    Where a set has no spread, its kernels are a step of the axis wide.
    """
    low, high = min(within.min(), between.min()), max(within.max(), between.max())
    if low == high:
        return 1.0, 0.0
    step = (high - low) / (POINTS - 1)
    one, other = (_density(each, low, high, step) for each in (within, between))
    area = np.minimum(one, other).sum() * step
    # A tail so thin that the computer has no number for it is not infinitely unlikely.
    first, second = (each / each.sum() + 1e-12 for each in (one, other))
    return float(area), float(max((first * np.log(first / second)).sum(), 0.0))


def _density(values: np.ndarray, low: float, high: float, step: float) -> np.ndarray:
    """The density at `POINTS` from `low` to `high`, its mass between them 1."""
    from scipy.ndimage import gaussian_filter1d

    counts = np.histogram(values, POINTS, (low - step / 2, high + step / 2))[0].astype(float)
    width = max(values.std(ddof=1) * len(values) ** -0.2 / step, 1.0)
    smooth = gaussian_filter1d(counts, width, mode="reflect", truncate=6)
    return smooth / (smooth.sum() * step)
