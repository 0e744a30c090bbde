"""What stood some phrases before at the same place: an input by which a recurrent network can repeat a bar.

A tune comes back to its bars after two, four or eight of them; a network would have to carry each note of a
bar that long. Here it is shown the note itself: for each of some distances the symbol that came next
then, as long as the phrase that is being written is, symbol for symbol, the one of that time; besides, how
many phrases its section has, how many the one before had, how long the phrase is so far, and what the last
line of the heading says, such as a key. All of that is looked up in the sequence so far, of which a row of
numbers is kept: a *line*.

Source: Waite, "Generating long-term structure in songs and stories" (2016), whose Lookback RNN sees the notes
one and two bars before; that what is seen ends where the bars differ, and the counts, are ours.
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
from pipeline.segments import Phrases, Role

Array = np.ndarray
MAX_DISTANCES, FARTHEST = 8, 31
MAX_PHRASES = 16
"""More phrases of a section are not told apart."""
MAX_LENGTH = 40
"""Nor are greater lengths of a phrase, in halves."""
LONGEST = 1e30
"""What a symbol may add to a length: sums of it are still numbers."""
UPBEAT = 0.8
"""The first phrase of a section does not count where it has at most so much of the second's length."""
COUNT_ROWS, LENGTH_ROWS = MAX_PHRASES + 1, MAX_LENGTH + 1
"""Of the table, for a count of phrases, and for a length."""
BESIDES = 5
"""Rows that are seen besides those of distances: two counts, a length, and two symbols of the heading."""
NAME = 2
"""Symbols at the beginning of a heading's line that only name it, as in K:D."""
HISTORY = 4096
"""Codes of a sequence that are kept."""

# Where things stand in a line, whose numbers are exact up to 2**24: codes seen and phrases begun; whether we
# are in a phrase, or one may begin; phrases of this section and of the last; whether the section ends at the
# next border; the phrase's length, that of the section's first (-1 once it was an upbeat), and whether what
# comes lasts no time.
_SEEN, _PHRASES, _INSIDE, _BEGINS, _COUNT, _BEFORE, _CLOSES, _LENGTH, _FIRST, _ASIDE = range(10)
# The column of a heading's line, what was read of it, and what the last whole one said.
_COLUMN, _READ, _NEXT, _SAID, _THEN = range(10, 15)
# Where in the history the symbol of each distance stands, and where the last phrases began.
_POINTERS = 15
_STARTS = _POINTERS + MAX_DISTANCES
PLACES = _STARTS + FARTHEST + 1
"""Where the rows of the table begin that a line looks up now."""
HEAD = PLACES + MAX_DISTANCES + BESIDES
"""Numbers of a line before the history."""


class Sight(NamedTuple):
    """`Phrases` as compiled code reads them."""

    roles: Array
    """Of each code."""
    lengths: Array
    distances: Array

    @classmethod
    def of(cls, phrases: Phrases | None) -> "Sight":
        """With no distances where there are no phrases."""
        if phrases is None:
            return cls(np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, np.int64))
        roles = [Role.WITHIN] * len(SPECIALS) + list(phrases.roles)
        lengths = [0.0] * len(SPECIALS) + list(phrases.lengths)
        return cls(
            np.array(roles, np.int64), np.array(lengths, np.float32), np.array(phrases.distances, np.int64)
        )


class Lookback(nn.Module):
    """``(symbols, lines) -> (seen, lines)``: symbols ``(batch, time)``, what is seen ``(time, batch, size)``;
    lines ``(batch, HEAD + HISTORY)``, None at a sequence's start.

    Raises ConfigError where the phrases are not of so many codes, or hold what no line can be led by.
    """

    def __init__(self, phrases: Phrases, vocab_size: int, size: int) -> None:
        super().__init__()
        given = len(phrases.roles), len(phrases.lengths)
        if given != (vocab_size - len(SPECIALS),) * 2:
            found = f"{given[0]} roles and {given[1]} lengths for {vocab_size} codes"
            raise ConfigError(f"model.phrases: {found}; train anew")
        check_phrases(phrases)
        self.sight, self.vocab_size = Sight.of(phrases), vocab_size
        rows = (len(phrases.distances) + 2) * (vocab_size + 1) + 2 * COUNT_ROWS + LENGTH_ROWS
        self.table = nn.Parameter(torch.randn(rows, size) / 2)

    def forward(self, symbols: Tensor, lines: Tensor | None) -> tuple[Tensor, Tensor]:
        """Shapes as above. Raises DataError for lines of another layout, such as an earlier version's."""
        where = self.table.device
        if lines is None:
            lines = torch.zeros(len(symbols), HEAD + HISTORY)
        if lines.shape != (len(symbols), HEAD + HISTORY):
            raise DataError("this training was begun by another version and cannot go on; train anew")
        kept = lines.cpu().clone()
        codes = symbols.t().contiguous()
        rows = torch.zeros(*codes.shape, len(self.sight.distances) + BESIDES, dtype=torch.int64)
        _follow_all(self.sight, self.vocab_size, kept.numpy(), codes.cpu().numpy(), rows.numpy())
        seen = embedding_bag(rows.flatten(0, 1).to(where), self.table, mode="sum")
        return seen.unflatten(0, codes.shape), kept.to(where)


def check_phrases(phrases: Phrases) -> None:
    """Raises ConfigError for what is no role, for lengths that are no numbers or beyond `LONGEST`, and for
    distances that are too many, or not from 1 to `FARTHEST`."""
    for role in phrases.roles:
        check_range("model.phrases.roles", role, min(Role), max(Role))
    for length in phrases.lengths:
        check_range("model.phrases.lengths", length, -LONGEST, LONGEST)
    check_range("the number of model.phrases.distances", len(phrases.distances), 1, MAX_DISTANCES)
    for distance in phrases.distances:
        check_range("model.phrases.distances", distance, 1, FARTHEST)


@njit(**INNER)
def follow(sight: Sight, vocab_size: int, line: Array, code: int) -> None:
    """Take a line on by one code; its `PLACES` then name the rows of the table that are seen. Behind its head
    the line may have less than `HISTORY` numbers, where the sequence has no more codes."""
    if code == BOS:
        for at in range(HEAD):
            line[at] = 0
    history = line[HEAD:]
    seen = np.int64(line[_SEEN])
    history[seen % len(history)] = code
    _step(sight, line, history, seen, code)
    _read_heading(line, sight.roles[code], code)
    line[_SEEN] = seen + 1
    kinds = sight.distances.shape[0]
    for kind in range(kinds):
        at = np.int64(line[_POINTERS + kind]) - 1
        known = at >= 0 and seen - at < HISTORY
        found = np.int64(history[at % len(history)]) if known else vocab_size
        line[PLACES + kind] = kind * (vocab_size + 1) + found
    counts, besides = kinds * (vocab_size + 1), line[PLACES + kinds :]
    lengths = counts + 2 * COUNT_ROWS
    said = lengths + LENGTH_ROWS
    besides[0] = counts + line[_COUNT]
    besides[1] = counts + COUNT_ROWS + line[_BEFORE]
    besides[2] = lengths + np.int64(min(max(2 * line[_LENGTH], 0), MAX_LENGTH))
    besides[3] = said + line[_SAID]
    besides[4] = said + vocab_size + 1 + line[_THEN]


@njit(**INNER)
def _step(sight: Sight, line: Array, history: Array, seen: int, code: int) -> None:
    role, inside, begins = sight.roles[code], line[_INSIDE] > 0, line[_BEGINS] > 0
    aside, closes = line[_ASIDE] > 0, line[_CLOSES] > 0
    sign = role == Role.SECTION and not aside
    if role == Role.QUOTE or role == Role.ASIDE or role == Role.BACK:
        line[_ASIDE] = role == Role.ASIDE or (role == Role.QUOTE and not aside)
    if role == Role.HEADING:
        line[_PHRASES] = line[_COUNT] = line[_BEFORE] = line[_FIRST] = 0
        _await(sight, line)
    elif role == Role.BORDER or role == Role.SECTION_BORDER or (sign and closes):  # two signs are a border
        if inside:
            _count(line)
        if role == Role.SECTION_BORDER or closes or (begins and not inside):
            _end_section(line)
        _await(sight, line)
    elif sign and inside:
        line[_CLOSES] = 1
        for kind in range(sight.distances.shape[0]):
            line[_POINTERS + kind] = 0
    elif sign:
        _end_section(line)
    elif inside:
        line[_LENGTH] += 0 if aside else sight.lengths[code]
        _compare(sight, line, history, seen, code)
    elif begins and role != Role.BETWEEN and role != Role.BACK:
        started = np.int64(line[_PHRASES])
        line[_STARTS + started % (FARTHEST + 1)] = seen
        line[_PHRASES], line[_INSIDE], line[_BEGINS] = started + 1, 1, 0
        line[_LENGTH] = sight.lengths[code]
        _compare(sight, line, history, seen, code)


@njit(**INNER)
def _read_heading(line: Array, role: int, code: int) -> None:
    """Keep what a line says: the two symbols behind its name, or the one that is the whole line; each as its
    code and 1, since 0 is nothing."""
    column = np.int64(line[_COLUMN])
    if role == Role.HEADING:
        line[_SAID] = line[_READ] if column else code + 1
        line[_THEN] = line[_NEXT]
        line[_COLUMN] = line[_READ] = line[_NEXT] = 0
    elif code != BOS and column < NAME + 2:
        if column == NAME:
            line[_READ] = code + 1
        elif column == NAME + 1:
            line[_NEXT] = code + 1
        line[_COLUMN] = column + 1


@njit(**INNER)
def _count(line: Array) -> None:
    """One phrase more, but for an upbeat, which only the length of the next shows to be one."""
    line[_COUNT] = min(line[_COUNT] + 1, MAX_PHRASES)
    if line[_COUNT] == 1 and line[_FIRST] >= 0:
        line[_FIRST] = line[_LENGTH]
    elif line[_COUNT] == 2 and 0 < line[_FIRST] <= UPBEAT * line[_LENGTH]:
        line[_COUNT], line[_FIRST] = 1, -1


@njit(**INNER)
def _end_section(line: Array) -> None:
    if line[_COUNT] > 1:
        line[_BEFORE] = line[_COUNT]
    line[_COUNT] = line[_FIRST] = 0


@njit(**INNER)
def _await(sight: Sight, line: Array) -> None:
    """A phrase is to begin: point at the beginnings of those that came before it."""
    line[_INSIDE], line[_BEGINS], line[_CLOSES], line[_LENGTH], line[_ASIDE] = 0, 1, 0, 0, 0
    for kind in range(sight.distances.shape[0]):
        phrase = np.int64(line[_PHRASES]) - sight.distances[kind]
        line[_POINTERS + kind] = line[_STARTS + phrase % (FARTHEST + 1)] + 1 if phrase >= 0 else 0


@njit(**INNER)
def _compare(sight: Sight, line: Array, history: Array, seen: int, code: int) -> None:
    """Go on where the code is what stood there; elsewhere the phrases differ from here on."""
    for kind in range(sight.distances.shape[0]):
        at = np.int64(line[_POINTERS + kind]) - 1
        if at >= 0:
            alike = seen - at < HISTORY and np.int64(history[at % len(history)]) == code
            line[_POINTERS + kind] = at + 2 if alike else 0


@njit(**BARE)
def _follow_all(sight: Sight, vocab_size: int, lines: Array, codes: Array, rows: Array) -> None:
    parts = lines[:, 0:]  # laid out as where `steps` calls, so that it is compiled once
    for time in range(codes.shape[0]):
        for row in range(codes.shape[1]):
            follow(sight, vocab_size, parts[row], codes[time, row])
            for at in range(rows.shape[2]):
                rows[time, row, at] = np.int64(lines[row, PLACES + at])
