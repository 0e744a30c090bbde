"""Longest exact matches of queries with texts, and the k-mers that both have.

The queries are indexed, not the texts: a suffix automaton of the queries (A. Blumer et al., Theoretical
Computer Science 40 (1985) 31) reads every text once, both DNA strands together, and keeps the longest
match of each of its states. Memory depends on the queries alone, which come in batches. Time is linear in the
texts, whatever they repeat. For 150 million bases and the queries of a usual run this takes 17 s, as long as
`divsufsort` takes to sort one strand, and a fraction of the memory. A table of k-mers gives no lengths, and
extending its seeds is quadratic in repeats.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit

MAX_BATCH_LETTERS = 8_000_000
"""Letters of queries in one automaton, which has two states for each, of 48 bytes with four letters."""
NO_LETTER = 255
"""No match contains it."""
ZERO = np.int64(0)
"""Numba types a plain 0 as a literal, and would compile its callees once more for it."""


class Matches(NamedTuple):
    """The longest match of each query, ``(queries,)``; the first one in the query where there are several.

    `length` is 0 and `text` is -1 without a match. `start` is its position in the query, from 0. `text` is
    the number of the text and `text_start` the position in it, on the given strand also where `reverse` says
    that the other DNA strand matches. `shared` ``(queries, sizes)`` counts the k-mers of each size that some
    text has.
    """

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
    """Find the longest match of each query in any text.

    Parameters
    ----------
    queries
        Arrays ``(length,)`` of uint8 letters from 0, or `NO_LETTER`.
    texts
        Yields all texts at each call, as queries.
    letters
        The number of letters.
    sizes
        Sizes of the k-mers that are counted.
    complement
        The complement of each letter, ``(letters,)``; without it, texts are read in one direction.

    Yields
    ------
    Matches
        Those of one batch of queries after the other, in their order.
    """
    for batch in _batches(queries):
        yield _match(batch, texts(), letters, np.asarray(sizes, np.int64), complement)


def _batches(queries: Iterable[np.ndarray]) -> Iterator[list[np.ndarray]]:
    batch, size = [], 0
    for query in queries:
        if batch and size + len(query) > MAX_BATCH_LETTERS:
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
    _propagate(states, places, letters, np.argsort(states[:count, letters + 1], kind="stable"))
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
def _build(states: np.ndarray, letters: int, joined: np.ndarray, stops: np.ndarray) -> Any:
    """Fill the automaton of all substrings of the queries, and return its number of states.

    A row is a state: the next one for each letter (0, the root, for none), its suffix link, the length of its
    longest string, that of its longest match (`_read`), and the state whose match is its own (`_propagate`).
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
def _append(states: np.ndarray, letters: int, last: Any, letter: Any, count: Any) -> tuple[Any, Any]:
    """Append a letter to the string of `last`: its state, and the new number of states."""
    link, size = letters, letters + 1
    known = states[last, letter]
    if known:
        if states[known, size] == states[last, size] + 1:
            return known, count
        return _split_state(states, letters, last, letter, count), count + 1
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
    states[new, link] = _split_state(states, letters, before, letter, count + 1)
    return new, count + 2


@njit(cache=True)
def _split_state(states: np.ndarray, letters: int, before: Any, letter: Any, new: Any) -> Any:
    """Split the state after `before`: its shorter strings, which now end at more positions than the longer
    ones, get the state `new`."""
    link, size = letters, letters + 1
    known = states[before, letter]
    for at in range(states.shape[1]):  # the assignment of a whole row takes numba seconds to compile
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
    """Record the longest match of each state that a text reaches; `before` letters of other texts precede it.

    A place is the position where a match ends. A match on the other DNA strand has -1 minus the position
    where it starts on the given strand.
    """
    longest = letters + 2
    state, length, other, other_length = ZERO, ZERO, ZERO, ZERO
    for at in range(len(text)):
        # Two strands at once hide the latency of memory.
        state, length = _step(states, letters, state, length, text[at])
        mirrored = len(text) - 1 - at
        other, other_length = _step(states, letters, other, other_length, partners[text[mirrored]])
        if length > states[state, longest]:
            states[state, longest], places[state] = length, before + at
        if other_length > states[other, longest]:
            states[other, longest], places[other] = other_length, -1 - (before + mirrored)


@njit(cache=True)
def _step(states: np.ndarray, letters: int, state: Any, length: Any, letter: Any) -> tuple[Any, Any]:
    """The longest string of the queries that ends at the next letter of a text: its state and length."""
    if letter >= letters:
        return 0, 0
    while state and not states[state, letter]:
        state = states[state, letters]
        length = states[state, letters + 1]
    following = states[state, letter]
    return (following, length + 1) if following else (0, 0)


@njit(cache=True)
def _propagate(states: np.ndarray, places: np.ndarray, letters: int, order: np.ndarray) -> None:
    """Pass matches on: from a state to its suffixes, and from its longest suffix with a match to a state
    without one. `order` has the states by the length of their strings."""
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
    """Write the length, start and place (as in `_read`) of the longest match of each query, and
    `Matches.shared`; all arrays are zero before."""
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
