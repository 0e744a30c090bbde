"""Where the bar lines of a chorale stand: guessed from its rhythm, since its symbols do not say.

music21 guesses keys, but no bars. Each quarter is weighed by the notes that are struck on it, how long they
last and how busy it is, against those held over it; meter and upbeat are those whose bar lines fall on the
heaviest quarters. Of Bach's chorales in music21 both are right in 9 of 10, where the commonest, four quarters
and an upbeat of one, is that of 6 or 7 of 10. The weights were chosen on half of them; the others do as well.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.domains.music.chorales.voices import SILENT, VOICES, Chorale

LONG, HELD, BASS_MOVES, BUSY = 1.0, -1.0, 0.3, 0.5
_MAX_QUARTERS = 2.0
_TRIPLE, _USUAL_UPBEAT = -1.0, 2.0
"""Added for a meter of three quarters, and for an upbeat of none or one."""
MOST_USUAL_UPBEAT = 1


@dataclass(frozen=True, slots=True)
class Bars:
    """Quarters of a bar, and of the upbeat before the first whole one."""

    quarters: int = 4
    upbeat: int = 0

    def lines(self, length: int) -> list[int]:
        """Where bars begin, in quarters, up to the length of the piece; 0 is the first."""
        first = [0] if self.upbeat else []
        return [*first, *range(self.upbeat, length, self.quarters)]


def guess_bars(chorale: Chorale, steps_per_quarter: int) -> Bars:
    """The likeliest bars, of three or four quarters."""
    weights = _weights(chorale, steps_per_quarter)
    spread = float(weights.std()) or 1.0
    best, found = -np.inf, Bars()
    for quarters in (4, 3):
        for upbeat in range(quarters):
            on_lines = weights[upbeat::quarters]
            if not len(on_lines):
                continue
            score = (on_lines.mean() - weights.mean()) / spread * np.sqrt(len(on_lines))
            score += _TRIPLE * (quarters == 3) + _USUAL_UPBEAT * (upbeat <= MOST_USUAL_UPBEAT)
            if score > best:
                best, found = score, Bars(quarters, upbeat)
    return found


def _weights(chorale: Chorale, steps_per_quarter: int) -> np.ndarray:
    """Of each quarter of the chorale, ``(quarters,)``."""
    lengths = np.zeros(chorale.pitches.shape)
    for note in chorale.notes:
        lengths[note.onset, note.voice] = note.length / steps_per_quarter
    on = slice(None, None, steps_per_quarter)
    struck, sounding = lengths[on] > 0, chorale.pitches[on] != SILENT
    bass = chorale.pitches[on, -1]
    quarter = np.arange(len(lengths)) // steps_per_quarter
    busy = np.bincount(quarter, (lengths > 0).sum(axis=1), len(struck)) - struck.sum(axis=1)
    return (
        LONG * np.minimum(lengths[on], _MAX_QUARTERS).sum(axis=1) / len(VOICES)
        + HELD * (sounding & ~struck).sum(axis=1) / len(VOICES)
        + BASS_MOVES * (np.diff(bass, prepend=bass[0]) % 12 != 0)
        + BUSY * busy / len(VOICES)
    )
