"""A set of sequences that is ready to be counted and resampled: many metrics, one encoding."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.metric_comparison.subsampling import MIN_BLOCKS

MAX_UNITS = 200


@dataclass(frozen=True, eq=False)
class SequenceSet:
    """Sequences in one array of codes, cut into units, as a `MetricGroup`.

    `codes` ``(positions,)`` has a code of no symbol after each sequence, so that no k-mer and no run crosses
    its end. `starts`, `lengths` and `offsets` ``(sequences,)`` say where each sequence begins in `codes`, its
    symbols, and where it begins in its record. `unit` ``(positions,)`` is the unit of each position, and
    `blocks` ``(units,)`` the block of each unit.
    """

    codes: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    offsets: np.ndarray
    unit: np.ndarray
    units: int
    blocks: np.ndarray

    @classmethod
    def encode(
        cls,
        sequences: Sequence[str],
        encode: Callable[[str], np.ndarray],
        blocks: Sequence[Hashable] | None = None,
        offsets: Sequence[int] | None = None,
    ) -> "SequenceSet":
        """Encode sequences, none of them empty; `encode` has no code for ``|``.

        `blocks` names the block of each sequence; without it, each sequence is a block of its own.
        """
        lengths = np.array([len(each) for each in sequences])
        unit, unit_blocks = _assign_units(len(sequences), blocks)
        starts = np.cumsum(lengths + 1) - lengths - 1
        codes = encode("".join(f"{each}|" for each in sequences))
        begun = np.zeros(len(sequences), np.int64) if offsets is None else np.array(offsets)
        return cls(codes, starts, lengths, begun, np.repeat(unit, lengths + 1), len(unit_blocks), unit_blocks)

    @property
    def unit_sizes(self) -> np.ndarray:
        """Symbols of each unit, ``(units,)``."""
        return np.bincount(self.unit[self.starts], self.lengths, self.units)

    def tally(
        self, positions: np.ndarray, bins: np.ndarray, number: int, weights: np.ndarray | None = None
    ) -> np.ndarray:
        """How often each bin occurs in each unit, ``(units, number)``; `bins` has one for each position."""
        cells = self.unit[positions].astype(np.int64) * number + bins
        return np.bincount(cells, weights, self.units * number).reshape(self.units, number).astype(float)

    def sequences(self) -> list[tuple[int, np.ndarray]]:
        """The unit and the codes of every sequence."""
        ends = self.starts + self.lengths
        bounds = zip(self.starts.tolist(), ends.tolist(), strict=True)
        return [(int(self.unit[start]), self.codes[start:end]) for start, end in bounds]


def _assign_units(count: int, blocks: Sequence[Hashable] | None) -> tuple[np.ndarray, np.ndarray]:
    """The unit ``(sequences,)`` of each sequence, and the block ``(units,)`` of each unit."""
    index = np.arange(count)
    if blocks is not None:
        numbers = {name: number for number, name in enumerate(dict.fromkeys(blocks))}
        block = np.array([numbers[name] for name in blocks])
        # Sequences of one block share a unit only where there are very many.
        merged = index * min(count, MAX_UNITS) // count
        if MIN_BLOCKS <= len(numbers) <= MAX_UNITS // 2:
            pairs, unit = np.unique(np.stack([block, merged]), axis=1, return_inverse=True)
            return unit.reshape(-1), pairs[0]
        if len(numbers) > MAX_UNITS // 2:
            index, count = block, len(numbers)
    units = min(count, MAX_UNITS)
    return index * units // count, np.arange(units)
