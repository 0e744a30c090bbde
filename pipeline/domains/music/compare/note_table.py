"""The notes of a piece as arrays, whatever they were written in: what all statistics of music read."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from pipeline.domains.music.abc.layout import is_pickup
from pipeline.domains.music.abc.notes import WHOLE
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.piece import Meter, Piece

QUARTER = WHOLE // 4
STEPS = 12
"""Time steps in a quarter note: sixteenths and triplets of eighths fall on them."""
_STEPS_OF_TONIC = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
MAX_BARS, MAX_BAR_STEPS = 10_000, 2_000_000
"""Of longer pieces only so many bars, and time steps in them, are looked at."""


@dataclass(frozen=True, eq=False)
class NoteTable:
    """Struck notes by onset: `onsets` and `durations` in quarter notes, MIDI `pitches`, each ``(notes,)``.

    `bars` has the onsets of the bars, all of `bar_quarters`, none where there is no meter; one that is cut
    short at the end of a part goes on in the pick-up of the next. `tonic` is the pitch class of the key, None
    where it is not known.
    """

    onsets: np.ndarray
    durations: np.ndarray
    pitches: np.ndarray
    bars: np.ndarray
    bar_quarters: float = 0.0
    tonic: int | None = None

    @classmethod
    def of_piece(cls, piece: Piece) -> "NoteTable":
        """The notes of all parts but drums; bars where there is one meter throughout."""
        notes = [note for note in piece.notes if not piece.parts[note.part].is_drum]
        table = np.array([(note.onset, note.duration, note.pitch) for note in notes], int).reshape(-1, 3)
        onsets, durations = table[:, 0] / piece.ticks_per_quarter, table[:, 1] / piece.ticks_per_quarter
        tonic = None
        if len(piece.keys) == 1:
            tonic = (7 * piece.keys[0].sharps + (9 if piece.keys[0].minor else 0)) % 12
        end = float((onsets + durations).max(initial=0))
        bars, quarters = _even_bars(piece.meters, end)
        return cls(onsets, durations, table[:, 2], bars, quarters, tonic)

    @cached_property
    def melody(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The highest note at each onset: onsets, durations and pitches."""
        order = np.lexsort((-self.pitches, self.onsets))
        first = np.unique(self.onsets[order], return_index=True)[1]
        chosen = order[first]
        return self.onsets[chosen], self.durations[chosen], self.pitches[chosen]

    @cached_property
    def steps_a_bar(self) -> int:
        """Time steps in a bar."""
        return round(self.bar_quarters * STEPS)

    @property
    def _first_bars(self) -> np.ndarray:
        return self.bars[: min(MAX_BARS, MAX_BAR_STEPS // max(self.steps_a_bar, 1))]

    @cached_property
    def bar_onsets(self) -> np.ndarray:
        """Whether a note starts at each time step of each bar, bool ``(bars, steps)``."""
        bars = self._first_bars
        grid = np.zeros((len(bars), self.steps_a_bar), bool)
        if grid.size:
            bar = np.searchsorted(bars, self.onsets + 1e-6, side="right") - 1
            step = np.round((self.onsets - bars[bar]) * STEPS)
            inside = (bar >= 0) & (step < self.steps_a_bar)
            grid[bar[inside], step[inside].astype(int)] = True
        return grid

    @cached_property
    def bar_pitches(self) -> np.ndarray:
        """The melody's pitch at each time step of each bar, -1 in silence, ``(bars, steps)``."""
        onsets, durations, pitches = self.melody
        times = self._first_bars[:, None] + np.arange(self.steps_a_bar) / STEPS + 1e-6
        if not times.size or not len(onsets):
            return np.full(times.shape, -1)
        note = np.maximum(np.searchsorted(onsets, times, side="right") - 1, 0)
        sounds = (onsets[note] <= times) & (times < onsets[note] + durations[note])
        return np.where(sounds, pitches[note], -1)


@dataclass(frozen=True, eq=False)
class TuneNotes(NoteTable):
    """The notes of a tune, and the tune itself."""

    tune: Tune | None = None

    @classmethod
    def of_tune(cls, tune: Tune) -> "TuneNotes":
        """The notes as written, repeats not played, tied ones joined."""
        onsets, durations, pitches, held = [], [], [], ()
        for note in tune.parsed.notes:
            struck = tuple(sorted(note.pitches))
            if struck and struck == held:
                for place in range(1, len(held) + 1):
                    durations[-place] += note.duration
            else:
                onsets += [note.onset] * len(struck)
                durations += [note.duration] * len(struck)
                pitches += struck
            held = struck if note.tied else ()
        bar_quarters, bars = _commonest([
            (bar.onset, bar.full)
            for bar in tune.parsed.bars
            if bar.full and bar.duration <= bar.full and not is_pickup(bar)
        ])  # fmt: skip
        return cls(
            in_quarters(onsets), in_quarters(durations), np.array(pitches, int), bars, bar_quarters,
            tonic_of(tune.key), tune,
        )  # fmt: skip


def tonic_of(key: str) -> int:
    """The pitch class of the tonic of a normalised key.

    >>> tonic_of("C"), tonic_of("F#m"), tonic_of("BbMix")
    (0, 6, 10)
    """
    return (_STEPS_OF_TONIC[key[0]] + {"#": 1, "b": -1}.get(key[1:2], 0)) % 12


def mode_of(key: str) -> str:
    """The mode of a normalised key, "" for major.

    >>> mode_of("C"), mode_of("F#m"), mode_of("DDor")
    ('', 'm', 'Dor')
    """
    return key[2:] if key[1:2] in ("#", "b") else key[1:]


def in_quarters(ticks: Sequence[int | Fraction]) -> np.ndarray:
    """Ticks of a tune as quarter notes."""
    return np.array([float(tick) for tick in ticks]) / QUARTER


def _commonest(bars: Sequence[tuple]) -> tuple[float, np.ndarray]:
    """The commonest length of a full bar, in quarters, and where the bars of that length start."""
    lengths = [length for _, length in bars]
    if not lengths:
        return 0.0, np.zeros(0)
    seen = Counter(lengths)
    length = max(seen, key=lambda each: (seen[each], each))
    return float(length) / QUARTER, in_quarters([onset for onset, each in bars if each == length])


def _even_bars(meters: Sequence[Meter], end: float) -> tuple[np.ndarray, float]:
    if len({(meter.beats, meter.beat_type) for meter in meters}) != 1:
        return np.zeros(0), 0.0
    quarters = 4 * meters[0].beats / meters[0].beat_type
    return np.arange(int(end // quarters)) * quarters, quarters
