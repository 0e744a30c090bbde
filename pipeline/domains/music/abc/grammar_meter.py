"""The meter automaton of the tune grammar: bars fill up, and signs stand before the note that they need.

It is stricter than `Tune.check`. A bar is short only as an upbeat, or where the upbeat before it makes it
whole. Repeats and endings have their own automaton (`grammar_rules`), so that this one has fewer states.
"""

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache

from pipeline.domains.music.abc.abc_notation import is_one_note
from pipeline.domains.music.abc.filling import LENGTH_DIVISIONS, UNCHANGED, BarFilling, Factor
from pipeline.domains.music.abc.lexicon import TokenAutomaton, TokenKinds
from pipeline.domains.music.abc.meter_state import (
    CHORD_SYMBOL,
    HEADER_LINES,
    ORNAMENT,
    MeterState,
    advance_body,
    advance_header,
    broken_ratio,
    tuplet_factor,
    unit_ticks,
)
from pipeline.domains.music.abc.token_kinds import (
    BAR_LINES,
    BROKEN_RHYTHMS,
    MAX_CHORD_NOTES,
    REPEAT_LINES,
    TUPLETS,
    classify_token,
)

_HEADER_FIELDS = (("R", "M"), ("M",), ("L",), ("K",))
"""The fields that may stand in each line of the header; the rhythm may be left out."""


class MeterAutomaton(TokenAutomaton[MeterState]):
    """Lengths add up to full bars.

    Parameters
    ----------
    kinds : frozenset of str
        The kinds of all tokens that the symbols can spell.
    filling : BarFilling
        The lengths that the symbols can spell.
    header_values : mapping of str to frozenset of str
        The values that a header field may have, by its letter (R, M, L, K); "" for a field left out. A field
        that is missing here may have any value.
    """

    start = MeterState()

    def __init__(
        self, kinds: TokenKinds, filling: BarFilling, header_values: Mapping[str, frozenset[str]]
    ) -> None:
        self.kinds, self.filling, self.header_values = kinds, filling, header_values
        self._options = lru_cache(maxsize=2**16)(self._find_options)
        self.header_lines = tuple(self._allowed_header_lines(number) for number in range(HEADER_LINES))

    def kind(self, token: str) -> str | None:
        return classify_token(token)

    def options(self, state: MeterState) -> TokenKinds:
        return self._options(state)

    def may_end(self, state: MeterState) -> bool:
        return state.final and state.any_note

    def advance(self, state: MeterState, kind: str) -> MeterState:
        if state.header < HEADER_LINES:
            return advance_header(state, kind)
        if state.inside and kind == "note":
            return state._replace(inner=state.inner + 1)
        if kind[0] in "0123456789/":
            return state.with_length(self.filling.ticks(kind, state.unit, state.factor))
        return advance_body(state.settle(), kind)

    def _find_options(self, state: MeterState) -> TokenKinds:
        if state.header < HEADER_LINES:
            return self._header_options(state)
        if state.inside:
            return self._chord_options(state)
        found: set[str] = set()
        if state.open:
            lengths = self._lengths(state, state.factor, state.tuplet_left)
            if "" not in lengths:
                return lengths
            found |= lengths - {""}
            state = state.settle()
        found |= self._note_starts(state)
        if state.before:
            return frozenset(found)
        if state.touching and not state.tied:
            found |= {sign for sign in BROKEN_RHYTHMS & self.kinds if self._may_break(state, sign)}
            # A tie after the last note of the tune would lead nowhere.
            found |= {"-"} & self.kinds if state.single else set()
        return frozenset(found | self._bar_lines(state))

    def _allowed_header_lines(self, number: int) -> TokenKinds:
        names = _HEADER_FIELDS[number]
        if number == 0 and "" not in self.header_values.get("R", {""}):
            names = ("R",)
        lines = {kind for kind in self.kinds if kind[:1] in names and kind[1:2] == ":"}
        values = self.header_values
        return frozenset(line for line in lines if line[0] not in values or line[2:] in values[line[0]])

    def _header_options(self, state: MeterState) -> TokenKinds:
        options, full = self.header_lines[state.header], state.full
        if state.header != 2 or full is None:
            return options
        return frozenset(k for k in options if self.filling.can_fill(unit_ticks(k), full, UNCHANGED, 0))

    @staticmethod
    def _chord_options(state: MeterState) -> TokenKinds:
        close = {"[": "]", "{": "}"}[state.inside]
        fewest = 2 if state.inside == "[" else 1
        more = ["note"] if state.inner < MAX_CHORD_NOTES else []
        return frozenset([*more, close] if state.inner >= fewest else more)

    def _lengths(self, state: MeterState, factor: Factor, left: int) -> TokenKinds:
        """The lengths of a note after which the bar can still be filled.

        The notes of a broken rhythm are written with equal lengths (ABC 2.1 §4.4).
        """
        room = None if state.full is None else state.room
        tuplet = state.tuplet if left else UNCHANGED
        found = self.filling.fitting_lengths(state.unit, room, factor, tuplet, left)
        if not state.pair:
            return found
        return frozenset(text for text in found if self.filling.ticks(text, state.unit) == state.pair)

    def _takes_a_note(self, state: MeterState) -> bool:
        return bool(self._lengths(state, state.next_factor, max(state.tuplet_left - 1, 0)))

    def _note_starts(self, state: MeterState) -> set[str]:
        """The tokens with which a note, rest or chord, or the signs before it, may begin."""
        if state.room <= 0 or not self._takes_a_note(state):
            return set()
        if state.tied:
            return {"note", "string"} if not state.before else {"note"}
        found = {"note", "["}
        if state.before <= CHORD_SYMBOL:
            found |= {"rest", "{"}
            if not state.tuplet_left and state.broken == UNCHANGED:
                found |= {sign for sign in TUPLETS & self.kinds if self._takes_tuplet(state, sign)}
        if state.before <= ORNAMENT:
            found.add("mark")
        if not state.before:
            found.add("string")
        return found & self.kinds

    def _takes_tuplet(self, state: MeterState, sign: str) -> bool:
        if state.full is None:
            return True
        return self.filling.can_fill(state.unit, state.room, *tuplet_factor(sign, state.compound))

    def _may_break(self, state: MeterState, sign: str) -> bool:
        """Whether a sign of broken rhythm may follow; the last note of a tuplet is no half of a pair."""
        if state.tuplet_left or not state.begun or state.length * LENGTH_DIVISIONS % state.unit:
            return False
        before, after = broken_ratio(sign)
        length, rest = divmod(state.length * before[0], before[1])
        if rest or not is_one_note(Fraction(length, state.unit)):
            return False
        room = state.room_after_breaking(length)
        return room > 0 and self._takes_a_note(state._replace(room=room, broken=after, pair=state.length))

    def _bar_lines(self, state: MeterState) -> TokenKinds:
        """The bar lines that may follow; straight after a bar line, the changes of key and meter."""
        if state.tuplet_left or state.broken != UNCHANGED:
            return frozenset()
        if not state.begun:
            if state.at_bar and not state.tied:
                return frozenset(kind for kind in self.kinds if kind[:2] in ("[K", "[M"))
            return frozenset({"|:"} & self.kinds) if not state.at_bar and not state.any_note else frozenset()
        if state.tied:
            return frozenset({"|"} if state.is_full else ())
        found = {"|"} if state.is_full or state.fresh else set()
        if state.fresh and not state.is_full:
            found.add("|:")
        if state.is_full or (state.room == state.upbeat and not state.fresh):
            # `RepeatAutomaton` chooses among these. A "|" here would begin no line, and lead nowhere.
            found |= {":|2"} if state.first_ending else BAR_LINES - {"|"}
        if not state.fresh and state.repeated_upbeat not in (0, state.room):
            found -= REPEAT_LINES  # the bar would be too long with the upbeat that is played next
        return frozenset(found & self.kinds)
