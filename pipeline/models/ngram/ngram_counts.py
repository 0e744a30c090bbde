"""Counts of the n-grams of every length in integer codes, for Markov models and for the Markov baseline.

An n-gram is numbered by its rank among those that occur: the id of an (n+1)-gram is the rank of its pair (id
of its first n symbols, last symbol). So no n-gram is too long for an integer key, nothing is hashed, and the
next order takes one pass over the text. `markov.py` computes probabilities from the counts;
`context_tables.py` has them as tables for compiled code.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Intervals = Sequence[tuple[int, int]] | np.ndarray
"""Half-open (start, stop) intervals of codes; no context reaches back over the start of one."""
MAX_TABLE_RATIO = 10
"""Keys in a range of at most this multiple of their number are ranked in a table, at 5 bytes per value."""


@dataclass(frozen=True, slots=True)
class OrderCounts:
    """Counts of one order: sorted keys ``context id * vocab_size + symbol``, and how often each occurred."""

    keys: np.ndarray  # (n-grams,) int64
    counts: np.ndarray  # (n-grams,) int32
    totals: np.ndarray  # (contexts,) int32: the counts of a context's keys, summed
    distinct: np.ndarray  # (contexts,) int32: how many different symbols followed a context

    def find(self, contexts: np.ndarray, symbols: np.ndarray, vocab_size: int) -> np.ndarray:
        """Index of each (context, symbol) among the keys, -1 where it never occurred."""
        keys = contexts.astype(np.int64) * vocab_size + symbols
        index = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where((self.keys[index] == keys) & (contexts >= 0), index, -1)


class Text:
    """Intervals of codes, a virtual start before each, with the context id of every position.

    Ids: 0 is the empty context and, in higher orders, the start; -1 never occurred; others are 1 + the index
    of the n-gram among the keys of the order below. Each `count_order` or `read` moves to the next order.
    """

    def __init__(
        self, codes: np.ndarray, segments: Intervals, start_code: int | None, complement: np.ndarray | None
    ) -> None:
        self.symbols, self.along = _lay_out(codes, segments, backwards=False)
        if complement is not None:
            symbols, along = _lay_out(codes, segments, backwards=True)
            symbols = np.asarray(complement)[symbols].astype(symbols.dtype)
            self.symbols = np.concatenate([self.symbols, symbols])
            self.along = np.concatenate([self.along, along])
        self.given = self.along == 0
        if start_code is not None:
            self.given |= self.symbols == start_code
        self.drawn = ~self.given
        self.begin()

    def begin(self) -> None:
        """Return to order 0."""
        # Fewer n-grams than positions, and fewer positions than 2^31: int32 halves the memory.
        self._grams = np.zeros(len(self.symbols), np.int32)

    def _contexts(self) -> np.ndarray:
        # The first position is always a virtual start, so what rolls round to it is never used.
        return np.roll(self._grams, 1)[self.drawn]

    def _go_up(self, index: np.ndarray) -> None:
        self._grams[:] = 0
        self._grams[self.drawn] = np.where(index < 0, -1, index + 1)

    def count_order(self, vocab_size: int) -> OrderCounts:
        """Count the n-grams of this order."""
        contexts = self._contexts()
        keys, index, counts = _unique(contexts.astype(np.int64) * vocab_size + self.symbols[self.drawn])
        self._go_up(index)
        owners = keys // vocab_size
        totals, distinct = np.bincount(owners, weights=counts), np.bincount(owners)
        return OrderCounts(keys, counts.astype(np.int32), totals.astype(np.int32), distinct.astype(np.int32))

    def read(self, level: OrderCounts, vocab_size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For every position the counts of its (context, symbol), of its context, and of the different
        symbols after its context."""
        contexts = self._contexts()
        index = level.find(contexts, self.symbols[self.drawn], vocab_size)
        self._go_up(index)
        return take(level.counts, index), take(level.totals, contexts), take(level.distinct, contexts)


def _unique(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sorted distinct keys, the index of each key among them, and their counts."""
    bound = int(keys.max()) + 1
    if bound > max(MAX_TABLE_RATIO * len(keys), 1 << 16):
        return np.unique(keys, return_inverse=True, return_counts=True)
    # Keys in a small range are ranked in a table, several times faster than by sorting.
    occurs = np.zeros(bound, bool)
    occurs[keys] = True
    distinct = np.flatnonzero(occurs)
    rank = np.empty(bound, np.int32)
    rank[distinct] = np.arange(len(distinct), dtype=np.int32)
    index = rank[keys]
    return distinct, index, np.bincount(index)


def take(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Values at the indices, 0 where an index is negative or beyond the end."""
    inside = (index >= 0) & (index < len(values))
    return np.where(inside, values[np.where(inside, index, 0)], 0)


def _lay_out(codes: np.ndarray, segments: Intervals, backwards: bool) -> tuple[np.ndarray, np.ndarray]:
    """The codes of the intervals, a virtual start before each, and the distance of each code from its
    start."""
    pairs = np.asarray(segments, np.int64).reshape(-1, 2)
    lengths = pairs[:, 1] - pairs[:, 0] + 1
    heads = np.cumsum(lengths) - lengths
    along = (np.arange(lengths.sum()) - np.repeat(heads, lengths)).astype(np.int32)
    if backwards:
        places = np.repeat(pairs[:, 1], lengths) - along
    else:
        places = np.repeat(pairs[:, 0], lengths) + along - 1
    # A virtual start may lie outside the codes; what it reads there is never used.
    return np.asarray(codes)[np.clip(places, 0, max(len(codes) - 1, 0))], along
