"""Signs above the notes of a tune: chord symbols, ornaments, and jumps such as da capo.

Source: ABC 2.1 §4.14 (decorations), §4.18 (chord symbols), §4.19 (annotations).
"""

import re

_CHORD_SYMBOL = re.compile(
    r"([A-G][#b]?)((?:maj|min|dim|aug|sus|m|M|\+)?(?:2|4|5|6|7|9|11|13)?)(?:/([A-Ga-g])([#b+]?))?"
)
_JUMP = re.compile(r"\b(?:d\.? ?[cs]\b|da ?capo|dal ?segno|fine\b|(?:da ?)?coda\b|segno\b)", re.IGNORECASE)


_ORNAMENTS = {"~": "~", "T": "T", "H": "H", ".": ".", "!trill!": "T", "!roll!": "~", "!fermata!": "H"}
"""Ornaments of the learned form, by sign: roll, trill, fermata, staccato."""


def normalise_ornament(text: str) -> str:
    """The one-letter sign of an ornament; "" for other signs.

    >>> normalise_ornament("+trill+"), normalise_ornament("~"), normalise_ornament("u")
    ('T', '~', '')
    """
    name = f"!{text.strip('!+').strip()}!" if len(text) > 1 else text
    return _ORNAMENTS.get(name, "")


def is_jump(text: str) -> bool:
    """Whether words or a decoration belong to a jump: da capo, dal segno, fine or coda.

    >>> is_jump("!D.C. al fine!"), is_jump('"^D.S. al Coda"'), is_jump('"Defined"')
    (True, True, False)
    """
    return _JUMP.search(text) is not None


def normalise_chord_symbol(text: str) -> str:
    """The shortest spelling of a chord symbol, in quotes; "" for other words.

    >>> normalise_chord_symbol('" Am7/g "'), normalise_chord_symbol('"slowly"')
    ('"Am7/G"', '')
    """
    match = _CHORD_SYMBOL.fullmatch(text[1:-1].strip())
    if match is None:
        return ""
    root, quality, bass, sign = match.groups()
    over = f"/{bass.upper()}{(sign or '').replace('+', '#')}" if bass else ""
    return f'"{root}{quality}{over}"'
