"""What may follow in a tune besides its rhythm: strands of the tune's grammar, beside that of `bars`.

Ties reach the same pitch, pitches stay in a range, repeats pair up, parts are some bars long.
"""

from functools import lru_cache
from typing import NamedTuple

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.abc_notation import ALTERATIONS, parse_note
from pipeline.domains.music.abc.grammar_meter import BAR_LINES, SECTION_ENDS, kind_of
from pipeline.domains.music.abc.lexicon import Kinds, Strand

MIN_BARS = 4
"""Bars of a part, at least; where symbols run out it may end before."""
_STEPS = "CDEFGAB"
_PLAIN: tuple[int | None, ...] = (None,) * 7
_OTHER = "other"


class Sounding(NamedTuple):
    """The last note as it is written without its accidental, "" where none is known; whether a tie leads on
    from it; the notes of the chord being written, None outside of one; whether grace notes are.

    `key` and `altered`, by step, are known only where there is a range."""

    last: str = ""
    tied: bool = False
    chord: frozenset[str] | None = None
    grace: bool = False
    key: str = ""
    altered: tuple[int | None, ...] = _PLAIN


class Pitches(Strand):
    """Ties lead to the same note, chords have each note once, all pitches lie between two, if given."""

    start = Sounding()

    def __init__(self, tokens: Kinds, lowest: int | None, highest: int | None) -> None:
        self.lowest, self.highest = lowest, highest
        self.ranged = lowest is not None or highest is not None
        self.all = frozenset(kind for kind in map(self.kind, tokens) if kind is not None)
        self.notes = frozenset(kind for kind in self.all if kind_of(kind) == "note")
        self._options = lru_cache(maxsize=2**14)(self._find_options)

    def kind(self, token: str) -> str | None:
        kind = kind_of(token)
        if kind is None:
            return None
        if kind == "note":
            return token
        if self.ranged and kind.strip("[")[:2] == "K:":
            return kind
        return kind if kind in ("-", "[", "]", "{", "}", "rest") else "|" if kind in BAR_LINES else _OTHER

    def options(self, state: Sounding) -> Kinds:
        return self._options(state)

    def _find_options(self, state: Sounding) -> Kinds:
        if state.tied:
            return self.all - self.notes | ({state.last} & self.notes)
        allowed = self.all
        if state.chord:
            allowed = frozenset(kind for kind in allowed if kind.lstrip("^_=") not in state.chord)
        if not self.ranged:
            return allowed
        return frozenset(k for k in allowed if k not in self.notes or self._in_range(k, state))

    def _in_range(self, note: str, state: Sounding) -> bool:
        written = parse_note(note)
        alteration = state.altered[_STEPS.index(written.step)]
        if written.accidental:
            alteration = ALTERATIONS[written.accidental]
        elif alteration is None:
            alteration = fields.signature(state.key or "C").get(written.step, 0)
        pitch = written.natural_pitch + alteration
        return (self.lowest or 0) <= pitch <= (self.highest or 127)

    def advance(self, state: Sounding, kind: str) -> Sounding:
        if kind in self.notes:
            return self._after_note(state, kind)
        if kind == "-":
            return state._replace(tied=True)
        if kind == "[":
            return state._replace(chord=frozenset(), last="")
        if kind == "]":
            return state._replace(chord=None)
        if kind in ("{", "}"):
            return state._replace(grace=kind == "{")
        if kind == "rest":
            return state._replace(last="")
        if kind == "|":
            return state._replace(altered=_PLAIN, last=state.last if state.tied else "")
        return state if kind == _OTHER else state._replace(key=kind.strip("[]")[2:])

    def _after_note(self, state: Sounding, note: str) -> Sounding:
        place = note.lstrip("^_=")
        if self.ranged and place != note:
            step = _STEPS.index(place[0].upper())
            alteration = ALTERATIONS[note[: -len(place)]]
            state = state._replace(altered=(*state.altered[:step], alteration, *state.altered[step + 1 :]))
        if state.grace:
            return state
        if state.chord is not None:
            return state._replace(chord=state.chord | {place})
        return state._replace(last=place, tied=False)


class Form(NamedTuple):
    """The bars of a part so far, up to the fewest that it must have but one; whether a repeat is open; and
    which ending we are in, 0 for none."""

    bars: int = 0
    repeat_open: bool = False
    ending: int = 0

    def lines(self) -> set[str]:
        """The bar lines that repeats and endings allow."""
        if self.ending == 1:
            return {"|", ":|2"}
        found = {"|", "|1"} if not self.ending else {"|"}
        if self.repeat_open or not self.ending:
            found |= {":|", "::"}
        if not self.repeat_open:
            found |= {"|:", "||", "|]"}
        return found


class Parts(Strand):
    """Repeats and endings pair up, no double bar stands inside a repeat, and parts are some bars long."""

    start = Form()

    def __init__(self, tokens: Kinds) -> None:
        self.kinds = frozenset(kind for kind in map(self.kind, tokens) if kind is not None)
        self._options = lru_cache(maxsize=2**8)(self._find_options)

    def kind(self, token: str) -> str | None:
        kind = kind_of(token)
        return kind if kind is None or kind in BAR_LINES else _OTHER

    def options(self, state: Form) -> Kinds:
        return self._options(state)

    def _find_options(self, form: Form) -> Kinds:
        found = form.lines()
        if form.bars < MIN_BARS - 1:
            # A pick-up may stand before the sign of a repeat.
            found -= (SECTION_ENDS | {":|2"}) - (set() if form.bars else {"|:"})
        return self.kinds & (found | {_OTHER})

    def may_end(self, state: Form) -> bool:
        return not state.repeat_open and state.ending != 1

    def advance(self, state: Form, kind: str) -> Form:
        if kind not in BAR_LINES:
            return state
        return Form(
            bars=0 if kind in SECTION_ENDS else min(state.bars + 1, MIN_BARS - 1),
            repeat_open=kind.endswith(":") or (state.repeat_open and not kind.startswith(":")),
            ending={"|1": 1, ":|2": 2, "|": state.ending}.get(kind, 0),
        )
