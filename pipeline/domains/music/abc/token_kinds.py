"""The kinds of tokens that the tune grammar distinguishes, and the bounds that it sets."""

import re
from functools import lru_cache

from pipeline.domains.music.abc.abc_notation import is_one_note, parse_length
from pipeline.domains.music.abc.music_tokens import is_length

END_LINES = frozenset({"|]", ":|"})
"""Bar lines after which a tune may end."""
SECTION_LINES = frozenset({"|]", ":|", "::", "||", "|:"})
"""Bar lines between two parts of a tune."""
REPEAT_LINES = frozenset({":|", "::", ":|2"})
"""Bar lines at which playing goes back to the start of a repeat."""
BAR_LINES = SECTION_LINES | {"|", "|1", ":|2"}
TUPLETS = frozenset({"(2", "(3", "(4", "(5", "(6"})
BROKEN_RHYTHMS = frozenset({">", "<", ">>", "<<"})
ORNAMENTS = frozenset("~TH.")
MAX_CHORD_NOTES = 4
"""Notes of a chord, and grace notes before one note."""
MAX_LENGTH_UNITS = 16
"""Unit note lengths of one note."""
_NOTE = re.compile(r"(?:\^\^?|__?|=)?[A-Ga-g][,']*")


@lru_cache(maxsize=4096)
def classify_token(token: str) -> str | None:
    """The kind of a token in the grammar; None for a token that the learned form lacks.

    Notes, rests, ornaments and chord symbols have one kind each. Other tokens are their own kind.

    >>> [classify_token(token) for token in ("^c'", "z", "3/2", "|1", "~", '"Am7"', "M:6/8\\n", "[K:D]")]
    ['note', 'rest', '3/2', '|1', 'mark', 'string', 'M:6/8', '[K:D]']
    """
    if token in BAR_LINES | TUPLETS | BROKEN_RHYTHMS or token in ("-", "[", "]", "{", "}"):
        return token
    if token in ORNAMENTS:
        return "mark"
    if token == "z":
        return "rest"
    if token.endswith("\n") or token.startswith(("[K:", "[M:")):
        return token.removesuffix("\n")
    if is_length(token):
        return token if _is_used(token) else None
    if token.startswith('"'):
        return "string"
    return "note" if _NOTE.fullmatch(token) else None


def _is_used(length: str) -> bool:
    """Whether one note of at most `MAX_LENGTH_UNITS`, in eighths of a unit, has this length."""
    try:
        value = parse_length(length)
    except ValueError:
        return False
    return value <= MAX_LENGTH_UNITS and value.denominator in (1, 2, 4, 8) and is_one_note(value)
