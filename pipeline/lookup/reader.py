"""Reads sequences letter by letter and says, before each next letter, what was found: the evidence.

For every letter of a small alphabet, or the likeliest few of a large one, evidence is the logarithm of how
much likelier than by chance each source holds it: one source an order of context counted in the training
text, one the copies followed there, one the copies followed in the sequence itself. Beside these stand the
sources' confidence, and how right each was about the last letter.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from pipeline.lookup.copies import PROPOSALS, Experts, follow, no_experts, propose, vote
from pipeline.lookup.index import ContextIndex, add_counts, begin, grow

SCALE = 16
"""Steps of the stored evidence in one nat."""
DENSE = 8
"""Alphabets up to this size have evidence for every letter; of larger ones, for the likeliest."""
LIKELIEST = 3
HEADS = 1 << 12
SCALARS = 3  # of a channel of copies: gain and hit rate of the best expert, number of experts


@dataclass(frozen=True)
class Layout:
    """Where what stands in one row of evidence.

    ``values`` int8: `channels` × `width` strengths, in nats times SCALE; then confidences; then each
    channel's last score. ``letters`` uint8: which letters the copies' strengths are for, where the
    alphabet is not dense.
    """

    letters: int
    orders: tuple[int, ...]
    copies: tuple[int, ...] = (12, 12)
    """Letters that must agree before a copy is followed: in the training text, in the sequence itself."""

    @property
    def dense(self) -> bool:
        """Whether every letter has its own place."""
        return self.letters <= DENSE

    @property
    def width(self) -> int:
        """Letters of a channel."""
        return self.letters if self.dense else LIKELIEST

    @property
    def channels(self) -> int:
        """Sources: the orders, and two of copies."""
        return len(self.orders) + 2

    @property
    def confidences(self) -> int:
        """Numbers that say how sure the sources are."""
        return len(self.orders) + 2 * SCALARS

    @property
    def values(self) -> int:
        """All numbers of one row."""
        return self.channels * self.width + self.confidences + self.channels

    @property
    def depth(self) -> int:
        """The longest context that is looked up."""
        return max([*self.orders, self.copies[0]])


class Reading(NamedTuple):
    """Where each row of a batch stands. `history` ``(rows, capacity)`` are the letters read, `length` their
    number, always below the capacity; `heads` and `links` chain the places of the history with equal last
    letters; `intervals` ``(rows, depth + 1, 2)`` are those of the index, `own` those of the part left out;
    `training` and `itself` follow copies of the text and of the history; `last` is the last evidence, and
    `last_letters` what it was for."""

    history: np.ndarray
    length: np.ndarray
    heads: np.ndarray
    links: np.ndarray
    intervals: np.ndarray
    own: np.ndarray
    training: Experts
    itself: Experts
    last: np.ndarray
    last_letters: np.ndarray


def new_reading(layout: Layout, rows: int, capacity: int) -> Reading:
    """A reading that has read nothing, with room for so many letters."""
    return Reading(
        np.zeros((rows, capacity), np.uint8), np.zeros(rows, np.int64), np.full((rows, HEADS), -1, np.int32),
        np.full((rows, capacity), -1, np.int32), np.zeros((rows, layout.depth + 1, 2), np.int64),
        np.zeros((rows, layout.depth + 1, 2), np.int64), no_experts(rows), no_experts(rows),
        np.zeros((rows, layout.channels, layout.width), np.int8),
        np.zeros((rows, layout.channels, layout.width), np.uint8),
    )  # fmt: skip


def enlarged(reading: Reading, capacity: int) -> Reading:
    """The same with room for more letters."""
    rows, before = reading.history.shape
    history, links = np.zeros((rows, capacity), np.uint8), np.full((rows, capacity), -1, np.int32)
    history[:, :before], links[:, :before] = reading.history, reading.links
    return reading._replace(history=history, links=links)


@njit(cache=True, nogil=True)
def read(
    index: ContextIndex, own: ContextIndex, banned: np.ndarray, orders: np.ndarray, smoothing: np.ndarray,
    copies: tuple[int, int], leaning: float, reading: Reading, letters: np.ndarray, values: np.ndarray,
    likeliest: np.ndarray,
) -> None:  # fmt: skip
    """Read `letters` ``(rows, time)``; fill `values` and `likeliest` ``(rows, time, …)`` with the evidence
    for the letter after each.

    A 0 among the letters is a break, after which nothing before it counts. `own` indexes a part of the text
    whose counts are left out, and `banned` its stretches that no copy may follow. `leaning` from 0 to 1 is
    how far long contexts and copies of the training text are believed.
    """
    rows, time = letters.shape
    width = reading.last.shape[2]
    alphabet = len(index.first) - 2
    counts, votes = np.zeros(alphabet, np.int64), np.zeros(alphabet)
    for row in range(rows):
        for step in range(time):
            letter = letters[row, step]
            out, names = values[row, step], likeliest[row, step]
            _score(reading, row, letter, out)
            _take_in(index, own, banned, copies, reading, row, letter)
            _count_channels(index, own, orders, smoothing, leaning, reading, row, counts, out)
            base = (len(orders) + 2) * width + len(orders)
            for channel in range(2):
                experts = reading.training if channel == 0 else reading.itself
                text = index.text if channel == 0 else reading.history[row]
                best, hits = vote(experts, row, text, votes)
                trust = leaning if channel == 0 else 1.0
                place = base + 3 * channel
                out[place] = _quantised(trust * best / 5)
                out[place + 1] = _quantised(trust * hits * 4)
                out[place + 2] = _quantised(trust * math.log1p(experts.count[row]))
                _copy_channel(votes, trust, width, len(orders) + channel, out, names[channel])
            for channel in range(len(orders) + 2):
                for at in range(width):
                    reading.last[row, channel, at] = out[channel * width + at]
            for channel in range(2):
                reading.last_letters[row, len(orders) + channel] = names[channel]


@njit(cache=True)
def _score(reading: Reading, row: int, letter: int, out: np.ndarray) -> None:
    """How strongly each channel had held the letter that came."""
    channels, width = reading.last.shape[1:]
    scores = out[len(out) - channels :]
    for channel in range(channels):
        scores[channel] = 0
        for at in range(width):
            named = reading.last_letters[row, channel, at]
            if letter and letter == (named if named else at + 1):
                scores[channel] = reading.last[row, channel, at]


@njit(cache=True)
def _take_in(
    index: ContextIndex, own: ContextIndex, banned: np.ndarray, copies: tuple[int, int], reading: Reading,
    row: int, letter: int,
) -> None:  # fmt: skip
    history, length = reading.history[row], reading.length[row]
    history[length] = letter
    reading.length[row] = length + 1
    if letter == 0:
        begin(index, reading.intervals[row])
        begin(own, reading.own[row])
        reading.training.count[row] = 0
        reading.itself.count[row] = 0
        return
    nothing = banned[:0]
    follow(reading.training, row, index.text, letter, len(index.text), banned)
    follow(reading.itself, row, history, letter, length + 1, nothing)
    grow(index, reading.intervals[row], letter)
    grow(own, reading.own[row], letter)
    _propose_places(index, banned, copies[0], reading, row)
    _propose_own_places(copies[1], reading, row)


@njit(cache=True)
def _propose_places(
    index: ContextIndex, banned: np.ndarray, least: int, reading: Reading, row: int
) -> None:
    """Places of the training text after the longest context that agrees, and next to it in the order of
    contexts: those agree the furthest back."""
    intervals = reading.intervals[row]
    low, high = intervals[least]
    if low == high:
        return
    order = least
    while order + 1 < len(intervals) and intervals[order + 1, 0] < intervals[order + 1, 1]:
        order += 1
    middle = (intervals[order, 0] + intervals[order, 1]) // 2
    for at in range(max(low, middle - PROPOSALS), min(high, middle + PROPOSALS)):
        propose(reading.training, row, index.places[at], index.text, len(index.text), banned)


@njit(cache=True)
def _propose_own_places(least: int, reading: Reading, row: int) -> None:
    """The last places of the sequence itself after the same letters."""
    history, length = reading.history[row], reading.length[row]
    if length < least:
        return
    key = np.uint64(0)
    for at in range(length - least, length):
        if history[at] == 0:
            return
        key = (key + np.uint64(history[at])) * np.uint64(0x9E3779B97F4A7C15)
    head = np.int64(key >> np.uint64(52))
    place = np.int64(reading.heads[row, head])
    for _ in range(PROPOSALS):
        if place < 0:
            break
        same = True
        for back in range(1, least + 1):
            if history[place - back] != history[length - back]:
                same = False
                break
        if same:
            propose(reading.itself, row, place, history, length, np.zeros((0, 2), np.int64))
        place = np.int64(reading.links[row, place])
    reading.links[row, length] = reading.heads[row, head]
    reading.heads[row, head] = length


@njit(cache=True)
def _count_channels(
    index: ContextIndex, own: ContextIndex, orders: np.ndarray, smoothing: np.ndarray, leaning: float,
    reading: Reading, row: int, counts: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    width = reading.last.shape[2]
    confidences = (len(orders) + 2) * width
    for channel in range(len(orders)):
        order = orders[channel]
        counts[:] = 0
        low, high = reading.intervals[row, order]
        add_counts(index, low, high, 1, counts)
        low, high = reading.own[row, order]
        add_counts(own, low, high, -1, counts)
        total = 0
        for at in range(width):
            total += counts[at]
        alpha = smoothing[channel]
        trust = leaning if alpha < 1 else 1.0
        for at in range(width):
            strength = math.log((counts[at] + alpha) * width / (total + width * alpha))
            out[channel * width + at] = _quantised(trust * strength)
        out[confidences + channel] = _quantised(trust * math.log1p(total) / 2)


@njit(cache=True)
def _copy_channel(
    votes: np.ndarray, trust: float, width: int, channel: int, out: np.ndarray, names: np.ndarray
) -> None:
    for at in range(width):
        letter = at
        if len(votes) > width:
            letter = np.argmax(votes)
            names[at] = letter + 1
        out[channel * width + at] = _quantised(trust * math.log1p(votes[letter]) / 3)
        if len(votes) > width:
            votes[letter] = 0.0


@njit(cache=True)
def _quantised(value: float) -> int:
    return np.int8(min(127, max(-127, round(value * SCALE))))
