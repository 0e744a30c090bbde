"""A group of sequences made ready to be counted and resampled: many measures, each counted once.

Whatever is counted adds up over sequences. So a group is counted by *units* (its sequences; parts of them
where they are few, several together where they are many), and any share of a group is a weighted sum of
rows.

Errors come from random halves of the units, drawn without replacement: of a mean, the spread between halves
is the standard error of the whole. Drawing with replacement, as the plain bootstrap does, repeats
sequences, and the words in them with these: it makes k-mers look poorer than they are. Source: J. Shao, C.
F. J. Wu, Annals of Statistics 17 (1989) 1176, the delete-d jackknife with d = n / 2.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

MOST_UNITS = 200
REPLICATES = 100
"""Random halves; their spread is then known to 7 percent."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Sequences as codes ``(positions,)``, each with a letter of no code after it, so that no word and no run
    reaches over its end; `starts` and `lengths` ``(sequences,)`` of them; the unit ``(positions,)`` of each
    position."""

    codes: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    unit: np.ndarray
    units: int

    @classmethod
    def of(cls, sequences: Sequence[str], encode: Callable[[str], np.ndarray]) -> "Pool":
        """Sequences, none of them empty, under the codes of `encode`, which has none for ``|``."""
        lengths = np.array([len(each) for each in sequences])
        units = min(len(sequences), MOST_UNITS)
        unit = np.arange(len(sequences)) * units // len(sequences)
        starts = np.cumsum(lengths + 1) - lengths - 1
        codes = encode("".join(f"{each}|" for each in sequences))
        return cls(codes, starts, lengths, np.repeat(unit, lengths + 1), units)

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


def draw_halves(sizes: np.ndarray, size: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two disjoint random shares of units, `size` letters each, `REPLICATES` times: weights ``(replicates,
    units)``.

    The unit with which a share is full counts in part, so that all shares are equally large.
    """
    order = rng.random((REPLICATES, len(sizes))).argsort(axis=1)
    ordered = sizes[order]
    before = ordered.cumsum(axis=1) - ordered
    first = np.clip((size - before) / ordered, 0, 1)
    both = np.clip((2 * size - before) / ordered, 0, 1)
    back = order.argsort(axis=1)
    return np.take_along_axis(first, back, 1), np.take_along_axis(both - first, back, 1)
