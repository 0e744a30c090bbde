"""The state of the evidence along a batch of sequences."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from pipeline.models.context_mixing.copy_experts import (
    PROPOSALS,
    CopyExperts,
    copy_expert_rows,
    new_experts,
)
from pipeline.models.context_mixing.evidence_layout import EvidenceLayout

HASH_HEADS = 1 << 12


class EvidenceState(NamedTuple):
    """The sequences so far, and what the next letter's evidence is computed from.

    `history` ``(rows, capacity)`` are the letters read, and `length` their number, always below the capacity.
    `heads` and `links` chain the positions of the history whose last letters have the same hash. `intervals`
    ``(rows, depth + 1, 2)`` are those of the index, `excluded` those of the excluded part. `text_copies` and
    `self_copies` are the experts on the training text and on the history. `last` is the last evidence, and
    `last_letters` its letters. The other fields are scratch space.
    """

    history: np.ndarray
    length: np.ndarray
    heads: np.ndarray
    links: np.ndarray
    intervals: np.ndarray
    excluded: np.ndarray
    text_copies: CopyExperts
    self_copies: CopyExperts
    last: np.ndarray
    last_letters: np.ndarray
    counts: np.ndarray
    votes: np.ndarray
    candidates: np.ndarray


def new_state(layout: EvidenceLayout, rows: int, capacity: int) -> EvidenceState:
    """The state before the first letter, with room for `capacity` letters."""
    return EvidenceState(
        np.zeros((rows, capacity), np.uint8), np.zeros(rows, np.int64),
        np.full((rows, HASH_HEADS), -1, np.int32), np.full((rows, capacity), -1, np.int32),
        np.zeros((rows, layout.depth + 1, 2), np.int64), np.zeros((rows, layout.depth + 1, 2), np.int64),
        new_experts(rows), new_experts(rows), np.zeros((rows, layout.channels, layout.width), np.int8),
        np.zeros((rows, layout.channels, layout.width), np.uint8), np.zeros((rows, layout.letters), np.int64),
        np.zeros((rows, layout.letters)), np.zeros((rows, PROPOSALS), np.int64),
    )  # fmt: skip


def grow_history(state: EvidenceState, capacity: int) -> EvidenceState:
    """The same state with room for more letters."""
    rows, before = state.history.shape
    history, links = np.zeros((rows, capacity), np.uint8), np.full((rows, capacity), -1, np.int32)
    history[:, :before], links[:, :before] = state.history, state.links
    return state._replace(history=history, links=links)


def select_rows(state: EvidenceState, rows: np.ndarray) -> EvidenceState:
    """A copy of these rows ``(n,)``, which may be repeated."""
    parts: list[Any] = [
        CopyExperts(*(each[rows] for each in part)) if isinstance(part, CopyExperts) else part[rows]
        for part in state
    ]  # fmt: skip
    return EvidenceState(*parts)


@njit(cache=True, nogil=True)
def copy_row(source: EvidenceState, at: int, target: EvidenceState, row: int) -> None:
    """Write row `at` of one state over a row of another that has room for it."""
    # In loops, which numba compiles faster than assignments of arrays, and only as far as anything is read.
    length = source.length[at]
    target.length[row] = length
    for position in range(length + 1):
        target.history[row, position] = source.history[at, position]
        target.links[row, position] = source.links[at, position]
    for head in range(HASH_HEADS):
        target.heads[row, head] = source.heads[at, head]
    for order in range(source.intervals.shape[1]):
        for end in range(2):
            target.intervals[row, order, end] = source.intervals[at, order, end]
            target.excluded[row, order, end] = source.excluded[at, order, end]
    copy_expert_rows(source.text_copies, at, target.text_copies, row)
    copy_expert_rows(source.self_copies, at, target.self_copies, row)
    for channel in range(source.last.shape[1]):
        for letter in range(source.last.shape[2]):
            target.last[row, channel, letter] = source.last[at, channel, letter]
            target.last_letters[row, channel, letter] = source.last_letters[at, channel, letter]
