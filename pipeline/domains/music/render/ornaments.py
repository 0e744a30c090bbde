"""Ornaments as played: cuts, rolls, trills and grace notes, on the notes of the key.

A cut is a quick note above the main note, a tap one below. A roll is a note that both divide (G. Larsen,
The Essential Guide to Irish Flute and Tin Whistle, 2003).
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.tune import Tune

ORNAMENTED = frozenset({"reel", "jig", "slip jig", "hop jig", "slide"})
"""Kinds of tunes in which players add ornaments to those that are notated."""
_CUT_REPEATED, _CUT_DOWNBEAT, _ROLL_LONG = 0.8, 0.15, 0.6
"""Probabilities of a cut on a repeated note and on a downbeat, and of a roll on a long note."""


class TimedPitch(NamedTuple):
    """A MIDI pitch with its onset and length in quarters."""

    pitch: int
    onset: float
    length: float


@dataclass(frozen=True, slots=True)
class NoteContext:
    """The properties of a note on which its ornament depends.

    They are its marks and grace notes, whether it repeats the pitch of the note before, whether it is on a
    downbeat, and its length in eighths.
    """

    marks: str
    graces: tuple[int, ...]
    repeated: bool
    downbeat: bool
    eighths: float


class Ornamenter:
    """Plays single notes of a tune with the ornaments of its kind; a cut lasts `cut_quarters`."""

    def __init__(self, tune: Tune, cut_quarters: float, rng: random.Random) -> None:
        altered = fields.signature(tune.key)
        steps = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
        self.scale = {(pitch + altered.get(step, 0)) % 12 for step, pitch in steps.items()}
        self.cut_quarters, self.rng = cut_quarters, rng
        self.adds_ornaments = tune.rhythm in ORNAMENTED

    def play(self, sound: TimedPitch, context: NoteContext) -> list[TimedPitch]:
        """The notes that sound in the time of one notated note."""
        # A note that is too short for its ornament is played without it.
        length_in_cuts = sound.length / self.cut_quarters
        if context.graces and length_in_cuts > 1.5 * len(context.graces):
            return self._play_graces(sound, context.graces)
        if "T" in context.marks and length_in_cuts > 4:
            return self._trill(sound)
        ornament = self._choose(context)
        if ornament is not None and length_in_cuts > 4:
            return ornament(sound)
        return [sound]

    def _choose(self, context: NoteContext) -> Callable[[TimedPitch], list[TimedPitch]] | None:
        # Each note draws one number, so that a choice does not change those of later notes.
        draw = self.rng.random()
        if "~" in context.marks:
            return self._roll if context.eighths >= 3 else self._short_roll
        if not self.adds_ornaments or "." in context.marks:
            return None
        if context.eighths >= 3 and draw < _ROLL_LONG:
            return self._roll
        if (context.repeated and draw < _CUT_REPEATED) or (context.downbeat and draw < _CUT_DOWNBEAT):
            return self._cut
        return None

    def _neighbour(self, pitch: int, step: int) -> int:
        near, far = pitch + step, pitch + 2 * step
        return near if near % 12 in self.scale else far

    def _play_graces(self, sound: TimedPitch, graces: tuple[int, ...]) -> list[TimedPitch]:
        cut = self.cut_quarters
        made = [TimedPitch(pitch, sound.onset + i * cut, cut) for i, pitch in enumerate(graces)]
        taken = len(graces) * cut
        return [*made, TimedPitch(sound.pitch, sound.onset + taken, sound.length - taken)]

    def _cut(self, sound: TimedPitch) -> list[TimedPitch]:
        return self._play_graces(sound, (self._neighbour(sound.pitch, 1),))

    def _roll(self, sound: TimedPitch) -> list[TimedPitch]:
        third = sound.length / 3
        starts = [sound.onset + number * third for number in range(3)]
        first, second, last = (TimedPitch(sound.pitch, start, third) for start in starts)
        tap = self._neighbour(sound.pitch, -1)
        return [first, *self._cut(second), *self._play_graces(last, (tap,))]

    def _short_roll(self, sound: TimedPitch) -> list[TimedPitch]:
        half = sound.length / 2
        tap = self._neighbour(sound.pitch, -1)
        first, last = (
            TimedPitch(sound.pitch, sound.onset, half),
            TimedPitch(sound.pitch, sound.onset + half, half),
        )
        return [*self._cut(first), *self._play_graces(last, (tap,))]

    def _trill(self, sound: TimedPitch) -> list[TimedPitch]:
        cut = self.cut_quarters
        count = min(int(0.7 * sound.length / cut), 24) // 2 * 2
        pitches = (sound.pitch, self._neighbour(sound.pitch, 1))
        made = [TimedPitch(pitches[i % 2], sound.onset + i * cut, cut) for i in range(count)]
        taken = count * cut
        return [*made, TimedPitch(sound.pitch, sound.onset + taken, sound.length - taken)]
