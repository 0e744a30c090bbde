"""Longest exact matches of queries with texts, and which words of the queries the texts have.

The queries are indexed, not the texts: a suffix automaton of the queries (A. Blumer et al., Theoretical
Computer Science 40 (1985) 31) reads every text once, both strands side by side, and keeps the longest match
of each of its states. Memory depends on the queries alone, which come in batches, and time is linear in the
texts, whatever they repeat. For 150 million bases and the queries of a usual run that takes as long as
`divsufsort` takes to sort one strand of them (17 s both), before anything is looked up, and a fraction of the
memory. A table of k-mers gives no lengths, and extending its seeds is quadratic in repeats.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

LETTERS_AT_ONCE = 8_000_000
"""Letters of queries in one automaton: for each two states at most, of 48 bytes where letters are four."""
NO_LETTER = 255
"""Nothing matches over it."""
ZERO = np.int64(0)
"""Of a plain 0 numba takes note that it is 0, and compiles what it is given to once more for that."""


class Matches(NamedTuple):
    """For each query: `length` of its longest match and `start` in the query, from 0; `text`, which one, and
    `text_start` in it, counted on the strand given also where `reverse` says that its other strand matches.
    `shared` ``(queries, sizes)``: how many of its words of each size stand in some text. Of no match `length`
    is 0 and `text` -1. Of several longest matches it is the first in the query."""

    length: np.ndarray
    start: np.ndarray
    text: np.ndarray
    text_start: np.ndarray
    reverse: np.ndarray
    shared: np.ndarray


def find_matches(
    queries: Iterable[np.ndarray],
    texts: Callable[[], Iterable[np.ndarray]],
    letters: int,
    sizes: Sequence[int] = (),
    complement: np.ndarray | None = None,
) -> Iterator[Matches]:
    """The longest matches of queries in texts, a batch of queries after the other, in their order.

    Queries and texts are uint8 letters from 0, ``(length,)``, or `NO_LETTER`; `texts` yields them anew at
    each call. `complement` is letter to letter, ``(letters,)``; without one, texts are read in one direction.
    """
    for batch in _batches(queries):
        yield _match(batch, texts(), letters, np.asarray(sizes, np.int64), complement)


def _batches(queries: Iterable[np.ndarray]) -> Iterator[list[np.ndarray]]:
    batch, size = [], 0
    for query in queries:
        if batch and size + len(query) > LETTERS_AT_ONCE:
            yield batch
            batch, size = [], 0
        batch.append(query)
        size += len(query)
    if batch:
        yield batch


def _match(
    batch: list[np.ndarray],
    texts: Iterable[np.ndarray],
    letters: int,
    sizes: np.ndarray,
    complement: np.ndarray | None,
) -> Matches:
    joined = np.concatenate(batch)
    stops = np.cumsum([len(query) for query in batch])
    states = np.zeros((2 * len(joined) + 1, letters + 4), np.int32)
    count = _build(states, letters, joined, stops)
    places, starts = np.zeros(count, np.int64), [0]
    partners = np.full(256, NO_LETTER, np.uint8)
    partners[:letters] = NO_LETTER if complement is None else complement
    for text in texts:
        _read(states, places, letters, text, partners, starts[-1])
        starts.append(starts[-1] + len(text))
    _spread(states, places, letters, np.argsort(states[:count, letters + 1], kind="stable"))
    length, start, place = np.zeros((3, len(stops)), np.int64)
    shared = np.zeros((len(stops), len(sizes)), np.int64)
    _collect(states, places, letters, joined, stops, sizes, length, start, place, shared)
    reverse, none = place < 0, length == 0
    first = np.where(reverse, -place - 1, place - length + 1)
    text = np.searchsorted(starts, first, side="right") - 1
    text_start = first - np.array(starts)[text]
    text[none], text_start[none] = -1, 0
    return Matches(length, start, text, text_start, reverse, shared)


@njit(cache=True)
def _build(states: np.ndarray, letters: int, joined: np.ndarray, stops: np.ndarray) -> int:
    """Fill the automaton of all substrings of the queries; how many states it has.

    A row is a state: the next one for each letter (0, the root, for none), its suffix link, the length of its
    longest string, that of its longest match (`_read`), and the state whose match is its own (`_spread`).
    """
    states[0, letters] = -1
    last, count, start = ZERO, ZERO + 1, 0
    for stop in stops:
        last = ZERO
        for at in range(start, stop):
            if joined[at] >= letters:
                last = ZERO
            else:
                last, count = _append(states, letters, last, joined[at], count)
        start = stop
    return count


@njit(cache=True)
def _append(states: np.ndarray, letters: int, last: int, letter: int, count: int) -> tuple[int, int]:
    """The state of the string of `last` and one letter more, and the number of states with it."""
    link, size = letters, letters + 1
    known = states[last, letter]
    if known:
        if states[known, size] == states[last, size] + 1:
            return known, count
        return _part(states, letters, last, letter, count), count + 1
    new, before = count, last
    states[new, size] = states[last, size] + 1
    while before >= 0 and not states[before, letter]:
        states[before, letter] = new
        before = states[before, link]
    if before < 0:
        return new, count + 1
    known = states[before, letter]
    if states[known, size] == states[before, size] + 1:
        states[new, link] = known
        return new, count + 1
    states[new, link] = _part(states, letters, before, letter, count + 1)
    return new, count + 2


@njit(cache=True)
def _part(states: np.ndarray, letters: int, before: int, letter: int, new: int) -> int:
    """The shorter strings of the state behind `before` get a state of their own, `new`: from now on they end
    at places where the longer ones do not."""
    link, size = letters, letters + 1
    known = states[before, letter]
    for at in range(states.shape[1]):  # assigned as a whole row, it takes numba seconds to compile
        states[new, at] = states[known, at]
    states[new, size] = states[before, size] + 1
    states[known, link] = new
    while before >= 0 and states[before, letter] == known:
        states[before, letter] = new
        before = states[before, link]
    return new


@njit(cache=True)
def _read(
    states: np.ndarray, places: np.ndarray, letters: int, text: np.ndarray, partners: np.ndarray, before: int
) -> None:
    """Note the longest match of each state met in a text that stands behind `before` letters of others: where
    it ends, or, as -1 minus a place, where one on the other strand starts on the strand given."""
    longest = letters + 2
    state, length, other, other_length = ZERO, ZERO, ZERO, ZERO
    for at in range(len(text)):
        # Neither strand waits for the other's memory.
        state, length = _step(states, letters, state, length, text[at])
        mirrored = len(text) - 1 - at
        other, other_length = _step(states, letters, other, other_length, partners[text[mirrored]])
        if length > states[state, longest]:
            states[state, longest], places[state] = length, before + at
        if other_length > states[other, longest]:
            states[other, longest], places[other] = other_length, -1 - (before + mirrored)


@njit(cache=True)
def _step(states: np.ndarray, letters: int, state: int, length: int, letter: int) -> tuple[int, int]:
    """The longest string of the queries that ends at the next letter of a text: its state and length."""
    if letter >= letters:
        return 0, 0
    while state and not states[state, letter]:
        state = states[state, letters]
        length = states[state, letters + 1]
    following = states[state, letter]
    return (following, length + 1) if following else (0, 0)


@njit(cache=True)
def _spread(states: np.ndarray, places: np.ndarray, letters: int, order: np.ndarray) -> None:
    """What matches in a state matches in those of its suffixes; a state without a match has that of its
    longest suffix with one. `order`: the states, shorter strings first."""
    link, size, longest, best = letters, letters + 1, letters + 2, letters + 3
    for state in order[:0:-1]:
        suffix = states[state, link]
        if states[state, longest] and states[suffix, longest] < states[suffix, size]:
            states[suffix, longest], places[suffix] = states[suffix, size], places[state]
    for state in order[1:]:
        states[state, best] = state if states[state, longest] else states[states[state, link], best]


@njit(cache=True)
def _collect(
    states: np.ndarray, places: np.ndarray, letters: int, joined: np.ndarray, stops: np.ndarray,
    sizes: np.ndarray, lengths: np.ndarray, starts: np.ndarray, found: np.ndarray, shared: np.ndarray,
) -> None:  # fmt: skip
    """Add for each query length, start and place (as in `_read`) of its longest match, and
    `Matches.shared`, all zero before."""
    first = 0
    for query in range(len(stops)):
        state = since = 0
        for at in range(first, stops[query]):
            if joined[at] >= letters:
                state, since = 0, at + 1 - first
                continue
            state = states[state, joined[at]]
            match = states[state, letters + 3]
            # Strings of other queries in the same state may be longer than what this one has read.
            length = min(states[match, letters + 2], at - first + 1 - since)
            for number in range(len(sizes)):
                shared[query, number] += length >= sizes[number]
            if length > lengths[query]:
                lengths[query], starts[query] = length, at - first + 1 - length
                found[query] = places[match]
        first = stops[query]
