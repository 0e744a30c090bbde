"""Melodies of tunes as codes that do not depend on key, octave, unit of length and bar lines.

Two tunes are the same where their codes are. Settings of one tune have many n-grams of intervals in common.
"""

import hashlib
import itertools
from functools import lru_cache

import numpy as np

from pipeline.domains.music.abc.tune_text import parse_tune

RHYTHM_CODES = 3
"""Codes of a rhythm: a note is shorter than the one before, as long, or longer."""
MELODY_CODES = 12 * RHYTHM_CODES
"""Codes of a note: one of 12 intervals with one of the rhythms."""
NGRAM_INTERVALS = 12
"""Intervals of an n-gram, which has 13 notes: unrelated tunes rarely have one in common."""
SUBSAMPLING = 2
"""One in so many n-grams is kept, always the same ones, to halve the memory."""


# A tune is encoded when it is read and again in the comparison: the cache holds a few books of tunes.
@lru_cache(maxsize=8192)
def encode_melody(text: str) -> np.ndarray:
    """Encode the melody of a tune.

    The melody is the sequence of struck notes, of a chord the highest. Each note but the first has one code:
    its interval from the note before, in semitones within an octave, and whether it is shorter than that
    note, as long, or longer.

    Parameters
    ----------
    text : str
        A tune in ABC.

    Returns
    -------
    numpy.ndarray
        Codes below `MELODY_CODES`, uint8 ``(notes - 1,)``, read-only; empty where the text cannot be parsed.

    Examples
    --------
    >>> in_c, in_g = "M:4/4\\nL:1/8\\nK:C\\nC2D2E4|]", "M:2/4\\nL:1/8\\nK:G\\nGAB2|]"
    >>> (encode_melody(in_c) == encode_melody(in_g)).all()
    np.True_
    """
    try:
        notes = [note for note in parse_tune(text).parsed.notes if note.pitches]
    except ValueError:
        return np.zeros(0, np.uint8)
    pitches, lengths, tied = [], [], False
    for note in notes:
        if tied and pitches[-1] == max(note.pitches):
            lengths[-1] += note.duration
        else:
            pitches.append(max(note.pitches))
            lengths.append(note.duration)
        tied = note.tied
    steps = zip(itertools.pairwise(pitches), itertools.pairwise(lengths), strict=True)
    codes = (
        (high - low) % 12 * RHYTHM_CODES + (new > old) + (new >= old) for (low, high), (old, new) in steps
    )
    encoded = np.fromiter(codes, np.uint8)
    encoded.setflags(write=False)
    return encoded


def hash_melody_ngrams(text: str) -> np.ndarray:
    """Hash the n-grams of `NGRAM_INTERVALS` intervals of a melody, and keep one in `SUBSAMPLING`.

    Rhythm does not count, so that a hornpipe has the hashes of the same tune as a reel.

    Returns
    -------
    numpy.ndarray
        The hashes, uint64 ``(n-grams,)``. A melody of fewer than two n-grams' length has one hash, of all its
        codes; a text that cannot be parsed has none.
    """
    codes = encode_melody(text)
    if not len(codes):
        return np.zeros(0, np.uint64)
    intervals = (codes // RHYTHM_CODES).astype(np.uint64)
    if len(intervals) < 2 * NGRAM_INTERVALS:
        digest = hashlib.blake2b(codes.tobytes(), digest_size=8).digest()
        return np.frombuffer(digest, "<u8")
    count = len(intervals) - NGRAM_INTERVALS + 1
    ngrams = np.unique(sum(intervals[at : at + count] * np.uint64(12**at) for at in range(NGRAM_INTERVALS)))
    # Multiplication by the golden ratio scatters neighbouring numbers (D. Knuth, TAOCP 3, 6.4).
    scattered = ngrams * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(33)
    kept = ngrams[scattered % np.uint64(SUBSAMPLING) == 0]
    return kept if len(kept) else ngrams
