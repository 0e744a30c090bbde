"""Which parts of a sequence share places with each other."""

from collections.abc import Sequence


def overlapping(parts: Sequence[Sequence[tuple[int, int]]]) -> list[int]:
    """By part the first one of its group: parts are in one group where any of their half-open spans overlap,
    or those of others of the group do.

    >>> overlapping([[(0, 5), (10, 20)], [(5, 10)], [(30, 40), (19, 21)], [(40, 50)]])
    [0, 1, 0, 3]
    """
    first = list(range(len(parts)))

    def find(part: int) -> int:
        while first[part] != part:
            first[part] = first[first[part]]
            part = first[part]
        return part

    spans = sorted((start, stop, part) for part, each in enumerate(parts) for start, stop in each)
    reach, reached_by = 0, 0
    for start, stop, part in spans:
        if start < reach:
            low, high = sorted((find(part), find(reached_by)))
            first[high] = low
        if stop > reach:
            reach, reached_by = stop, part
    return [find(part) for part in range(len(parts))]
