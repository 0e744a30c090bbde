"""Outer voices of chorales as codes, to look for copies of training chorales.

The melody of a hymn has many settings, several by Bach himself. Soprano and bass together identify a setting.
So a code has the intervals of both, in semitones within an octave, at each step where one of them starts.
"""

import numpy as np

from pipeline.domains.music.chorales.voices import SILENT, InvalidChorale, parse_chorale
from pipeline.domains.music.compare.training_overlap import MelodyEncoding

CODES = 144


def encode_outer_voices(text: str) -> np.ndarray:
    """Codes below `CODES`, uint8 ``(steps - 1,)``; none where the text is not a chorale.

    >>> low, high = "67,62,58,43 69,_,_,_ _,_,_,41 ", "69,64,60,45 71,_,_,_ _,_,_,43 "
    >>> encode_outer_voices(low), encode_outer_voices(high)
    (array([24, 10], dtype=uint8), array([24, 10], dtype=uint8))
    """
    try:
        chorale = parse_chorale(text)
    except InvalidChorale:
        return np.zeros(0, np.uint8)
    soprano, bass = chorale.pitches[:, 0], chorale.pitches[:, -1]
    struck = (chorale.struck[:, 0] | chorale.struck[:, -1]) & (soprano != SILENT) & (bass != SILENT)
    codes = np.diff(soprano[struck]) % 12 * 12 + np.diff(bass[struck]) % 12
    return codes.astype(np.uint8)


OUTER_VOICES = MelodyEncoding(
    lambda record: encode_outer_voices(record.text), "chorale", code_count=CODES, note="chord"
)
