"""The evidence for each next letter of a sequence, from counts after contexts and from copies.

For every letter of a small alphabet, or the likeliest of a large one, the evidence of a channel is a
log-likelihood ratio: how much likelier than by chance the channel makes the letter. There is one channel for
each order of context that is counted in the training text, one for copies of the training text, and one for
copies of the sequence itself. Further features are the confidence of each channel, and its score for the last
letter.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from pipeline.models.context_mixing.context_index import (
    ContextIndex,
    add_counts,
    extend_contexts,
    reset_contexts,
)
from pipeline.models.context_mixing.copy_experts import PROPOSALS, add_experts, advance_experts, sum_votes
from pipeline.models.context_mixing.evidence_layout import SCALARS, SCALE
from pipeline.models.context_mixing.evidence_state import EvidenceState


class EvidenceSources(NamedTuple):
    """The text that is searched, and how.

    `excluded` indexes a part of the text whose counts are subtracted, and no copy may begin or run in the
    `excluded_intervals` ``(n, 2)`` of the text. `orders` and `smoothing` ``(orders,)`` are the lengths of the
    contexts and their pseudocounts, `copies` the letters that must match before a copy. `copy_weight`, from 0
    to 1, scales the evidence of long contexts and of copies of the text.
    """

    contexts: ContextIndex
    excluded: ContextIndex
    excluded_intervals: np.ndarray
    orders: np.ndarray
    smoothing: np.ndarray
    copies: tuple[int, ...]
    copy_weight: float


@njit(cache=True, nogil=True)
def read(
    sources: EvidenceSources, state: EvidenceState, letters: np.ndarray, values: np.ndarray,
    likeliest: np.ndarray,
) -> None:  # fmt: skip
    """Read `letters` ``(rows, time)``, and write the evidence for the letter after each to `values` and
    `likeliest` ``(rows, time, …)``, laid out as `EvidenceLayout`.

    A letter of 0 is a break: nothing before it counts afterwards.
    """
    for row in range(len(letters)):
        _read_row(sources, state, row, letters[row], values[row], likeliest[row])


# Below, arrays are taken out of their tuples, and inner functions have many array parameters. Numba counts
# the references of all arrays whenever a tuple is passed on, which took a third of the time.


@njit(cache=True, nogil=True)
def _read_row(
    sources: EvidenceSources, state: EvidenceState, row: int, letters: np.ndarray, values: np.ndarray,
    likeliest: np.ndarray,
) -> None:  # fmt: skip
    contexts, excluded, excluded_intervals, orders, smoothing, copies, copy_weight = sources
    text, positions, following, ranks, rank_bits, first = contexts
    excluded_text, _, excluded_following, excluded_ranks, excluded_bits, excluded_first = excluded
    history, heads, links = state.history[row], state.heads[row], state.links[row]
    intervals, minus = state.intervals[row], state.excluded[row]
    last, last_letters = state.last[row], state.last_letters[row]
    _, pointers, gains, hits = state.text_copies
    pointers, gains, hits = pointers[row], gains[row], hits[row]
    _, self_pointers, self_gains, self_hits = state.self_copies
    self_pointers, self_gains, self_hits = self_pointers[row], self_gains[row], self_hits[row]
    experts, self_experts = state.text_copies.count[row], state.self_copies.count[row]
    length, counts, votes, candidates = (
        state.length[row],
        state.counts[row],
        state.votes[row],
        state.candidates[row],
    )
    nothing, excludes, dense = excluded_intervals[:0], len(excluded_text) > 1, last.shape[1] == len(first) - 2
    if length == 0:
        reset_contexts(intervals, len(text))
        reset_contexts(minus, len(excluded_text))

    for step in range(len(letters)):
        letter, out, names = letters[step], values[step], likeliest[step]
        _score(last, last_letters, dense, letter, out)
        history[length] = letter
        length += 1
        if letter == 0:
            reset_contexts(intervals, len(text))
            reset_contexts(minus, len(excluded_text))
            experts = self_experts = 0
        else:
            experts = advance_experts(
                pointers, gains, hits, experts, text, letter, len(text), excluded_intervals
            )
            self_experts = advance_experts(
                self_pointers, self_gains, self_hits, self_experts, history, letter, length, nothing
            )
            extend_contexts(ranks, rank_bits, first, intervals, letter)
            if excludes:
                extend_contexts(excluded_ranks, excluded_bits, excluded_first, minus, letter)
            low, high = _find_matches(intervals, copies[0])
            experts = add_experts(
                pointers, gains, hits, experts, positions[low:high], text, len(text), excluded_intervals
            )
            found = _find_self_matches(copies[1], history, heads, links, length, candidates)
            self_experts = add_experts(
                self_pointers,
                self_gains,
                self_hits,
                self_experts,
                candidates[:found],
                history,
                length,
                nothing,
            )
        _count_channels(
            intervals, minus, orders, smoothing, copy_weight, excludes, following, ranks, rank_bits,
            excluded_following, excluded_ranks, excluded_bits, counts, out,
        )  # fmt: skip
        best, best_hits = sum_votes(pointers, gains, hits, experts, text, votes)
        _copy_channel(votes, best, best_hits, experts, copy_weight, 0, last, out, names[0])
        best, best_hits = sum_votes(self_pointers, self_gains, self_hits, self_experts, history, votes)
        _copy_channel(votes, best, best_hits, self_experts, 1.0, 1, last, out, names[1])
        _keep_last(out, names, last, last_letters)

    state.text_copies.count[row], state.self_copies.count[row] = experts, self_experts
    state.length[row] = length


@njit(cache=True)
def _keep_last(out: np.ndarray, names: np.ndarray, last: np.ndarray, last_letters: np.ndarray) -> None:
    # In loops: assignments of whole arrays take numba seconds to compile.
    channels, width = last.shape
    for channel in range(channels):
        for at in range(width):
            last[channel, at] = out[channel * width + at]
    for copies in range(2):
        for at in range(width):
            last_letters[channels - 2 + copies, at] = names[copies, at]


@njit(cache=True)
def _score(last: np.ndarray, last_letters: np.ndarray, dense: bool, letter: int, out: np.ndarray) -> None:
    """Write each channel's score: its last evidence for the letter that came."""
    channels, width = last.shape
    scores = out[len(out) - channels :]
    for channel in range(channels):
        scores[channel] = 0
        for at in range(width):
            if letter and letter == (at + 1 if dense else last_letters[channel, at]):
                scores[channel] = last[channel, at]


@njit(cache=True)
def _find_matches(intervals: np.ndarray, least: int) -> tuple[int, int]:
    """The rows of the index after the longest matching context, and their neighbours, which match the
    furthest back. Empty where fewer than `least` letters match."""
    low, high = intervals[least, 0], intervals[least, 1]
    if low == high:
        return 0, 0
    order = least
    while order + 1 < len(intervals) and intervals[order + 1, 0] < intervals[order + 1, 1]:
        order += 1
    middle = (intervals[order, 0] + intervals[order, 1]) // 2
    return max(low, middle - PROPOSALS), min(high, middle + PROPOSALS)


@njit(cache=True)
def _find_self_matches(
    least: int, history: np.ndarray, heads: np.ndarray, links: np.ndarray, length: int, found: np.ndarray
) -> int:
    """Write the last positions of the history after the same `least` letters to `found`; returns how many."""
    if length < least:
        return 0
    key = np.uint64(0)
    for at in range(length - least, length):
        if history[at] == 0:
            return 0
        key = (key + np.uint64(history[at])) * np.uint64(0x9E3779B97F4A7C15)
    head = np.int64(key >> np.uint64(52))
    position = np.int64(heads[head])
    links[length] = position
    heads[head] = length
    count = 0
    for _ in range(PROPOSALS):
        if position < 0:
            break
        back = 1
        while back <= least and history[position - back] == history[length - back]:
            back += 1
        found[count] = position
        count += back > least
        position = np.int64(links[position])
    return count


@njit(cache=True)
def _count_channels(
    intervals: np.ndarray, minus: np.ndarray, orders: np.ndarray, smoothing: np.ndarray, copy_weight: float,
    excludes: bool, following: np.ndarray, ranks: np.ndarray, rank_bits: np.ndarray,
    excluded_following: np.ndarray, excluded_ranks: np.ndarray, excluded_bits: np.ndarray,
    counts: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    size = excluded_size = -1
    for channel in range(len(orders)):
        order = orders[channel]
        low, high = intervals[order, 0], intervals[order, 1]
        excluded_low, excluded_high = minus[order, 0], minus[order, 1]
        same = high - low == size and excluded_high - excluded_low == excluded_size
        if same and smoothing[channel] == smoothing[channel - 1]:
            # One context ends with the other: the same number of positions are the same positions.
            _repeat_channel(channel, len(orders), len(counts), out)
            continue
        size, excluded_size = high - low, excluded_high - excluded_low
        counts[:] = 0
        add_counts(following, ranks, rank_bits, low, high, 1, counts)
        if excludes:
            add_counts(
                excluded_following, excluded_ranks, excluded_bits, excluded_low, excluded_high, -1, counts
            )
        _count_channel(counts, channel, len(orders), smoothing[channel], copy_weight, out)


@njit(cache=True)
def _count_channel(
    counts: np.ndarray, channel: int, orders: int, alpha: float, copy_weight: float, out: np.ndarray
) -> None:
    width, total = len(counts), 0
    for at in range(width):
        total += counts[at]
    weight = copy_weight if alpha < 1 else 1.0
    for at in range(width):
        ratio = math.log((counts[at] + alpha) * width / (total + width * alpha))
        out[channel * width + at] = _quantise(weight * ratio)
    out[(orders + 2) * width + channel] = _quantise(weight * math.log1p(total) / 2)


@njit(cache=True)
def _repeat_channel(channel: int, orders: int, width: int, out: np.ndarray) -> None:
    for at in range(channel * width, (channel + 1) * width):
        out[at] = out[at - width]
    confidence = (orders + 2) * width + channel
    out[confidence] = out[confidence - 1]


@njit(cache=True)
def _copy_channel(
    votes: np.ndarray, best: float, best_hits: float, experts: int, weight: float, which: int,
    last: np.ndarray, out: np.ndarray, names: np.ndarray,
) -> None:  # fmt: skip
    """Write the evidence of the experts on one text: `which` is 0 for the training text, 1 for the
    sequence."""
    channels, width = last.shape
    channel = channels - 2 + which
    scalar = channels * width + channels - 2 + SCALARS * which
    out[scalar] = _quantise(weight * best / 5)
    out[scalar + 1] = _quantise(weight * best_hits * 4)
    out[scalar + 2] = _quantise(weight * math.log1p(experts))
    for at in range(width):
        letter = at
        if len(votes) > width:
            letter = np.argmax(votes)
            names[at] = letter + 1 if votes[letter] > 0 else 0
        out[channel * width + at] = _quantise(weight * math.log1p(votes[letter]) / 3)
        if len(votes) > width:
            votes[letter] = 0.0


@njit(cache=True)
def _quantise(value: float) -> np.int8:
    return np.int8(min(127, max(-127, round(value * SCALE))))
