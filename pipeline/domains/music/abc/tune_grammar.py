"""The grammar by which tunes are drawn that can be played, engraved and repeated as they are written.

Three strands watch a tune: `bars.Bars` its bars, `strands.Pitches` ties and the range, `strands.Parts`
repeats, endings and the number of bars. Each is spelled by the symbols of a model (see `lexicon`), so that
the same grammar serves characters and musical tokens.
"""

import itertools
from collections.abc import Hashable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.abc_notation import is_one_note
from pipeline.domains.music.abc.filling import Filling
from pipeline.domains.music.abc.grammar_meter import (
    BAR_LINES,
    BROKEN,
    ENDS,
    MARKS,
    MAX_LENGTH,
    TUPLETS,
    Bars,
    kind_of,
)
from pipeline.domains.music.abc.grammar_rules import Parts, Pitches
from pipeline.domains.music.abc.lexicon import Letters, Lexicon, Spelled, Strand
from pipeline.domains.music.abc.requested_header import Wishes
from pipeline.errors import ConfigError
from pipeline.grammar import Grammar

_METERS = ("none", "2/2", "3/2", "4/2", "2/4", "3/4", "4/4", "5/4", "6/4", "7/4", "9/4", "2/8", "3/8", "4/8",
           "5/8", "6/8", "7/8", "9/8", "10/8", "12/8", "15/8", "3/16", "6/16", "9/16", "12/16")  # fmt: skip
_UNITS = ("1/1", "1/2", "1/4", "1/8", "1/16", "1/32")
_QUALITIES = ("", "m", "7", "m7", "maj7", "maj", "min", "dim", "dim7", "aug", "+", "sus", "sus2", "sus4", "6",
              "m6", "9", "m9", "11", "13", "5", "2", "4", "M7")  # fmt: skip


class TuneGrammar(Grammar):
    """The grammar for models of these symbols. `asked` are the values that header fields may have, by name
    (R, M, L, K), "" for one that is left out; `lowest` and `highest` MIDI note numbers.

    Raises ValueError where the symbols cannot spell a tune, or not one that is asked for.
    """

    tries = 4

    def __init__(
        self, symbols: Sequence[str], asked: Mapping[str, frozenset[str]],
        lowest: int | None = None, highest: int | None = None,
    ) -> None:  # fmt: skip
        self.words = dict(_words(symbols))
        tokens = frozenset(self.words)
        kinds = frozenset(kind for kind in map(kind_of, tokens) if kind is not None)
        lengths = {kind: 1 + len(self.words[kind]) for kind in kinds if kind[0] in "0123456789/"}
        self.filling = Filling({"": 1, **lengths})
        self.bars = Bars(kinds, self.filling, dict(asked))
        self._check(kinds)
        self.parts = Parts(tokens)
        others: list[Strand] = [Pitches(tokens, lowest, highest), self.parts]
        bars = Spelled(self.bars, self._lexicon(self.bars, _any_marks(symbols)))
        self.strands = [bars, *(Spelled(strand, self._lexicon(strand)) for strand in others)]
        self.start = tuple(strand.start for strand in self.strands)

    def _check(self, kinds: frozenset[str]) -> None:
        for name, stage in (("M", 1), ("L", 2), ("K", 3), ("R", 0)):
            if not self.bars.header[stage]:
                known = sorted(kind for kind in kinds if kind.startswith(f"{name}:"))
                raise ValueError(f"of {name}: it knows {', '.join(known) or 'none'}")
        if "note" not in kinds or not ENDS & kinds:
            raise ValueError("it has no notes or no bar lines")

    def _lexicon(self, strand: Strand, more: Mapping[str, Letters] = MappingProxyType({})) -> Lexicon:
        words = {**more, **self.words}.items()
        spelled = ((letters, strand.kind(token)) for token, letters in words)
        return Lexicon((letters, kind) for letters, kind in spelled if kind is not None)

    def step(self, strand: int, state: Hashable, letter: int) -> Hashable:
        return self.strands[strand].step(state, letter)

    def alike(self, strand: int, state: Hashable, letter: int) -> Letters:
        return self.strands[strand].alike(state, letter)

    def allowed(self, strand: int, state: Hashable) -> tuple[frozenset[int], bool]:
        return self.strands[strand].allowed(state)


@lru_cache(maxsize=8)
def tune_grammar(symbols: tuple[str, ...], wishes: Wishes) -> TuneGrammar | None:
    """The grammar for models of these symbols; None where they cannot spell a tune.

    Raises ConfigError where they cannot spell what is asked for.
    """
    try:
        return TuneGrammar(symbols, wishes.allowed, wishes.lowest, wishes.highest)
    except ValueError as error:
        if wishes == Wishes():
            return None
        raise ConfigError(
            f"domain.meter, key, dance: the model cannot write what is asked for: {error}"
        ) from None


def _words(symbols: Sequence[str]) -> Iterator[tuple[str, Letters]]:
    """The tokens that the symbols can spell, and how."""
    letters = {symbol: number for number, symbol in enumerate(symbols)}
    if any(len(symbol) > 1 for symbol in symbols):
        for symbol, number in letters.items():
            if kind_of(symbol) is not None:
                yield symbol, (number,)
        return
    for token in itertools.chain(_notes(), _lengths(), _signs(), _chord_symbols(letters), _fields()):
        if all(character in letters for character in token):
            yield token, tuple(letters[character] for character in token)


def _notes() -> Iterator[str]:
    # Not the highest and lowest of all: with any accidental, all of these lie on the piano.
    places = [letter.upper() + "," * n for letter in "abcdefg" for n in range(4)]
    places += [letter + "'" * n for letter in "abcdefg" for n in range(3)]
    for accidental in ("", "^", "_", "="):
        yield from (accidental + place for place in places)


def _any_marks(symbols: Sequence[str]) -> dict[str, Letters]:
    """Notes with any marks of the octave, which those who do not look at pitches need not tell apart."""
    letters = {symbol: number for number, symbol in enumerate(symbols)}
    if any(len(symbol) > 1 for symbol in symbols):
        return {}
    parts = itertools.product(("", "^", "_", "="), "ABCDEFGabcdefg", ",'", range(4))
    words = (accidental + step + mark * number for accidental, step, mark, number in parts)
    return {
        word: tuple(letters[character] for character in word) for word in words if letters.keys() >= {*word}
    }


def _lengths() -> Iterator[str]:
    from pipeline.domains.music.abc.abc_notation import format_length

    for below in (1, 2, 4, 8):
        most = MAX_LENGTH if below == 1 else 2 * below + below - 1
        for above in range(1, most + 1):
            length = Fraction(above, below)
            if length.denominator == below and length != 1 and is_one_note(length):
                yield format_length(length)


def _signs() -> Iterator[str]:
    yield from sorted(BAR_LINES | TUPLETS | BROKEN | MARKS)
    yield from ("z", "-", "[", "]", "{", "}")


def _chord_symbols(letters: Mapping[str, int]) -> Iterator[str]:
    if '"' not in letters:
        return
    roots = [step + sign for step in "ABCDEFG" for sign in ("", "#", "b")]
    basses = ["", *(f"/{root}" for root in roots)]
    for root, quality, bass in itertools.product(roots, _QUALITIES, basses):
        yield f'"{root}{quality}{bass}"'


def _fields() -> Iterator[str]:
    keys = []
    for tonic, sign, mode in itertools.product("ABCDEFG", ("", "#", "b"), fields.MODES):
        key = tonic + sign + mode
        if abs(fields.sharps(key)) <= 7:
            keys.append(key)
    for name, values in (("R", fields.RHYTHMS), ("M", _METERS), ("L", _UNITS), ("K", keys)):
        yield from (f"{name}:{value}\n" for value in values)
    yield from (f"[K:{key}]" for key in keys)
    yield from (f"[M:{meter}]" for meter in _METERS)
