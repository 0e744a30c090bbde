"""Null models that every network is held against: Markov chains of any order, and shuffles.

Over integer codes, for any domain. A Markov model counts every (context, next symbol) of orders 0 to k and
interpolates each order with the one below; `best_markov` picks the order on the validation split.
The counting is in `pipeline/grams.py`.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import DataError
from pipeline.grams import Level, Segments, Text, take

log = logging.getLogger(__name__)

CONCENTRATIONS = tuple(2.0**power for power in range(-3, 13))
"""Tried at each order: how many imagined counts the order below is worth."""
MOST_COUNTED = 6_000_000
"""Positions counted by `best_markov`, both strands together; about 150 bytes of memory each."""
MOST_VALIDATED = 1_000_000
"""Validation symbols that `best_markov` reads."""
LEAST_GAIN = 1e-4
"""Bits per symbol that a higher order must gain to be preferred."""


@dataclass(frozen=True, eq=False)
class Markov:
    """An interpolated Markov model: P_k(s|c) = (n(c,s) + a_k P_{k-1}(s|c')) / (n(c) + a_k), where c' is c
    without its oldest symbol, n(c) sums n(c,s), and P_{-1} is uniform over the vocabulary.

    `start_code`, if given, is the symbol that opens a sequence: it is never predicted (log probability 0),
    and contexts do not reach back over it, just as they do not over a segment's start.
    """

    vocab_size: int
    concentrations: tuple[float, ...]
    levels: tuple[Level, ...]
    both_strands: bool = False
    start_code: int | None = None
    validation_bits: float | None = None
    share: float = 1.0
    """How much of the training symbols was counted."""

    @property
    def order(self) -> int:
        """How many symbols back the model looks."""
        return len(self.levels) - 1

    @classmethod
    def fit(
        cls,
        codes: np.ndarray,
        segments: Segments,
        vocab_size: int,
        order: int,
        concentrations: Sequence[float],
        complement: np.ndarray | None = None,
        start_code: int | None = None,
    ) -> "Markov":
        """Count orders 0 to `order`; one concentration for each. With `complement` (code to code), the
        reverse complement of every segment is counted too.

        Raises DataError where there is nothing to count or a code is outside the vocabulary.
        """
        if len(concentrations) != order + 1:
            raise ValueError(f"{order + 1} concentrations wanted, got {len(concentrations)}")
        text = Text(codes, segments, start_code, complement)
        _check(text, vocab_size, "training")
        levels = tuple(text.grow(vocab_size) for _ in range(order + 1))
        return cls(vocab_size, tuple(concentrations), levels, complement is not None, start_code)

    def log_probabilities(self, codes: np.ndarray, segments: Segments) -> np.ndarray:
        """Log probability (nats) of every symbol of the segments, in their order, float64."""
        found = [np.zeros(0)]
        for starts, leads, stops in _batches(segments, self.order):
            text = Text(codes, np.stack([leads, stops], axis=1), self.start_code, None)
            probability = np.full(int(text.drawn.sum()), 1 / self.vocab_size)
            for level, concentration in zip(self.levels, self.concentrations, strict=True):
                counts, totals = text.read(level, self.vocab_size)
                probability = (counts + concentration * probability) / (totals + concentration)
            scores = np.zeros(len(text.symbols))
            scores[text.drawn] = np.log(probability)
            found.append(scores[text.along > np.repeat(starts - leads, stops - leads + 1)])
        return np.concatenate(found)

    def sample(
        self,
        count: int,
        length: int,
        rng: np.random.Generator,
        end_code: int | None = None,
        forbidden: Iterable[int] = (),
        prime: Sequence[int] = (),
    ) -> list[np.ndarray]:
        """Draw `count` sequences of at most `length` codes, each ended before `end_code` where it is drawn.

        `forbidden` symbols, and the start symbol, get no probability, the others in proportion. `prime`
        is context that the sequences go on from; it is not part of them.
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
    """Draws the next symbol of many sequences at once.

    P_k is a mixture of an order's own counts and the order below, so a draw first picks the order, then
    one of the counted symbols: no distribution over the vocabulary is ever written out.
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
        own, below, mass = [], [], self.allowed.mean()
        for order, concentration in enumerate(self.model.concentrations):
            own.append(take(self.own[order], self.contexts[order]))
            below.append(concentration * mass)
            mass = (own[-1] + below[-1]) / (
                take(self.model.levels[order].totals, self.contexts[order]) + concentration
            )
        count = len(self.contexts[0])
        symbols = rng.choice(np.flatnonzero(self.allowed), count)
        waiting = np.ones(count, bool)
        for order in range(self.model.order, -1, -1):
            chosen = waiting & (rng.random(count) * (own[order] + below[order]) < own[order])
            waiting &= ~chosen
            rank = self.before[order][self.contexts[order][chosen]] + rng.integers(own[order][chosen])
            index = np.searchsorted(self.sums[order], rank, side="right")
            symbols[chosen] = self.model.levels[order].keys[index] % self.model.vocab_size
        return symbols


def best_markov(
    codes: np.ndarray,
    train_segments: Segments,
    validation_segments: Segments,
    vocab_size: int,
    orders: Iterable[int] = range(0, 13),
    complement: np.ndarray | None = None,
    start_code: int | None = 0,
) -> Markov:
    """The model with fewest bits per symbol on the validation segments, trained on the others.

    The concentration of each order is chosen on validation too, from the lowest order up; two orders
    without a gain end the search. With `complement`, counting both strands is tried beside one.

    Raises DataError where either split is empty.
    """
    tried = []
    for strands in [None] if complement is None else [None, np.asarray(complement)]:
        most = MOST_COUNTED if strands is None else MOST_COUNTED // 2
        counted = _bounded(train_segments, most, "training")
        train = Text(codes, counted, start_code, strands)
        validation = Text(
            codes, _bounded(validation_segments, MOST_VALIDATED, "validation"), start_code, None
        )
        _check(train, vocab_size, "training")
        _check(validation, vocab_size, "validation")
        levels, concentrations, bits = _climb(train, validation, vocab_size, set(orders))
        tried.append(
            Markov(
                vocab_size,
                concentrations,
                levels,
                strands is not None,
                start_code,
                bits,
                share=_size(counted) / _size(train_segments),
            )
        )
    return min(tried, key=lambda model: model.validation_bits)


def _climb(
    train: Text, validation: Text, vocab_size: int, orders: set[int]
) -> tuple[tuple[Level, ...], tuple[float, ...], float]:
    """Levels and concentrations up to the best order, and its bits per validation symbol."""
    levels, concentrations, best, best_order = [], [], np.inf, 0
    probability = np.full(int(validation.drawn.sum()), 1 / vocab_size)
    for order in range(max(orders) + 1):
        levels.append(train.grow(vocab_size))
        counts, totals = validation.read(levels[-1], vocab_size)
        bits, concentration = min(
            (-float(np.log2((counts + a * probability) / (totals + a)).mean()), a) for a in CONCENTRATIONS
        )
        concentrations.append(concentration)
        probability = (counts + concentration * probability) / (totals + concentration)
        if order in orders and bits < best - LEAST_GAIN:
            best, best_order = bits, order
        elif order >= best_order + 2 and best < np.inf:
            break
    return tuple(levels[: best_order + 1]), tuple(concentrations[: best_order + 1]), best


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


def _pieces(segments: Segments, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(begins, starts, stops): the segments cut into stretches of at most `most`, and where each begins."""
    pairs = np.asarray(segments, np.int64).reshape(-1, 2)
    number = -(-(pairs[:, 1] - pairs[:, 0]) // most)
    begins, ends = np.repeat(pairs, number, axis=0).T
    nth = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    starts = begins + nth * most
    return begins, starts, np.minimum(starts + most, ends)


def _batches(
    segments: Segments, order: int, most: int = 1 << 20
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(starts, leads, stops) in batches of bounded size: read from a lead, a start has its full context."""
    begins, starts, stops = _pieces(segments, most)
    leads = np.maximum(begins, starts - order)
    batch = np.cumsum(stops - leads) // most
    cuts = np.flatnonzero(np.diff(batch)) + 1
    for places in np.split(np.arange(len(starts)), cuts):
        yield starts[places], leads[places], stops[places]


def _bounded(segments: Segments, most: int, what: str) -> Segments:
    """The segments, or stretches spread evenly over them where they have more symbols than `most`."""
    pairs = np.asarray(segments, np.int64).reshape(-1, 2)
    total = _size(pairs)
    if total <= most:
        return pairs
    _, starts, stops = _pieces(pairs, 1 << 17)
    every = -(-total // most)
    log.info("null models: %s on one part in %d of %s symbols", what, every, f"{total:,}")
    return np.stack([starts, stops], axis=1)[::every]


def _size(segments: Segments) -> int:
    pairs = np.asarray(segments, np.int64).reshape(-1, 2)
    return int((pairs[:, 1] - pairs[:, 0]).sum())


def _check(text: Text, vocab_size: int, split: str) -> None:
    if not text.drawn.any():
        raise DataError(f"the {split} split has no symbols: a Markov model needs some; give more data")
    highest = int(text.symbols[text.drawn].max())
    if highest >= vocab_size:
        raise DataError(f"the {split} split has code {highest}, but the alphabet ends at {vocab_size - 1}")
