"""Lookback features: the symbols some segments earlier, from which a recurrent network can repeat bars.

A tune repeats its bars after two, four or eight of them. A network would have to carry each note of a bar
that long. Lookback features show the note itself. There is one for each of some distances: the symbol that
came next at that distance, while the present segment equals the earlier one symbol for symbol. Further
features are the number of segments of the section, that of the section before, the length of the segment so
far, and two symbols of the last header line, such as a key. Each feature is a row of a learned table. All of
them follow from the sequence so far, which is kept in one array of numbers per sequence, the
`LookbackState`.

Source: Waite, "Generating long-term structure in songs and stories" (2016), whose Lookback RNN sees the notes
one and two bars earlier. Our additions are the end of a feature where the bars differ, and the counts.
"""

from typing import NamedTuple

import numpy as np
import torch
from numba import njit
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from pipeline.config.checks import check_range
from pipeline.data.alphabet import BOS, SPECIALS
from pipeline.errors import ConfigError, DataError
from pipeline.runtime.numba_options import BARE, INNER
from pipeline.segments import SegmentRole, Segments

Array = np.ndarray
LookbackState = Array
"""One sequence so far, ``(HISTORY_START + MAX_HISTORY,)`` float32, whose integers are exact up to 2**24."""

MAX_DISTANCES, MAX_DISTANCE = 8, 31
MAX_SEGMENTS = 16
"""Higher counts of segments in a section have the same feature."""
MAX_LENGTH = 40
"""Greater lengths of a segment, in halves, have the same feature."""
MAX_SYMBOL_LENGTH = 1e30
"""The most that a symbol may add to a length: sums of it are still finite."""
MAX_UPBEAT = 0.8
"""A first segment of a section with at most this share of the second's length is an upbeat, not a segment."""
COUNT_ROWS, LENGTH_ROWS = MAX_SEGMENTS + 1, MAX_LENGTH + 1
"""Rows of the table for a count of segments, and for a length."""
OTHER_FEATURES = 5
"""Features besides those of distances: two counts, a length, and two symbols of the header."""
NAME_SYMBOLS = 2
"""Symbols that name a header line, such as K: in K:D."""
MAX_HISTORY = 4096
"""Codes of a sequence that its state keeps."""

# Columns of a state: codes read; segments begun; whether one is open; whether one can begin; segments of this
# section, and of the last; whether the section ends at the next boundary; the length of the segment, and of
# the section's first segment (-1 once it was an upbeat); whether the next symbols have no duration.
_POSITION, _SEGMENTS, _OPEN, _CAN_BEGIN, _COUNT, _LAST_COUNT, _CLOSES = range(7)
_LENGTH, _FIRST_LENGTH, _UNTIMED = range(7, 10)
# The column in a header line, its first two symbols after the name, and those of the last whole line.
_COLUMN, _FIRST_READ, _SECOND_READ, _FIRST_SYMBOL, _SECOND_SYMBOL = range(10, 15)
# The place in the history, plus 1, of each distance's symbol; and the places where the last segments began.
_POINTERS = 15
_STARTS = _POINTERS + MAX_DISTANCES
FEATURE_ROWS = _STARTS + MAX_DISTANCE + 1
"""The column of a state from which the rows of the present features are listed."""
HISTORY_START = FEATURE_ROWS + MAX_DISTANCES + OTHER_FEATURES
"""The column of a state where its history begins."""


class LookbackConfig(NamedTuple):
    """`Segments` for compiled code, by code instead of symbol."""

    roles: Array
    lengths: Array
    distances: Array

    @classmethod
    def from_segments(cls, segments: Segments | None) -> "LookbackConfig":
        """The configuration; without segments it has no distances."""
        if segments is None:
            return cls(np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, np.int64))
        roles = [int(SegmentRole.CONTENT)] * len(SPECIALS) + list(segments.roles)
        lengths = [0.0] * len(SPECIALS) + list(segments.lengths)
        return cls(
            np.array(roles, np.int64), np.array(lengths, np.float32), np.array(segments.distances, np.int64)
        )


class Lookback(nn.Module):
    """The features of sequences, as a sum of learned rows.

    Raises ConfigError where the segments have another alphabet, or values out of range.
    """

    def __init__(self, segments: Segments, vocab_size: int, size: int) -> None:
        super().__init__()
        given = len(segments.roles), len(segments.lengths)
        if given != (vocab_size - len(SPECIALS),) * 2:
            found = f"{given[0]} roles and {given[1]} lengths for {vocab_size} codes"
            raise ConfigError(f"model.segments: {found}; train again")
        check_segments(segments)
        self.config, self.vocab_size = LookbackConfig.from_segments(segments), vocab_size
        rows = (len(segments.distances) + 2) * (vocab_size + 1) + 2 * COUNT_ROWS + LENGTH_ROWS
        self.table = nn.Parameter(torch.randn(rows, size) / 2)

    def forward(self, symbols: Tensor, states: Tensor | None) -> tuple[Tensor, Tensor]:
        """Sums of rows ``(time, batch, size)`` for symbols ``(batch, time)``, and the states after them.

        States are ``(batch, HISTORY_START + MAX_HISTORY)``, None at the start of sequences. Raises DataError
        for states of another shape, such as those of another version.
        """
        device = self.table.device
        if states is None:
            states = torch.zeros(len(symbols), HISTORY_START + MAX_HISTORY)
        if states.shape != (len(symbols), HISTORY_START + MAX_HISTORY):
            raise DataError("another version began this training, and it cannot go on; train again")
        kept = states.cpu().clone()
        codes = symbols.t().contiguous()
        rows = torch.zeros(*codes.shape, len(self.config.distances) + OTHER_FEATURES, dtype=torch.int64)
        _update_all(self.config, self.vocab_size, kept.numpy(), codes.cpu().numpy(), rows.numpy())
        features = embedding_bag(rows.flatten(0, 1).to(device), self.table, mode="sum")
        return features.unflatten(0, codes.shape), kept.to(device)


def check_segments(segments: Segments) -> None:
    """Raise ConfigError for an unknown role, a length that is not finite or beyond `MAX_SYMBOL_LENGTH`, too
    many distances, or one that is not from 1 to `MAX_DISTANCE`."""
    for role in segments.roles:
        check_range("model.segments.roles", role, min(SegmentRole), max(SegmentRole))
    for length in segments.lengths:
        check_range("model.segments.lengths", length, -MAX_SYMBOL_LENGTH, MAX_SYMBOL_LENGTH)
    check_range("the number of model.segments.distances", len(segments.distances), 1, MAX_DISTANCES)
    for distance in segments.distances:
        check_range("model.segments.distances", distance, 1, MAX_DISTANCE)


@njit(**INNER)
def update(config: LookbackConfig, vocab_size: int, state: LookbackState, code: int) -> None:
    """Add one code to a state, whose `FEATURE_ROWS` then list the rows of the table for the next symbol.

    The history may have fewer than `MAX_HISTORY` numbers where the sequence has no more codes.
    """
    if code == BOS:
        for at in range(HISTORY_START):
            state[at] = 0
    history = state[HISTORY_START:]
    position = np.int64(state[_POSITION])
    history[position % len(history)] = code
    _update_segment(config, state, history, position, code)
    _read_header(state, config.roles[code], code)
    state[_POSITION] = position + 1
    kinds = config.distances.shape[0]
    for kind in range(kinds):
        at = np.int64(state[_POINTERS + kind]) - 1
        known = at >= 0 and position - at < MAX_HISTORY
        found = np.int64(history[at % len(history)]) if known else vocab_size
        state[FEATURE_ROWS + kind] = kind * (vocab_size + 1) + found
    counts, others = kinds * (vocab_size + 1), state[FEATURE_ROWS + kinds :]
    lengths = counts + 2 * COUNT_ROWS
    header = lengths + LENGTH_ROWS
    others[0] = counts + state[_COUNT]
    others[1] = counts + COUNT_ROWS + state[_LAST_COUNT]
    others[2] = lengths + np.int64(min(max(2 * state[_LENGTH], 0), MAX_LENGTH))
    others[3] = header + state[_FIRST_SYMBOL]
    others[4] = header + vocab_size + 1 + state[_SECOND_SYMBOL]


@njit(**INNER)
def _update_segment(
    config: LookbackConfig, state: LookbackState, history: Array, position: np.int64, code: int
) -> None:
    role, is_open, can_begin = config.roles[code], state[_OPEN] > 0, state[_CAN_BEGIN] > 0
    untimed, closes = state[_UNTIMED] > 0, state[_CLOSES] > 0
    mark = role == SegmentRole.SECTION_MARK and not untimed
    if (
        role == SegmentRole.UNTIMED_QUOTE
        or role == SegmentRole.UNTIMED_START
        or role == SegmentRole.UNTIMED_END
    ):
        state[_UNTIMED] = role == SegmentRole.UNTIMED_START or (
            role == SegmentRole.UNTIMED_QUOTE and not untimed
        )
    if role == SegmentRole.HEADER_LINE_END:
        state[_SEGMENTS] = state[_COUNT] = state[_LAST_COUNT] = state[_FIRST_LENGTH] = 0
        _end_segment(config, state)
    elif (
        role == SegmentRole.BOUNDARY
        or role == SegmentRole.SECTION_BOUNDARY
        or (mark and closes)  # two marks are a boundary
    ):
        if is_open:
            _count_segment(state)
        if role == SegmentRole.SECTION_BOUNDARY or closes or (can_begin and not is_open):
            _end_section(state)
        _end_segment(config, state)
    elif mark and is_open:
        state[_CLOSES] = 1
        for kind in range(config.distances.shape[0]):
            state[_POINTERS + kind] = 0
    elif mark:
        _end_section(state)
    elif is_open:
        state[_LENGTH] += 0 if untimed else config.lengths[code]
        _compare(config, state, history, position, code)
    elif can_begin and role != SegmentRole.NEVER_FIRST and role != SegmentRole.UNTIMED_END:
        begun = np.int64(state[_SEGMENTS])
        state[_STARTS + begun % (MAX_DISTANCE + 1)] = position
        state[_SEGMENTS], state[_OPEN], state[_CAN_BEGIN] = begun + 1, 1, 0
        state[_LENGTH] = config.lengths[code]
        _compare(config, state, history, position, code)


@njit(**INNER)
def _read_header(state: LookbackState, role: int, code: int) -> None:
    """Keep two symbols of a header line, each as its code and 1, since 0 means none: those after its name, or
    the only symbol of the line."""
    column = np.int64(state[_COLUMN])
    if role == SegmentRole.HEADER_LINE_END:
        state[_FIRST_SYMBOL] = state[_FIRST_READ] if column else code + 1
        state[_SECOND_SYMBOL] = state[_SECOND_READ]
        state[_COLUMN] = state[_FIRST_READ] = state[_SECOND_READ] = 0
    elif code != BOS and column < NAME_SYMBOLS + 2:
        if column == NAME_SYMBOLS:
            state[_FIRST_READ] = code + 1
        elif column == NAME_SYMBOLS + 1:
            state[_SECOND_READ] = code + 1
        state[_COLUMN] = column + 1


@njit(**INNER)
def _count_segment(state: LookbackState) -> None:
    """Count one segment more. An upbeat is not counted; only the length of the next segment reveals one."""
    state[_COUNT] = min(state[_COUNT] + 1, MAX_SEGMENTS)
    if state[_COUNT] == 1 and state[_FIRST_LENGTH] >= 0:
        state[_FIRST_LENGTH] = state[_LENGTH]
    elif state[_COUNT] == 2 and 0 < state[_FIRST_LENGTH] <= MAX_UPBEAT * state[_LENGTH]:
        state[_COUNT], state[_FIRST_LENGTH] = 1, -1


@njit(**INNER)
def _end_section(state: LookbackState) -> None:
    if state[_COUNT] > 1:
        state[_LAST_COUNT] = state[_COUNT]
    state[_COUNT] = state[_FIRST_LENGTH] = 0


@njit(**INNER)
def _end_segment(config: LookbackConfig, state: LookbackState) -> None:
    """Prepare for the next segment: point at the starts of the earlier ones at each distance."""
    state[_OPEN], state[_CAN_BEGIN], state[_CLOSES], state[_LENGTH], state[_UNTIMED] = 0, 1, 0, 0, 0
    for kind in range(config.distances.shape[0]):
        segment = np.int64(state[_SEGMENTS]) - config.distances[kind]
        state[_POINTERS + kind] = state[_STARTS + segment % (MAX_DISTANCE + 1)] + 1 if segment >= 0 else 0


@njit(**INNER)
def _compare(
    config: LookbackConfig, state: LookbackState, history: Array, position: np.int64, code: int
) -> None:
    """Move each pointer on where its symbol equals the code; drop it elsewhere, since the segments differ."""
    for kind in range(config.distances.shape[0]):
        at = np.int64(state[_POINTERS + kind]) - 1
        if at >= 0:
            alike = position - at < MAX_HISTORY and np.int64(history[at % len(history)]) == code
            state[_POINTERS + kind] = at + 2 if alike else 0


@njit(**BARE)
def _update_all(config: LookbackConfig, vocab_size: int, states: Array, codes: Array, rows: Array) -> None:
    parts = states[:, 0:]  # laid out as in the compiled sampler, so that both share one compilation
    for time in range(codes.shape[0]):
        for row in range(codes.shape[1]):
            update(config, vocab_size, parts[row], codes[time, row])
            for at in range(rows.shape[2]):
                rows[time, row, at] = np.int64(states[row, FEATURE_ROWS + at])
