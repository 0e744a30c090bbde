"""Musical tokens of a learned tune, as the symbols of a model.

A token is one musical sign: a header field, a pitch with its accidental and octave, a length, a bar line with
the number of the ending that it opens, a tuplet sign. The tokens of a tune, joined, are its text. `folk_rnn`
separates them by blanks.
"""

import itertools
import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache

from pipeline.domains.music.abc.abc_notation import Token, parse_length, split_length, tokenize
from pipeline.segments import SegmentRole

_HEADER = re.compile(r"[A-Z]:[^\n]*(?:\n|\Z)")
_WHOLE_HEADER = re.compile(r"(?:R:[^\n]*\n)?(?:[^\n]*\n){3}")
_BAR = re.compile(r"(\.?(?:\[\||:*\||::+)[|:]*\]?)( ?(?:[1-9][0-9,\-]*)?)")
_WITH_LENGTH = ("note", "rest", "spacer")
_SOUNDS = frozenset("ABCDEFGabcdefgz[")
_ROLES = {
    ":": SegmentRole.SECTION_MARK, '"': SegmentRole.UNTIMED_QUOTE,
    "{": SegmentRole.UNTIMED_START, "}": SegmentRole.UNTIMED_END,
    "[": SegmentRole.UNTIMED_START, "]": SegmentRole.UNTIMED_END,
}  # fmt: skip


def music_tokens(text: str) -> tuple[str, ...]:
    r"""The musical tokens of a learned tune (see `tune.Tune.text`); any other text is split as far as possible.

    >>> music_tokens("M:6/8\nL:1/8\nK:D\nA|:^c'2d[DF]3|1{g}e>f-f3/2:|2d6|]")[3:]
    ('A', '|:', "^c'", '2', 'd', '[', 'D', 'F', ']', '3', '|1', '{', 'g', '}', 'e', '>', 'f', '-', 'f', '3/2', ':|2', 'd', '6', '|]')
    >>> music_tokens("M:6/8\nL:1/8\nK:D\n")
    ('M:6/8\n', 'L:1/8\n', 'K:D\n')

    ``"".join`` of the tokens is the text, for any text.
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
            found += _split_token(token)
    return tuple(found)


def _split_token(token: Token) -> tuple[str, ...]:
    if token.kind in _WITH_LENGTH:
        head, length = split_length(token.text)
        return (head, length) if length else (head,)
    if token.kind == "chord":
        inside, length = split_length(token.text)
        return ("[", *_split_inside(inside[1:-1]), "]", *((length,) if length else ()))
    if token.kind == "grace":
        return ("{", *_split_inside(token.text[1:-1]), "}")
    return (token.text,)


@lru_cache(maxsize=4096)
def _split_inside(text: str) -> tuple[str, ...]:
    return tuple(part for token in tokenize(text) for part in _split_token(token))


def count_header_symbols(symbols: Sequence[str]) -> int:
    r"""The symbols of the header, which has three lines, or four with R:; 0 without such a header.

    >>> count_header_symbols(("M:6/8\n", "L:1/8\n", "K:D\n", "A"))
    3
    """
    header = _WHOLE_HEADER.match("".join(symbols))
    end = header.end() if header else 0
    return sum(place < end for place in itertools.accumulate(map(len, symbols), initial=0))


def is_length(token: str) -> bool:
    """Whether a token is the length of the note, rest or chord before it.

    >>> is_length("3/2"), is_length("/"), is_length("|1")
    (True, True, False)
    """
    return token[0] in "0123456789/"


def split_bar_and_ending(token: str) -> tuple[str, str] | None:
    """The bar line of a token and the numbers of the ending that it opens; None for other tokens.

    >>> split_bar_and_ending(":|2"), split_bar_and_ending("|]"), split_bar_and_ending("A")
    ((':|', '2'), ('|]', ''), None)
    """
    match = _BAR.fullmatch(token)
    return (match[1], match[2].lstrip()) if match else None


def find_segment_role(symbol: str) -> SegmentRole:
    r"""The role of a token, or of a character of one, in the bars of a tune.

    >>> [find_segment_role(each).name for each in ("M:6/8\n", "|", ":", ":|2", "2", "A")]
    ['HEADER_LINE_END', 'BOUNDARY', 'SECTION_MARK', 'SECTION_BOUNDARY', 'NEVER_FIRST', 'CONTENT']
    >>> find_segment_role("{").name
    'UNTIMED_START'
    """
    if symbol in _ROLES:
        return _ROLES[symbol]
    if symbol.endswith("\n"):
        return SegmentRole.HEADER_LINE_END
    if bar := split_bar_and_ending(symbol):
        return SegmentRole.BOUNDARY if bar[0] == "|" else SegmentRole.SECTION_BOUNDARY
    return SegmentRole.NEVER_FIRST if symbol.isdigit() else SegmentRole.CONTENT


def length_change(symbol: str) -> float:
    """The unit note lengths that a token, or a character of one, adds to its bar: exact for most bars.

    A note or chord adds one, and the length after it the rest. The sign of a triplet subtracts one. A length
    that is no number, such as 2/0, adds nothing.

    >>> [length_change(each) for each in ("^c'", "z", "3/2", "2", "/", "(3", ">", "0", "2/0")]
    [1.0, 1.0, 0.5, 1.0, -0.5, -1.0, 0.0, 0.0, 0.0]
    >>> sum(map(length_change, "(3abcd2z/")), sum(map(length_change, ("(3", *"abcd2z/")))
    (4.5, 4.5)
    """
    if symbol == "(":
        return -3.0
    if symbol.startswith("("):
        return -1.0
    if is_length(symbol):
        try:
            return float(parse_length(symbol)) - 1.0
        except (ValueError, OverflowError):  # a tune that is not valid may be learned
            return 0.0
    return float(symbol.strip("^_=,'") in _SOUNDS)


def find_bar_ends(symbols: Sequence[str], begun: int) -> list[tuple[int, int]]:
    r"""For each bar of a tune that ends after symbol `begun`, the symbols where its bar line starts and ends.

    The bar line includes the number of an ending that it opens.

    >>> find_bar_ends("M:2/4\nL:1/8\nK:D\nA2B2|cdef:|2A", 19)
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
