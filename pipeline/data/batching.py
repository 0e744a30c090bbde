"""Batches for truncated back-propagation through time: contiguous streams of codes, grouped by length.

Long segments are cut into pieces. A *length bucket* is a group of pieces of similar length, one in each row
of a batch. The bucket is read window by window, `time` symbols each, and the model carries its state from one
window to the next. The state is reset at the start of a bucket, so no state leaks from one record into
another. A segment starts after the begin symbol; a later piece of it starts after the symbol before the
piece. Padding stays small, because the rows of a bucket are about equally long. A reverse-complemented piece
is read from its last position down, so its start is above its stop.

Source: R. Williams and J. Peng, An efficient gradient-based algorithm for on-line training of recurrent
network trajectories, Neural Computation 2 (1990) 490.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from pipeline.data.alphabet import BOS

PADDING = -100
"""The target that cross-entropy ignores."""
MIN_STEPS_PER_EPOCH = 32
"""With fewer steps in an epoch, a small corpus gets too few updates to be learned; the batch is narrowed."""
MAX_UNCUT_WINDOWS = 8
"""A segment of more windows is cut once, at random. Otherwise a batch of equally long records would consist
of their beginnings first and of their ends last."""
EXCERPT_SYMBOLS = 8_192
"""Length of the excerpts that stand for a corpus too large to be evaluated whole; longer than the memory of a
model."""
SHUFFLED_BUCKETS = 16
"""Pieces are sorted by length within random groups of so many buckets: rows are similar in length, but
random."""


class Window(NamedTuple):
    """One step of truncated back-propagation.

    `inputs` and `targets` are ``(batch, time)`` int64. `fresh` is true where the state is reset before the
    window. `positions`, ``(batch, time)``, are the positions of the targets in the corpus. `backwards`,
    ``(batch,)``, is true for a reverse-complemented row, whose positions decrease. `evidence` has the expert
    features of a context-mixing model, and is empty for other models.
    """

    inputs: np.ndarray
    targets: np.ndarray
    fresh: bool
    positions: np.ndarray
    backwards: np.ndarray
    evidence: tuple = ()


@dataclass(frozen=True)
class ContiguousStreams:
    """The windows of segments of a corpus, in a fixed or a shuffled order.

    `segments` is ``(n, 2)``: half-open starts and stops in `codes`. A segment longer than `piece_length` is
    cut into pieces of that length. When shuffled, one longer than `max_uncut` is cut in two; None never cuts.
    `complement`, ``(vocab_size,)``, maps a code to the code of its complement. Where it is given, each
    shuffled piece is reverse-complemented with probability one half, drawn in each epoch.
    """

    codes: np.ndarray
    segments: np.ndarray
    batch: int
    time: int
    piece_length: int | None = None
    max_uncut: int | None = None
    complement: np.ndarray | None = None

    @classmethod
    def for_training(
        cls,
        codes: np.ndarray,
        segments: np.ndarray,
        batch: int,
        time: int,
        complement: np.ndarray | None = None,
    ) -> "ContiguousStreams":
        """Cut pieces short enough to fill the batch; a small corpus gets fewer rows, and so more steps."""
        total = int((segments[:, 1] - segments[:, 0]).sum())
        batch = max(1, min(batch, total // (time * MIN_STEPS_PER_EPOCH)))
        piece_length, max_uncut = max(time, -(-total // batch)), MAX_UNCUT_WINDOWS * time
        return cls(codes, segments, batch, time, piece_length, max_uncut, complement)

    def buckets(self, rng: np.random.Generator | None) -> list[np.ndarray]:
        """Group the pieces into buckets of at most `batch` rows, each ``(rows, 2)`` of start and stop.

        The start is above the stop of a reverse-complemented piece. With `rng` the order is shuffled.
        """
        pieces = self._pieces(rng)
        lengths = pieces[:, 1] - pieces[:, 0]
        if rng and self.complement is not None:
            pieces = np.where(rng.random((len(pieces), 1)) < 0.5, pieces[:, ::-1] - 1, pieces)
        if rng is None:
            pieces = pieces[np.argsort(-lengths, kind="stable")]
            return [pieces[at : at + self.batch] for at in range(0, len(pieces), self.batch)]
        order = rng.permutation(len(pieces))
        group = self.batch * SHUFFLED_BUCKETS
        buckets = []
        for at in range(0, len(order), group):
            chosen = order[at : at + group]
            chosen = chosen[np.argsort(-lengths[chosen], kind="stable")]
            buckets += [pieces[chosen[row : row + self.batch]] for row in range(0, len(chosen), self.batch)]
        return [buckets[number] for number in rng.permutation(len(buckets))]

    def steps(self, buckets: Sequence[np.ndarray]) -> int:
        """Count the windows of the buckets."""
        return sum(len(range(0, *self._stride(bucket))) for bucket in buckets)

    def windows(self, buckets: Sequence[np.ndarray], skip: int = 0) -> Iterator[Window]:
        """Yield the windows of the buckets in order, without the first `skip`."""
        for bucket in buckets:
            starts, stops = bucket[:, :1], bucket[:, 1:]
            longest, width = self._stride(bucket)
            for offset in range(0, longest, width):
                if skip > 0:
                    skip -= 1
                    continue
                yield self._window(starts, stops, offset, min(width, longest - offset))

    def _stride(self, bucket: np.ndarray) -> tuple[int, int]:
        """Return the longest length in a bucket and the width of its windows: about equal, at most `time`."""
        longest = int(np.abs(bucket[:, 1] - bucket[:, 0]).max())
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
        if self.complement is not None and backwards.any():
            codes[backwards] = self.complement[codes[backwards]]
        return codes

    def _begin(self, starts: np.ndarray, backwards: np.ndarray) -> np.ndarray:
        """Tell for each piece whether it starts at an edge of a segment: the start, or the stop if
        reversed."""
        edges = np.where(backwards, starts + 1, starts)
        found = [each[np.minimum(np.searchsorted(each, edges), len(each) - 1)] for each in self._edges]
        return np.where(backwards, found[1], found[0]) == edges

    @cached_property
    def _edges(self) -> tuple[np.ndarray, np.ndarray]:
        """Starts and stops of the segments, each sorted for binary search."""
        return np.sort(self.segments[:, 0]), np.sort(self.segments[:, 1])

    def _pieces(self, rng: np.random.Generator | None) -> np.ndarray:
        lengths = self.segments[:, 1] - self.segments[:, 0]
        limit = self.piece_length or int(lengths.max())
        long = lengths > limit
        pieces = [self.segments[~long]]
        if rng and self.max_uncut:
            pieces = [_cut_once(pieces[0], self.max_uncut, rng)]
        for start, stop in self.segments[long]:
            # The cut moves from epoch to epoch, so that no position always lacks its context.
            first = int(rng.integers(limit)) if rng else 0
            edges = np.unique(np.concatenate([[start], np.arange(start + first, stop, limit), [stop]]))
            pieces.append(np.column_stack([edges[:-1], edges[1:]]))
        return np.concatenate(pieces)


def excerpt_segments(segments: np.ndarray, max_codes: int) -> np.ndarray:
    """Return the segments, or evenly spaced excerpts of about `max_codes` codes where they have more."""
    lengths = segments[:, 1] - segments[:, 0]
    total = int(lengths.sum())
    if total <= max_codes:
        return segments
    counts = -(-lengths // EXCERPT_SYMBOLS)
    nth = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    begins, ends = np.repeat(segments, counts, axis=0).T
    starts = begins + nth * EXCERPT_SYMBOLS
    chosen = np.arange(max(1, len(starts) * max_codes // total)) * total // max_codes
    return np.column_stack([starts, np.minimum(starts + EXCERPT_SYMBOLS, ends)])[chosen]


def _cut_once(segments: np.ndarray, longest: int, rng: np.random.Generator) -> np.ndarray:
    """Cut each segment longer than `longest` in two, at a random position."""
    lengths = segments[:, 1] - segments[:, 0]
    whole, cut = segments[lengths <= longest], segments[lengths > longest]
    places = cut[:, 0] + rng.integers(1, cut[:, 1] - cut[:, 0])
    return np.concatenate([whole, np.column_stack([cut[:, 0], places]), np.column_stack([places, cut[:, 1]])])
