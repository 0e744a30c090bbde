"""The grammar of events, so that all samples can be played.

It is the product of automata (see `pipeline.grammar.Grammar`): one for the order of the kinds of events, one
for each key of a performance, and one for the positions in a bar of a written piece.
"""

from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

from pipeline.domains.music.performance.event_tokens import EventTokens
from pipeline.grammar import Grammar

_UP = -1
_START = "start"

Letters = frozenset[int]


class _Automaton(Protocol):
    """An automaton over the letters of the alphabet."""

    @property
    def start(self) -> Hashable: ...

    def step(self, state: Any, letter: int) -> Hashable: ...

    def allowed(self, state: Any) -> Letters: ...


class _Order:
    """The kinds of events: a velocity follows a note, and so on."""

    start = _START

    def __init__(self, symbols: Sequence[str], order: Mapping[str, set[str]]) -> None:
        self.kinds = [name.partition("_")[0] for name in symbols]
        self.order = order

    def step(self, state: str, letter: int) -> str:
        return self.kinds[letter]

    def allowed(self, state: str) -> Letters:
        following = _first_kinds(self.order) if state == _START else self.order[state]
        return frozenset(letter for letter, kind in enumerate(self.kinds) if kind in following)


def _first_kinds(order: Mapping[str, set[str]]) -> set[str]:
    """Kinds with which a sequence may start: those that do not depend on one before."""
    dependent = {"Velocity", "Duration", "TimeSig"}
    return {"Bar"} if "Bar" in order else set(order) - dependent


class _Key:
    """One key of the piano.

    A key that is up may be struck. A key that is down may be released after one time shift, and must be after
    `max_shifts`. A state is the number of shifts since the key was struck, or `_UP`.
    """

    start = _UP

    def __init__(self, symbols: Sequence[str], pitch: int, max_shifts: int) -> None:
        self.on, self.off = (symbols.index(f"{name}_{pitch}") for name in ("NoteOn", "NoteOff"))
        self.shifts = frozenset(at for at, name in enumerate(symbols) if name.startswith("TimeShift"))
        self.offs = frozenset(at for at, name in enumerate(symbols) if name.startswith("NoteOff"))
        self.all, self.max_shifts = frozenset(range(len(symbols))), max_shifts

    def step(self, state: int, letter: int) -> int:
        if letter == self.on:
            return 0
        if letter == self.off or state == _UP:
            return _UP
        return state + 1 if letter in self.shifts else state

    def allowed(self, state: int) -> Letters:
        if state == _UP:
            return self.all - {self.off}
        if state >= self.max_shifts:
            return self.offs  # first, because no key may be released after one is struck at that time
        return self.all - ({self.on} if state else {self.on, self.off})


class _Bar:
    """The positions in a bar, which ascend. A state is the number of positions, and the last one used."""

    start = (0, -1)

    def __init__(self, symbols: Sequence[str], steps_per_beat: int) -> None:
        self.steps = steps_per_beat
        self.symbols = symbols
        self.positions = {
            at: int(name[9:]) for at, name in enumerate(symbols) if name.startswith("Position_")
        }
        self.others = frozenset(range(len(symbols))) - frozenset(self.positions)

    def step(self, state: tuple[int, int], letter: int) -> tuple[int, int]:
        size, _ = state
        kind, _, value = self.symbols[letter].partition("_")
        if kind == "TimeSig":
            return int(value.split("/")[0]) * self.steps, -1
        if kind == "Bar":
            return size, -1
        return (size, self.positions[letter]) if letter in self.positions else state

    def allowed(self, state: tuple[int, int]) -> Letters:
        size, last = state
        return self.others | {at for at, position in self.positions.items() if last < position < size}


class EventGrammar(Grammar):
    """The grammar of a tokenization, for models of these symbols.

    No key of a performance is down for more than `max_shifts` time shifts.
    """

    accepts_any_prime = True

    def __init__(self, events: EventTokens, symbols: Sequence[str], max_shifts: int) -> None:
        self.events, self.symbols, self.max_shifts = events, tuple(symbols), max_shifts
        self.start = tuple(automaton.start for automaton in self.automata)

    @cached_property
    def automata(self) -> Sequence[_Automaton]:
        """The automata whose product the grammar is."""
        names, events = self.symbols, self.events
        keys = sorted(int(name[7:]) for name in names if name.startswith("NoteOn_"))
        bars = [_Bar(names, events.steps)] if "Bar_None" in names else []
        return [_Order(names, events.order), *(_Key(names, pitch, self.max_shifts) for pitch in keys), *bars]

    def step(self, component: int, state: Hashable, letter: int) -> Hashable:
        """The state of an automaton after a letter that it allows."""
        return self.automata[component].step(state, letter)

    def allowed(self, component: int, state: Hashable) -> tuple[Letters, bool]:
        """The letters that may follow; an excerpt may end after any event."""
        return self.automata[component].allowed(state), True
