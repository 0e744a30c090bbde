"""A group of sequences made ready to be counted and resampled: many measures, each counted once.

Whatever is counted adds up over sequences. So a group is counted by *units* (its sequences; parts of them
where they are few, several together where they are many), and any share of a group is a weighted sum of
rows.

Units from one block of a genome are alike, so that not they but the *blocks* are independent. Errors come
from random halves of the blocks, drawn without replacement: of a mean, the spread between halves is the
standard error of the whole. The bootstrap, which draws with replacement, repeats sequences, and the words in
them with these: it makes k-mers look poorer than they are. Sources: J. Shao, C. F. J. Wu, Annals of
Statistics 17 (1989) 1176, the delete-d jackknife with d = n / 2; H. R. Kunsch, Annals of Statistics 17 (1989)
1217, that blocks are resampled where neighbours depend on each other.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

MAX_UNITS = 200
REPLICATES = 100
"""Random halves; their spread is then known to 7 percent."""
MIN_BLOCKS = 5
"""Of fewer blocks the spread between them is not known; their units then count as independent."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Sequences as codes ``(positions,)``, each with a letter of no code after it, so that no word and no run
    reaches over its end; `starts` and `lengths` ``(sequences,)`` of them, and `offsets`, how far into its
    record each begins; the unit ``(positions,)`` of each position, and the block ``(units,)`` of each unit.
    """

    codes: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    offsets: np.ndarray
    unit: np.ndarray
    units: int
    blocks: np.ndarray

    @classmethod
    def of(
        cls, sequences: Sequence[str], encode: Callable[[str], np.ndarray],
        blocks: Sequence[Hashable] | None = None, offsets: Sequence[int] | None = None,
    ) -> "Pool":  # fmt: skip
        """Sequences, none of them empty, under the codes of `encode`, which has none for ``|``.

        `blocks` says which block each sequence is from; without it, each is a block of its own.
        """
        lengths = np.array([len(each) for each in sequences])
        unit, of_units = _units(len(sequences), blocks)
        starts = np.cumsum(lengths + 1) - lengths - 1
        codes = encode("".join(f"{each}|" for each in sequences))
        begun = np.zeros(len(sequences), np.int64) if offsets is None else np.array(offsets)
        return cls(codes, starts, lengths, begun, np.repeat(unit, lengths + 1), len(of_units), of_units)

    @property
    def unit_sizes(self) -> np.ndarray:
        """Letters of each unit, ``(units,)``."""
        return np.bincount(self.unit[self.starts], self.lengths, self.units)

    def tally(
        self, positions: np.ndarray, bins: np.ndarray, number: int, weights: np.ndarray | None = None
    ) -> np.ndarray:
        """How often each bin occurs in each unit, ``(units, number)``; a bin for every position given."""
        cells = self.unit[positions].astype(np.int64) * number + bins
        return np.bincount(cells, weights, self.units * number).reshape(self.units, number).astype(float)

    def sequences(self) -> list[tuple[int, np.ndarray]]:
        """The unit and the codes of every sequence."""
        ends = self.starts + self.lengths
        bounds = zip(self.starts.tolist(), ends.tolist(), strict=True)
        return [(int(self.unit[start]), self.codes[start:end]) for start, end in bounds]


def _units(count: int, blocks: Sequence[Hashable] | None) -> tuple[np.ndarray, np.ndarray]:
    """The unit ``(sequences,)`` of each sequence, and the block ``(units,)`` of each unit."""
    place = np.arange(count)
    if blocks is not None:
        numbers = {name: number for number, name in enumerate(dict.fromkeys(blocks))}
        block = np.array([numbers[name] for name in blocks])
        # Sequences of one block that are one unit, too, are so because there are very many.
        merged = place * min(count, MAX_UNITS) // count
        if MIN_BLOCKS <= len(numbers) <= MAX_UNITS // 2:
            pairs, unit = np.unique(np.stack([block, merged]), axis=1, return_inverse=True)
            return unit.reshape(-1), pairs[0]
        if len(numbers) > MAX_UNITS // 2:
            place, count = block, len(numbers)
    units = min(count, MAX_UNITS)
    return place * units // count, np.arange(units)


@dataclass(frozen=True, eq=False)
class Halves:
    """Random halves of a group's blocks; weights of units are ``(replicates, units)``.

    `half` has half of the group's letters, `share` so many of these as all groups have, `rest` the letters
    that are not in `half`. The spread between halves times `scale` is the standard error of the whole;
    `freedom` is how many blocks there are, less one, blocks of unequal size counted as fewer.
    """

    half: np.ndarray
    share: np.ndarray
    scale: float
    freedom: float

    @property
    def rest(self) -> np.ndarray:
        """Weights of the other half."""
        return 1 - self.half


def draw_halves(sizes: np.ndarray, blocks: np.ndarray, size: float, rng: np.random.Generator) -> Halves:
    """Halves of units of these sizes ``(units,)`` and blocks ``(units,)``, with shares of `size` letters,
    `REPLICATES` times. Raises ValueError where a half has fewer letters than that.

    Blocks are drawn whole but the one with which a half is full, and units whole but the one with which a
    half or a share is.
    """
    total, number = sizes.sum(), int(blocks.max()) + 1
    if size > total / 2 * (1 + 1e-9):
        raise ValueError(f"a share of {size:g} of {total:g} letters is more than a half")
    ranks = rng.random((REPLICATES, number)).argsort(axis=1).argsort(axis=1)
    half = _fill(np.broadcast_to(sizes, (REPLICATES, len(sizes))), total / 2, _within(ranks[:, blocks], rng))
    share = half
    if size < total / 2 * (1 - 1e-9):
        letters = half * sizes
        share = half * _fill(letters, size, _within(np.where(letters > 0, 0, 1), rng))
    return Halves(half, share, *_spread(half, sizes, blocks))


def _within(ranks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An order of the units: by rank, and at random among those of one rank."""
    return (ranks + rng.random(ranks.shape)).argsort(axis=1)


def _fill(letters: np.ndarray, size: float, order: np.ndarray) -> np.ndarray:
    """The part of each unit that is taken to have `size` letters, if they are taken in this order."""
    ordered = np.take_along_axis(letters, order, 1)
    before = ordered.cumsum(axis=1) - ordered
    taken = np.clip((size - before) / np.maximum(ordered, 1e-12), 0, 1)
    return np.take_along_axis(taken, order.argsort(axis=1), 1)


def _spread(half: np.ndarray, sizes: np.ndarray, blocks: np.ndarray) -> tuple[float, float]:
    """`Halves.scale` and `Halves.freedom`, exact where the values of blocks are equally variable."""
    of_block = np.zeros((len(sizes), int(blocks.max()) + 1))
    of_block[np.arange(len(sizes)), blocks] = sizes / sizes.sum()
    whole, halves = of_block.sum(axis=0), 2 * half @ of_block
    squares, between = float((whole**2).sum()), float(((halves - whole) ** 2).sum(axis=1).mean())
    return (squares / between) ** 0.5 if between else 1.0, max(1 / squares - 1, 1.0)
