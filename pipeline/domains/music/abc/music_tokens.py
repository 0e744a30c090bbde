"""Musical tokens of a learned tune: the symbols of a model that reads music and not characters.

A token is what a musician would name: a header field, a pitch with its accidental and octave, a length, a
bar line with the number of the ending that it opens, a tuplet sign. A tune's tokens, joined, are its text.
`folk_rnn` writes them apart, as that program does.
"""

import itertools
import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache

from pipeline.domains.music.abc.abc_notation import Token, parse_length, split_length, tokenize
from pipeline.segments import Role

_HEADER = re.compile(r"[A-Z]:[^\n]*(?:\n|\Z)")
_BAR = re.compile(r"(\.?(?:\[\||:*\||::+)[|:]*\]?)( ?(?:[1-9][0-9,\-]*)?)")
_WITH_LENGTH = ("note", "rest", "spacer")
_SOUNDS = frozenset("ABCDEFGabcdefgz[")
_ROLES = {
    ":": Role.SECTION, '"': Role.QUOTE, "{": Role.ASIDE, "}": Role.BACK, "[": Role.ASIDE, "]": Role.BACK,
}  # fmt: skip


def music_tokens(text: str) -> tuple[str, ...]:
    r"""The tokens of a tune as it is learned (see `tune.Tune.text`); of any text, as far as it is one.

    >>> music_tokens("M:6/8\nL:1/8\nK:D\nA|:^c'2d[DF]3|1{g}e>f-f3/2:|2d6|]")[3:]
    ('A', '|:', "^c'", '2', 'd', '[', 'D', 'F', ']', '3', '|1', '{', 'g', '}', 'e', '>', 'f', '-', 'f', '3/2', ':|2', 'd', '6', '|]')
    >>> music_tokens("M:6/8\nL:1/8\nK:D\n")
    ('M:6/8\n', 'L:1/8\n', 'K:D\n')

    ``"".join`` of the tokens is the text, whatever it holds.
    """  # noqa: E501
    found: list[str] = []
    start = 0
    while match := _HEADER.match(text, start):
        found.append(match.group())
        start = match.end()
    for token in tokenize(text[start:]):
        if token.kind == "ending" and found and found[-1].endswith(("|", ":")) and token.text[0].isdigit():
            found[-1] += token.text
        else:
            found += _parts(token)
    return tuple(found)


def _parts(token: Token) -> tuple[str, ...]:
    if token.kind in _WITH_LENGTH:
        head, length = split_length(token.text)
        return (head, length) if length else (head,)
    if token.kind == "chord":
        inside, length = split_length(token.text)
        return ("[", *_inside(inside[1:-1]), "]", *((length,) if length else ()))
    if token.kind == "grace":
        return ("{", *_inside(token.text[1:-1]), "}")
    return (token.text,)


@lru_cache(maxsize=4096)
def _inside(text: str) -> tuple[str, ...]:
    return tuple(part for token in tokenize(text) for part in _parts(token))


def is_length(token: str) -> bool:
    """Whether a token is the length of the note, rest or chord before it.

    >>> is_length("3/2"), is_length("/"), is_length("|1")
    (True, True, False)
    """
    return token[0] in "0123456789/"


def bar_and_ending(token: str) -> tuple[str, str] | None:
    """The bar line of a token and the numbers of the ending that it opens; None for other tokens.

    >>> bar_and_ending(":|2"), bar_and_ending("|]"), bar_and_ending("A")
    ((':|', '2'), ('|]', ''), None)
    """
    match = _BAR.fullmatch(token)
    return (match[1], match[2].lstrip()) if match else None


def role_of(symbol: str) -> Role:
    r"""What a token, or a character of one, does for the bars of a tune.

    >>> [role_of(each).name for each in ("M:6/8\n", "|", ":", ":|2", "2", "A", "{")]
    ['HEADING', 'BORDER', 'SECTION', 'SECTION_BORDER', 'BETWEEN', 'WITHIN', 'ASIDE']
    """
    if symbol in _ROLES:
        return _ROLES[symbol]
    if symbol.endswith("\n"):
        return Role.HEADING
    if bar := bar_and_ending(symbol):
        return Role.BORDER if bar[0] == "|" else Role.SECTION_BORDER
    return Role.BETWEEN if symbol.isdigit() else Role.WITHIN


def added_length(symbol: str) -> float:
    """By how many unit lengths a token, or a character of one, makes its bar longer: exact for most bars.

    A note or a chord is one long, and what is written behind it changes that; the sign of a triplet takes one
    off. What only looks like a length, as 2/0, changes nothing.

    >>> [added_length(each) for each in ("^c'", "z", "3/2", "2", "/", "(3", ">", "0", "2/0")]
    [1.0, 1.0, 0.5, 1.0, -0.5, -1.0, 0.0, 0.0, 0.0]
    >>> sum(map(added_length, "(3abcd2z/")), sum(map(added_length, ("(3", "a", "b", "c", "d", "2", "z", "/")))
    (4.5, 4.5)
    """
    if symbol == "(":
        return -3.0
    if symbol.startswith("("):
        return -1.0
    if is_length(symbol):
        try:
            return float(parse_length(symbol)) - 1.0
        except (ValueError, OverflowError):  # tunes may be learned that are not valid
            return 0.0
    return float(symbol.strip("^_=,'") in _SOUNDS)


def bar_ends(symbols: Sequence[str], begun: int) -> list[tuple[int, int]]:
    r"""The symbols before and behind the bar line of each bar that ends behind symbol `begun` of a tune, with
    the number of an ending that it opens.

    >>> bar_ends("M:2/4\nL:1/8\nK:D\nA2B2|cdef:|2A", 19)
    [(20, 21), (25, 28)]
    """
    places = [*itertools.accumulate(map(len, symbols), initial=0)]
    text = "".join(symbols)
    body = text.rfind("\n") + 1
    found: list[tuple[int, int]] = []
    music = True
    for token in tokenize(text[body:]):
        start, end = body + token.start, body + token.start + len(token.text)
        if start < places[begun]:
            continue
        if token.kind == "bar" and music:
            found.append((bisect_left(places, start), bisect_left(places, end)))
            music = False
        elif token.kind == "ending" and found and not music:
            found[-1] = (found[-1][0], bisect_left(places, end))
        elif token.kind in ("note", "rest", "chord"):
            music = True
    return found
