"""The baselines of every network: interpolated Markov models of any order, and shuffles.

They work on integer codes, for any domain. A Markov model counts every (context, next symbol) of orders 0 to
k and interpolates each order with the one below. `ngram_counts.py` counts; `markov_choice.py` chooses the
order and the escape weights.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import DataError
from pipeline.models.ngram.ngram_counts import Intervals, OrderCounts, Text, take

Counts = tuple[np.ndarray, np.ndarray, np.ndarray]
"""n(c,s), n(c) and t(c) of some positions at one order, each ``(positions,)``."""


@dataclass(frozen=True, eq=False)
class Markov:
    """An interpolated Markov model: P_k(s|c) = (n(c,s) + w_k t(c) P_{k-1}(s|c')) / (n(c) + w_k t(c)).

    Here c' is c without its oldest symbol, n(c) sums n(c,s), t(c) is the number of distinct symbols that
    followed c, and P_{-1} is uniform over the vocabulary. After a context that never occurred P_k is P_{k-1}.
    With all w_k = 1 this is the interpolated form of method C of Witten and Bell, "The zero-frequency
    problem" (1991).

    `start_code`, if given, is the symbol that opens a sequence: it is never predicted (log probability 0),
    and contexts do not reach back over it, just as they do not over a segment's start.
    """

    vocab_size: int
    escape_weights: tuple[float, ...]
    """w_k of each order: the pseudocount of the order below for each distinct symbol."""
    levels: tuple[OrderCounts, ...]
    both_strands: bool = False
    start_code: int | None = None
    validation_bits: float | None = None
    share: float = 1.0
    """The share of the training symbols that was counted."""

    @property
    def order(self) -> int:
        """The length of the longest context."""
        return len(self.levels) - 1

    @classmethod
    def fit(
        cls,
        codes: np.ndarray,
        segments: Intervals,
        vocab_size: int,
        escape_weights: Sequence[float],
        complement: np.ndarray | None = None,
        start_code: int | None = None,
    ) -> "Markov":
        """Count one order for each escape weight, from order 0 up. With `complement` (code to code), the
        reverse complement of every segment is counted too.

        Raises DataError where there is nothing to count or a code is outside the vocabulary.
        """
        text = Text(codes, segments, start_code, complement)
        check_codes(text, vocab_size, "training")
        levels = tuple(text.count_order(vocab_size) for _ in escape_weights)
        return cls(vocab_size, tuple(escape_weights), levels, complement is not None, start_code)

    def log_probabilities(self, codes: np.ndarray, segments: Intervals) -> np.ndarray:
        """Log probability (nats) of every symbol of the segments, in their order, float64."""
        return log_probabilities_by_order(self, [self.escape_weights], codes, segments)[0]

    def sample(
        self,
        count: int,
        length: int,
        rng: np.random.Generator,
        end_code: int | None = None,
        forbidden: Iterable[int] = (),
        prime: Sequence[int] = (),
    ) -> list[np.ndarray]:
        """Sample `count` sequences of at most `length` codes, each of which ends before `end_code`.

        `forbidden` symbols, and the start symbol, have no probability; the others are renormalised. `prime`
        is the context before the sequences, and no part of them.
        """
        sampler = _Sampler(self, count, forbidden)
        for code in prime:
            sampler.push(np.full(count, code))
        drawn = np.zeros((count, length), np.uint8 if self.vocab_size <= 256 else np.uint16)
        lengths = np.full(count, length)
        for time in range(length):
            symbols = sampler.draw(rng)
            drawn[:, time] = symbols
            if end_code is not None:
                lengths[(symbols == end_code) & (lengths == length)] = time
                if (lengths < length).all():
                    break
            sampler.push(symbols)
        return [row[:stop] for row, stop in zip(drawn, lengths, strict=True)]


class _Sampler:
    """Samples the next symbol of many sequences at once.

    P_k is a mixture of an order's own counts and the order below. So a draw first chooses the order, then one
    of the counted symbols: no distribution over the vocabulary is computed.
    """

    def __init__(self, model: Markov, count: int, forbidden: Iterable[int]) -> None:
        self.model = model
        self.allowed = np.ones(model.vocab_size, bool)
        self.allowed[[*forbidden, *([] if model.start_code is None else [model.start_code])]] = False
        if not self.allowed.any():
            raise DataError("every symbol is forbidden: nothing can be sampled")
        self.contexts = [np.zeros(count, np.int64) for _ in model.levels]
        self.sums, self.before, self.own = [], [], []
        for level in model.levels:
            sums = np.cumsum(np.where(self.allowed[level.keys % model.vocab_size], level.counts, 0))
            ends = np.searchsorted(level.keys // model.vocab_size, np.arange(len(level.totals)), side="right")
            self.sums.append(sums)
            self.before.append(np.concatenate([[0], np.where(ends > 0, sums[ends - 1], 0)]))
            self.own.append(np.diff(self.before[-1]))

    def push(self, symbols: np.ndarray) -> None:
        """Move every context on by one symbol."""
        vocab_size, start = self.model.vocab_size, symbols == self.model.start_code
        for order in range(self.model.order, 0, -1):
            index = self.model.levels[order - 1].find(self.contexts[order - 1], symbols, vocab_size)
            self.contexts[order] = np.where(start, 0, np.where(index < 0, -1, index + 1))

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """One symbol for each sequence, shape (count,)."""
        count = len(self.contexts[0])
        own, below, mass = [], [], np.full(count, self.allowed.mean())
        for level, weight, counts, contexts in zip(
            self.model.levels, self.model.escape_weights, self.own, self.contexts, strict=True
        ):
            totals, escape = take(level.totals, contexts), weight * take(level.distinct, contexts)
            own.append(take(counts, contexts))
            below.append(escape * mass)
            # After an unseen context both are 0: the draw goes on to the order below.
            mass = np.where(totals > 0, (own[-1] + below[-1]) / np.maximum(totals + escape, 1), mass)
        symbols = rng.choice(np.flatnonzero(self.allowed), count)
        waiting = np.ones(count, bool)
        for order in range(self.model.order, -1, -1):
            chosen = waiting & (rng.random(count) * (own[order] + below[order]) < own[order])
            waiting &= ~chosen
            rank = self.before[order][self.contexts[order][chosen]] + rng.integers(own[order][chosen])
            index = np.searchsorted(self.sums[order], rank, side="right")
            symbols[chosen] = self.model.levels[order].keys[index] % self.model.vocab_size
        return symbols


def shuffle_keeping_pairs(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A uniformly random sequence with the same count of every adjacent pair, and the same ends.

    Source: Altschul & Erikson, Mol. Biol. Evol. 2 (1985) 526: a random Euler path over the pairs. The
    last edges out of each symbol form a tree towards the final symbol, drawn uniformly by Wilson's
    algorithm (STOC 1996); the other edges follow in random order.
    """
    codes = np.asarray(codes)
    if len(codes) < 3:
        return codes.copy()
    order = np.lexsort((rng.random(len(codes) - 1), codes[:-1]))
    symbols, starts = np.unique(codes[:-1][order], return_index=True)
    targets = np.split(codes[1:][order], starts[1:])
    edges = {int(s): t.tolist() for s, t in zip(symbols, targets, strict=True)}
    _put_last_edges_last(edges, int(codes[-1]), rng)
    shuffled = [int(codes[0])]
    # Taken from the end of each list, hence turned round.
    waiting = {symbol: row[::-1] for symbol, row in edges.items()}
    for _ in range(len(codes) - 1):
        shuffled.append(waiting[shuffled[-1]].pop())
    return np.array(shuffled, codes.dtype)


def _put_last_edges_last(edges: dict[int, list[int]], final: int, rng: np.random.Generator) -> None:
    """Draw a uniform tree of last edges towards the final symbol and move them to the ends of the lists."""
    settled = {final}
    for first in edges:
        at, chosen = first, {}
        while at not in settled:
            # A symbol met again gets a new edge, which erases the loop.
            chosen[at] = int(rng.integers(len(edges[at])))
            at = edges[at][chosen[at]]
        at = first
        while at not in settled:
            settled.add(at)
            row, place = edges[at], chosen[at]
            at = row[place]
            row[place], row[-1] = row[-1], row[place]


def cut_intervals(segments: Intervals, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(begins, starts, stops): the intervals cut into parts of at most `most`, and the begin of each's
    whole."""
    pairs = np.asarray(segments, np.int64).reshape(-1, 2)
    number = -(-(pairs[:, 1] - pairs[:, 0]) // most)
    begins, ends = np.repeat(pairs, number, axis=0).T
    nth = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    starts = begins + nth * most
    return begins, starts, np.minimum(starts + most, ends)


def _batches(
    segments: Intervals, order: int, most: int = 1 << 20
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(starts, leads, stops) in batches of bounded size; from a lead to its start lies the full context."""
    begins, starts, stops = cut_intervals(segments, most)
    leads = np.maximum(begins, starts - order)
    batch = np.cumsum(stops - leads) // most
    cuts = np.flatnonzero(np.diff(batch)) + 1
    for places in np.split(np.arange(len(starts)), cuts):
        yield starts[places], leads[places], stops[places]


def log_probabilities_by_order(
    model: Markov, weight_sets: Sequence[Sequence[float]], codes: np.ndarray, segments: Intervals
) -> list[np.ndarray]:
    """The result of `Markov.log_probabilities` for each set of escape weights. k + 1 weights are a model of
    order k on the counts of `model`, which are looked up once for all sets."""
    found = [[np.zeros(0)] for _ in weight_sets]
    for starts, leads, stops in _batches(segments, model.order):
        text = Text(codes, np.stack([leads, stops], axis=1), model.start_code, None)
        counts = [text.read(level, model.vocab_size) for level in model.levels]
        asked = text.along > np.repeat(starts - leads, stops - leads + 1)
        for scores, weights in zip(found, weight_sets, strict=True):
            every = np.zeros(len(text.symbols))
            every[text.drawn] = np.log(interpolate(counts, weights, model.vocab_size))
            scores.append(every[asked])
    return [np.concatenate(scores) for scores in found]


def interpolate(counts: Sequence[Counts], weights: Sequence[float], vocab_size: int) -> np.ndarray:
    """Probabilities ``(positions,)`` by the formula of `Markov`; `counts` are those of each order."""
    probability = np.full(len(counts[0][0]), 1 / vocab_size)
    for (own, totals, distinct), weight in zip(counts, weights, strict=False):
        seen, escape = totals > 0, weight * distinct
        probability[seen] = (own[seen] + escape[seen] * probability[seen]) / (totals[seen] + escape[seen])
    return probability


def check_codes(text: Text, vocab_size: int, split: str) -> None:
    """Raise DataError where the text has nothing to count, or a code outside the vocabulary."""
    if not text.drawn.any():
        raise DataError(f"the {split} split has no symbols: a Markov model needs some; give more data")
    highest = int(text.symbols[text.drawn].max())
    if highest >= vocab_size:
        raise DataError(f"the {split} split has code {highest}, but the alphabet ends at {vocab_size - 1}")
