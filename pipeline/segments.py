"""What a domain says of sequences that consist of phrases, as tunes do of bars."""

from dataclasses import dataclass, field
from enum import IntEnum


class Role(IntEnum):
    """What a symbol does."""

    WITHIN = 0
    """It stands in a phrase, and may be its first."""
    BETWEEN = 1
    """It begins no phrase, such as the number of an ending."""
    BORDER = 2
    """A phrase ends before it."""
    SECTION = 3
    """A section ends or begins at the border beside it, such as the colon of a repeat."""
    SECTION_BORDER = 4
    """Both of these at once."""
    HEADING = 5
    """It ends a line of a heading, after which the first phrase may begin."""
    ASIDE = 6
    """What follows lasts no time, such as grace notes behind their brace; itself it stands in a phrase."""
    BACK = 7
    """That ends, and so does what needs no end."""
    QUOTE = 8
    """Such a thing begins or ends."""


@dataclass
class Phrases:
    """Of each symbol of an alphabet, in its order, its role and what it adds to its phrase's length, in units
    of which halves matter; and the distances, in phrases, after which one is likely to come again."""

    roles: list[int] = field(default_factory=list)
    lengths: list[float] = field(default_factory=list)
    distances: list[int] = field(default_factory=list)
