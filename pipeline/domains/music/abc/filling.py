"""How what is left of a bar can be filled with the note lengths that a model can write.

Factors are two whole numbers, as in 2 of 3 for a triplet: this is asked at every step, and must be quick.
"""

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache

from pipeline.domains.music.abc.abc_notation import is_one_note, parse_length
from pipeline.domains.music.abc.reader import LONGEST

FINEST = 8
"""Lengths are multiples of the unit note length over this."""
_LONGEST = 64
"""A bar's units, at most."""
Factor = tuple[int, int]
PLAIN: Factor = (1, 1)


class Filling:
    """The `texts` of lengths that can be written, each with the symbols that a note takes with it; "" is
    the unit note length. All times are in ticks."""

    def __init__(self, texts: Mapping[str, int]) -> None:
        self._eighths = {
            text: int(parse_length(text) * FINEST)
            for text in texts
            if FINEST % parse_length(text).denominator == 0
        }
        self.texts = tuple(self._eighths)
        self._steps = tuple((eighths, texts[text], text) for text, eighths in self._eighths.items())
        self._best: list[int | None] = [0]
        for size in range(1, _LONGEST * FINEST + 1):
            ways = [(self._best[size - step], cost) for step, cost, _ in self._steps if step <= size]
            self._best.append(min((rest + cost for rest, cost in ways if rest is not None), default=None))
        self.cost = lru_cache(maxsize=2**16)(self._cost)
        self.fitting = lru_cache(maxsize=2**16)(self._fitting)
        self.lengths = lru_cache(maxsize=2**12)(self._lengths)

    def ticks(self, text: str, unit: int, factor: Factor = PLAIN) -> int:
        """How long a note is; one that does not come out even is cut."""
        return unit * self._eighths[text] * factor[0] // (FINEST * factor[1])

    def can_go_on(self, unit: int, room: int, tuplet: Factor, left: int) -> bool:
        """Whether so many notes of a tuplet and then others can fill the room."""
        return self.cost(unit, room, tuplet if left else PLAIN, left) is not None

    def _cost(self, unit: int, room: int, tuplet: Factor, left: int) -> int | None:
        """The symbols of the shortest filling, None where there is none."""
        if room < 0:
            return None
        if left:
            way = self.shortest(unit, room, tuplet, tuplet, left - 1)
            return None if way is None else way[0]
        size, rest = divmod(room * FINEST, unit)
        return None if rest or size >= len(self._best) else self._best[size]

    def _fitting(
        self, unit: int, room: int | None, factor: Factor, tuplet: Factor, left: int
    ) -> frozenset[str]:
        """The lengths of a note, multiplied by `factor`, after which `left` notes of a tuplet and then others
        can fill the room; without a room, those that come out even."""
        return frozenset(
            text
            for length, _, text in self.lengths(unit, factor)
            if room is None or self.can_go_on(unit, room - length, tuplet, left)
        )

    def shortest(
        self, unit: int, room: int, factor: Factor, tuplet: Factor, left: int
    ) -> tuple[int, str] | None:
        """That length of a note for which all of it takes the fewest symbols, and how many these are."""
        if not left:
            tuplet = PLAIN
        best: tuple[int, str] | None = None
        for length, cost, text in self.lengths(unit, factor):
            if best is not None and cost > best[0]:
                break
            rest = None if length > room else self.cost(unit, room - length, tuplet, left)
            if rest is not None and (best is None or (cost + rest, text) < best):
                best = cost + rest, text
        return best

    def _lengths(self, unit: int, factor: Factor) -> list[tuple[int, int, str]]:
        """What a note may have, the fewest symbols first: ticks, symbols and how it is written."""
        above, below = unit * factor[0], FINEST * factor[1]
        found = []
        for eighths, cost, text in self._steps:
            if unit * eighths > LONGEST * FINEST:
                continue
            length, rest = divmod(above * eighths, below)
            if not rest and _is_written(Fraction(factor[0] * eighths, below)):
                found.append((length, cost, text))
        return sorted(found, key=lambda way: way[1])


def _is_written(length: Fraction) -> bool:
    """Whether a sounding length, in unit note lengths, is one note, or one of a tuplet."""
    return bool(length.denominator & (length.denominator - 1)) or is_one_note(length)
