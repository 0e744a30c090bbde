"""What may follow what in events, so that all that is drawn can be played.

One strand watches the order of the kinds of events, one each key of a performance, one the places in a bar of
a written piece; see `pipeline.grammar.Grammar`.
"""

from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property

from pipeline.domains.music.performance.event_tokens import EventTokens
from pipeline.grammar import Grammar

_UP = -1
_START = "start"

Letters = frozenset[int]


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
    """Kinds with which a sequence may start: those that need none before them."""
    bound = {"Velocity", "Duration", "TimeSig"}
    return {"Bar"} if "Bar" in order else set(order) - bound


class _Key:
    """One key of the piano: what is up may be struck, what is down may be let go, after some time and before
    `longest` time shifts have passed. A state is how many have since it was struck, or that it is up."""

    start = _UP

    def __init__(self, symbols: Sequence[str], pitch: int, longest: int) -> None:
        self.on, self.off = (symbols.index(f"{name}_{pitch}") for name in ("NoteOn", "NoteOff"))
        self.shifts = frozenset(at for at, name in enumerate(symbols) if name.startswith("TimeShift"))
        self.offs = frozenset(at for at, name in enumerate(symbols) if name.startswith("NoteOff"))
        self.all, self.longest = frozenset(range(len(symbols))), longest

    def step(self, state: int, letter: int) -> int:
        if letter == self.on:
            return 0
        if letter == self.off or state == _UP:
            return _UP
        return state + 1 if letter in self.shifts else state

    def allowed(self, state: int) -> Letters:
        if state == _UP:
            return self.all - {self.off}
        if state >= self.longest:
            return self.offs  # before anything else: once a note is struck, none may be let go at that time
        return self.all - ({self.on} if state else {self.on, self.off})


class _Bar:
    """The places in a bar: each lies behind the last one and before the bar's end. A state is how many places
    the bar has and which was the last."""

    start = (0, -1)

    def __init__(self, symbols: Sequence[str], steps_per_beat: int) -> None:
        self.steps = steps_per_beat
        self.symbols = symbols
        self.places = {at: int(name[9:]) for at, name in enumerate(symbols) if name.startswith("Position_")}
        self.others = frozenset(range(len(symbols))) - frozenset(self.places)

    def step(self, state: tuple[int, int], letter: int) -> tuple[int, int]:
        size, _ = state
        kind, _, value = self.symbols[letter].partition("_")
        if kind == "TimeSig":
            return int(value.split("/")[0]) * self.steps, -1
        if kind == "Bar":
            return size, -1
        return (size, self.places[letter]) if letter in self.places else state

    def allowed(self, state: tuple[int, int]) -> Letters:
        size, last = state
        return self.others | {at for at, place in self.places.items() if last < place < size}


class EventGrammar(Grammar):
    """The grammar of a tokenization, for models of these symbols; no key of a performance is down for more
    than `longest` time shifts."""

    takes_all = True

    def __init__(self, events: EventTokens, symbols: Sequence[str], longest: int) -> None:
        self.events, self.symbols, self.longest = events, tuple(symbols), longest
        self.start = tuple(strand.start for strand in self.strands)

    @cached_property
    def strands(self) -> list[_Order | _Key | _Bar]:
        """What watches a sequence, side by side."""
        names, events = self.symbols, self.events
        keys = sorted(int(name[7:]) for name in names if name.startswith("NoteOn_"))
        bars = [_Bar(names, events.steps)] if "Bar_None" in names else []
        return [_Order(names, events.order), *(_Key(names, pitch, self.longest) for pitch in keys), *bars]

    def step(self, strand: int, state: Hashable, letter: int) -> Hashable:
        """The state of a strand after a letter that it allows."""
        return self.strands[strand].step(state, letter)

    def allowed(self, strand: int, state: Hashable) -> tuple[Letters, bool]:
        """The letters that may follow; a stretch of music ends wherever it is cut."""
        return self.strands[strand].allowed(state), True
