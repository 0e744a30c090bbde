"""One spelling for every tune body, short and regular, so that each character learned carries music.

The body becomes one line without spaces: bar lines in one spelling, lengths in their shortest, key and
meter changes inline. Fingerings, bowings, words and everything else that is not played is left out.
`layout` is the way back to a page: spaces at the beats, some bars to a line.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from pipeline.music.abc import fields
from pipeline.music.abc.abc_notation import (
    SILENT_KINDS,
    Token,
    format_length,
    parse_length,
    parse_note,
    split_length,
    tokenize,
)  # fmt: skip
from pipeline.music.abc.reader import join_bar_lines

ORNAMENTS = {"~": "~", "T": "T", "H": "H", ".": ".", "!trill!": "T", "!roll!": "~", "!fermata!": "H"}
"""Ornaments kept, by sign: roll, trill, fermata, staccato (ABC 2.1 §4.14)."""

_CHORD_SYMBOL = re.compile(
    r"([A-G][#b]?)((?:maj|min|dim|aug|sus|m|M|\+)?(?:2|4|5|6|7|9|11|13)?)(?:/([A-Ga-g])([#b+]?))?"
)


class NotNormal(ValueError):
    """A tune body that has no normal form; the message is a short countable reason."""


@dataclass(frozen=True, slots=True)
class Keep:
    """What of a body is kept besides notes, rests, bar lines and repeats."""

    ornaments: bool = True
    grace_notes: bool = True
    chord_symbols: bool = True
    slurs: bool = False


def normalise_body(body: str, meter: str, unit: str, keep: Keep, whole: bool = True) -> str:
    """The normal form of a body; what is unknown stays as it is, for the checker to name.

    A whole body ends with a final bar line or a repeat; the start of a body keeps what it has.

    >>> normalise_body("u(A2 B) |[1 c>>d/2 :|\\n[2 c4 ||", "4/4", "1/8", Keep())
    'A2B|1c>>d/:|2c4|]'

    Raises NotNormal for several voices.
    """
    return _Normaliser(meter, unit, keep).run(tokenize(body), whole)


class _Normaliser:
    def __init__(self, meter: str, unit: str, keep: Keep) -> None:
        self.meter, self.unit, self.keep = meter, unit, keep
        self.scale = Fraction(1)
        self.out: list[str] = []
        self.bar_line = ""  # waits, so that bar lines with nothing between become one
        self.voices: set[str] = set()

    def run(self, tokens: Iterable[Token], whole: bool) -> str:
        """Spell all tokens anew."""
        tie = False
        for token in tokens:
            kind, text = token.kind, token.text
            if kind in SILENT_KINDS:
                continue
            if kind == "tie":
                tie = bool(self.out)
                continue
            if tie and kind in ("note", "chord", "rest"):
                tie = False
                self._place_tie(text)
            if kind == "bar":
                self.bar_line = join_bar_lines(self.bar_line, text)
                continue
            piece = self._piece(kind, text)
            if piece:
                self._flush_bar()
                self.out.append(piece)
        if tie:
            self._place_tie("")
        self._flush_bar(last=whole)
        return "".join(self.out)

    def _flush_bar(self, last: bool = False) -> None:
        """Write the bar line that waits. A tune's last single or double one becomes the final one."""
        line, self.bar_line = self.bar_line, ""
        if not line and last and self.out:
            line = "|]"
        if not line:
            return
        if last and line in ("|", "||"):
            line = "|]"
        elif last and line == "::":
            line = ":|"
        if not self.out and not line.endswith(":"):
            return  # a bar line before the first note says nothing
        self.out.append(line)

    def _piece(self, kind: str, text: str) -> str:
        """The normal spelling of a token, "" to leave it out."""
        if kind == "note":
            return _scaled(text, self.scale.numerator, self.scale.denominator)
        if kind == "rest":
            return self._rest(text)
        if kind == "chord":
            return self._chord(text)
        if kind == "grace":
            return self._grace(text) if self.keep.grace_notes else ""
        if kind == "string":
            return _chord_symbol(text) if self.keep.chord_symbols else ""
        if kind in ("mark", "decoration"):
            return ORNAMENTS.get(text, "") if self.keep.ornaments else ""
        if kind in ("slur_open", "slur_close"):
            return text[-1] if self.keep.slurs else ""
        if kind in ("field", "inline"):
            return self._field(text.strip("[]"))
        if kind == "ending":
            self.bar_line = self.bar_line or "|"
            return text.strip("[ ")
        if kind == "overlay":
            raise NotNormal("several voices")
        return text

    def _rest(self, text: str) -> str:
        if text[0] in "zx":
            return _scaled("z" + text[1:], self.scale.numerator, self.scale.denominator)
        full = fields.bar_length(self.meter)
        if full is None or not re.fullmatch(r"\d{0,2}", text[1:]):
            return text
        return "|".join(["z" + format_length(full / Fraction(self.unit))] * int(text[1:] or 1))

    def _chord(self, text: str) -> str:
        inside, outer = split_length(text)
        parts = tokenize(inside[1:-1])
        written = [part.text for part in parts if part.kind == "note"]
        if not written or any(part.kind == "unknown" for part in parts):
            return text
        try:
            length = parse_length(split_length(written[0])[1]) * parse_length(outer)
        except ValueError:
            return text
        heads = [split_length(note)[0] for note in written]
        if len(heads) == 1:
            return heads[0] + format_length(length * self.scale)
        return f"[{''.join(heads)}]" + format_length(length * self.scale)

    def _grace(self, text: str) -> str:
        notes = [part.text for part in tokenize(text[1:-1]) if part.kind == "note"]
        return "{" + "".join(split_length(note)[0] for note in notes) + "}" if notes else ""

    def _field(self, text: str) -> str:
        name, value = text[0], text[2:].partition("%")[0].strip()
        if name == "V":
            self.voices.add(value.split()[0] if value else "")
            if len(self.voices) > 1:
                raise NotNormal("several voices")
        try:
            if name == "L":
                self.scale = Fraction(fields.normalise_unit(value, self.meter)) / Fraction(self.unit)
            elif name == "K":
                return f"[K:{fields.normalise_key(value)}]"
            elif name == "M":
                self.meter = fields.normalise_meter(value)
                return f"[M:{self.meter}]"
        except ValueError as error:
            raise NotNormal("unknown key, meter or unit inside") from error
        return ""

    def _place_tie(self, following: str) -> None:
        """Write a tie, straight after its note, where the same pitch follows; else it was a slur."""
        at = next((i for i in range(len(self.out) - 1, -1, -1) if self.out[i][0] in "^_=ABCDEFGabcdefg["), -1)
        if at < 0 or self.out[at].startswith(("[K", "[M")):
            return
        before, after = _steps(self.out[at]), _steps(following)
        if before & after or not following:
            self.out[at] += "-"


@lru_cache(maxsize=65536)
def _scaled(text: str, above: int, below: int) -> str:
    """A note or rest whose length is multiplied, in its shortest spelling; a length of nothing stays."""
    head, length = split_length(text)
    try:
        return head + format_length(parse_length(length) * Fraction(above, below))
    except ValueError:
        return text


def _steps(text: str) -> set[tuple[str, int]]:
    """Steps and octaves of a note or chord."""
    tokens = tokenize(text.strip("-[]"))
    written = [parse_note(split_length(token.text)[0]) for token in tokens if token.kind == "note"]
    return {(note.step, note.octave) for note in written}


def _chord_symbol(text: str) -> str:
    match = _CHORD_SYMBOL.fullmatch(text[1:-1].strip())
    if match is None:
        return ""
    root, quality, bass, sign = match.groups()
    over = f"/{bass.upper()}{(sign or '').replace('+', '#')}" if bass else ""
    return f'"{root}{quality}{over}"'
