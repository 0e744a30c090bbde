"""Random halves of a group's blocks, and subsamples of equal size: the errors of every metric.

Counts add up over the units of a group, so that any part of a group is a weighted sum of rows.

Units from one block of a genome depend on each other, so that the *blocks* are independent. Errors come from
random halves of the blocks, drawn without replacement: the spread of a mean between halves is the standard
error of the whole. The bootstrap draws with replacement and so repeats sequences with their k-mers, which
makes spectra look poorer than they are.

Sources: J. Shao, C. F. J. Wu, Annals of Statistics 17 (1989) 1176, the delete-d jackknife with d = n / 2;
H. R. Kunsch, Annals of Statistics 17 (1989) 1217, on resampling blocks where neighbours depend on each other.
"""

from dataclasses import dataclass

import numpy as np

REPLICATES = 100
"""Random halves; their spread is then known to 7 percent."""
MIN_BLOCKS = 5
"""The spread between fewer blocks is unknown; their units then count as independent."""


@dataclass(frozen=True, eq=False)
class Subsamples:
    """Random halves of a group's blocks, as weights of its units ``(replicates, units)``.

    `half` has half of the group's symbols. `matched` is a part of it with the size that all groups share. The
    spread between halves times `scale` is the standard error of the whole. `degrees_of_freedom` is the number
    of blocks minus one; blocks of unequal size count as fewer.
    """

    half: np.ndarray
    matched: np.ndarray
    scale: float
    degrees_of_freedom: float

    @property
    def complement(self) -> np.ndarray:
        """Weights of the other half."""
        return 1 - self.half


def draw_subsamples(
    sizes: np.ndarray, blocks: np.ndarray, size: float, rng: np.random.Generator
) -> Subsamples:
    """Draw `REPLICATES` halves, each with a subsample of `size` symbols.

    Blocks are drawn whole except the one that completes a half; units are drawn whole except the one that
    completes a half or a subsample.

    Parameters
    ----------
    sizes
        Symbols of each unit, ``(units,)``.
    blocks
        The block of each unit, ``(units,)``.
    size
        Symbols of a subsample.
    rng
        Draws the halves.

    Raises
    ------
    ValueError
        A half has fewer symbols than `size`.
    """
    total, number = sizes.sum(), int(blocks.max()) + 1
    if size > total / 2 * (1 + 1e-9):
        raise ValueError(f"a subsample of {size:g} of {total:g} symbols is more than a half")
    ranks = rng.random((REPLICATES, number)).argsort(axis=1).argsort(axis=1)
    half = _take(np.broadcast_to(sizes, (REPLICATES, len(sizes))), total / 2, _order(ranks[:, blocks], rng))
    matched = half
    if size < total / 2 * (1 - 1e-9):
        symbols = half * sizes
        matched = half * _take(symbols, size, _order(np.where(symbols > 0, 0, 1), rng))
    return Subsamples(half, matched, *_spread(half, sizes, blocks))


def _order(ranks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An order of the units by rank, random among equal ranks."""
    return (ranks + rng.random(ranks.shape)).argsort(axis=1)


def _take(symbols: np.ndarray, size: float, order: np.ndarray) -> np.ndarray:
    """The part of each unit that is taken until there are `size` symbols, in this order."""
    ordered = np.take_along_axis(symbols, order, 1)
    before = ordered.cumsum(axis=1) - ordered
    taken = np.clip((size - before) / np.maximum(ordered, 1e-12), 0, 1)
    return np.take_along_axis(taken, order.argsort(axis=1), 1)


def _spread(half: np.ndarray, sizes: np.ndarray, blocks: np.ndarray) -> tuple[float, float]:
    """`Subsamples.scale` and `Subsamples.degrees_of_freedom`, exact where blocks are equally variable."""
    block_shares = np.zeros((len(sizes), int(blocks.max()) + 1))
    block_shares[np.arange(len(sizes)), blocks] = sizes / sizes.sum()
    whole, halves = block_shares.sum(axis=0), 2 * half @ block_shares
    squares, between = float((whole**2).sum()), float(((halves - whole) ** 2).sum(axis=1).mean())
    return (squares / between) ** 0.5 if between else 1.0, max(1 / squares - 1, 1.0)
