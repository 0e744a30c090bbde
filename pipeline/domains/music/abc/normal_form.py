"""The normal form of a tune body: a short and regular spelling, so that each character carries music.

The body becomes one line without blanks: bar lines in one spelling, lengths in their shortest, key and meter
changes inline. Fingerings, bowings, words and other signs without sound are left out. `layout` is the way
back to a page.
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
    parse_length,
    respell,
    split_length,
    staff_position,
    tokenize,
)  # fmt: skip
from pipeline.domains.music.abc.bar_lines import join_bar_lines
from pipeline.domains.music.abc.key_field import (
    ExplicitAccidentals,
    KeyField,
    Transposition,
    TranspositionState,
    parse_key_field,
    parse_transposition,
)
from pipeline.domains.music.abc.normal_form_options import NormalFormError, NormalFormOptions
from pipeline.domains.music.abc.quoted import is_jump, normalise_chord_symbol, normalise_ornament
from pipeline.domains.music.abc.reader import UNCLOSED

_SKIPPED_KINDS = SILENT_KINDS | {"string"}
_NOTE_OR_CHORD = re.compile(r"[\^_=A-Ga-g]|\[(?![KM]:)")
OWN_WRITTEN_OUT = "accidentals of the key written before notes"
BLANKS_REMOVED = "blanks inside a sign removed"
JUMPS_LEFT_OUT = "jump left out (D.C., D.S., fine or coda)"
"""Changes that the metadata of a record names."""


@dataclass(frozen=True, slots=True)
class NormalBody:
    """A body in normal form, with each note in its octave."""

    text: str
    semitones: int = 0
    """How much higher it sounds, from -5 to 6."""
    changes: tuple[str, ...] = ()
    """Short countable phrases for the signs that were left out or rewritten."""


def normalise_body(body: str, meter: str, unit: str, options: NormalFormOptions, whole: bool = True) -> str:
    """The normal form of a body; mistakes in the music stay, and `Tune.check` names them.

    A whole body ends with a final bar line or a repeat; the start of a body keeps its end.

    >>> normalise_body("u(A2 B) |[1 c>>d/2 :|\\n[2 c4 ||", "4/4", "1/8", NormalFormOptions())
    'A2B|1c>>d/:|2c4|]'

    Raises NormalFormError for several voices, for unknown signs, and for ties without a normal form.
    """
    return _Normaliser(meter, unit, options, KeyField("C")).run(body, whole).text


def normalise_in_key(
    body: str, meter: str, unit: str, options: NormalFormOptions, key: KeyField
) -> NormalBody:
    """The normal form of a whole body whose key may have explicit accidentals and a transposition.

    Raises NormalFormError as `normalise_body` does, and where the transposition changes inside the tune.
    """
    return _Normaliser(meter, unit, options, key).run(body, whole=True)


class _Normaliser:
    def __init__(self, meter: str, unit: str, options: NormalFormOptions, key: KeyField) -> None:
        self.meter, self.unit, self.options = meter, unit, options
        self.scale = (1, 1)  # the factor of lengths, as numerator and denominator
        self.out: list[str] = []
        self.bar_line = ""  # waits, so that bar lines with nothing between them become one
        self.voices: set[str] = set()
        self.last: Sequence[str] = ()  # the last note, or the notes of the last chord, as written
        self.tied: Sequence[str] = ()  # those of them with a tie
        self.explicit = ExplicitAccidentals(key.accidentals)
        self.pitch = TranspositionState()
        self.changes: dict[str, None] = {OWN_WRITTEN_OUT: None} if key.accidentals else {}
        self._update_transposition(key.transposition)

    def run(self, body: str, whole: bool) -> NormalBody:
        """Spell all tokens of a body."""
        tokens = tokenize(body)
        for number, token in enumerate(tokens):
            kind, text = token.kind, token.text
            if kind in SILENT_KINDS:
                continue
            if kind == "note" and not self.tied and not self.explicit.semitones:  # as most tokens are
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
                raise NormalFormError(UNCLOSED.get(text, "unknown symbol"), f"{text} near {around!r}")
            elif kind == "bar":
                self.bar_line = join_bar_lines(self.bar_line, text)
                self.explicit.end_bar()
            elif piece := self._piece(kind, text):
                self._flush_bar()
                self.out.append(piece)
        if self.tied:
            self.out[self._last_note()] += "-"
        self._flush_bar(last=whole)
        return NormalBody("".join(self.out), self.pitch.semitones, tuple(self.changes))

    def _split_sign(self, tokens: Sequence[Token], number: int) -> str:
        """The repeat sign of a single colon with a bar line before or after it; "" for none."""
        if self.bar_line:
            return "|:"
        places = range(number + 1, len(tokens))
        kind = next((tokens[at].kind for at in places if tokens[at].kind not in _SKIPPED_KINDS), "")
        return ":|" if kind == "bar" else ""

    def _flush_bar(self, last: bool = False) -> None:
        """Write the bar line that waits. The last one of a tune, single or double, becomes the final one."""
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
            return  # a bar line before the first note has no effect
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
            return self._grace(text) if self.options.grace_notes else ""
        if kind == "string":
            return self._string(text)
        if kind in ("mark", "decoration"):
            return self._decoration(text)
        if kind in ("slur_open", "slur_close"):
            return text[-1] if self.options.slurs else ""
        if kind in ("field", "inline"):
            return self._field(text.strip("[]"))
        if kind == "ending":
            self.bar_line = self.bar_line or "|"
            return text.strip("[ ")
        if kind == "overlay":
            raise NormalFormError("several voices")
        return text

    def _note(self, text: str) -> str:
        held = self._place_tie([text]) if self.tied else ()
        self.last = (text,)
        if self.explicit.semitones:
            text = self.explicit.spell(text, staff_position(text) in held)
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
            raise NormalFormError("unknown symbol", f"{unknown} in {text}")
        try:
            length = parse_length(split_length(written[0])[1]) * parse_length(outer) if written else None
        except ValueError:
            length = None
        if length is None:
            return text  # no notes, or a length of zero: `Tune.check` names it
        held = self._place_tie(written) if self.tied else ()
        self.last = written
        self.tied = [a.text for a, b in pairwise(parts) if a.kind == "note" and b.kind == "tie"]
        heads = [self._head(note, staff_position(note) in held) for note in written]
        if len(heads) == 1:
            return heads[0] + format_length(length * Fraction(*self.scale))
        return f"[{''.join(heads)}]" + format_length(length * Fraction(*self.scale))

    def _grace(self, text: str) -> str:
        notes = [part.text for part in tokenize(text[1:-1]) if part.kind == "note"]
        return "{" + "".join(self._head(note) for note in notes) + "}" if notes else ""

    def _head(self, note: str, is_held: bool = False) -> str:
        """A note of a chord or a grace note, without its length."""
        note = self.explicit.spell(note, is_held) if self.explicit.semitones else note
        return respell(split_length(note)[0], 1, 1, self.pitch.octaves)

    def _string(self, text: str) -> str:
        symbol = normalise_chord_symbol(text)
        if not symbol and is_jump(text):
            self.changes[JUMPS_LEFT_OUT] = None
        return symbol if self.options.chord_symbols else ""

    def _decoration(self, text: str) -> str:
        if len(text) > 1 and is_jump(text):
            self.changes[JUMPS_LEFT_OUT] = None
        return normalise_ornament(text) if self.options.ornaments else ""

    def _field(self, text: str) -> str:
        name, value = text[0], text[2:].partition("%")[0].strip()
        if name == "V":
            return self._voice(value)
        if name == "+":
            raise NormalFormError("continued field without a field", text)
        try:
            if name == "L":
                scale = Fraction(fields.normalise_unit(value, self.meter)) / Fraction(self.unit)
                self.scale = scale.numerator, scale.denominator
            elif name == "K":
                return self._key(parse_key_field(value))
            elif name == "M":
                self.meter = fields.normalise_meter(value)
                return f"[M:{self.meter}]"
        except NormalFormError:
            raise
        except ValueError as error:
            raise NormalFormError("unknown key, meter or unit inside", str(error)) from error
        return ""

    def _key(self, field: KeyField) -> str:
        self._update_transposition(field.transposition)
        if field.key is None:  # a clef alone: the key stays
            return ""
        self.explicit = ExplicitAccidentals(field.accidentals)
        if field.accidentals:
            self.changes[OWN_WRITTEN_OUT] = None
        return f"[K:{field.key}]"

    def _voice(self, value: str) -> str:
        name, _, settings = value.partition(" ")
        self.voices.add(name)
        if len(self.voices) > 1:
            raise NormalFormError("several voices")
        try:
            self._update_transposition(parse_transposition(settings))
        except ValueError as error:
            raise NormalFormError("unknown transposition of a voice", str(error)) from error
        return ""

    def _update_transposition(self, field: Transposition) -> None:
        if not self.pitch.update(field) and self.last:
            raise NormalFormError("transposition changes inside the tune")
        if semitones := self.pitch.transposition.semitones:
            self.changes[f"written at sounding pitch ({semitones:+d} semitones)"] = None

    def _place_tie(self, following: Sequence[str]) -> set[tuple[str, int]]:
        """Write the tie after its note where the same pitch follows, and return the pitches that it holds.

        Before another pitch the sign is a slur, and left out.
        """
        tied, after = set(map(staff_position, self.tied)), set(map(staff_position, following))
        self.tied = ()
        held = tied & after
        if not held:
            return held
        if not set(map(staff_position, self.last)) == tied == after:
            raise NormalFormError("tie of some notes of a chord", "-".join(self.last))
        self.out[self._last_note()] += "-"
        return held

    def _last_note(self) -> int:
        """The index in `out` of the last note or chord."""
        return next(i for i in range(len(self.out) - 1, -1, -1) if _NOTE_OR_CHORD.match(self.out[i]))
