"""The state of the meter automaton, and how each token changes it. All times are in ticks."""

from functools import lru_cache
from typing import NamedTuple

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.filling import UNCHANGED, Factor
from pipeline.domains.music.abc.notes import WHOLE
from pipeline.domains.music.abc.reader import broken_factors, tuplet_ratio
from pipeline.domains.music.abc.token_kinds import (
    BAR_LINES,
    BROKEN_RHYTHMS,
    END_LINES,
    SECTION_LINES,
    TUPLETS,
)

HEADER_LINES = 4
"""Lines of the header: rhythm, meter, unit note length and key."""
CHORD_SYMBOL, GRACE_NOTES, ORNAMENT, ORNAMENTS = 1, 2, 3, 4
"""Values of `MeterState.before`, in the order in which these signs stand before a note."""
_UNBOUNDED = 64 * WHOLE
"""The room of a bar in free meter."""


class MeterState(NamedTuple):
    """How far a tune is written, as far as its meter is concerned."""

    header: int = 0
    """Header lines written; 4 in the body."""
    full: int | None = None
    """The length of a full bar; None in free meter."""
    unit: int = 0
    """The unit note length."""
    compound: bool = False
    """Whether the meter is compound, such as 6/8."""
    room: int = 0
    """The part of the bar that is still empty; the last note is not yet subtracted where it is `open`."""
    begun: bool = False
    """Whether the bar has a note or rest."""
    open: bool = False
    """Whether a length may follow the last note."""
    touching: bool = False
    """Whether the last token ends a note, rest or chord, so that a tie or a broken rhythm may follow."""
    single: bool = False
    """Whether the last note is no chord and no rest."""
    length: int = 0
    """The length of the last note, where a sign of broken rhythm may change it."""
    factor: Factor = UNCHANGED
    """The factor of the last note's length."""
    tuplet: Factor = UNCHANGED
    """The factor of lengths in the present tuplet."""
    tuplet_left: int = 0
    """Notes that the tuplet still needs."""
    broken: Factor = UNCHANGED
    """The factor that a broken rhythm gives the next note."""
    pair: int = 0
    """The written length of the first note of a broken pair, which the second must have too; 0 outside."""
    before: int = 0
    """The last kind of sign that waits for a note, such as `GRACE_NOTES`; 0 for none."""
    inside: str = ""
    """The bracket or brace of the chord or grace notes being written."""
    inner: int = 0
    """Notes of that chord, or grace notes."""
    tied: bool = False
    """Whether a tie leads on from the last note."""
    at_bar: bool = False
    """Whether a bar line has been written."""
    fresh: bool = True
    """Whether a part begins here, so that an upbeat may stand."""
    upbeat: int = 0
    """The length of the last upbeat; 0 for none."""
    repeated_upbeat: int = 0
    """The length of the upbeat that the next repeat plays again; 0 for none."""
    first_ending: bool = False
    """Whether a first ending is being written."""
    final: bool = False
    """Whether the last token is a bar line at which a tune may end."""
    any_note: bool = False
    """Whether the tune has a note."""

    def settle(self) -> "MeterState":
        """The state after an open note that gets no length of its own: it lasts one unit."""
        if not self.open:
            return self
        return self.with_length(self.unit * self.factor[0] // self.factor[1])

    def with_length(self, length: int) -> "MeterState":
        """The state once the last note has this length."""
        room = self.room if self.full is None else self.room - length
        return self._replace(open=False, length=length, room=room, factor=UNCHANGED, pair=0)

    def with_meter(self, meter: str) -> "MeterState":
        """The state at the start of a bar in a meter."""
        bar = fields.bar_length(meter)
        full = None if bar is None else (bar * WHOLE).numerator
        room = _UNBOUNDED if full is None else full
        compound = fields.is_compound(meter)
        return self._replace(full=full, room=room, compound=compound, upbeat=0, repeated_upbeat=0)

    def room_after_breaking(self, length: int) -> int:
        """The room where a broken rhythm gives the last note this length."""
        return self.room if self.full is None else self.room + self.length - length

    @property
    def next_factor(self) -> Factor:
        """The factor of the next note's length."""
        return self.tuplet if self.tuplet_left else self.broken

    @property
    def is_full(self) -> bool:
        """Whether the bar needs no further note."""
        return self.room == 0 or self.full is None


def advance_body(state: MeterState, kind: str) -> MeterState:
    """The state after a token of the body that is no length; an open note must be settled before."""
    if kind in ("note", "rest", "]"):
        left = max(state.tuplet_left - 1, 0)
        return state._replace(
            begun=True, open=True, touching=True, single=kind == "note", length=0, factor=state.next_factor,
            tuplet_left=left, tuplet=state.tuplet if left else UNCHANGED, broken=UNCHANGED, before=0,
            inside="", inner=0, tied=False, final=False, any_note=state.any_note or kind != "rest",
        )  # fmt: skip
    if kind in BROKEN_RHYTHMS:
        before, after = broken_ratio(kind)
        changed = state.length * before[0] // before[1]
        return state._replace(
            room=state.room_after_breaking(changed), broken=after, pair=state.length,
            touching=False, single=False, length=0,
        )  # fmt: skip
    if kind in BAR_LINES:
        return _advance_bar_line(state, kind)
    return _advance_sign(state._replace(touching=False, single=False, length=0, final=False), kind)


def _advance_sign(state: MeterState, kind: str) -> MeterState:
    if kind == "-":
        return state._replace(tied=True)
    if kind in ("[", "{"):
        return state._replace(inside=kind)
    if kind == "}":
        return state._replace(inside="", inner=0, before=GRACE_NOTES)
    if kind == "mark":
        return state._replace(before=ORNAMENTS if state.before >= ORNAMENT else ORNAMENT)
    if kind == "string":
        return state._replace(before=CHORD_SYMBOL)
    if kind in TUPLETS:
        factor, count = tuplet_factor(kind, state.compound)
        return state._replace(tuplet=factor, tuplet_left=count)
    return state.with_meter(kind[3:-1]) if kind.startswith("[M:") else state


def _advance_bar_line(state: MeterState, line: str) -> MeterState:
    if not state.begun:  # the repeat opens before the first note
        return state._replace(at_bar=True)
    short = state.full is not None and state.room > 0
    upbeat = state.upbeat
    if state.full is not None and short and state.fresh:
        upbeat = state.full - state.room
    return state._replace(
        room=_UNBOUNDED if state.full is None else state.full, begun=False, touching=False, single=False,
        length=0, at_bar=True, upbeat=upbeat, final=line in END_LINES,
        repeated_upbeat=_repeated_upbeat(state, line),
        first_ending=line == "|1" or (line == "|" and state.first_ending),
        # An upbeat before the sign of a repeat belongs to the part after the sign.
        fresh=line in SECTION_LINES and not (line == "|:" and short and state.fresh),
    )  # fmt: skip


def _repeated_upbeat(state: MeterState, line: str) -> int:
    """The upbeat of the section that continues after a bar line; an upbeat before |: is not repeated."""
    if line in SECTION_LINES:
        return 0
    if state.fresh and state.full is not None:
        return state.full - state.room if state.room > 0 else 0
    return state.repeated_upbeat


def advance_header(state: MeterState, line: str) -> MeterState:
    """The state after a line of the header."""
    name, value = line[0], line[2:]
    if name == "M":
        return state._replace(header=2).with_meter(value)
    if name == "L":
        return state._replace(header=3, unit=unit_ticks(line))
    return state._replace(header=1 if name == "R" else HEADER_LINES)


def unit_ticks(line: str) -> int:
    """The ticks of the unit note length that a line L: gives.

    >>> unit_ticks("L:1/8") * 8 == WHOLE
    True
    """
    above, _, below = line[2:].partition("/")
    return int(above) * WHOLE // int(below)


@lru_cache(maxsize=64)
def tuplet_factor(sign: str, compound: bool) -> tuple[Factor, int]:
    """The factor of lengths in a tuplet, and its number of notes."""
    (notes, time), reach = tuplet_ratio(sign, "6/8" if compound else "4/4")
    return (time, notes), reach


@lru_cache(maxsize=8)
def broken_ratio(sign: str) -> tuple[Factor, Factor]:
    """The factors that a sign of broken rhythm gives the notes before and after it."""
    before, after = broken_factors(sign)
    return (before.numerator, before.denominator), (after.numerator, after.denominator)
