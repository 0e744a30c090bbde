"""The compiled loops of reading: one pass over a block of FASTA, one over letters to find their runs.

Each loop looks up the class of every byte once, in a table. Read next: `fasta.py` and `known_intervals.py`,
which call them.
"""

import numpy as np
from numba import njit

PLAIN, OTHER, LINE_END, SPACE, ODD = range(5)
"""Classes of a byte of FASTA: A, C, G or T; another allowed letter; the rest as they say."""
SMALL = 32
"""The bit that is set in a letter of ASCII in lower case."""
DONE, FULL, CUT_HEADER, ODD_SYMBOL, NO_HEADER = range(5)
"""Why a scan stopped: the block's end; no room for more headers; a header without its end; a symbol that is
not allowed; something before any header."""
EVENTS = 4096
"""Headers or runs found by one call."""
BASES, UNKNOWN, CODE, MANY = range(4)
"""Kinds of a run: known bases; N or gaps; codes for several bases; many runs that are all to be dropped."""
FEW = 10
"""Largest number of adjacent dropped runs that are reported one by one."""
_NEW_LINE, _HEADER = ord("\n"), ord(">")


def classify_bytes(plain: bytes, allowed: bytes, white: bytes) -> np.ndarray:
    """The class of each byte, ``(256,)``."""
    table = np.full(256, ODD, np.uint8)
    table[list(white)] = SPACE
    table[_NEW_LINE] = LINE_END
    table[list(allowed)] = OTHER
    table[list(set(plain) & set(allowed))] = PLAIN
    return table


@njit(cache=True, nogil=True)
def scan(block, at, classes, comments, place, letters, events):  # noqa: ANN001, ANN201
    """Copy the letters of a block and find its headers.

    `place` is ``(line, line_start, in_comment, titled)``: the line (from 1) of position `at`, the position
    where it starts (below 0 where that was in an earlier block), and two flags; it is brought up to date.
    Each row of `events` gets a header's first position and its end, the count of letters before it, its
    line, and what is found among the letters since the last header: `OTHER`, `SMALL`, both (their sum) or 0.

    Returns why it stopped, where, the count of letters, of events, and what is found since the last header.
    """
    line, line_start, in_comment, titled = place[0], place[1], place[2] == 1, place[3] == 1
    size, count, found, other = len(block), 0, 0, 0
    why, width = DONE, 64
    quick = True
    for byte in b"ACGTacgt":
        quick &= classes[byte] == PLAIN
    while at < size:
        byte = block[at]
        kind = classes[byte]
        if at == line_start and byte == _HEADER and not in_comment:
            if found == len(events):
                why = FULL
                break
            end = at + 1
            while end < size and block[end] != _NEW_LINE:
                end += 1
            if end == size:
                why = CUT_HEADER
                break
            events[found, 0], events[found, 1], events[found, 2] = at, end, count
            events[found, 3], events[found, 4] = line, other
            found += 1
            other = 0
            titled = True
            line += 1
            at = line_start = end + 1
        elif in_comment or (at == line_start and comments[byte]):
            while at < size and block[at] != _NEW_LINE:
                at += 1
            in_comment = at == size
        elif kind == LINE_END:
            line += 1
            at += 1
            line_start = at
        elif kind == SPACE:
            at += 1
        elif not titled:
            why = NO_HEADER
            break
        elif kind == ODD:
            why = ODD_SYMBOL
            break
        else:
            # Lines are mostly as wide as the one before, and hold nothing but plain bases.
            while quick and at + width <= size:
                met = _copy_plain(block[at : at + width], letters[count:])
                if met & OTHER:
                    break
                other |= met
                count += width
                at += width
                if at == size or block[at] == _NEW_LINE:
                    break
            while at < size:
                byte = block[at]
                kind = classes[byte]
                if kind > OTHER:
                    break
                letters[count] = byte
                count += 1
                other |= kind | (byte & SMALL)
                at += 1
            if quick and at < size and block[at] == _NEW_LINE:
                width = min(max(at - max(line_start, 0), 16), 1024)
    place[0], place[1], place[2], place[3] = line, line_start, in_comment, titled
    return why, at, count, found, other


@njit(cache=True, nogil=True)
def _copy_plain(piece, letters):  # noqa: ANN001, ANN202
    """Copy a piece; whether something but A, C, G and T (`OTHER`) or lower case (`SMALL`) is in it. Without
    branches: many bytes at a time."""
    strange, small = np.uint8(0), np.uint8(0)
    for place in range(len(piece)):
        byte = piece[place]
        letters[place] = byte
        small |= byte
        upper = byte & 0xDF
        strange |= np.uint8((upper != 65) & (upper != 67) & (upper != 71) & (upper != 84))
    return strange | (small & np.uint8(SMALL))


@njit(cache=True, nogil=True)
def find_runs(letters, at, kinds, shortest, runs):  # noqa: ANN001, ANN201
    """Cut letters where their kind, by the table `kinds`, changes.

    Each row of `runs` gets a kind and where its run ends. Of whole runs side by side that are all to be
    dropped, for they are no bases or fewer than `shortest`, the first `FEW` get a row each, the others one
    row with the kind `MANY`, and then how many runs there are of each kind, and how many letters. A run that
    reaches the border of the letters may go on beyond it, so it always has a row.

    Returns the count of rows, and where the last one ends: the end of the letters, or less where `runs` is
    full.
    """
    size, found, dropped = len(letters), 0, 0
    while at < size:
        start = at
        kind = kinds[letters[at]]
        at += 1
        while at < size and kinds[letters[at]] == kind:
            at += 1
        dropped += 1
        if start == 0 or at == size or (kind == BASES and at - start >= shortest):
            dropped = 0
        if dropped <= FEW + 1:
            if found == len(runs):
                return found, start
            runs[found] = 0
            runs[found, 0] = kind if dropped <= FEW else MANY
            found += 1
        runs[found - 1, 1] = at
        if dropped > FEW:
            runs[found - 1, 2 + kind] += 1
            runs[found - 1, 5 + kind] += at - start
    return found, at
