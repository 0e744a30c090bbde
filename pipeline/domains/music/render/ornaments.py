"""Ornaments as they are played: cuts, rolls, trills and grace notes, out of the notes of the key.

A cut is a quick note above, a tap one below; a roll is a note parted by both (G. Larsen, The Essential Guide
to Irish Flute and Tin Whistle, 2003).
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.tune import Tune

ORNAMENTED = frozenset({"reel", "jig", "slip jig", "hop jig", "slide"})
"""Kinds of tunes whose players put in ornaments that nobody wrote."""
_CUT_REPEATED, _CUT_DOWNBEAT, _ROLL_LONG = 0.8, 0.15, 0.6


class Sound(NamedTuple):
    """One pitch from an onset on for a length, both in quarters."""

    pitch: int
    onset: float
    length: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where a note stands for its player: its marks and grace notes, whether the note before had its pitch,
    whether a bar starts, and how many eighths it lasts."""

    marks: str
    graces: tuple[int, ...]
    repeated: bool
    downbeat: bool
    eighths: float


class Ornamenter:
    """Plays single notes of one tune with the ornaments of its kind; `quick` is the length of a cut."""

    def __init__(self, tune: Tune, quick: float, hand: random.Random) -> None:
        altered = fields.signature(tune.key)
        steps = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
        self.scale = {(pitch + altered.get(step, 0)) % 12 for step, pitch in steps.items()}
        self.quick, self.hand = quick, hand
        self.free = tune.rhythm in ORNAMENTED

    def play(self, sound: Sound, place: Place) -> list[Sound]:
        """The notes that are heard for one that is written, within its time."""
        # Where a note is too short for an ornament, it stays plain.
        room = sound.length / self.quick
        if place.graces and room > 1.5 * len(place.graces):
            return self._before(sound, place.graces)
        if "T" in place.marks and room > 4:
            return self._trill(sound)
        chosen = self._choose(place)
        if chosen is not None and room > 4:
            return chosen(sound)
        return [sound]

    def _choose(self, place: Place) -> Callable[[Sound], list[Sound]] | None:
        # A hand draws for every note, so that one choice does not move all later ones.
        draw = self.hand.random()
        if "~" in place.marks:
            return self._roll if place.eighths >= 3 else self._short_roll
        if not self.free or "." in place.marks:
            return None
        if place.eighths >= 3 and draw < _ROLL_LONG:
            return self._roll
        if (place.repeated and draw < _CUT_REPEATED) or (place.downbeat and draw < _CUT_DOWNBEAT):
            return self._cut
        return None

    def _neighbour(self, pitch: int, step: int) -> int:
        near, far = pitch + step, pitch + 2 * step
        return near if near % 12 in self.scale else far

    def _before(self, sound: Sound, graces: tuple[int, ...]) -> list[Sound]:
        made = [Sound(pitch, sound.onset + i * self.quick, self.quick) for i, pitch in enumerate(graces)]
        taken = len(graces) * self.quick
        return [*made, Sound(sound.pitch, sound.onset + taken, sound.length - taken)]

    def _cut(self, sound: Sound) -> list[Sound]:
        return self._before(sound, (self._neighbour(sound.pitch, 1),))

    def _roll(self, sound: Sound) -> list[Sound]:
        third = sound.length / 3
        starts = [sound.onset + number * third for number in range(3)]
        first, second, last = (Sound(sound.pitch, start, third) for start in starts)
        tap = self._neighbour(sound.pitch, -1)
        return [first, *self._cut(second), *self._before(last, (tap,))]

    def _short_roll(self, sound: Sound) -> list[Sound]:
        half = sound.length / 2
        tap = self._neighbour(sound.pitch, -1)
        first, last = Sound(sound.pitch, sound.onset, half), Sound(sound.pitch, sound.onset + half, half)
        return [*self._cut(first), *self._before(last, (tap,))]

    def _trill(self, sound: Sound) -> list[Sound]:
        count = min(int(0.7 * sound.length / self.quick), 24) // 2 * 2
        pitches = (sound.pitch, self._neighbour(sound.pitch, 1))
        made = [Sound(pitches[i % 2], sound.onset + i * self.quick, self.quick) for i in range(count)]
        taken = count * self.quick
        return [*made, Sound(sound.pitch, sound.onset + taken, sound.length - taken)]
