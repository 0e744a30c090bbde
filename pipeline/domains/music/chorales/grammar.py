"""The grammar of chorales.

Each step has four voices in order, only sounding notes are held, and the end follows a whole step.
"""

from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import NamedTuple, cast

from pipeline.domains.music.chorales.voices import HELD, REST, VOICES
from pipeline.grammar import Grammar


class _State(NamedTuple):
    """The next voice of the step, the voices that sound, and whether any voice has sounded yet."""

    voice: int
    sounding: tuple[bool, ...]
    begun: bool


class ChoraleGrammar(Grammar):
    """The grammar for models of these symbols, which are whole steps or voices."""

    start = (_State(0, (False,) * len(VOICES), False),)

    def __init__(self, symbols: Sequence[str]) -> None:
        self.signs = [_signs(symbol.strip()) for symbol in symbols]
        self._find_allowed = lru_cache(maxsize=None)(self._list_allowed)

    def step(self, component: int, state: Hashable, letter: int) -> _State:
        """The state after a letter; a packed step leaves the voice at the soprano."""
        voice, sounding, begun = cast("_State", state)
        after = list(sounding)
        for number, sign in self.signs[letter].items():
            after[number] = sign != REST and (sign != HELD or after[number])
        following = (voice + len(self.signs[letter])) % len(VOICES)
        return _State(following, tuple(after), begun or any(after))

    def allowed(self, component: int, state: Hashable) -> tuple[frozenset[int], bool]:
        """The letters that may follow; the end may follow a whole step, once a voice has sounded."""
        voice, sounding, begun = cast("_State", state)
        return self._find_allowed(voice, sounding), voice == 0 and begun

    def _list_allowed(self, voice: int, sounding: tuple[bool, ...]) -> frozenset[int]:
        return frozenset(
            letter
            for letter, signs in enumerate(self.signs)
            if min(signs, default=-1) == voice
            and all(sounding[number] for number, sign in signs.items() if sign == HELD)
        )


def _signs(word: str) -> dict[int, str]:
    """The sign of each voice in a symbol, by the number of the voice.

    >>> _signs("67,_,.,43"), _signs("A62")
    ({0: '67', 1: '_', 2: '.', 3: '43'}, {1: '62'})
    """
    if "," in word:
        return dict(enumerate(word.split(",")))
    return {VOICES.index(word[0]): word[1:]} if word[:1] in VOICES and word else {}
