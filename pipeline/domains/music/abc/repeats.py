"""Repeats of files: parts played more than twice are written out, and open repeats are closed.

The normal form plays a part once or twice, with a first and a second ending. A part written out plays the
same notes.

Source: ABC 2.1 §4.8 (repeats), §4.9 and §4.10 (endings).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

from pipeline.domains.music.abc.abc_notation import SILENT_KINDS, Token, tokenize
from pipeline.domains.music.abc.normal_form_options import NormalFormError
from pipeline.domains.music.abc.tune import Tune

WRITTEN_OUT = "repeats written out"
LAST_CLOSED, SECOND_CLOSED = "missing last :| added", "missing :| before a second |: added"
MAX_PASSES = 9
_UNUSUAL = re.compile(r"::\||\|::|:::|[\[|:] ?(?:[3-9]|[12]\d*[,-])")
_SPAN = re.compile(r"(\d)(?:-(\d))?")


@dataclass(slots=True)
class _Part:
    """A part of a tune, which its repeat signs and endings play together."""

    opened: int = 0
    """Colons of the bar line before it."""
    body: str = ""
    endings: list[tuple[frozenset[int], str]] = field(default_factory=list)
    """The numbers and the music of each ending."""
    closing: str = ""
    """The bar line after it."""
    times: int = 1
    """How often it is played, where it has no endings."""
    changes: bool = False
    """Whether key, meter or unit change inside it."""

    def add(self, text: str) -> None:
        """Append text to the last ending, or to the body."""
        if self.endings:
            numbers, music = self.endings[-1]
            self.endings[-1] = numbers, music + text
        else:
            self.body += text

    @property
    def is_unusual(self) -> bool:
        """Whether the normal form cannot play it as it is written."""
        numbers = [sorted(numbers) for numbers, _ in self.endings]
        return self.times > 2 or numbers not in ([], [[1]], [[2]], [[1], [2]])


def write_out_repeats(body: str) -> str:
    """The body of a file, with the parts that are played more than twice written out.

    >>> write_out_repeats("|::CD::|"), write_out_repeats("|:CD|1,2 E:|3 F||")
    ('|::|:CD:|CD||', '|:|:CD| E:|CD| F||')

    Raises NormalFormError where an ending is missing, where the signs of a repeat disagree, and where a part
    to be written out changes its key, meter or unit.
    """
    if not _UNUSUAL.search(body):
        return body
    parts = list(_split_parts([token for token in tokenize(body) if not _is_words(token)]))
    if not any(part.is_unusual for part in parts):
        return body
    return "".join(map(_write_part, parts))


def _is_words(token: Token) -> bool:
    """Whether it is a comment, or a field without music, whose line no bar line may join."""
    return token.kind == "comment" or (token.kind == "field" and token.text[0] not in "KLMV")


def _split_parts(tokens: list[Token]) -> Iterator[_Part]:
    """The parts of a body; a part ends where a repeat begins or ends, or at a double bar."""
    part = _Part()
    sounding = [number for number, token in enumerate(tokens) if token.kind not in SILENT_KINDS]
    after = dict(pairwise(sounding))
    for number, token in enumerate(tokens):
        if token.kind == "ending":
            part.endings.append((_parse_numbers(token.text), ""))
        elif token.kind == "bar" and _ends_part(part, token.text):
            if part.endings and number in after and tokens[after[number]].kind == "ending":
                continue  # the next ending is of the same part
            left, right = _count_colons(token.text)
            if max(left, part.opened) > 1 and left != part.opened and left and part.opened:
                raise NormalFormError("signs of a repeat disagree", f"|{':' * part.opened} and {token.text}")
            part.times, part.closing = left + 1, token.text
            yield part
            part = _Part(opened=right)
        else:
            part.changes |= token.kind in ("field", "inline") and token.text.strip("[")[0] in "KLM"
            part.add(token.text)
    yield part


def _count_colons(line: str) -> tuple[int, int]:
    """The colons on the left and on the right of a bar line; those of :: are shared out.

    >>> _count_colons("::|"), _count_colons("|:"), _count_colons("::")
    ((2, 0), (0, 1), (1, 1))
    """
    if not line.strip(":"):
        return len(line) // 2, len(line) - len(line) // 2
    return len(line) - len(line.lstrip(":")), len(line) - len(line.rstrip(":"))


def _ends_part(part: _Part, line: str) -> bool:
    left, right = _count_colons(line)
    is_double = "||" in line or "]" in line
    return bool(left or right) or (is_double and (bool(part.endings) or not part.opened))


def _parse_numbers(ending: str) -> frozenset[int]:
    """The numbers of an ending, which may be a list or a span.

    >>> sorted(_parse_numbers("[1,3")), sorted(_parse_numbers("[1-3"))
    ([1, 3], [1, 2, 3])
    """
    spans = ((int(first), int(last or first)) for first, last in _SPAN.findall(ending))
    return frozenset(number for first, last in spans for number in range(first, last + 1))


def _write_part(part: _Part) -> str:
    """The text of a part, written out where the normal form needs it."""
    endings = [(f"[{','.join(map(str, sorted(numbers)))}", music) for numbers, music in part.endings]
    if not part.is_unusual:
        return part.body + ":|".join(f"{start}{music}" for start, music in endings) + part.closing
    if part.changes:
        raise NormalFormError("repeat with a change of key or meter")
    passes = list(_list_passes(part))
    text = ""
    for first, second in zip(passes[::2], [*passes[1::2], None], strict=False):
        if second is None:
            text += f"{part.body}{first}||"
        elif first == second:
            text += f"|:{part.body}{first}:|"
        else:
            text += f"|:{part.body}[1{first}:|[2{second}||"
    return text + ("|:" if _count_colons(part.closing)[1] else "")


def _list_passes(part: _Part) -> Iterator[str]:
    """The endings in the order in which they are played; "" for a part without endings."""
    if not part.endings:
        yield from [""] * min(part.times, MAX_PASSES)
        return
    for number in range(1, max(max(numbers) for numbers, _ in part.endings) + 1):
        found = [music for numbers, music in part.endings if number in numbers]
        if len(found) != 1:
            raise NormalFormError("endings out of order", f"ending {number} stands {len(found)} times")
        yield found[0]


def close_repeats(tune: Tune) -> tuple[Tune, tuple[str, ...]]:
    """The tune with its open repeats closed, before a second start of a repeat and at the end.

    The tune stays as it is where no repeat is open, or where the end of one is ambiguous: a double bar or an
    ending stands inside it, or only an upbeat.

    >>> mended, changes = close_repeats(Tune("4/4", "1/4", "C", "|:CDEF|:GABc|]"))
    >>> mended.body, changes[0]
    ('|:CDEF::GABc:|', 'missing :| before a second |: added')
    """
    full_ends = {bar.end for bar in tune.parsed.bars if bar.full is None or bar.duration >= bar.full}
    edits: list[tuple[int, int, str]] = []
    changes: dict[str, None] = {}
    is_open = is_plain = has_full_bar = False
    lines = [token for token in tune.tokens if token.kind in ("bar", "ending")]
    for token in lines:
        left, right = (0, 0) if token.kind == "ending" else _count_colons(token.text)
        has_full_bar |= token.start in full_ends
        if is_open and not left and (right or token is lines[-1]):
            if not (is_plain and has_full_bar):
                return tune, ()
            edits.append((token.start, token.start + len(token.text), "::" if right else ":|"))
            changes[SECOND_CLOSED if right else LAST_CLOSED] = None
        is_plain &= token.kind == "bar" and token.text not in ("||", "|]")
        if left or right:
            is_open, is_plain, has_full_bar = right > 0, True, False
    body = tune.body
    for start, end, text in reversed(edits):
        body = body[:start] + text + body[end:]
    return replace(tune, body=body), tuple(changes)
