"""Which Markov model stands for all of them: its order, and whether it counts both strands.

Every order up to the highest is tried, because a gain may begin only where contexts are long enough to follow
copies. Each order has its escape weights from the validation split (`escape_weights.py`). An order
may be chosen where it costs next to nothing after its best block is left out (a jackknife over blocks or
records), so that no single block with a repeat decides. Of these the lowest is taken that is within one
standard error of the best (Breiman et al., "Classification and regression trees", 1984).
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.models.ngram.escape_weights import EscapeWeights
from pipeline.models.ngram.markov import Markov, check_codes, cut, log_probabilities_by_order
from pipeline.models.ngram.ngram_counts import Intervals, Level, Text

log = logging.getLogger(__name__)

MAX_COUNTED = 6_000_000
"""Positions counted, both strands together; about 150 bytes of memory each."""
MAX_VALIDATED = 1 << 18
"""Validation symbols that are read: of more, stretches of `STRETCH` that are spread evenly."""
STRETCH = 1 << 13
MIN_BLOCKS = 5
"""Fewer validation segments are cut into `PIECES`."""
PIECES = 10
HARMLESS = 1e-3
"""Bits per symbol: an order that costs no more than this without its best block is decided by all blocks."""
MIN_GAIN, MIN_ERRORS = 2e-5, 1.0
"""What a higher order must gain to be preferred: bits per symbol, and standard errors over blocks."""
COMPARED_ORDER = 4
"""Where one strand is no better than both at this order, higher ones are not tried on it."""


@dataclass(frozen=True, eq=False)
class Order:
    """One order that was tried, with its own escape weights, and its bits in each validation block."""

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
        """Bits per symbol of all blocks but the one without which they are most."""
        if len(self.block_bits) < 2:
            return self.validation_bits
        bits, sizes = self.block_bits, self.block_sizes
        return float(((bits.sum() - bits) / (sizes.sum() - sizes)).max())

    def gain_over(self, other: "Order") -> tuple[float, float]:
        """Bits per symbol that this order saves, and their standard error over the blocks."""
        saved, sizes = other.block_bits - self.block_bits, self.block_sizes
        mean, blocks = saved.sum() / sizes.sum(), len(sizes)
        deviations = saved - mean * sizes
        return float(mean), float(np.sqrt(blocks / max(1, blocks - 1) * (deviations**2).sum()) / sizes.sum())


@dataclass(frozen=True, eq=False)
class MarkovChoice:
    """The chosen model, and all orders tried on its strands; `counted` has the levels of all of them."""

    best: Markov
    orders: tuple[Order, ...]
    counted: Markov

    def log_probabilities(self, codes: np.ndarray, segments: Intervals) -> list[np.ndarray]:
        """Of each order tried, as `Markov.log_probabilities`."""
        weights = [each.escape_weights for each in self.orders]
        return log_probabilities_by_order(self.counted, weights, codes, segments)


def best_markov(
    codes: np.ndarray, train_segments: Intervals, validation_segments: Intervals, vocab_size: int,
    orders: Iterable[int] = range(0, 13), complement: np.ndarray | None = None, start_code: int | None = 0,
) -> Markov:  # fmt: skip
    """The model alone of `choose_markov`."""
    return choose_markov(
        codes, train_segments, validation_segments, vocab_size, orders, complement, start_code
    ).best


def choose_markov(
    codes: np.ndarray, train_segments: Intervals, validation_segments: Intervals, vocab_size: int,
    orders: Iterable[int] = range(0, 13), complement: np.ndarray | None = None, start_code: int | None = 0,
) -> MarkovChoice:  # fmt: skip
    """Train models of `orders`, and choose one on the validation segments.

    With `complement`, ``(vocab_size,)`` code to code, counting both strands is tried beside one.
    Raises DataError where either split is empty.
    """
    wanted = frozenset(orders)
    read = _bounded(validation_segments, MAX_VALIDATED, "validation", STRETCH)
    validation = Text(codes, read, start_code, None)
    check_codes(validation, vocab_size, "validation")
    trials, tried = [], []
    for strands in [None] if complement is None else [np.asarray(complement), None]:
        counted = counted_part(train_segments, strands is not None)
        share = _size(counted) / max(1, _size(train_segments))
        trials.append(_Trial(codes, counted, vocab_size, strands, start_code, share))
        tried.append(trials[-1].climb(wanted, validation, tried[0] if tried else ()))
    winner = min(range(len(trials)), key=lambda number: _chosen(tried[number]).robust_bits)
    return trials[winner].choice(tried[winner])


@dataclass(eq=False)
class _Trial:
    """All orders on one strand, or on both."""

    codes: np.ndarray
    segments: np.ndarray
    vocab_size: int
    strands: np.ndarray | None
    start_code: int | None
    share: float
    levels: tuple[Level, ...] = ()

    def climb(self, wanted: frozenset[int], validation: Text, rivals: Sequence[Order]) -> tuple[Order, ...]:
        """Count one order after another, and fit the escape weights of each; where there are `rivals`, only
        as long as they are worse. Without rivals the counts are kept: a genome's take a gigabyte."""
        train = Text(self.codes, self.segments, self.start_code, self.strands)
        check_codes(train, self.vocab_size, "training")
        validation.begin()
        blocks, found = _blocks(validation), []
        compared = {each.order: each.validation_bits for each in rivals if each.order <= COMPARED_ORDER}
        weights = EscapeWeights(int(validation.drawn.sum()), self.vocab_size)
        for order in range(max(wanted) + 1):
            level = train.grow(self.vocab_size)
            weights.add(validation.read(level, self.vocab_size))
            if not rivals:
                self.levels = (*self.levels, level)
            if order == max(wanted) or not weights.seen:
                weights.begin_again()
            if order in wanted:
                bits = np.bincount(blocks, -weights.log_probabilities() / np.log(2))
                found.append(Order(order, weights.weights, bits, np.bincount(blocks)))
            # Longer contexts than those never seen are not seen, either.
            if not weights.seen or (
                order == COMPARED_ORDER and order in compared and found[-1].validation_bits >= compared[order]
            ):
                break
        return tuple(found)

    def choice(self, orders: tuple[Order, ...]) -> MarkovChoice:
        """The models of these orders, which were tried here."""
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


def counted_part(segments: Intervals, both_strands: bool) -> np.ndarray:
    """The segments, or as many stretches of them as are counted."""
    most = MAX_COUNTED // 2 if both_strands else MAX_COUNTED
    return _bounded(segments, most, "training", 1 << 17)


def _chosen(orders: Sequence[Order]) -> Order:
    """The lowest order within one standard error of the best that one block alone does not favour."""
    least = min(each.robust_bits for each in orders)
    safe = [each for each in orders if each.robust_bits <= least + HARMLESS]
    best = min(safe, key=lambda each: each.validation_bits)

    def as_good(each: Order) -> bool:
        gain, error = best.gain_over(each)
        return gain <= max(MIN_GAIN, MIN_ERRORS * error)

    return next(filter(as_good, safe))


def _blocks(text: Text) -> np.ndarray:
    """Of each position that is predicted, the number of its block, which is left out as a whole: its segment,
    or a piece of the whole where segments are few."""
    segment = (np.cumsum(text.along == 0) - 1)[text.drawn]
    if segment[-1] + 1 >= MIN_BLOCKS:
        return np.unique(segment, return_inverse=True)[1]
    return np.arange(len(segment)) * min(PIECES, len(segment)) // len(segment)


def _bounded(segments: Intervals, most: int, what: str, stretch: int) -> np.ndarray:
    """The segments, or stretches spread evenly over them where they have more symbols than `most`."""
    pairs = np.asarray(segments, np.int64).reshape(-1, 2)
    total = _size(pairs)
    if total <= most:
        return pairs
    _, starts, stops = cut(pairs, stretch)
    every = -(-total // most)
    log.info("Markov models: %s on one part in %d of %s symbols", what, every, f"{total:,}")
    return np.stack([starts, stops], axis=1)[::every]


def _size(segments: Intervals) -> int:
    pairs = np.asarray(segments, np.int64).reshape(-1, 2)
    return int((pairs[:, 1] - pairs[:, 0]).sum())
