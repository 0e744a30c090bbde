"""The grammar of tunes, for constrained decoding: whatever it allows can be played, engraved and repeated.

It has three component automata: `MeterAutomaton` for bars, `PitchAutomaton` for ties and the range, and
`RepeatAutomaton` for repeats, endings and the number of bars. `lexicon` spells each of them by the symbols of
a model, so that one grammar serves characters and musical tokens.
"""

import itertools
from collections.abc import Hashable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.abc_notation import format_length, is_one_note
from pipeline.domains.music.abc.filling import BarFilling
from pipeline.domains.music.abc.grammar_meter import MeterAutomaton
from pipeline.domains.music.abc.grammar_rules import PitchAutomaton, RepeatAutomaton
from pipeline.domains.music.abc.lexicon import SpellingTrie, SymbolAutomaton, Symbols, TokenAutomaton
from pipeline.domains.music.abc.requested_header import RequestedAttributes
from pipeline.domains.music.abc.token_kinds import (
    BAR_LINES,
    BROKEN_RHYTHMS,
    END_LINES,
    MAX_LENGTH_UNITS,
    ORNAMENTS,
    TUPLETS,
    classify_token,
)
from pipeline.errors import ConfigError
from pipeline.grammar import Grammar

_METERS = ("none", "2/2", "3/2", "4/2", "2/4", "3/4", "4/4", "5/4", "6/4", "7/4", "9/4", "2/8", "3/8", "4/8",
           "5/8", "6/8", "7/8", "9/8", "10/8", "12/8", "15/8", "3/16", "6/16", "9/16", "12/16")  # fmt: skip
_UNITS = ("1/1", "1/2", "1/4", "1/8", "1/16", "1/32")
_QUALITIES = ("", "m", "7", "m7", "maj7", "maj", "min", "dim", "dim7", "aug", "+", "sus", "sus2", "sus4", "6",
              "m6", "9", "m9", "11", "13", "5", "2", "4", "M7")  # fmt: skip


class TuneGrammar(Grammar):
    """The grammar of tunes for models of these symbols.

    Parameters
    ----------
    symbols : sequence of str
        The alphabet: characters or musical tokens.
    header_values : mapping of str to frozenset of str
        The values that a header field may have, by its letter (R, M, L, K); "" for a field left out. A field
        that is missing here may have any value.
    lowest, highest : int or None
        The pitch range as MIDI note numbers, both allowed.

    Raises
    ------
    ValueError
        Where the symbols cannot spell a tune, or no tune with these values.
    """

    max_resamples = 4

    def __init__(
        self, symbols: Sequence[str], header_values: Mapping[str, frozenset[str]],
        lowest: int | None = None, highest: int | None = None,
    ) -> None:  # fmt: skip
        self.spellings = dict(_spell_tokens(symbols))
        tokens = frozenset(self.spellings)
        kinds = frozenset(kind for kind in map(classify_token, tokens) if kind is not None)
        lengths = {kind: 1 + len(self.spellings[kind]) for kind in kinds if kind[0] in "0123456789/"}
        meter = MeterAutomaton(kinds, BarFilling({"": 1, **lengths}), header_values)
        _check_spellings(meter)
        self.components: list[SymbolAutomaton[Any]] = [
            SymbolAutomaton(meter, self._build_trie(meter, _spell_octave_marks(symbols)))
        ]
        for automaton in (PitchAutomaton(tokens, lowest, highest), RepeatAutomaton(tokens)):
            self.components.append(SymbolAutomaton(automaton, self._build_trie(automaton)))
        self.start = tuple(component.start for component in self.components)

    def _build_trie(
        self, automaton: TokenAutomaton[Any], more: Mapping[str, Symbols] = MappingProxyType({})
    ) -> SpellingTrie:
        spellings = {**more, **self.spellings}.items()
        spelled = ((symbols, automaton.kind(token)) for token, symbols in spellings)
        return SpellingTrie((symbols, kind) for symbols, kind in spelled if kind is not None)

    def step(self, component: int, state: Any, symbol: int) -> Hashable:
        return self.components[component].step(state, symbol)

    def equivalent(self, component: int, state: Any, symbol: int) -> Symbols:
        return self.components[component].equivalent(state, symbol)

    def allowed(self, component: int, state: Any) -> tuple[frozenset[int], bool]:
        return self.components[component].allowed(state)


def _check_spellings(meter: MeterAutomaton) -> None:
    """Raise ValueError where no tune can be spelled."""
    for name, number in (("M", 1), ("L", 2), ("K", 3), ("R", 0)):
        if not meter.header_lines[number]:
            known = sorted(kind for kind in meter.kinds if kind.startswith(f"{name}:"))
            raise ValueError(f"for {name}: it knows {', '.join(known) or 'none'}")
    if "note" not in meter.kinds or not END_LINES & meter.kinds:
        raise ValueError("it has no notes or no bar lines")


@lru_cache(maxsize=8)
def build_tune_grammar(symbols: tuple[str, ...], request: RequestedAttributes) -> TuneGrammar | None:
    """The grammar for models of these symbols; None where they cannot spell a tune.

    Raises ConfigError where they cannot spell the requested attributes.
    """
    try:
        return TuneGrammar(symbols, request.header_values, request.lowest, request.highest)
    except ValueError as error:
        if request == RequestedAttributes():
            return None
        raise ConfigError(
            f"domain.meter, key, dance: the model cannot write what is requested: {error}"
        ) from None


def _spell_tokens(symbols: Sequence[str]) -> Iterator[tuple[str, Symbols]]:
    """The tokens that the symbols can spell, each with its symbols."""
    numbers = {symbol: number for number, symbol in enumerate(symbols)}
    if _are_tokens(symbols):
        for symbol, number in numbers.items():
            if classify_token(symbol) is not None:
                yield symbol, (number,)
        return
    for token in itertools.chain(
        _list_notes(), _list_lengths(), _list_signs(), _list_chord_symbols(numbers), _list_fields()
    ):
        if all(character in numbers for character in token):
            yield token, tuple(numbers[character] for character in token)


def _are_tokens(symbols: Sequence[str]) -> bool:
    """Whether the symbols are musical tokens, not characters."""
    return any(len(symbol) > 1 for symbol in symbols)


def _list_notes() -> Iterator[str]:
    # The piano has all of these, with any accidental.
    plain = [step.upper() + "," * n for step in "abcdefg" for n in range(4)]
    plain += [step + "'" * n for step in "abcdefg" for n in range(3)]
    for accidental in ("", "^", "_", "="):
        yield from (accidental + note for note in plain)


def _spell_octave_marks(symbols: Sequence[str]) -> dict[str, Symbols]:
    """Notes with up to three marks of either octave, for an automaton that ignores pitches.

    With these its trie has fewer different nodes.
    """
    numbers = {symbol: number for number, symbol in enumerate(symbols)}
    if _are_tokens(symbols):
        return {}
    parts = itertools.product(("", "^", "_", "="), "ABCDEFGabcdefg", ",'", range(4))
    notes = (accidental + step + mark * number for accidental, step, mark, number in parts)
    return {
        note: tuple(numbers[character] for character in note) for note in notes if numbers.keys() >= {*note}
    }


def _list_lengths() -> Iterator[str]:
    for below in (1, 2, 4, 8):
        last = MAX_LENGTH_UNITS if below == 1 else 2 * below + below - 1
        for above in range(1, last + 1):
            length = Fraction(above, below)
            if length.denominator == below and length != 1 and is_one_note(length):
                yield format_length(length)


def _list_signs() -> Iterator[str]:
    yield from sorted(BAR_LINES | TUPLETS | BROKEN_RHYTHMS | ORNAMENTS)
    yield from ("z", "-", "[", "]", "{", "}")


def _list_chord_symbols(numbers: Mapping[str, int]) -> Iterator[str]:
    if '"' not in numbers:
        return
    roots = [step + sign for step in "ABCDEFG" for sign in ("", "#", "b")]
    basses = ["", *(f"/{root}" for root in roots)]
    for root, quality, bass in itertools.product(roots, _QUALITIES, basses):
        yield f'"{root}{quality}{bass}"'


def _list_fields() -> Iterator[str]:
    keys = []
    for tonic, sign, mode in itertools.product("ABCDEFG", ("", "#", "b"), fields.MODES):
        key = tonic + sign + mode
        if abs(fields.sharps(key)) <= 7:
            keys.append(key)
    for name, values in (("R", fields.RHYTHMS), ("M", _METERS), ("L", _UNITS), ("K", keys)):
        yield from (f"{name}:{value}\n" for value in values)
    yield from (f"[K:{key}]" for key in keys)
    yield from (f"[M:{meter}]" for meter in _METERS)
