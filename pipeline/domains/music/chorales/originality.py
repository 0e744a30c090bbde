"""Are the chorales new: their soprano and bass beside those of all training chorales.

A hymn's melody is common good: Bach himself set many several times. Soprano and bass together are a setting's
own, so a letter is how both have moved, in semitones within an octave, wherever one of them is struck.
"""

import numpy as np

from pipeline.domains.music.chorales.voices import SILENT, NotAChorale, from_text
from pipeline.domains.music.compare.originality import Melodies


def outer_letters(text: str) -> np.ndarray:
    """Letters from 0 to 143, uint8 ``(chords - 1,)``; none of what cannot be read.

    >>> low, high = "67,62,58,43 69,_,_,_ _,_,_,41 ", "69,64,60,45 71,_,_,_ _,_,_,43 "
    >>> outer_letters(low), outer_letters(high)
    (array([24, 10], dtype=uint8), array([24, 10], dtype=uint8))
    """
    try:
        chorale = from_text(text)
    except NotAChorale:
        return np.zeros(0, np.uint8)
    soprano, bass = chorale.pitches[:, 0], chorale.pitches[:, -1]
    struck = (chorale.struck[:, 0] | chorale.struck[:, -1]) & (soprano != SILENT) & (bass != SILENT)
    moved = np.diff(soprano[struck]) % 12 * 12 + np.diff(bass[struck]) % 12
    return moved.astype(np.uint8)


OUTER_VOICES = Melodies(lambda record: outer_letters(record.text), "chorale", count=144, note="chord")
