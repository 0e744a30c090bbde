"""The melody of a piece in several voices as codes, as those of `melody.py`, to look for copies.

The melody is the skyline: of notes that start together, the highest. Source: A. Uitdenbogerd and J. Zobel,
"Manipulation of music for melody matching", ACM Multimedia 1998.
"""

import numpy as np

from pipeline.domains.music.compare.melody import RHYTHM_CODES
from pipeline.domains.music.piece import Piece

MAX_CHORD_S = 0.05
"""Notes that start within this time of the first are one chord."""
_MIN_RATIO = 1.41
"""Two times are equal where the longer is less than so many times the other."""


def encode_top_voice(piece: Piece) -> np.ndarray:
    """Encode the top voice of a piece.

    Each note but the first has one code: its interval from the note before, in semitones within an octave,
    and whether its time after that note is shorter than the time before, equal, or longer.

    Returns
    -------
    numpy.ndarray
        Codes below `MELODY_CODES`, uint8 ``(notes - 1,)``.

    Examples
    --------
    >>> from pipeline.domains.music.piece import NoteEvent
    >>> in_c = Piece(tuple(NoteEvent(480 * at, pitch, 99) for at, pitch in enumerate((60, 64, 67))))
    >>> in_g = Piece(tuple(NoteEvent(96 * at, pitch, 99) for at, pitch in enumerate((67, 71, 74))))
    >>> (encode_top_voice(in_c) == encode_top_voice(in_g)).all()
    np.True_
    """
    times = piece.seconds([note.onset for note in piece.notes])
    highest: list[tuple[float, int]] = []
    for note, time in zip(piece.notes, times.tolist(), strict=True):
        if highest and time - highest[-1][0] <= MAX_CHORD_S:
            highest[-1] = (highest[-1][0], max(highest[-1][1], note.pitch))
        else:
            highest.append((time, note.pitch))
    if len(highest) < 2:
        return np.zeros(0, np.uint8)
    onsets, pitches = np.array([each[0] for each in highest]), np.array([each[1] for each in highest])
    times_between = np.diff(onsets)
    ratio = np.concatenate([[1.0], times_between[1:] / times_between[:-1]])
    rhythm = 1 + (ratio > _MIN_RATIO) - (ratio < 1 / _MIN_RATIO).astype(int)
    return (np.diff(pitches) % 12 * RHYTHM_CODES + rhythm).astype(np.uint8)
