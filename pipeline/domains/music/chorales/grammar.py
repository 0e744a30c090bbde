"""The grammar by which chorales are drawn: each step has its four voices in their order, a note is held only
where one sounds, and the end comes after a whole step."""

from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import NamedTuple

from pipeline.domains.music.chorales.voices import HELD, REST, VOICES
from pipeline.grammar import Grammar


class _Place(NamedTuple):
    """The next voice of the step, which voices sound, and whether anything has sounded."""

    voice: int
    sounding: tuple[bool, ...]
    begun: bool


class ChoraleGrammar(Grammar):
    """The grammar for models of these symbols, whole steps or voices."""

    start = (_Place(0, (False,) * len(VOICES), False),)

    def __init__(self, symbols: Sequence[str]) -> None:
        self.signs = [_signs(symbol.strip()) for symbol in symbols]
        self._allowed = lru_cache(maxsize=None)(self._find)

    def step(self, strand: int, state: Hashable, letter: int) -> _Place:
        """The next place; a packed step leaves the voice at the soprano."""
        voice, sounding, begun = state
        after = list(sounding)
        for number, sign in self.signs[letter].items():
            after[number] = sign != REST and (sign != HELD or after[number])
        following = (voice + len(self.signs[letter])) % len(VOICES)
        return _Place(following, tuple(after), begun or any(after))

    def allowed(self, strand: int, state: Hashable) -> tuple[frozenset[int], bool]:
        """What may follow; the end after a whole step, once something has sounded."""
        voice, sounding, begun = state
        return self._allowed(voice, sounding), voice == 0 and begun

    def _find(self, voice: int, sounding: tuple[bool, ...]) -> frozenset[int]:
        return frozenset(
            letter
            for letter, signs in enumerate(self.signs)
            if min(signs, default=-1) == voice
            and all(sounding[number] for number, sign in signs.items() if sign == HELD)
        )


def _signs(word: str) -> dict[int, str]:
    """What a symbol says of each voice, by its number.

    >>> _signs("67,_,.,43"), _signs("A62")
    ({0: '67', 1: '_', 2: '.', 3: '43'}, {1: '62'})
    """
    if "," in word:
        return dict(enumerate(word.split(",")))
    return {VOICES.index(word[0]): word[1:]} if word[:1] in VOICES and word else {}
