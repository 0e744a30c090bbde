"""Shares of some letters in every window of a sequence, and how far ahead a letter can be followed.

One window alone never runs into a dead end, since the letter that leaves it may be drawn again. Beside an
automaton, or another window, it may: so each letter is followed, depth first, until some way has been found
that goes on for `LOOK_AHEAD` letters or to the sequence's end.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

LOOK_AHEAD = 24
MAX_TRIED = 20_000
"""Letters tried for one answer, at most."""


class Windows(NamedTuple):
    """For each of K windows its length, which letters count ``(K, letters)``, and how many of them it holds
    at least and at most."""

    lengths: np.ndarray
    members: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray


class Ways(NamedTuple):
    """An automaton's moves and forbidden letters ``(states, letters)``, and its viable states by letters
    left ``(rows, states)``, which come back from row `first` on every `period` rows."""

    moves: np.ndarray
    forbidden: np.ndarray
    viable: np.ndarray
    first: int
    period: int


@njit(cache=True)
def after(windows: Windows, which: int, count: int, text: np.ndarray, position: int, letter: int) -> int:
    """What a window holds after a letter at this position, or -1 where the letter may not stand there.

    A window that holds too many (a prime's, say) may take no more of them, one that holds too few no others.
    """
    lengths, members, lowest, highest = windows
    length, member = lengths[which], members[which, letter]
    if member:
        count += 1
    if position >= length and members[which, text[position - length]]:
        count -= 1
    missing = max(0, length - position - 1)
    if (member and count > highest[which]) or (not member and count + missing < lowest[which]):
        return -1
    return count


@njit(cache=True)
def reach(
    ways: Ways, windows: Windows, counts: np.ndarray, text: np.ndarray, position: int, state: int, left: int,
    wanted: int,
) -> int:  # fmt: skip
    """How many letters can follow, `wanted` at most, of the `left` that must; writes over `text` from
    `position` on. `counts` ``(wanted + 1, K)`` has what the windows hold in its first row."""
    moves, forbidden, viable, first, period = ways
    letters, kinds = moves.shape[1], len(windows[0])
    states, tried = np.zeros(wanted + 1, np.int64), np.zeros(wanted + 1, np.int64)
    states[0], depth, furthest, tries = state, 0, 0, 0
    while depth < wanted and tries < MAX_TRIED:
        letter = tried[depth]
        if letter == letters:
            if depth == 0:
                break
            depth -= 1
            continue
        tried[depth] += 1
        tries += 1
        rest = left - depth - 1
        row = rest if rest < first else first + (rest - first) % period
        target = moves[states[depth], letter]
        fits = not forbidden[states[depth], letter] and viable[row, target]
        for which in range(kinds):
            if fits:
                held = after(windows, which, counts[depth, which], text, position + depth, letter)
                counts[depth + 1, which] = held
                fits = held >= 0
        if fits:
            text[position + depth] = letter
            depth += 1
            states[depth] = target
            furthest = max(furthest, depth)
            if depth < wanted:
                tried[depth] = 0
    return furthest


@njit(cache=True)
def allow(
    ways: Ways, windows: Windows, counts: np.ndarray, texts: np.ndarray, chosen: np.ndarray,
    positions: np.ndarray, states: np.ndarray, left: np.ndarray, free: bool, allowed: np.ndarray,
) -> None:  # fmt: skip
    """Strike out of `allowed` ``(rows, letters)`` what the windows forbid and, unless they are `free` of
    dead ends, what cannot be followed as far as something else.

    The rows are those `chosen` of `counts` and `texts`, which are written over from `positions` on.
    """
    moves = ways[0]
    rows, letters = allowed.shape
    kinds = len(windows[0])
    room = np.zeros((LOOK_AHEAD + 1, kinds), counts.dtype)
    found = np.zeros(letters, np.int64)
    for row in range(rows):
        text, held, best = texts[chosen[row]], counts[chosen[row]], 0
        for letter in range(letters):
            found[letter] = -1
            fits = allowed[row, letter]
            for which in range(kinds):
                if fits:
                    room[0, which] = after(windows, which, held[which], text, positions[row], letter)
                    fits = room[0, which] >= 0
            if fits and free:
                found[letter] = 0
            elif fits:
                text[positions[row]] = letter
                found[letter] = reach(
                    ways, windows, room, text, positions[row] + 1, moves[states[row], letter],
                    left[row] - 1, min(LOOK_AHEAD, left[row] - 1),
                )  # fmt: skip
            best = max(best, found[letter])
        for letter in range(letters):
            allowed[row, letter] = found[letter] == best
