"""Batches for truncated back-propagation through time: lanes of contiguous codes, window after window.

Segments (long ones cut into pieces) of similar length run side by side, one in each row of a batch, as a
*wave*: window after window of `time` symbols, the model's state carried from one to the next, until all
have ended. A wave starts from the empty state, a segment from the begin symbol, and a later piece of one from
the symbol before it; so no state ever leaks from one record into another, and padding stays small because
neighbours are equally long. A piece that is read backwards, as its reverse complement, runs from its last
position down: its start lies above its stop.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from pipeline.data.alphabet import BOS

PADDING = -100
"""The target that cross-entropy ignores."""
MIN_STEPS = 32
"""Steps in an epoch, at least: with fewer, a small corpus would see too few updates to be learned."""
LONG_WINDOWS = 8
"""A segment of more windows than this is cut once at random: records of equal length, and of like build from
start to end, would otherwise show the model all their beginnings at once, then all their ends."""
STRETCH = 8_192
"""Of segments that are too long, stretches of this length are read: long against what a model remembers."""
POOL_WAVES = 16
"""Pieces are sorted by length within random pools of so many waves: similar length, random company."""


class Window(NamedTuple):
    """One step: `inputs` and `targets` are ``(batch, time)`` int64, `fresh` where the state starts empty,
    `positions` ``(batch, time)`` says where in the corpus each target lies, `backwards` ``(batch,)`` is where
    a row is a reverse complement, whose positions run downwards. `evidence` is empty but for a model that
    reads the training split before it is trained (`Model.prepare`)."""

    inputs: np.ndarray
    targets: np.ndarray
    fresh: bool
    positions: np.ndarray
    backwards: np.ndarray
    evidence: tuple = ()


@dataclass(frozen=True)
class Lanes:
    """The windows of some segments of a corpus, in a fixed or a shuffled order.

    `segments` is ``(n, 2)``: half-open starts and stops in `codes`. Longer ones than `piece_length` are cut
    into pieces of that length, and when shuffled, longer ones than `long` in two: None never cuts. Where
    `complement`, ``(vocab_size,)`` code to code, is given, a shuffled piece is read backwards, as its
    reverse complement, with probability one half: another half each epoch.
    """

    codes: np.ndarray
    segments: np.ndarray
    batch: int
    time: int
    piece_length: int | None = None
    long: int | None = None
    complement: np.ndarray | None = None

    @classmethod
    def for_training(
        cls,
        codes: np.ndarray,
        segments: np.ndarray,
        batch: int,
        time: int,
        complement: np.ndarray | None = None,
    ) -> "Lanes":
        """Pieces short enough to fill the batch; of little data fewer lanes, for the sake of more steps."""
        total = int((segments[:, 1] - segments[:, 0]).sum())
        batch = max(1, min(batch, total // (time * MIN_STEPS)))
        piece_length, long = max(time, -(-total // batch)), LONG_WINDOWS * time
        return cls(codes, segments, batch, time, piece_length, long, complement)

    def waves(self, rng: np.random.Generator | None) -> list[np.ndarray]:
        """Pieces in groups of at most `batch`: each ``(rows, 2)`` of start and stop, the start above the stop
        where read backwards; shuffled where `rng` is given."""
        pieces = self._pieces(rng)
        lengths = pieces[:, 1] - pieces[:, 0]
        if rng and self.complement is not None:
            pieces = np.where(rng.random((len(pieces), 1)) < 0.5, pieces[:, ::-1] - 1, pieces)
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
        longest = int(np.abs(wave[:, 1] - wave[:, 0]).max())
        count = -(-longest // self.time)
        return longest, -(-longest // count)

    def _window(self, starts: np.ndarray, stops: np.ndarray, offset: int, width: int) -> Window:
        way = np.where(starts > stops, -1, 1)
        backwards = way[:, 0] < 0
        positions = starts + way * np.arange(offset, offset + width)
        outside = (stops - positions) * way <= 0
        positions = np.where(outside, stops - way, positions)
        targets = self._read(positions, backwards)
        before = np.clip(positions[:, :1] - way, 0, len(self.codes) - 1)
        inputs = np.concatenate([self._read(before, backwards), targets[:, :-1]], axis=1)
        if offset == 0:
            inputs[self._begin(starts[:, 0], backwards), 0] = BOS
        targets[outside] = PADDING
        return Window(inputs, targets, offset == 0, positions, backwards)

    def _read(self, positions: np.ndarray, backwards: np.ndarray) -> np.ndarray:
        codes = self.codes[positions].astype(np.int64)
        if backwards.any():
            codes[backwards] = self.complement[codes[backwards]]
        return codes

    def _begin(self, starts: np.ndarray, backwards: np.ndarray) -> np.ndarray:
        """Which pieces begin where a segment does, or, read backwards, where one ends."""
        edges = np.where(backwards, starts + 1, starts)
        found = [each[np.minimum(np.searchsorted(each, edges), len(each) - 1)] for each in self._edges]
        return np.where(backwards, found[1], found[0]) == edges

    @cached_property
    def _edges(self) -> tuple[np.ndarray, np.ndarray]:
        """Starts and stops of the segments, each sorted, to look them up."""
        return np.sort(self.segments[:, 0]), np.sort(self.segments[:, 1])

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


def spread(segments: np.ndarray, most: int) -> np.ndarray:
    """The segments, or evenly spread stretches of them with about `most` codes, where they have more."""
    lengths = segments[:, 1] - segments[:, 0]
    total = int(lengths.sum())
    if total <= most:
        return segments
    counts = -(-lengths // STRETCH)
    nth = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    begins, ends = np.repeat(segments, counts, axis=0).T
    starts = begins + nth * STRETCH
    chosen = np.arange(max(1, len(starts) * most // total)) * total // most
    return np.column_stack([starts, np.minimum(starts + STRETCH, ends)])[chosen]


def _cut_once(segments: np.ndarray, longest: int, rng: np.random.Generator) -> np.ndarray:
    """Segments longer than `longest` in two pieces, at a random place."""
    lengths = segments[:, 1] - segments[:, 0]
    whole, cut = segments[lengths <= longest], segments[lengths > longest]
    places = cut[:, 0] + rng.integers(1, cut[:, 1] - cut[:, 0])
    return np.concatenate([whole, np.column_stack([cut[:, 0], places]), np.column_stack([places, cut[:, 1]])])
