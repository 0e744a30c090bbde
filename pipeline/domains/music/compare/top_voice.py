"""The melody of a piece of many voices in letters, as those of a tune, to look for copies.

It is the skyline: of the notes that are struck together, the highest. Source: Uitdenbogerd and Zobel,
"Manipulation of music for melody matching", ACM Multimedia 1998.
"""

import numpy as np

from pipeline.domains.music.compare.likeness import RHYTHMS
from pipeline.domains.music.piece import Piece

TOGETHER_S = 0.05
"""Notes that are struck within this time of the first are one chord."""
_EQUAL = 1.41
"""Times of which the longer is less than this many times the other are equally long."""


def top_voice(piece: Piece) -> np.ndarray:
    """A letter for each of its notes but the first, uint8 ``(notes - 1,)``: the interval from the note before
    within an octave, and whether it came sooner after it than that one after its own, as soon, or later.

    >>> from pipeline.domains.music.piece import NoteEvent
    >>> in_c = Piece(tuple(NoteEvent(480 * at, pitch, 99) for at, pitch in enumerate((60, 64, 67))))
    >>> in_g = Piece(tuple(NoteEvent(96 * at, pitch, 99) for at, pitch in enumerate((67, 71, 74))))
    >>> (top_voice(in_c) == top_voice(in_g)).all()
    np.True_
    """
    times = piece.seconds([note.onset for note in piece.notes])
    highest: list[tuple[float, int]] = []
    for note, time in zip(piece.notes, times.tolist(), strict=True):
        if highest and time - highest[-1][0] <= TOGETHER_S:
            highest[-1] = (highest[-1][0], max(highest[-1][1], note.pitch))
        else:
            highest.append((time, note.pitch))
    if len(highest) < 2:
        return np.zeros(0, np.uint8)
    onsets, pitches = np.array([each[0] for each in highest]), np.array([each[1] for each in highest])
    waits = np.diff(onsets)
    ratio = np.concatenate([[1.0], waits[1:] / waits[:-1]])
    rhythm = 1 + (ratio > _EQUAL) - (ratio < 1 / _EQUAL).astype(int)
    return (np.diff(pitches) % 12 * RHYTHMS + rhythm).astype(np.uint8)
