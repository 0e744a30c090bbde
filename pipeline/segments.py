"""The segments of a domain's sequences, such as the bars of a tune, for models with lookback features."""

from dataclasses import dataclass, field
from enum import IntEnum


class SegmentRole(IntEnum):
    """The effect of a symbol on the segments of its sequence."""

    CONTENT = 0
    """It lies in a segment, and can be the first symbol of one."""
    NEVER_FIRST = 1
    """It begins no segment, such as the number of an ending."""
    BOUNDARY = 2
    """A segment ends before it."""
    SECTION_MARK = 3
    """A section ends or begins at the boundary next to it, such as the colon of a repeat."""
    SECTION_BOUNDARY = 4
    """A segment and a section end at it."""
    HEADER_LINE_END = 5
    """It ends a line of the header, after which the first segment can begin."""
    UNTIMED_START = 6
    """It begins symbols without a duration, such as grace notes after their brace. It is content itself."""
    UNTIMED_END = 7
    """It ends symbols without a duration."""
    UNTIMED_QUOTE = 8
    """It begins or ends symbols without a duration, such as the quotation mark of a chord symbol."""


@dataclass
class Segments:
    """How the symbols of an alphabet, in its order, divide sequences into segments.

    Attributes
    ----------
    roles : list[int]
        The `SegmentRole` of each symbol, as an integer.
    lengths : list[float]
        The duration that each symbol adds to its segment, in a unit of which halves matter.
    distances : list[int]
        The distances, in segments, after which a segment often repeats.
    """

    roles: list[int] = field(default_factory=list)
    lengths: list[float] = field(default_factory=list)
    distances: list[int] = field(default_factory=list)
