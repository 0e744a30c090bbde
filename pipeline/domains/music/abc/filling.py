"""Which note lengths still leave a way to fill the bar, by a table over all sums of lengths.

Factors are two whole numbers, such as 2 of 3 for a triplet: they are used at every step, and must be fast.
"""

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache

from pipeline.domains.music.abc.abc_notation import is_one_note, parse_length
from pipeline.domains.music.abc.reader import MAX_NOTE_TICKS

LENGTH_DIVISIONS = 8
"""Lengths are multiples of the unit note length over this."""
_MAX_BAR_UNITS = 64
Factor = tuple[int, int]
UNCHANGED: Factor = (1, 1)


class BarFilling:
    """The lengths that a model can write, and what sums of them can reach. Times are in ticks.

    Parameters
    ----------
    texts : mapping of str to int
        Each length as written, with the number of symbols of a note of that length; "" is the unit note
        length.
    """

    def __init__(self, texts: Mapping[str, int]) -> None:
        self._eighths = {
            text: int(parse_length(text) * LENGTH_DIVISIONS)
            for text in texts
            if LENGTH_DIVISIONS % parse_length(text).denominator == 0
        }
        self.texts = tuple(self._eighths)
        self._steps = tuple((eighths, texts[text], text) for text, eighths in self._eighths.items())
        # The fewest symbols for each sum of lengths, in eighths of a unit; None for a sum out of reach.
        self._fewest: list[int | None] = [0]
        for size in range(1, _MAX_BAR_UNITS * LENGTH_DIVISIONS + 1):
            ways = [(self._fewest[size - step], cost) for step, cost, _ in self._steps if step <= size]
            self._fewest.append(min((rest + cost for rest, cost in ways if rest is not None), default=None))
        self.cost = lru_cache(maxsize=2**16)(self._cost)
        self.fitting_lengths = lru_cache(maxsize=2**16)(self._fitting_lengths)
        self.lengths = lru_cache(maxsize=2**12)(self._lengths)

    def ticks(self, text: str, unit: int, factor: Factor = UNCHANGED) -> int:
        """The ticks of a note of this length, rounded down."""
        return unit * self._eighths[text] * factor[0] // (LENGTH_DIVISIONS * factor[1])

    def can_fill(self, unit: int, room: int, tuplet: Factor, left: int) -> bool:
        """Whether `left` notes of a tuplet, and then notes of any length, can fill the room."""
        return self.cost(unit, room, tuplet if left else UNCHANGED, left) is not None

    def _cost(self, unit: int, room: int, tuplet: Factor, left: int) -> int | None:
        """The fewest symbols that fill the room, None where nothing fills it."""
        if room < 0:
            return None
        if left:
            way = self.shortest(unit, room, tuplet, tuplet, left - 1)
            return None if way is None else way[0]
        size, rest = divmod(room * LENGTH_DIVISIONS, unit)
        return None if rest or size >= len(self._fewest) else self._fewest[size]

    def _fitting_lengths(
        self, unit: int, room: int | None, factor: Factor, tuplet: Factor, left: int
    ) -> frozenset[str]:
        """The lengths of a note, multiplied by `factor`, after which the room can be filled.

        `left` notes of a tuplet follow the note. Without a room all lengths fit.
        """
        return frozenset(
            text
            for length, _, text in self.lengths(unit, factor)
            if room is None or self.can_fill(unit, room - length, tuplet, left)
        )

    def shortest(
        self, unit: int, room: int, factor: Factor, tuplet: Factor, left: int
    ) -> tuple[int, str] | None:
        """The fewest symbols that fill the room, and the length of the first note, multiplied by `factor`."""
        if not left:
            tuplet = UNCHANGED
        best: tuple[int, str] | None = None
        for length, cost, text in self.lengths(unit, factor):
            if best is not None and cost > best[0]:
                break
            rest = None if length > room else self.cost(unit, room - length, tuplet, left)
            if rest is not None and (best is None or (cost + rest, text) < best):
                best = cost + rest, text
        return best

    def _lengths(self, unit: int, factor: Factor) -> list[tuple[int, int, str]]:
        """The lengths of a note, the fewest symbols first: ticks, symbols and text."""
        above, below = unit * factor[0], LENGTH_DIVISIONS * factor[1]
        found = []
        for eighths, cost, text in self._steps:
            if unit * eighths > MAX_NOTE_TICKS * LENGTH_DIVISIONS:
                continue
            length, rest = divmod(above * eighths, below)
            if not rest and _has_notation(Fraction(factor[0] * eighths, below)):
                found.append((length, cost, text))
        return sorted(found, key=lambda way: way[1])


def _has_notation(length: Fraction) -> bool:
    """Whether a sounding length, in unit note lengths, is that of one note or of a note of a tuplet."""
    return bool(length.denominator & (length.denominator - 1)) or is_one_note(length)
