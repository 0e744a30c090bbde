"""Groups of overlapping parts of a sequence."""

from collections.abc import Sequence


def overlapping(parts: Sequence[Sequence[tuple[int, int]]]) -> list[int]:
    """Return for each part the first part of its group. Parts with overlapping half-open spans are in one
    group, also where other parts of the group connect them.

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
