"""The choice of a Markov model: its order, and whether it counts both strands.

Every order up to the highest is tried, because a gain may begin only where contexts are long enough for
copies. Each order has its escape weights from the validation split (`escape_weights.py`). An order is
eligible where it loses next to nothing after its best block is left out (a jackknife over blocks or records),
so that no single block with a repeat decides. The choice is the lowest eligible order within one standard
error of the best (Breiman et al., "Classification and regression trees", 1984).
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.data.alphabet import BOS
from pipeline.data.corpus import Corpus
from pipeline.models.ngram.escape_weights import EscapeWeights
from pipeline.models.ngram.markov import Markov, check_codes, cut_intervals, log_probabilities_by_order
from pipeline.models.ngram.ngram_counts import Intervals, OrderCounts, Text

log = logging.getLogger(__name__)

MAX_COUNTED = 6_000_000
"""The most positions that are counted, both strands together; each takes about 150 bytes of memory."""
MAX_VALIDATED = 1 << 18
"""The most validation symbols that are read; more are thinned to evenly spread excerpts."""
EXCERPT_CODES = 1 << 13
MIN_BLOCKS = 5
"""Fewer validation segments than these are cut into `MAX_BLOCKS` blocks."""
MAX_BLOCKS = 10
MAX_JACKKNIFE_LOSS = 1e-3
"""The loss in bits per symbol without its best block up to which an order is eligible."""
MIN_GAIN, MIN_ERRORS = 2e-5, 1.0
"""The gain by which a higher order is preferred: in bits per symbol, and in standard errors over blocks."""
STRAND_TEST_ORDER = 4
"""One strand is not tried at higher orders where it is no better than both strands at this one."""


@dataclass(frozen=True, eq=False)
class Order:
    """One order, with its escape weights and its bits in each validation block."""

    order: int
    escape_weights: tuple[float, ...]
    block_bits: np.ndarray
    block_sizes: np.ndarray

    @property
    def validation_bits(self) -> float:
        """Bits per symbol of all blocks."""
        return float(self.block_bits.sum() / self.block_sizes.sum())

    @property
    def robust_bits(self) -> float:
        """Bits per symbol without the block whose removal increases them most."""
        if len(self.block_bits) < 2:
            return self.validation_bits
        bits, sizes = self.block_bits, self.block_sizes
        return float(((bits.sum() - bits) / (sizes.sum() - sizes)).max())

    def gain_over(self, other: "Order") -> tuple[float, float]:
        """Bits per symbol that this order saves, and their standard error over blocks."""
        saved, sizes = other.block_bits - self.block_bits, self.block_sizes
        mean, blocks = saved.sum() / sizes.sum(), len(sizes)
        deviations = saved - mean * sizes
        return float(mean), float(np.sqrt(blocks / max(1, blocks - 1) * (deviations**2).sum()) / sizes.sum())


@dataclass(frozen=True, eq=False)
class MarkovChoice:
    """The chosen model, and all orders tried on its strands; `counted` has the counts of all of them."""

    best: Markov
    orders: tuple[Order, ...]
    counted: Markov

    def log_probabilities(self, codes: np.ndarray, segments: Intervals) -> list[np.ndarray]:
        """The result of `Markov.log_probabilities` for each order."""
        weights = [each.escape_weights for each in self.orders]
        return log_probabilities_by_order(self.counted, weights, codes, segments)


@dataclass(frozen=True, eq=False)
class SplitCodes:
    """Codes with the segments of their training and validation splits."""

    codes: np.ndarray
    train: Intervals
    validation: Intervals
    vocab_size: int
    start_code: int | None = BOS

    @classmethod
    def from_corpus(cls, corpus: Corpus) -> "SplitCodes":
        """The codes and splits of a corpus."""
        train, validation = corpus.subset_segments("train"), corpus.subset_segments("validation")
        return cls(corpus.codes, train, validation, len(corpus.alphabet))


def choose_markov(
    split: SplitCodes, orders: Iterable[int] = range(0, 13), complement: np.ndarray | None = None
) -> MarkovChoice:
    """Train models of `orders`, and choose one on the validation split.

    With `complement`, ``(vocab_size,)`` code to code, counting both strands is tried, too.
    Raises DataError where either split is empty.
    """
    wanted = frozenset(orders)
    read = _thin(split.validation, MAX_VALIDATED, "validation", EXCERPT_CODES)
    validation = Text(split.codes, read, split.start_code, None)
    check_codes(validation, split.vocab_size, "validation")
    trials, tried = [], []
    for strands in [None] if complement is None else [np.asarray(complement), None]:
        counted = select_counted(split.train, strands is not None)
        share = _size(counted) / max(1, _size(split.train))
        trials.append(_Trial(split.codes, counted, split.vocab_size, strands, split.start_code, share))
        tried.append(trials[-1].fit_orders(wanted, validation, tried[0] if tried else ()))
    winner = min(range(len(trials)), key=lambda number: _chosen(tried[number]).robust_bits)
    return trials[winner].choice(tried[winner])


@dataclass(eq=False)
class _Trial:
    """The fits of all orders on one strand, or on both."""

    codes: np.ndarray
    segments: np.ndarray
    vocab_size: int
    strands: np.ndarray | None
    start_code: int | None
    share: float
    levels: tuple[OrderCounts, ...] = ()

    def fit_orders(
        self, wanted: frozenset[int], validation: Text, others: Sequence[Order]
    ) -> tuple[Order, ...]:
        """Count one order after another, and fit the escape weights of each.

        With `others`, the orders of both strands, this ends where one strand is no better. Without them the
        counts are kept: those of a genome take a gigabyte.
        """
        train = Text(self.codes, self.segments, self.start_code, self.strands)
        check_codes(train, self.vocab_size, "training")
        validation.begin()
        blocks, found = _blocks(validation), []
        compared = {each.order: each.validation_bits for each in others if each.order <= STRAND_TEST_ORDER}
        weights = EscapeWeights(int(validation.drawn.sum()), self.vocab_size)
        for order in range(max(wanted) + 1):
            level = train.count_order(self.vocab_size)
            weights.add(validation.read(level, self.vocab_size))
            if not others:
                self.levels = (*self.levels, level)
            if order == max(wanted) or not weights.seen:
                weights.begin_again()
            if order in wanted:
                bits = np.bincount(blocks, -weights.log_probabilities() / np.log(2))
                found.append(Order(order, weights.weights, bits, np.bincount(blocks)))
            # Where no context of this order occurred, no longer one did.
            if not weights.seen or (
                order == STRAND_TEST_ORDER
                and order in compared
                and found[-1].validation_bits >= compared[order]
            ):
                break
        return tuple(found)

    def choice(self, orders: tuple[Order, ...]) -> MarkovChoice:
        """The chosen model of these orders."""
        chosen, last = _chosen(orders), orders[-1]
        if not self.levels:
            self.levels = Markov.fit(
                self.codes, self.segments, self.vocab_size, last.escape_weights, self.strands, self.start_code
            ).levels
        counted, best = (
            Markov(
                self.vocab_size, each.escape_weights, self.levels[: each.order + 1],
                self.strands is not None, self.start_code, each.validation_bits, self.share,
            )
            for each in (last, chosen)
        )  # fmt: skip
        return MarkovChoice(best, orders, counted)


def select_counted(segments: Intervals, both_strands: bool) -> np.ndarray:
    """The segments, or evenly spread excerpts of them where they have more than `MAX_COUNTED` positions."""
    most = MAX_COUNTED // 2 if both_strands else MAX_COUNTED
    return _thin(segments, most, "training", 1 << 17)


def _chosen(orders: Sequence[Order]) -> Order:
    """The lowest eligible order within one standard error of the best."""
    least = min(each.robust_bits for each in orders)
    safe = [each for each in orders if each.robust_bits <= least + MAX_JACKKNIFE_LOSS]
    best = min(safe, key=lambda each: each.validation_bits)

    def as_good(each: Order) -> bool:
        gain, error = best.gain_over(each)
        return gain <= max(MIN_GAIN, MIN_ERRORS * error)

    return next(filter(as_good, safe))


def _blocks(text: Text) -> np.ndarray:
    """The block of each predicted position: its segment, or an equal part of all where segments are few."""
    segment = (np.cumsum(text.along == 0) - 1)[text.drawn]
    if segment[-1] + 1 >= MIN_BLOCKS:
        return np.unique(segment, return_inverse=True)[1]
    return np.arange(len(segment)) * min(MAX_BLOCKS, len(segment)) // len(segment)


def _thin(segments: Intervals, most: int, what: str, stretch: int) -> np.ndarray:
    """The segments, or evenly spread excerpts of them where they have more symbols than `most`."""
    pairs = np.asarray(segments, np.int64).reshape(-1, 2)
    total = _size(pairs)
    if total <= most:
        return pairs
    _, starts, stops = cut_intervals(pairs, stretch)
    every = -(-total // most)
    log.info("Markov models: %s on one part in %d of %s symbols", what, every, f"{total:,}")
    return np.stack([starts, stops], axis=1)[::every]


def _size(segments: Intervals) -> int:
    pairs = np.asarray(segments, np.int64).reshape(-1, 2)
    return int((pairs[:, 1] - pairs[:, 0]).sum())
