"""Automata over tokens, and their spelling by the symbols of a model: characters, or a symbol a token.

A component automaton of a grammar reads tokens (`TokenAutomaton`). `SymbolAutomaton` makes of it an automaton
that reads symbols. Its state also holds how much of a token has been written. A token is as long as it can
be, as in ABC.

Source: the lexicon of a speech recogniser as a minimal automaton, Mohri, Pereira and Riley, "Weighted
finite-state transducers in speech recognition" (2002).
"""

import abc
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Generic, TypeVar

TokenKinds = frozenset[str]
Symbols = tuple[int, ...]
"""Symbols by their numbers in the alphabet, from 0."""
State = TypeVar("State", bound=Hashable)


class TokenAutomaton(abc.ABC, Generic[State]):
    """One component automaton of a grammar over tokens. States are values: equal ones have equal futures."""

    start: State

    @abc.abstractmethod
    def kind(self, token: str) -> str | None:
        """The kind of a token for this automaton; None for a token that may never follow."""

    @abc.abstractmethod
    def options(self, state: State) -> TokenKinds:
        """The kinds of tokens that may follow."""

    @abc.abstractmethod
    def advance(self, state: State, kind: str) -> State:
        """The state after a token of a kind that may follow."""

    def may_end(self, state: State) -> bool:
        """Whether a sequence may end in this state."""
        return True


@dataclass(frozen=True)
class TrieNode:
    """A prefix of tokens.

    `kind` is the kind of the token that the prefix itself is, None where it is none. `children` are the nodes
    by the next symbol, `reachable` the kinds of the tokens in the subtree of each.
    """

    kind: str | None
    children: Mapping[int, int]
    reachable: Mapping[int, TokenKinds]


@dataclass
class SpellingTrie:
    """The prefixes of tokens as numbered nodes, 0 the empty one; nodes with equal futures are one node."""

    spellings: Iterable[tuple[Symbols, str]]
    """The symbols of each token, and its kind."""
    nodes: list[TrieNode] = field(default_factory=list)

    def __post_init__(self) -> None:
        tree: dict[int | None, Any] = {}
        for symbols, kind in self.spellings:
            branch = tree
            for symbol in symbols:
                branch = branch.setdefault(symbol, {})
            branch[None] = kind
        self.nodes.append(TrieNode(None, {}, {}))  # number 0 is the root's
        children, reachable = self._children(tree, {})
        self.nodes[0] = TrieNode(None, children, reachable)

    def _children(
        self, tree: dict[int | None, Any], known: dict[Hashable, int]
    ) -> tuple[dict[int, int], dict[int, TokenKinds]]:
        children, reachable = {}, {}
        for symbol, branch in tree.items():
            if symbol is not None:
                children[symbol], reachable[symbol] = self._add(branch, known)
        return children, reachable

    def _add(self, tree: dict[int | None, Any], known: dict[Hashable, int]) -> tuple[int, TokenKinds]:
        """The number of a node, new or equal to a known one, and the kinds in its subtree."""
        children, reachable = self._children(tree, known)
        kind = tree.get(None)
        key = (kind, frozenset(children.items()))
        if key not in known:
            known[key] = len(self.nodes)
            self.nodes.append(TrieNode(kind, children, reachable))
        own: TokenKinds = frozenset() if kind is None else frozenset([kind])
        return known[key], own.union(*reachable.values())


class SymbolAutomaton(Generic[State]):
    """A token automaton that reads symbols: its state is that automaton's state and a node of the trie."""

    def __init__(self, automaton: TokenAutomaton[State], trie: SpellingTrie) -> None:
        self.automaton, self.trie = automaton, trie
        self.start = (automaton.start, 0)
        self._alike = lru_cache(maxsize=None)(self._find_alike)
        self._following = lru_cache(maxsize=None)(self._find_following)

    def step(self, state: tuple[State, int], symbol: int) -> tuple[State, int]:
        """The state after one more symbol."""
        inner, number = state
        nodes = self.trie.nodes
        below = nodes[number].children.get(symbol)
        if below is None:
            inner = self._finish_token(inner, number)
            below = nodes[0].children[symbol]
        if not nodes[below].children:  # no longer token begins so
            return self._finish_token(inner, below), 0
        return inner, below

    def _finish_token(self, inner: State, number: int) -> State:
        kind = self.trie.nodes[number].kind
        if kind is None:
            raise ValueError("a symbol that the grammar does not allow")
        return self.automaton.advance(inner, kind)

    def equivalent(self, state: tuple[State, int], symbol: int) -> Symbols:
        """The symbols that lead to the same state as this one."""
        return self._alike(state[1], symbol)

    def _find_alike(self, number: int, symbol: int) -> Symbols:
        here, root = self.trie.nodes[number].children, self.trie.nodes[0].children
        if symbol in here:
            return tuple(other for other, below in here.items() if below == here[symbol])
        return tuple(other for other, below in root.items() if below == root[symbol] and other not in here)

    def allowed(self, state: tuple[State, int]) -> tuple[frozenset[int], bool]:
        """The symbols that may follow, and whether the sequence may end."""
        inner, number = state
        options = self.automaton.options(inner)
        kind = self.trie.nodes[number].kind
        if number == 0:
            return self._following(0, options, None), self.automaton.may_end(inner)
        if kind is None or kind not in options:
            return self._following(number, options, None), False
        after = self.automaton.advance(inner, kind)
        following = self._following(number, options, self.automaton.options(after))
        return following, self.automaton.may_end(after)

    def _find_following(self, number: int, options: TokenKinds, beyond: TokenKinds | None) -> frozenset[int]:
        """The symbols that continue a token of `options`, or that begin one of `beyond` after it."""
        node, root = self.trie.nodes[number], self.trie.nodes[0]
        symbols = {a for a, kinds in node.reachable.items() if not kinds.isdisjoint(options)}
        if beyond is not None:
            symbols |= {
                symbol
                for symbol, kinds in root.reachable.items()
                if symbol not in node.children and not kinds.isdisjoint(beyond)
            }
        return frozenset(symbols)
