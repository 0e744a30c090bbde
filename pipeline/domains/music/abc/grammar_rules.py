"""Two component automata of the tune grammar, besides the meter: pitches and ties, repeats and parts."""

from functools import lru_cache
from typing import NamedTuple

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.abc_notation import ALTERATIONS, parse_note
from pipeline.domains.music.abc.lexicon import TokenAutomaton, TokenKinds
from pipeline.domains.music.abc.token_kinds import BAR_LINES, SECTION_LINES, classify_token

MIN_PART_BARS = 4
"""Bars of a part; a sequence that reaches the longest length may end before."""
_STEPS = "CDEFGAB"
_NO_ACCIDENTALS: tuple[int | None, ...] = (None,) * 7
_OTHER = "other"


class PitchState(NamedTuple):
    """The pitches that matter for the next note; `key` and `altered` are only tracked for a range."""

    last: str = ""
    """The last note as written, without accidental and length; "" where none is known."""
    tied: bool = False
    """Whether a tie leads on from the last note."""
    chord: frozenset[str] | None = None
    """The notes of the chord being written; None outside a chord."""
    grace: bool = False
    """Whether grace notes are being written."""
    key: str = ""
    altered: tuple[int | None, ...] = _NO_ACCIDENTALS
    """Semitones of the accidentals that hold in this bar, by step."""


class PitchAutomaton(TokenAutomaton[PitchState]):
    """Ties lead to the same note, a chord has each note once, and all pitches lie in the range, if any.

    Parameters
    ----------
    tokens : frozenset of str
        The tokens that the symbols can spell.
    lowest, highest : int or None
        MIDI note numbers, both allowed; None for no bound.
    """

    start = PitchState()

    def __init__(self, tokens: frozenset[str], lowest: int | None, highest: int | None) -> None:
        self.lowest, self.highest = lowest, highest
        self.has_range = lowest is not None or highest is not None
        self.kinds = frozenset(kind for kind in map(self.kind, tokens) if kind is not None)
        self.notes = frozenset(kind for kind in self.kinds if classify_token(kind) == "note")
        self._options = lru_cache(maxsize=2**14)(self._find_options)

    def kind(self, token: str) -> str | None:
        kind = classify_token(token)
        if kind is None:
            return None
        if kind == "note":
            return token
        if self.has_range and kind.strip("[")[:2] == "K:":
            return kind
        return kind if kind in ("-", "[", "]", "{", "}", "rest") else "|" if kind in BAR_LINES else _OTHER

    def options(self, state: PitchState) -> TokenKinds:
        return self._options(state)

    def _find_options(self, state: PitchState) -> TokenKinds:
        if state.tied:
            return self.kinds - self.notes | ({state.last} & self.notes)
        allowed = self.kinds
        if state.chord:
            allowed = frozenset(kind for kind in allowed if kind.lstrip("^_=") not in state.chord)
        if not self.has_range:
            return allowed
        return frozenset(kind for kind in allowed if kind not in self.notes or self._in_range(kind, state))

    def _in_range(self, note: str, state: PitchState) -> bool:
        written = parse_note(note)
        alteration = state.altered[_STEPS.index(written.step)]
        if written.accidental:
            alteration = ALTERATIONS[written.accidental]
        elif alteration is None:
            alteration = fields.signature(state.key or "C").get(written.step, 0)
        pitch = written.natural_pitch + alteration
        return (self.lowest or 0) <= pitch <= (self.highest or 127)

    def advance(self, state: PitchState, kind: str) -> PitchState:
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
            return state._replace(altered=_NO_ACCIDENTALS, last=state.last if state.tied else "")
        return state if kind == _OTHER else state._replace(key=kind.strip("[]")[2:])

    def _after_note(self, state: PitchState, note: str) -> PitchState:
        plain = note.lstrip("^_=")
        if self.has_range and plain != note:
            step = _STEPS.index(plain[0].upper())
            alteration = ALTERATIONS[note[: -len(plain)]]
            state = state._replace(altered=(*state.altered[:step], alteration, *state.altered[step + 1 :]))
        if state.grace:
            return state
        if state.chord is not None:
            return state._replace(chord=state.chord | {plain})
        return state._replace(last=plain, tied=False)


class RepeatState(NamedTuple):
    """The bars of the present part, and its repeat and ending."""

    bars: int = 0
    """Bars so far, up to `MIN_PART_BARS` - 1."""
    repeat_open: bool = False
    """Whether a |: waits for its :|."""
    ending: int = 0
    """The number of the present ending, 0 for none."""

    def bar_lines(self) -> set[str]:
        """The bar lines that repeats and endings allow."""
        if self.ending == 1:
            return {"|", ":|2"}
        found = {"|", "|1"} if not self.ending else {"|"}
        if self.repeat_open or not self.ending:
            found |= {":|", "::"}
        if not self.repeat_open:
            found |= {"|:", "||", "|]"}
        return found


class RepeatAutomaton(TokenAutomaton[RepeatState]):
    """Repeats and endings pair up, no double bar stands inside a repeat, and parts have `MIN_PART_BARS`."""

    start = RepeatState()

    def __init__(self, tokens: frozenset[str]) -> None:
        self.kinds = frozenset(kind for kind in map(self.kind, tokens) if kind is not None)
        self._options = lru_cache(maxsize=2**8)(self._find_options)

    def kind(self, token: str) -> str | None:
        kind = classify_token(token)
        return kind if kind is None or kind in BAR_LINES else _OTHER

    def options(self, state: RepeatState) -> TokenKinds:
        return self._options(state)

    def _find_options(self, state: RepeatState) -> TokenKinds:
        found = state.bar_lines()
        if state.bars < MIN_PART_BARS - 1:
            # An upbeat may stand before the sign of a repeat.
            found -= (SECTION_LINES | {":|2"}) - (set() if state.bars else {"|:"})
        return self.kinds & (found | {_OTHER})

    def may_end(self, state: RepeatState) -> bool:
        return not state.repeat_open and state.ending != 1

    def advance(self, state: RepeatState, kind: str) -> RepeatState:
        if kind not in BAR_LINES:
            return state
        return RepeatState(
            bars=0 if kind in SECTION_LINES else min(state.bars + 1, MIN_PART_BARS - 1),
            repeat_open=kind.endswith(":") or (state.repeat_open and not kind.startswith(":")),
            ending={"|1": 1, ":|2": 2, "|": state.ending}.get(kind, 0),
        )
