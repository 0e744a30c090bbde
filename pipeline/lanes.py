"""Batches for truncated back-propagation through time: lanes of contiguous codes, window after window.

Segments (long ones cut into pieces) of similar length run side by side, one in each row of a batch, as a
*wave*: window after window of `time` symbols, the model's state carried from one to the next, until all
have ended. A wave starts from the empty state, a segment from the begin symbol, and a later piece of one from
the symbol before it; so no state ever leaks from one record into another, and padding stays small because
neighbours are equally long.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipeline.alphabet import BOS

PADDING = -100
"""The target that cross-entropy ignores."""
LEAST_STEPS = 32
"""Steps in an epoch, at least: with fewer, a small corpus would see too few updates to be learned."""
LONG_WINDOWS = 8
"""A segment of more windows than this is cut once at random: records of equal length, and of like build from
start to end, would otherwise show the model all their beginnings at once, then all their ends."""
POOL_WAVES = 16
"""Pieces are sorted by length within random pools of so many waves: similar length, random company."""


class Window(NamedTuple):
    """One step: `inputs` and `targets` are ``(batch, time)`` int64, `fresh` where the state starts empty,
    `positions` ``(batch, time)`` says where in the corpus each target lies."""

    inputs: np.ndarray
    targets: np.ndarray
    fresh: bool
    positions: np.ndarray


@dataclass(frozen=True)
class Lanes:
    """The windows of some segments of a corpus, in a fixed or a shuffled order.

    `segments` is ``(n, 2)``: half-open starts and stops in `codes`. Longer ones than `piece_length` are cut
    into pieces of that length, and when shuffled, longer ones than `long` in two: None never cuts.
    """

    codes: np.ndarray
    segments: np.ndarray
    batch: int
    time: int
    piece_length: int | None = None
    long: int | None = None

    @classmethod
    def for_training(cls, codes: np.ndarray, segments: np.ndarray, batch: int, time: int) -> "Lanes":
        """Pieces short enough to fill the batch; of little data fewer lanes, for the sake of more steps."""
        total = int((segments[:, 1] - segments[:, 0]).sum())
        batch = max(1, min(batch, total // (time * LEAST_STEPS)))
        return cls(codes, segments, batch, time, max(time, -(-total // batch)), LONG_WINDOWS * time)

    def waves(self, rng: np.random.Generator | None) -> list[np.ndarray]:
        """Pieces in groups of at most `batch`: each ``(rows, 2)``; shuffled where `rng` is given."""
        pieces = self._pieces(rng)
        lengths = pieces[:, 1] - pieces[:, 0]
        if rng is None:
            pieces = pieces[np.argsort(-lengths, kind="stable")]
            return [pieces[at : at + self.batch] for at in range(0, len(pieces), self.batch)]
        order = rng.permutation(len(pieces))
        pool = self.batch * POOL_WAVES
        waves = []
        for at in range(0, len(order), pool):
            chosen = order[at : at + pool]
            chosen = chosen[np.argsort(-lengths[chosen], kind="stable")]
            waves += [pieces[chosen[row : row + self.batch]] for row in range(0, len(chosen), self.batch)]
        return [waves[number] for number in rng.permutation(len(waves))]

    def steps(self, waves: Sequence[np.ndarray]) -> int:
        """How many windows the waves make."""
        return sum(len(range(0, *self._stride(wave))) for wave in waves)

    def windows(self, waves: Sequence[np.ndarray], skip: int = 0) -> Iterator[Window]:
        """The windows of the waves, in order, the first `skip` left out."""
        for wave in waves:
            starts, stops = wave[:, :1], wave[:, 1:]
            longest, width = self._stride(wave)
            for offset in range(0, longest, width):
                if skip > 0:
                    skip -= 1
                    continue
                yield self._window(starts, stops, offset, min(width, longest - offset))

    def _stride(self, wave: np.ndarray) -> tuple[int, int]:
        """The longest length in a wave, and the width of its windows: as equal as can be, at most `time`."""
        longest = int((wave[:, 1] - wave[:, 0]).max())
        count = -(-longest // self.time)
        return longest, -(-longest // count)

    def _window(self, starts: np.ndarray, stops: np.ndarray, offset: int, width: int) -> Window:
        positions = starts + np.arange(offset, offset + width)
        outside = positions >= stops
        positions = np.minimum(positions, stops - 1)
        targets = self.codes[positions].astype(np.int64)
        inputs = np.empty_like(targets)
        inputs[:, 1:] = targets[:, :-1]
        inputs[:, 0] = self.codes[np.maximum(positions[:, 0] - 1, 0)]
        if offset == 0:
            inputs[np.isin(starts[:, 0], self.segments[:, 0]), 0] = BOS
        targets[outside] = PADDING
        return Window(inputs, targets, offset == 0, positions)

    def _pieces(self, rng: np.random.Generator | None) -> np.ndarray:
        lengths = self.segments[:, 1] - self.segments[:, 0]
        limit = self.piece_length or int(lengths.max())
        long = lengths > limit
        pieces = [self.segments[~long]]
        if rng and self.long:
            pieces = [_cut_once(pieces[0], self.long, rng)]
        for start, stop in self.segments[long]:
            # Another cut each epoch, so that no place is always without its context.
            first = int(rng.integers(limit)) if rng else 0
            edges = np.unique(np.concatenate([[start], np.arange(start + first, stop, limit), [stop]]))
            pieces.append(np.column_stack([edges[:-1], edges[1:]]))
        return np.concatenate(pieces)


def _cut_once(segments: np.ndarray, longest: int, rng: np.random.Generator) -> np.ndarray:
    """Segments longer than `longest` in two pieces, at a random place."""
    lengths = segments[:, 1] - segments[:, 0]
    whole, cut = segments[lengths <= longest], segments[lengths > longest]
    places = cut[:, 0] + rng.integers(1, cut[:, 1] - cut[:, 0])
    return np.concatenate([whole, np.column_stack([cut[:, 0], places]), np.column_stack([places, cut[:, 1]])])
