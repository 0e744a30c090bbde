"""The notes of a tune or piece as arrays, which the metrics of music count."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
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
_PITCH_CLASSES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
MAX_BARS, MAX_BAR_STEPS = 10_000, 2_000_000
"""Bars of a piece, and time steps in them, that are measured, at most."""


@dataclass(frozen=True, eq=False)
class NoteTable:
    """Struck notes by onset.

    Parameters
    ----------
    onsets, durations : numpy.ndarray
        Times in quarter notes, ``(notes,)``.
    pitches : numpy.ndarray
        MIDI numbers, ``(notes,)``.
    bars : numpy.ndarray
        Onsets of the bars in quarter notes, ``(bars,)``; empty where there is no meter. A bar that is cut
        short at the end of a part continues in the pick-up of the next.
    bar_quarters : float
        The length of each bar in quarter notes.
    tonic : int or None
        The pitch class of the tonic; None where the key is not known.
    """

    onsets: np.ndarray
    durations: np.ndarray
    pitches: np.ndarray
    bars: np.ndarray
    bar_quarters: float = 0.0
    tonic: int | None = None

    @classmethod
    def of_piece(cls, piece: Piece) -> "NoteTable":
        """The notes of a piece without drums. It has bars where its meter does not change."""
        notes = [note for note in piece.notes if not piece.parts[note.part].is_drum]
        table = np.array([(note.onset, note.duration, note.pitch) for note in notes], int).reshape(-1, 3)
        onsets, durations = table[:, 0] / piece.ticks_per_quarter, table[:, 1] / piece.ticks_per_quarter
        tonic = None
        if len(piece.keys) == 1:
            tonic = (7 * piece.keys[0].sharps + (9 if piece.keys[0].minor else 0)) % 12
        end = float((onsets + durations).max(initial=0))
        bars, quarters = _find_equal_bars(piece.meters, end)
        return cls(onsets, durations, table[:, 2], bars, quarters, tonic)

    @cached_property
    def melody(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The highest note at each onset: onsets, durations and pitches."""
        order = np.lexsort((-self.pitches, self.onsets))
        first = np.unique(self.onsets[order], return_index=True)[1]
        chosen = order[first]
        return self.onsets[chosen], self.durations[chosen], self.pitches[chosen]

    @cached_property
    def steps_per_bar(self) -> int:
        """Time steps in a bar."""
        return round(self.bar_quarters * STEPS)

    @property
    def _first_bars(self) -> np.ndarray:
        return self.bars[: min(MAX_BARS, MAX_BAR_STEPS // max(self.steps_per_bar, 1))]

    @cached_property
    def bar_onsets(self) -> np.ndarray:
        """Whether a note starts at each time step of each bar, bool ``(bars, steps)``."""
        bars = self._first_bars
        grid = np.zeros((len(bars), self.steps_per_bar), bool)
        if grid.size:
            bar = np.searchsorted(bars, self.onsets + 1e-6, side="right") - 1
            step = np.round((self.onsets - bars[bar]) * STEPS)
            inside = (bar >= 0) & (step < self.steps_per_bar)
            grid[bar[inside], step[inside].astype(int)] = True
        return grid

    @cached_property
    def bar_pitches(self) -> np.ndarray:
        """The melody's pitch at each time step of each bar, -1 in silence, ``(bars, steps)``."""
        onsets, durations, pitches = self.melody
        times = self._first_bars[:, None] + np.arange(self.steps_per_bar) / STEPS + 1e-6
        if not times.size or not len(onsets):
            return np.full(times.shape, -1)
        note = np.maximum(np.searchsorted(onsets, times, side="right") - 1, 0)
        sounds = (onsets[note] <= times) & (times < onsets[note] + durations[note])
        return np.where(sounds, pitches[note], -1)


@dataclass(frozen=True, eq=False)
class TuneNotes(NoteTable):
    """The notes of a tune, and the tune itself."""

    tune: Tune = field(kw_only=True)

    @classmethod
    def of_tune(cls, tune: Tune) -> "TuneNotes":
        """The notes as notated, without following repeats, where tied notes are one note."""
        onsets, durations, pitches, tied = [], [], [], ()
        for note in tune.parsed.notes:
            struck = tuple(sorted(note.pitches))
            if struck and struck == tied:
                for number in range(1, len(tied) + 1):
                    durations[-number] += note.duration
            else:
                onsets += [note.onset] * len(struck)
                durations += [note.duration] * len(struck)
                pitches += struck
            tied = struck if note.tied else ()
        bar_quarters, bars = _find_common_bars([
            (bar.onset, bar.full)
            for bar in tune.parsed.bars
            if bar.full and bar.duration <= bar.full and not is_pickup(bar)
        ])  # fmt: skip
        return cls(
            in_quarters(onsets), in_quarters(durations), np.array(pitches, int), bars, bar_quarters,
            parse_tonic(tune.key), tune=tune,
        )  # fmt: skip


def parse_tonic(key: str) -> int:
    """The pitch class of the tonic of a normalised key.

    >>> parse_tonic("C"), parse_tonic("F#m"), parse_tonic("BbMix")
    (0, 6, 10)
    """
    return (_PITCH_CLASSES[key[0]] + {"#": 1, "b": -1}.get(key[1:2], 0)) % 12


def parse_mode(key: str) -> str:
    """The mode of a normalised key, "" for major.

    >>> parse_mode("C"), parse_mode("F#m"), parse_mode("DDor")
    ('', 'm', 'Dor')
    """
    return key[2:] if key[1:2] in ("#", "b") else key[1:]


def in_quarters(ticks: Sequence[int | Fraction]) -> np.ndarray:
    """Ticks of a tune in quarter notes."""
    return np.array([float(tick) for tick in ticks]) / QUARTER


def _find_common_bars(bars: Sequence[tuple]) -> tuple[float, np.ndarray]:
    """The commonest length of a full bar, in quarters, and the onsets of the bars of that length."""
    lengths = [length for _, length in bars]
    if not lengths:
        return 0.0, np.zeros(0)
    seen = Counter(lengths)
    length = max(seen, key=lambda each: (seen[each], each))
    return float(length) / QUARTER, in_quarters([onset for onset, each in bars if each == length])


def _find_equal_bars(meters: Sequence[Meter], end: float) -> tuple[np.ndarray, float]:
    """The onsets of the bars and their length, in quarters; none where the meter changes."""
    if len({(meter.beats, meter.beat_type) for meter in meters}) != 1:
        return np.zeros(0), 0.0
    quarters = 4 * meters[0].beats / meters[0].beat_type
    return np.arange(int(end // quarters)) * quarters, quarters
