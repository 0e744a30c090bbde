"""The interface of a domain's grammar: which symbol may follow which prefix."""

import abc
from collections.abc import Collection, Hashable
from typing import ClassVar


class Grammar(abc.ABC):
    """What may follow what in a domain's sequences, so that every one that is drawn can be used.

    Several strands watch a sequence side by side; a symbol may follow where all of them allow it. A letter is
    the number of a symbol in the alphabet, from 0. States are values: equal ones have equal futures.
    """

    start: tuple[Hashable, ...]
    """The state of each strand before the first symbol."""
    tries: ClassVar[int] = 0
    """How often a sequence is resampled, at most, that leaves the grammar far or reaches the longest length
    without an end: for sequences that are short, and mostly good by themselves."""
    takes_all: ClassVar[bool] = False
    """Whether `step` knows how to go on after letters too that are not allowed, as a prime may have."""

    @abc.abstractmethod
    def step(self, strand: int, state: Hashable, letter: int) -> Hashable:
        """The state of a strand after a letter that it allows."""

    def alike(self, strand: int, state: Hashable, letter: int) -> Collection[int]:
        """All letters that are known to lead to the same state as this one."""
        return (letter,)

    @abc.abstractmethod
    def allowed(self, strand: int, state: Hashable) -> tuple[frozenset[int], bool]:
        """The letters that may follow, and whether the sequence may end."""
