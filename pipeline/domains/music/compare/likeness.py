"""When two tunes are the same: melodies in letters that key, octave, unit of length and bar lines do not
change, and the words of which settings of one tune have many in common."""

import hashlib
import itertools
from functools import lru_cache

import numpy as np

from pipeline.domains.music.abc.tune_text import parse_tune

RHYTHMS = 3
"""A letter is an interval of 12 and one of so many rhythms."""
LETTERS = 12 * RHYTHMS
WORD = 12
"""Intervals of a word, 13 notes: unrelated tunes have hardly one in common."""
ONE_IN = 2
"""Of the words, so many are looked at, always the same ones: enough to tell, at half of the memory."""


# Asked for when a tune is read and again when samples are compared with it: kept for a few books of tunes.
@lru_cache(maxsize=8192)
def melody_letters(text: str) -> np.ndarray:
    """The letters of a tune's melody, uint8 ``(notes - 1,)``, read-only; none of what cannot be read.

    A melody is the row of its struck notes, the highest of a chord. Each note but the first is one letter:
    its interval from the note before, in semitones within an octave, and whether it is shorter than that
    one, as long, or longer.

    >>> in_c, in_g = "M:4/4\\nL:1/8\\nK:C\\nC2D2E4|]", "M:2/4\\nL:1/8\\nK:G\\nGAB2|]"
    >>> (melody_letters(in_c) == melody_letters(in_g)).all()
    np.True_
    """
    try:
        notes = [note for note in parse_tune(text).parsed.notes if note.pitches]
    except ValueError:
        return np.zeros(0, np.uint8)
    pitches, lengths, held = [], [], False
    for note in notes:
        if held and pitches[-1] == max(note.pitches):
            lengths[-1] += note.duration
        else:
            pitches.append(max(note.pitches))
            lengths.append(note.duration)
        held = note.tied
    steps = zip(itertools.pairwise(pitches), itertools.pairwise(lengths), strict=True)
    letters = ((high - low) % 12 * RHYTHMS + (new > old) + (new >= old) for (low, high), (old, new) in steps)
    found = np.fromiter(letters, np.uint8)
    found.setflags(write=False)
    return found


def melody_words(text: str) -> np.ndarray:
    """Some of the words of `WORD` intervals of a melody, uint64 ``(words,)``, whatever its rhythm: a hornpipe
    that another book has as a reel has the same ones. Of a melody too short to tell, a digest of all its
    letters; of none, none."""
    letters = melody_letters(text)
    if not len(letters):
        return np.zeros(0, np.uint64)
    intervals = (letters // RHYTHMS).astype(np.uint64)
    if len(intervals) < 2 * WORD:
        digest = hashlib.blake2b(letters.tobytes(), digest_size=8).digest()
        return np.frombuffer(digest, "<u8")
    count = len(intervals) - WORD + 1
    words = np.unique(sum(intervals[at : at + count] * np.uint64(12**at) for at in range(WORD)))
    # Multiplied by the golden ratio, neighbouring numbers scatter (D. Knuth, TAOCP 3, 6.4).
    scattered = words * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(33)
    chosen = words[scattered % np.uint64(ONE_IN) == 0]
    return chosen if len(chosen) else words
