"""Tokens spelled by the symbols of a model, character by character or each by one symbol of its own.

A strand of a grammar speaks of kinds of tokens; `Spelled` makes of it one that speaks of symbols: it keeps,
beside the strand's state, how much of a token has been written. A token is as long as it can be, as in ABC.
"""

import abc
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

Kinds = frozenset[str]
Letters = tuple[int, ...]


class Strand(abc.ABC):
    """One of the things that a grammar watches, token by token; states are values."""

    start: Hashable

    @abc.abstractmethod
    def kind(self, token: str) -> str | None:
        """What a token is to this strand; None for one that may never follow."""

    @abc.abstractmethod
    def options(self, state: Hashable) -> Kinds:
        """The kinds of tokens that may follow."""

    @abc.abstractmethod
    def advance(self, state: Hashable, kind: str) -> Hashable:
        """The state after a token of a kind that may follow."""

    def may_end(self, state: Hashable) -> bool:
        """Whether a sequence may end here."""
        return True


@dataclass(frozen=True)
class Node:
    """A beginning of tokens: the kind of the token that it is, if it is one, what may be written next, and
    the kinds of all tokens that this may lead to."""

    kind: str | None
    following: Mapping[int, int]
    leads_to: Mapping[int, Kinds]


@dataclass
class Lexicon:
    """Beginnings of tokens as numbered nodes, 0 the empty one; those with equal futures are one."""

    spellings: Iterable[tuple[Letters, str]]
    nodes: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        tree: dict = {}
        for letters, kind in self.spellings:
            place = tree
            for letter in letters:
                place = place.setdefault(letter, {})
            place[None] = kind
        self.nodes.append(Node(None, {}, {}))  # number 0 is the root's
        known: dict[Hashable, int] = {}
        following, leads_to = self._children(tree, known)
        self.nodes[0] = Node(None, following, leads_to)

    def _children(self, tree: dict, known: dict[Hashable, int]) -> tuple[dict[int, int], dict[int, Kinds]]:
        following, leads_to = {}, {}
        for letter, below in tree.items():
            if letter is not None:
                number, kinds = self._add(below, known)
                following[letter], leads_to[letter] = number, kinds
        return following, leads_to

    def _add(self, tree: dict, known: dict[Hashable, int]) -> tuple[int, Kinds]:
        following, leads_to = self._children(tree, known)
        kind = tree.get(None)
        key = (kind, frozenset(following.items()))
        if key not in known:
            known[key] = len(self.nodes)
            self.nodes.append(Node(kind, following, leads_to))
        own = frozenset() if kind is None else frozenset([kind])
        return known[key], own.union(*leads_to.values())


class Spelled:
    """A strand letter by letter: its state and the node of the token that is being written."""

    def __init__(self, strand: Strand, lexicon: Lexicon) -> None:
        self.strand, self.lexicon = strand, lexicon
        self.start = (strand.start, 0)
        self._alike = lru_cache(maxsize=None)(self._find_alike)
        self._following = lru_cache(maxsize=None)(self._find_following)

    def step(self, state: Hashable, letter: int) -> Hashable:
        """The state after one more letter."""
        inner, number = state
        nodes = self.lexicon.nodes
        below = nodes[number].following.get(letter)
        if below is None:
            inner = self.strand.advance(inner, nodes[number].kind)
            below = nodes[0].following[letter]
        if not nodes[below].following:  # the token is whole, whatever comes
            return self.strand.advance(inner, nodes[below].kind), 0
        return inner, below

    def alike(self, state: Hashable, letter: int) -> Letters:
        """The letters that lead on from here as this one does."""
        return self._alike(state[1], letter)

    def _find_alike(self, number: int, letter: int) -> Letters:
        here, root = self.lexicon.nodes[number].following, self.lexicon.nodes[0].following
        if letter in here:
            return tuple(other for other, below in here.items() if below == here[letter])
        return tuple(other for other, below in root.items() if below == root[letter] and other not in here)

    def allowed(self, state: Hashable) -> tuple[frozenset[int], bool]:
        """The letters that may follow, and whether the sequence may end."""
        inner, number = state
        options = self.strand.options(inner)
        kind = self.lexicon.nodes[number].kind
        if number == 0:
            return self._following(0, options, None), self.strand.may_end(inner)
        if kind not in options:
            return self._following(number, options, None), False
        after = self.strand.advance(inner, kind)
        return self._following(number, options, self.strand.options(after)), self.strand.may_end(after)

    def _find_following(self, number: int, options: Kinds, beyond: Kinds | None) -> frozenset[int]:
        """Letters that go on with a token of `options`, or after it begin one of those `beyond`."""
        node, root = self.lexicon.nodes[number], self.lexicon.nodes[0]
        letters = {a for a, kinds in node.leads_to.items() if not kinds.isdisjoint(options)}
        if beyond is not None:
            letters |= {
                letter
                for letter, kinds in root.leads_to.items()
                if letter not in node.following and not kinds.isdisjoint(beyond)
            }
        return frozenset(letters)
