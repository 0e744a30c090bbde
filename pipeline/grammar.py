"""The interface of a domain's grammar: which symbols may follow a prefix."""

import abc
from collections.abc import Collection, Hashable
from typing import ClassVar


class Grammar(abc.ABC):
    """Which symbols may follow which prefix in a domain's sequences, so that every sample is valid.

    A grammar is the product of several component automata: a symbol may follow where all components allow
    it. A letter is the index of a symbol in the alphabet, from 0. States are values: equal states have equal
    futures.
    """

    start: tuple[Hashable, ...]
    """The state of each component before the first symbol."""
    max_resamples: ClassVar[int] = 0
    """How often a sequence is resampled, at most, that the grammar rejects or that has no end at the maximal
    length. More than 0 suits short sequences that models mostly draw valid."""
    accepts_any_prime: ClassVar[bool] = False
    """Whether `step` also knows the state after a letter that is not allowed, which a prime may have."""

    @abc.abstractmethod
    def step(self, component: int, state: Hashable, letter: int) -> Hashable:
        """The state of a component after a letter that it allows."""

    def equivalent(self, component: int, state: Hashable, letter: int) -> Collection[int]:
        """All letters that are known to lead to the same state as this one."""
        return (letter,)

    @abc.abstractmethod
    def allowed(self, component: int, state: Hashable) -> tuple[frozenset[int], bool]:
        """The letters that may follow, and whether the sequence may end."""
