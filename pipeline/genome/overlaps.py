"""Which places of a sequence are taken: spans that do not touch, kept in order."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence


class Covered:
    """Places that are covered, as half-open spans.

    >>> covered = Covered()
    >>> covered.add([(0, 5), (10, 20)]), covered.add([(5, 10)]), covered.add([(30, 40), (19, 21)])
    (True, True, False)
    """

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []

    def add(self, spans: Sequence[tuple[int, int]]) -> bool:
        """Cover these, unless a place of theirs is covered already; whether they were added."""
        for start, stop in spans:
            if bisect_right(self._stops, start) < bisect_left(self._starts, stop):
                return False
        for start, stop in spans:
            at = bisect_left(self._starts, start)
            self._starts.insert(at, start)
            self._stops.insert(at, stop)
        return True
