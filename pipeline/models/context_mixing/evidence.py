"""Reads sequences letter by letter and says, before each next letter, what was found: the evidence.

For every letter of a small alphabet, or the likeliest few of a large one, evidence is the logarithm of how
much likelier than by chance each source holds it: one source an order of context counted in the training
text, one the copies followed there, one the copies followed in the sequence itself. Beside these stand the
sources' confidence, and how right each was about the last letter.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from pipeline.models.context_mixing.context_index import ContextIndex, add_counts, begin, grow
from pipeline.models.context_mixing.copy_experts import (
    PROPOSALS,
    Experts,
    copy_experts,
    follow,
    no_experts,
    propose,
    vote,
)
from pipeline.models.context_mixing.evidence_layout import SCALARS, SCALE, Layout

HEADS = 1 << 12


class Reading(NamedTuple):
    """Where each row of a batch stands. `history` ``(rows, capacity)`` are the letters read, `length` their
    number, always below the capacity; `heads` and `links` chain the places of the history with equal last
    letters; `intervals` ``(rows, depth + 1, 2)`` are those of the index, `own` those of the part left out;
    `training` and `itself` follow copies of the text and of the history; `last` is the last evidence, and
    `last_letters` what it was for; the others are scratch space."""

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
    counts: np.ndarray
    votes: np.ndarray
    own_places: np.ndarray


def new_reading(layout: Layout, rows: int, capacity: int) -> Reading:
    """A reading that has read nothing, with room for so many letters."""
    return Reading(
        np.zeros((rows, capacity), np.uint8), np.zeros(rows, np.int64), np.full((rows, HEADS), -1, np.int32),
        np.full((rows, capacity), -1, np.int32), np.zeros((rows, layout.depth + 1, 2), np.int64),
        np.zeros((rows, layout.depth + 1, 2), np.int64), no_experts(rows), no_experts(rows),
        np.zeros((rows, layout.channels, layout.width), np.int8),
        np.zeros((rows, layout.channels, layout.width), np.uint8), np.zeros((rows, layout.letters), np.int64),
        np.zeros((rows, layout.letters)), np.zeros((rows, PROPOSALS), np.int64),
    )  # fmt: skip


def enlarged(reading: Reading, capacity: int) -> Reading:
    """The same with room for more letters."""
    rows, before = reading.history.shape
    history, links = np.zeros((rows, capacity), np.uint8), np.full((rows, capacity), -1, np.int32)
    history[:, :before], links[:, :before] = reading.history, reading.links
    return reading._replace(history=history, links=links)


def chosen_rows(reading: Reading, rows: np.ndarray) -> Reading:
    """A reading of its own for each of these rows ``(n,)``, which may be repeated."""
    parts: list[Any] = [
        Experts(*(each[rows] for each in part)) if isinstance(part, Experts) else part[rows]
        for part in reading
    ]  # fmt: skip
    return Reading(*parts)


@njit(cache=True, nogil=True)
def copy_row(source: Reading, at: int, target: Reading, row: int) -> None:
    """Write row `at` of one reading over a row of another that has room for it."""
    # In loops, for numba's sake (`_remember`), and no further than anything is read.
    length = source.length[at]
    target.length[row] = length
    for place in range(length + 1):
        target.history[row, place] = source.history[at, place]
        target.links[row, place] = source.links[at, place]
    for head in range(HEADS):
        target.heads[row, head] = source.heads[at, head]
    for order in range(source.intervals.shape[1]):
        for end in range(2):
            target.intervals[row, order, end] = source.intervals[at, order, end]
            target.own[row, order, end] = source.own[at, order, end]
    copy_experts(source.training, at, target.training, row)
    copy_experts(source.itself, at, target.itself, row)
    for channel in range(source.last.shape[1]):
        for letter in range(source.last.shape[2]):
            target.last[row, channel, letter] = source.last[at, channel, letter]
            target.last_letters[row, channel, letter] = source.last_letters[at, channel, letter]


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
    for row in range(len(letters)):
        _read_row(
            index, own, banned, orders, smoothing, copies, leaning, reading, row, letters[row], values[row],
            likeliest[row],
        )  # fmt: skip


@njit(cache=True, nogil=True)
def _read_row(
    index: ContextIndex, own: ContextIndex, banned: np.ndarray, orders: np.ndarray, smoothing: np.ndarray,
    copies: tuple[int, int], leaning: float, reading: Reading, row: int, letters: np.ndarray,
    values: np.ndarray, likeliest: np.ndarray,
) -> None:  # fmt: skip
    # Arrays are taken out of their tuples here: numba counts references whenever a tuple is passed on.
    text, places, following, ranks, marks, first = index
    own_text, _, own_following, own_ranks, own_marks, own_first = own
    history, heads, links = reading.history[row], reading.heads[row], reading.links[row]
    intervals, own_intervals = reading.intervals[row], reading.own[row]
    last, last_letters = reading.last[row], reading.last_letters[row]
    _, pointers, gains, hits = reading.training
    pointers, gains, hits = pointers[row], gains[row], hits[row]
    _, own_pointers, own_gains, own_hits = reading.itself
    own_pointers, own_gains, own_hits = own_pointers[row], own_gains[row], own_hits[row]
    experts, own_experts, length = reading.training.count[row], reading.itself.count[row], reading.length[row]
    counts, votes, own_places = reading.counts[row], reading.votes[row], reading.own_places[row]
    nothing, leaves_out, dense = banned[:0], len(own_text) > 1, last.shape[1] == len(first) - 2
    if length == 0:
        begin(intervals, len(text))
        begin(own_intervals, len(own_text))

    for step in range(len(letters)):
        letter, out, names = letters[step], values[step], likeliest[step]
        _score(last, last_letters, dense, letter, out)
        history[length] = letter
        length += 1
        if letter == 0:
            begin(intervals, len(text))
            begin(own_intervals, len(own_text))
            experts = own_experts = 0
        else:
            experts = follow(pointers, gains, hits, experts, text, letter, len(text), banned)
            own_experts = follow(
                own_pointers, own_gains, own_hits, own_experts, history, letter, length, nothing
            )
            grow(ranks, marks, first, intervals, letter)
            if leaves_out:
                grow(own_ranks, own_marks, own_first, own_intervals, letter)
            low, high = _places_alike(intervals, copies[0])
            experts = propose(pointers, gains, hits, experts, places[low:high], text, len(text), banned)
            found = _own_places_alike(copies[1], history, heads, links, length, own_places)
            own_experts = propose(
                own_pointers, own_gains, own_hits, own_experts, own_places[:found], history, length, nothing
            )
        _count_channels(
            intervals, own_intervals, orders, smoothing, leaning, leaves_out, following, ranks, marks,
            own_following, own_ranks, own_marks, counts, out,
        )  # fmt: skip
        best, best_hits = vote(pointers, gains, hits, experts, text, votes)
        _copy_channel(votes, best, best_hits, experts, leaning, 0, last, out, names[0])
        best, best_hits = vote(own_pointers, own_gains, own_hits, own_experts, history, votes)
        _copy_channel(votes, best, best_hits, own_experts, 1.0, 1, last, out, names[1])
        _remember(out, names, last, last_letters)

    reading.training.count[row], reading.itself.count[row], reading.length[row] = experts, own_experts, length


@njit(cache=True)
def _remember(out: np.ndarray, names: np.ndarray, last: np.ndarray, last_letters: np.ndarray) -> None:
    # In loops: assigned as whole arrays, they take numba seconds to compile.
    channels, width = last.shape
    for channel in range(channels):
        for at in range(width):
            last[channel, at] = out[channel * width + at]
    for copies in range(2):
        for at in range(width):
            last_letters[channels - 2 + copies, at] = names[copies, at]


@njit(cache=True)
def _score(last: np.ndarray, last_letters: np.ndarray, dense: bool, letter: int, out: np.ndarray) -> None:
    """How strongly each channel had held the letter that came."""
    channels, width = last.shape
    scores = out[len(out) - channels :]
    for channel in range(channels):
        scores[channel] = 0
        for at in range(width):
            if letter and letter == (at + 1 if dense else last_letters[channel, at]):
                scores[channel] = last[channel, at]


@njit(cache=True)
def _places_alike(intervals: np.ndarray, least: int) -> tuple[int, int]:
    """Rows of the index after the longest context that agrees, and next to it in the order of contexts:
    those agree the furthest back. Empty where fewer than `least` letters do."""
    low, high = intervals[least, 0], intervals[least, 1]
    if low == high:
        return 0, 0
    order = least
    while order + 1 < len(intervals) and intervals[order + 1, 0] < intervals[order + 1, 1]:
        order += 1
    middle = (intervals[order, 0] + intervals[order, 1]) // 2
    return max(low, middle - PROPOSALS), min(high, middle + PROPOSALS)


@njit(cache=True)
def _own_places_alike(
    least: int, history: np.ndarray, heads: np.ndarray, links: np.ndarray, length: int, places: np.ndarray
) -> int:
    """Put the last places of the sequence itself after the same `least` letters into `places`; how many."""
    if length < least:
        return 0
    key = np.uint64(0)
    for at in range(length - least, length):
        if history[at] == 0:
            return 0
        key = (key + np.uint64(history[at])) * np.uint64(0x9E3779B97F4A7C15)
    head = np.int64(key >> np.uint64(52))
    place = np.int64(heads[head])
    links[length] = place
    heads[head] = length
    found = 0
    for _ in range(PROPOSALS):
        if place < 0:
            break
        back = 1
        while back <= least and history[place - back] == history[length - back]:
            back += 1
        places[found] = place
        found += back > least
        place = np.int64(links[place])
    return found


@njit(cache=True)
def _count_channels(
    intervals: np.ndarray, own_intervals: np.ndarray, orders: np.ndarray, smoothing: np.ndarray,
    leaning: float, leaves_out: bool, following: np.ndarray, ranks: np.ndarray, marks: np.ndarray,
    own_following: np.ndarray, own_ranks: np.ndarray, own_marks: np.ndarray, counts: np.ndarray,
    out: np.ndarray,
) -> None:  # fmt: skip
    size = own_size = -1
    for channel in range(len(orders)):
        order = orders[channel]
        low, high = intervals[order, 0], intervals[order, 1]
        own_low, own_high = own_intervals[order, 0], own_intervals[order, 1]
        same = high - low == size and own_high - own_low == own_size
        if same and smoothing[channel] == smoothing[channel - 1]:
            # One context ends with the other: as many places are the same places.
            _repeat_channel(channel, len(orders), len(counts), out)
            continue
        size, own_size = high - low, own_high - own_low
        counts[:] = 0
        add_counts(following, ranks, marks, low, high, 1, counts)
        if leaves_out:
            add_counts(own_following, own_ranks, own_marks, own_low, own_high, -1, counts)
        _count_channel(counts, channel, len(orders), smoothing[channel], leaning, out)


@njit(cache=True)
def _count_channel(
    counts: np.ndarray, channel: int, orders: int, alpha: float, leaning: float, out: np.ndarray
) -> None:
    width, total = len(counts), 0
    for at in range(width):
        total += counts[at]
    trust = leaning if alpha < 1 else 1.0
    for at in range(width):
        strength = math.log((counts[at] + alpha) * width / (total + width * alpha))
        out[channel * width + at] = _quantised(trust * strength)
    out[(orders + 2) * width + channel] = _quantised(trust * math.log1p(total) / 2)


@njit(cache=True)
def _repeat_channel(channel: int, orders: int, width: int, out: np.ndarray) -> None:
    for at in range(channel * width, (channel + 1) * width):
        out[at] = out[at - width]
    confidence = (orders + 2) * width + channel
    out[confidence] = out[confidence - 1]


@njit(cache=True)
def _copy_channel(
    votes: np.ndarray, best: float, best_hits: float, experts: int, trust: float, which: int,
    last: np.ndarray, out: np.ndarray, names: np.ndarray,
) -> None:  # fmt: skip
    """What the experts of one text say: `which` is 0 for the training text, 1 for the sequence itself."""
    channels, width = last.shape
    channel = channels - 2 + which
    place = channels * width + channels - 2 + SCALARS * which
    out[place] = _quantised(trust * best / 5)
    out[place + 1] = _quantised(trust * best_hits * 4)
    out[place + 2] = _quantised(trust * math.log1p(experts))
    for at in range(width):
        letter = at
        if len(votes) > width:
            letter = np.argmax(votes)
            names[at] = letter + 1 if votes[letter] > 0 else 0
        out[channel * width + at] = _quantised(trust * math.log1p(votes[letter]) / 3)
        if len(votes) > width:
            votes[letter] = 0.0


@njit(cache=True)
def _quantised(value: float) -> np.int8:
    return np.int8(min(127, max(-127, round(value * SCALE))))
