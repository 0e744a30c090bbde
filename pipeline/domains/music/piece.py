"""Polyphonic music as a plain value: notes with velocities, tempo, meter, key, pedals and instruments.

`midi_files.py` reads it from MIDI. Domains of polyphonic music turn it into symbols and back, and the renders
play and engrave it as a `render.piece_record.PieceRecord`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    pass


class NoteEvent(NamedTuple):
    """One note. Times are in ticks, `pitch` is a MIDI number, `velocity` is from 1 to 127, and `part` is an
    index into `Piece.parts`. Notes sort by onset, then pitch."""

    onset: int
    pitch: int
    duration: int
    velocity: int = 80
    part: int = 0

    @property
    def end(self) -> int:
        """The first tick at which it no longer sounds."""
        return self.onset + self.duration


class Part(NamedTuple):
    """A voice, a hand or an instrument. `program` is the General MIDI number from 0, which is the piano."""

    name: str = ""
    program: int = 0
    is_drum: bool = False


class Tempo(NamedTuple):
    """The tempo from `tick` on, in microseconds for a quarter note."""

    tick: int
    us_per_quarter: int = 500_000


class Meter(NamedTuple):
    """The time signature from `tick` on."""

    tick: int
    beats: int = 4
    beat_type: int = 4


class Key(NamedTuple):
    """The key signature from `tick` on; flats count as negative sharps."""

    tick: int
    sharps: int = 0
    minor: bool = False


class Pedal(NamedTuple):
    """An interval in which the sustain pedal of a part is down, in ticks."""

    onset: int
    duration: int
    part: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """Sorted notes with their parts, tempos, meters, keys and pedals, each sorted by ticks.

    Without a tempo the piece has 120 quarters a minute, as in MIDI.
    """

    notes: tuple[NoteEvent, ...]
    ticks_per_quarter: int = 480
    parts: tuple[Part, ...] = (Part(),)
    tempos: tuple[Tempo, ...] = ()
    meters: tuple[Meter, ...] = ()
    keys: tuple[Key, ...] = ()
    pedals: tuple[Pedal, ...] = ()

    @property
    def end(self) -> int:
        """The tick at which the last note ends, 0 where there is none."""
        return max((note.end for note in self.notes), default=0)

    @property
    def length_s(self) -> float:
        """Seconds from the start until the last note ends."""
        return float(self.seconds(np.array(self.end)))

    def seconds(self, ticks: Sequence[int] | np.ndarray) -> np.ndarray:
        """Seconds from the start at each of `ticks`, by the tempos, in the shape of `ticks`."""
        changes = [Tempo(0), *self.tempos]
        at = np.array([tempo.tick for tempo in changes], np.int64)
        seconds_per_tick = (
            np.array([tempo.us_per_quarter for tempo in changes]) / 1e6 / self.ticks_per_quarter
        )
        starts = np.concatenate([[0.0], np.cumsum(np.diff(at) * seconds_per_tick[:-1])])
        ticks = np.asarray(ticks)
        index = np.searchsorted(at, ticks, side="right") - 1
        return starts[index] + (ticks - at[index]) * seconds_per_tick[index]

    def without_pedals(self) -> "Piece":
        """The same sound without pedals: a note lasts until the pedal is up, or its key is struck again."""
        if not self.pedals:
            return self
        ends = _sounding_ends(self.notes, self.pedals)
        notes = (note._replace(duration=end - note.onset) for note, end in zip(self.notes, ends, strict=True))
        return replace(self, notes=tuple(notes), pedals=())


def _sounding_ends(notes: Sequence[NoteEvent], pedals: Sequence[Pedal]) -> list[int]:
    """The tick at which the sound of each note ends."""
    pedal_intervals: dict[int, list[list[int]]] = {}
    for pedal in sorted(pedals):
        intervals, end = pedal_intervals.setdefault(pedal.part, []), pedal.onset + pedal.duration
        if intervals and pedal.onset <= intervals[-1][1]:
            intervals[-1][1] = max(intervals[-1][1], end)
        else:
            intervals.append([pedal.onset, end])
    struck: dict[tuple[int, int], list[int]] = {}
    for index, note in enumerate(notes):
        struck.setdefault((note.part, note.pitch), []).append(index)
    ends = [note.end for note in notes]
    for (part, _), indices in struck.items():
        of_part = np.array(pedal_intervals.get(part, []), np.int64).reshape(-1, 2)
        for index in indices:
            last = int(np.searchsorted(of_part[:, 0], ends[index], side="right")) - 1
            if last >= 0:
                ends[index] = max(ends[index], int(of_part[last, 1]))
        for index, following in pairwise(indices):
            ends[index] = max(notes[index].end, min(ends[index], notes[following].onset))
    return ends
