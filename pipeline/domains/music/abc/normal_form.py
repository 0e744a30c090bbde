"""One spelling for every tune body, short and regular, so that each character learned carries music.

The body becomes one line without spaces: bar lines in one spelling, lengths in their shortest, key and
meter changes inline. Fingerings, bowings, words and everything else that is not played is left out.
`layout` is the way back to a page: spaces at the beats, some bars to a line.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.abc_notation import (
    SILENT_KINDS,
    Token,
    format_length,
    note_place,
    parse_length,
    respell,
    split_length,
    tokenize,
)  # fmt: skip
from pipeline.domains.music.abc.bar_lines import join_bar_lines
from pipeline.domains.music.abc.key_field import (
    KeyField,
    OwnAccidentals,
    Sounding,
    SoundingPitch,
    parse_key_field,
    parse_sounding,
)
from pipeline.domains.music.abc.quoted import chord_symbol, is_jump
from pipeline.domains.music.abc.reader import UNCLOSED

ORNAMENTS = {"~": "~", "T": "T", "H": "H", ".": ".", "!trill!": "T", "!roll!": "~", "!fermata!": "H"}
"""Ornaments kept, by sign: roll, trill, fermata, staccato (ABC 2.1 §4.14)."""

_BESIDE_SIGNS = SILENT_KINDS | {"string"}
_NOTE_OR_CHORD = re.compile(r"[\^_=A-Ga-g]|\[(?![KM]:)")
OWN_WRITTEN_OUT = "accidentals of the key written before notes"
BLANKS_REMOVED = "blanks inside a sign removed"
JUMPS_LEFT_OUT = "jump left out (D.C., D.S., fine or coda)"
"""Changes that records tell of."""


class NotNormal(ValueError):
    """A tune body that has no normal form: a short countable reason, and in `detail` what was found."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Keep:
    """What of a body is kept besides notes, rests, bar lines and repeats."""

    ornaments: bool = True
    grace_notes: bool = True
    chord_symbols: bool = True
    slurs: bool = False


@dataclass(frozen=True, slots=True)
class NormalBody:
    """A body in normal form, whose octaves are right; all of it sounds `semitones` (-5 to 6) higher.

    `changes` are what was left out of it or written otherwise, each a short countable phrase.
    """

    text: str
    semitones: int = 0
    changes: tuple[str, ...] = ()


def normalise_body(body: str, meter: str, unit: str, keep: Keep, whole: bool = True) -> str:
    """The normal form of a body; what is wrong in the music stays, for the checker to name.

    A whole body ends with a final bar line or a repeat; the start of a body keeps what it has.

    >>> normalise_body("u(A2 B) |[1 c>>d/2 :|\\n[2 c4 ||", "4/4", "1/8", Keep())
    'A2B|1c>>d/:|2c4|]'

    Raises NotNormal for several voices, for signs that cannot be read, and for ties that have no normal form.
    """
    return _Normaliser(meter, unit, keep, KeyField("C")).run(body, whole).text


def normalise_in_key(body: str, meter: str, unit: str, keep: Keep, key: KeyField) -> NormalBody:
    """The normal form of a whole body in a key that may have accidentals of its own and sound elsewhere.

    Raises NotNormal as `normalise_body` does, and where the transposition changes inside the tune.
    """
    return _Normaliser(meter, unit, keep, key).run(body, whole=True)


class _Normaliser:
    def __init__(self, meter: str, unit: str, keep: Keep, key: KeyField) -> None:
        self.meter, self.unit, self.keep = meter, unit, keep
        self.scale = (1, 1)  # what lengths are multiplied by, above and below
        self.out: list[str] = []
        self.bar_line = ""  # waits, so that bar lines with nothing between become one
        self.voices: set[str] = set()
        self.last: Sequence[str] = ()  # the last note, or the notes of the last chord, as they were written
        self.tied: Sequence[str] = ()  # those of them that a tie follows
        self.own = OwnAccidentals(key.accidentals)
        self.pitch = SoundingPitch()
        self.changes: dict[str, None] = {OWN_WRITTEN_OUT: None} if key.accidentals else {}
        self._hear(key.sounding)

    def run(self, body: str, whole: bool) -> NormalBody:
        """Spell all tokens of a body."""
        tokens = tokenize(body)
        for number, token in enumerate(tokens):
            kind, text = token.kind, token.text
            if kind in SILENT_KINDS:
                continue
            if kind == "note" and not self.tied and not self.own.semitones:  # as most tokens are
                self.last = (text,)
                if self.bar_line:
                    self._flush_bar()
                self.out.append(respell(text, *self.scale, self.pitch.octaves))
            elif kind == "tie":
                self.tied = self.last
            elif text == ":" and (sign := self._split_sign(tokens, number)):
                self.bar_line = join_bar_lines(self.bar_line, sign)
                self.changes[BLANKS_REMOVED] = None
            elif kind == "unknown":
                around = body[max(token.start - 10, 0) : token.start + 20].replace("\n", " ")
                raise NotNormal(UNCLOSED.get(text, "unknown symbol"), f"{text} near {around!r}")
            elif kind == "bar":
                self.bar_line = join_bar_lines(self.bar_line, text)
                self.own.end_bar()
            elif piece := self._piece(kind, text):
                self._flush_bar()
                self.out.append(piece)
        if self.tied:
            self.out[self._last_note()] += "-"
        self._flush_bar(last=whole)
        return NormalBody("".join(self.out), self.pitch.semitones, tuple(self.changes))

    def _split_sign(self, tokens: Sequence[Token], number: int) -> str:
        """The repeat sign that a lone colon is a part of, with a bar line before or after it; "" for none."""
        if self.bar_line:
            return "|:"
        places = range(number + 1, len(tokens))
        kind = next((tokens[at].kind for at in places if tokens[at].kind not in _BESIDE_SIGNS), "")
        return ":|" if kind == "bar" else ""

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
            return self._note(text)
        if kind == "rest":
            self.last = self.tied = ()
            return self._rest(text)
        if kind in ("chord", "plus_chord"):
            return self._chord(text)
        if kind == "grace":
            return self._grace(text) if self.keep.grace_notes else ""
        if kind == "string":
            return self._string(text)
        if kind in ("mark", "decoration"):
            return self._decoration(text)
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

    def _note(self, text: str) -> str:
        held = self._place_tie([text]) if self.tied else ()
        self.last = (text,)
        if self.own.semitones:
            text = self.own.spell(text, note_place(text) in held)
        return respell(text, *self.scale, self.pitch.octaves)

    def _rest(self, text: str) -> str:
        if text[0] in "zx":
            return respell("z" + text[1:], *self.scale, 0)
        full = fields.bar_length(self.meter)
        if full is None or not re.fullmatch(r"\d{0,2}", text[1:]):
            return text
        return "|".join(["z" + format_length(full / Fraction(self.unit))] * int(text[1:] or 1))

    def _chord(self, text: str) -> str:
        inside, outer = split_length(text)
        parts = tokenize(inside[1:-1])
        written = [part.text for part in parts if part.kind == "note"]
        unknown = next((part.text for part in parts if part.kind == "unknown"), None)
        if unknown is not None:
            raise NotNormal("unknown symbol", f"{unknown} in {text}")
        try:
            length = parse_length(split_length(written[0])[1]) * parse_length(outer) if written else None
        except ValueError:
            length = None
        if length is None:
            return text  # no notes, or a length of nothing: the checker says so
        held = self._place_tie(written) if self.tied else ()
        self.last = written
        self.tied = [a.text for a, b in pairwise(parts) if a.kind == "note" and b.kind == "tie"]
        heads = [self._head(note, note_place(note) in held) for note in written]
        if len(heads) == 1:
            return heads[0] + format_length(length * Fraction(*self.scale))
        return f"[{''.join(heads)}]" + format_length(length * Fraction(*self.scale))

    def _grace(self, text: str) -> str:
        notes = [part.text for part in tokenize(text[1:-1]) if part.kind == "note"]
        return "{" + "".join(self._head(note) for note in notes) + "}" if notes else ""

    def _head(self, note: str, is_held: bool = False) -> str:
        """A note of a chord or a grace note, without its length."""
        note = self.own.spell(note, is_held) if self.own.semitones else note
        return respell(split_length(note)[0], 1, 1, self.pitch.octaves)

    def _string(self, text: str) -> str:
        symbol = chord_symbol(text)
        if not symbol and is_jump(text):
            self.changes[JUMPS_LEFT_OUT] = None
        return symbol if self.keep.chord_symbols else ""

    def _decoration(self, text: str) -> str:
        name = f"!{text.strip('!+').strip()}!" if len(text) > 1 else text
        if len(name) > 1 and is_jump(name):
            self.changes[JUMPS_LEFT_OUT] = None
        return ORNAMENTS.get(name, "") if self.keep.ornaments else ""

    def _field(self, text: str) -> str:
        name, value = text[0], text[2:].partition("%")[0].strip()
        if name == "V":
            return self._voice(value)
        if name == "+":
            raise NotNormal("continued field without a field", text)
        try:
            if name == "L":
                scale = Fraction(fields.normalise_unit(value, self.meter)) / Fraction(self.unit)
                self.scale = scale.numerator, scale.denominator
            elif name == "K":
                return self._key(parse_key_field(value))
            elif name == "M":
                self.meter = fields.normalise_meter(value)
                return f"[M:{self.meter}]"
        except NotNormal:
            raise
        except ValueError as error:
            raise NotNormal("unknown key, meter or unit inside", str(error)) from error
        return ""

    def _key(self, field: KeyField) -> str:
        self._hear(field.sounding)
        if field.key is None:  # a clef alone: the key stays
            return ""
        self.own = OwnAccidentals(field.accidentals)
        if field.accidentals:
            self.changes[OWN_WRITTEN_OUT] = None
        return f"[K:{field.key}]"

    def _voice(self, value: str) -> str:
        name, _, settings = value.partition(" ")
        self.voices.add(name)
        if len(self.voices) > 1:
            raise NotNormal("several voices")
        try:
            self._hear(parse_sounding(settings))
        except ValueError as error:
            raise NotNormal("unknown transposition of a voice", str(error)) from error
        return ""

    def _hear(self, field: Sounding) -> None:
        if not self.pitch.hear(field) and self.last:
            raise NotNormal("transposition changes inside the tune")
        if semitones := self.pitch.sounding.semitones:
            self.changes[f"written at sounding pitch ({semitones:+d} semitones)"] = None

    def _place_tie(self, following: Sequence[str]) -> set[tuple[str, int]]:
        """Write a tie, straight after its note, where the same pitch follows, else it was a slur; the pitches
        that it holds."""
        tied, after = set(map(note_place, self.tied)), set(map(note_place, following))
        self.tied = ()
        held = tied & after
        if not held:
            return held
        if not set(map(note_place, self.last)) == tied == after:
            raise NotNormal("tie of some notes of a chord", "-".join(self.last))
        self.out[self._last_note()] += "-"
        return held

    def _last_note(self) -> int:
        """Where in `out` the last note or chord stands."""
        return next(i for i in range(len(self.out) - 1, -1, -1) if _NOTE_OR_CHORD.match(self.out[i]))
