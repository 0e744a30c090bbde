"""Shares of letters in every window of a sequence, and a compiled search for dead ends.

One window alone has no dead end, since the letter that leaves it may be drawn again. Together with an
automaton or another window it may have one. So each letter is followed, depth first, until a continuation of
`LOOK_AHEAD` letters, or to the end of the sequence, is found.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

LOOK_AHEAD = 24
MAX_TRIED = 20_000
"""Letters tried for one answer, at most."""


class Windows(NamedTuple):
    """K kinds of windows.

    `lengths` ``(K,)``; `members` ``(K, letters)``, the letters that count; `lowest` and `highest` ``(K,)``,
    the bounds of their number.
    """

    lengths: np.ndarray
    members: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray


class AutomatonTables(NamedTuple):
    """A `ProductAutomaton` and its `ViableStates` for compiled code.

    `moves` and `forbidden` are ``(states, letters)``. `viable` ``(rows, states)`` has one row for each number
    of remaining letters; from row `first` on, every `period` rows repeat.
    """

    moves: np.ndarray
    forbidden: np.ndarray
    viable: np.ndarray
    first: int
    period: int


@njit(cache=True)
def count_after(
    windows: Windows, which: int, count: int, text: np.ndarray, position: int, letter: int
) -> int:
    """The count of a window after a letter at this position, or -1 where the window forbids the letter.

    A window with too many members (of a prime, say) accepts no further member; one with too few accepts
    members only.
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


# Compiled code: a bundle of arrays of this many types would be compiled for every combination of them.
@njit(cache=True)
def count_reachable(
    automaton: AutomatonTables, windows: Windows, counts: np.ndarray, text: np.ndarray, position: int,
    state: int, left: int, wanted: int,
) -> int:  # fmt: skip
    """How many letters can follow, at most `wanted`, of the `left` that must.

    Overwrites `text` from `position` on. `counts` ``(wanted + 1, K)`` has the windows' counts in row 0.
    """
    moves, forbidden, viable, first, period = automaton
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
                count = count_after(windows, which, counts[depth, which], text, position + depth, letter)
                counts[depth + 1, which] = count
                fits = count >= 0
        if fits:
            text[position + depth] = letter
            depth += 1
            states[depth] = target
            furthest = max(furthest, depth)
            if depth < wanted:
                tried[depth] = 0
    return furthest


@njit(cache=True)
def restrict(
    automaton: AutomatonTables, windows: Windows, counts: np.ndarray, texts: np.ndarray, chosen: np.ndarray,
    positions: np.ndarray, states: np.ndarray, left: np.ndarray, no_dead_ends: bool, allowed: np.ndarray,
) -> None:  # fmt: skip
    """Remove from `allowed` ``(rows, letters)`` the letters that the windows forbid.

    Unless there are `no_dead_ends`, letters that can be followed less far than others are removed too. The
    rows are those `chosen` of `counts` and `texts`; `texts` is overwritten from `positions` on.
    """
    moves = automaton[0]
    rows, letters = allowed.shape
    kinds = len(windows[0])
    scratch = np.zeros((LOOK_AHEAD + 1, kinds), counts.dtype)
    found = np.zeros(letters, np.int64)
    for row in range(rows):
        text, count, best = texts[chosen[row]], counts[chosen[row]], 0
        for letter in range(letters):
            found[letter] = -1
            fits = allowed[row, letter]
            for which in range(kinds):
                if fits:
                    scratch[0, which] = count_after(
                        windows, which, count[which], text, positions[row], letter
                    )
                    fits = scratch[0, which] >= 0
            if fits and no_dead_ends:
                found[letter] = 0
            elif fits:
                text[positions[row]] = letter
                found[letter] = count_reachable(
                    automaton, windows, scratch, text, positions[row] + 1, moves[states[row], letter],
                    left[row] - 1, min(LOOK_AHEAD, left[row] - 1),
                )  # fmt: skip
            best = max(best, found[letter])
        for letter in range(letters):
            allowed[row, letter] = found[letter] == best
