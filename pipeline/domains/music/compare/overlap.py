"""The overlap of two distributions of distances, as in mgeval: among real pieces, and from these to others.

For each metric, the distance of two pieces is the Euclidean distance of their features. The distances among
the real pieces, and those from each real piece to each of another group, give two densities by Gaussian
kernels of Scott's width. The overlap area is the area under both, 1 for equal densities. The Kullback-Leibler
divergence, in nats, is that of the first from the second, 0 for equal densities. Source: L.-C. Yang,
A. Lerch, On the evaluation of generative models in music, Neural Computing and Applications 32 (2020) 4773.
Their code takes the divergence of densities on two different axes; here both have one axis.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.domains.music.compare.piece_set import PieceSet
from pipeline.evaluation.metric_comparison.groups import REAL
from pipeline.evaluation.metric_comparison.metric import Metric

MAX_PIECES = 100
"""Pieces of each group that are compared, at most, because all pairs are."""
MIN_PIECES = 6
POINTS = 1000
"""Points of a density."""
COLUMNS = ("metric", "figure")


def write_overlap(groups: Mapping[str, PieceSet], metrics: Sequence[Metric], path: Path) -> Path | None:
    """Write `overlap.tsv`: overlap area and divergence of each group, and of one half of the real pieces, by
    metric. Returns None, and writes nothing, where there are too few real pieces."""
    real = _measure_features(groups[REAL], metrics) if metrics else []
    if not real or min(map(len, real)) < 2 * MIN_PIECES:
        return None
    others = {name: _measure_features(group, metrics) for name, group in groups.items() if name != REAL}
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, delimiter="\t", lineterminator="\n")
        table.writerow((*COLUMNS, *others, "real against itself"))
        for number, metric in enumerate(metrics):
            own = real[number]
            pairs = [compare(own, each[number]) for each in others.values()]
            pairs.append(compare(own[::2], own[1::2]))
            for at, figure in enumerate(("overlap area", "KL divergence")):
                cells = ("" if pair is None else f"{pair[at]:.3f}" for pair in pairs)
                table.writerow((metric.name.split(", ")[0], figure, *cells))
    return path


def _measure_features(group: PieceSet, metrics: Sequence[Metric]) -> list[np.ndarray]:
    """For each metric the features ``(pieces, n)`` of evenly chosen pieces, without pieces that have none."""
    chosen = np.unique(np.linspace(0, len(group.pieces) - 1, MAX_PIECES).round().astype(int))
    some = PieceSet([group.pieces[number] for number in chosen])
    features = []
    for metric in metrics:
        counts = metric.count(some)
        values = metric.value(counts[counts.any(axis=1)])
        features.append(np.nan_to_num(values.reshape(len(values), -1)))
    return features


def compare(real: np.ndarray, other: np.ndarray) -> tuple[float, float] | None:
    """Overlap area and divergence (nats) of two groups by their features, each ``(pieces, n)``.

    None where there are too few pieces.
    """
    if min(len(real), len(other)) < MIN_PIECES:
        return None
    within = distances(real, real)[np.triu_indices(len(real), 1)]
    return overlap_and_divergence(within, distances(real, other).ravel())


def distances(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Euclidean distances of all pairs of rows, ``(len(some), len(others))``."""
    squares = (some**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * some @ others.T
    return np.sqrt(np.maximum(squares, 0))


def overlap_and_divergence(within: np.ndarray, between: np.ndarray) -> tuple[float, float]:
    """Overlap area and Kullback-Leibler divergence (nats) of two sets of distances.

    The kernels of a set are at least one step of the axis wide.
    """
    low, high = min(within.min(), between.min()), max(within.max(), between.max())
    if low == high:
        return 1.0, 0.0
    step = (high - low) / (POINTS - 1)
    one, other = (_density(each, low, high, step) for each in (within, between))
    area = np.minimum(one, other).sum() * step
    # A tail whose density is rounded to 0 must not give an infinite divergence.
    first, second = (each / each.sum() + 1e-12 for each in (one, other))
    return float(area), float(max((first * np.log(first / second)).sum(), 0.0))


def _density(values: np.ndarray, low: float, high: float, step: float) -> np.ndarray:
    """The density at `POINTS` from `low` to `high`, normalised to 1 between them."""
    from scipy.ndimage import gaussian_filter1d

    counts = np.histogram(values, POINTS, (low - step / 2, high + step / 2))[0].astype(float)
    width = max(values.std(ddof=1) * len(values) ** -0.2 / step, 1.0)
    smooth = gaussian_filter1d(counts, width, mode="reflect", truncate=6)
    return smooth / (smooth.sum() * step)
