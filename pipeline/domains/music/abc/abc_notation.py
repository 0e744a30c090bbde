"""Tokens of ABC 2.1 tune bodies, without loss: the texts of the tokens, joined, are the body.

Every character belongs to exactly one token, so a position in the text is a position in the music. A
character that is no ABC becomes a token of the kind "unknown". `reader` makes notes and bars of the tokens.

Source: The ABC music standard 2.1, https://abcnotation.com/wiki/abc:standard:v2.1
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

_LENGTH = r"\d*(?:/\d+|/+)?"
_PITCH = r"(?:\^{1,2}|_{1,2}|=)?[A-Ga-g][,']*"

# A name between two ! has no blanks, except for jumps such as !D.C. al fine!, whose letters no note has. Any
# other text between two ! is music between line breaks. Older standards used plus signs instead (§9).
_DECORATION = (
    r"![^!\s|\[\]]+!|![ \t]*(?:[^!\n|\[\]:]*[i-tI-SU-W][^!\n|\[\]:]*|[pmf]{1,4})[ \t]*!"
    r"|\+[a-zA-Z0-9<>().]+\+"
)

# The order matters: the first alternative that matches wins, and its group's name is the kind. Most tokens
# are notes, so that notes come as early as possible.
_KINDS = {
    "comment": r"%[^\n]*",
    # §3, a field alone on its line inside the body. The letters a to g are notes and x, y, z rests. A letter
    # from A to G, or Z, with a bar line in its line is a note, as in A:|
    "field": r"(?m:^)(?:(?![a-gxyz]|[A-GZ]:[^\n]*\|)[A-Za-z]|\+):[^\n]*",
    "note": _PITCH + _LENGTH,  # §4.1 to 4.3
    "string": r'"[^"\n]*"',  # §4.18 chord symbols, §4.19 annotations
    "plus_chord": rf"\+(?!f{{1,4}}\+)(?:{_PITCH}{_LENGTH}[.-]?)+\+{_LENGTH}",  # chords of ABC 1.6
    "decoration": _DECORATION,  # §4.14
    "inline": r"\[[A-Za-z]:[^\]\n]*\]",  # §3.2 inline fields
    "ending": r"\[ ?[1-9][0-9,\-]*|(?<=[|:]) ?[1-9][0-9,\-]*",  # §4.9 first and second repeats
    "bar": r"\.?(?:\[\|[|:]*\]?|:*\|[|:]*\]?|::+)",  # §4.8
    "tuplet": r"\([2-9](?::\d{0,2}(?::\d{0,2})?)?",  # §4.13
    "slur_open": r"\.?\(",  # §4.11
    "slur_close": r"\)",
    "tie": r"\.?-",
    "mark": r"[.~H-Wh-w]",  # §4.14 ornaments by one letter, §4.16 redefinable symbols
    "rest": r"[zxZX]" + _LENGTH,  # §4.5
    "broken": r">{1,3}|<{1,3}",  # §4.4
    "grace": r"\{/?[^{}\n|]*\}",  # §4.12
    "chord": r'\[(?:[^\[\]|\n"]|"[^"\n]*")*\]' + _LENGTH,  # §4.17
    "spacer": r"y" + _LENGTH,  # §6.1.2, white space on the page
    "overlay": r"&",  # §7.4, a second voice in the same bar
    "continuation": r"\\[ \t]*\n",  # §6.1.1
    "linebreak": r"[$!*]",
    "space": r"[ \t`]+",  # §4.7, a backquote counts as a space
    "newline": r"\n",
    "unknown": r"(?s:.)",
}
# The letters of marks end at w and W: x, y, z, X and Z are rests and spacers.
_TOKEN = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _KINDS.items()))
_NOTE = re.compile(rf"(\^{{1,2}}|_{{1,2}}|=)?([A-Ga-g])([,']*)({_LENGTH})$")

ALTERATIONS = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
"""Semitones by accidental sign (ABC 2.1 §4.2)."""
SILENT_KINDS = frozenset({"space", "newline", "comment", "continuation", "linebreak", "spacer"})
"""Kinds that change neither the sound nor the staff."""
_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


class Token(NamedTuple):
    """A piece of a tune body: its kind, its text, and the offset of its first character."""

    kind: str
    text: str
    start: int


class WrittenNote(NamedTuple):
    """A note as written."""

    accidental: str
    """The sign before the note, "" for none."""
    step: str
    """A letter from A to G."""
    octave: int
    """0 is the octave from middle C up."""
    length: Fraction
    """A multiple of the unit note length."""

    @property
    def natural_pitch(self) -> int:
        """MIDI note number without accidental or key signature; middle C is 60."""
        return 60 + 12 * self.octave + _SEMITONES[self.step]


def tokenize(body: str) -> list[Token]:
    """Split a tune body into tokens, losing nothing.

    >>> [token.text for token in tokenize("|:(3abc d2>e|1 [CE]z/:|")]
    ['|:', '(3', 'a', 'b', 'c', ' ', 'd2', '>', 'e', '|', '1', ' ', '[CE]', 'z/', ':|']
    """
    found = _TOKEN.finditer(body)
    # A tune book has a million tokens. Without the call of Token this takes two thirds of the time.
    new = tuple.__new__
    return [new(Token, (match.lastgroup, match.group(), match.start())) for match in found]


@lru_cache(maxsize=65536)
def parse_note(text: str) -> WrittenNote:
    """Parse one note token.

    >>> parse_note("^c'3/2")
    WrittenNote(accidental='^', step='C', octave=2, length=Fraction(3, 2))

    Raises ValueError for a text that is not one note.
    """
    match = _NOTE.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not an ABC note")
    accidental, letter, marks, length = match.groups()
    octave = letter.islower() + marks.count("'") - marks.count(",")
    return WrittenNote(accidental or "", letter.upper(), octave, parse_length(length))


@lru_cache(maxsize=4096)
def parse_length(text: str) -> Fraction:
    """A note length as a multiple of the unit note length (ABC 2.1 §4.3).

    >>> [str(parse_length(text)) for text in ("", "3", "/", "//", "3/2", "/4")]
    ['1', '3', '1/2', '1/4', '3/2', '1/4']

    Raises ValueError for a length of zero, such as 0, and for a division by zero, such as /0.
    """
    numerator, slash, denominator = text.partition("/")
    below = int(denominator) if denominator.isdigit() else 2 ** (len(slash) + len(denominator))
    above = int(numerator) if numerator else 1
    if above == 0 or below == 0:
        raise ValueError(f"a note length of {text!r}")
    return Fraction(above, below)


def format_pitch(accidental: str, step: str, octave: int) -> str:
    """A note without its length, the inverse of `parse_note`.

    >>> format_pitch("^", "C", 2), format_pitch("", "B", -1)
    ("^c'", 'B,')
    """
    return accidental + (step.lower() + "'" * (octave - 1) if octave > 0 else step + "," * -octave)


def format_length(length: Fraction) -> str:
    """The shortest usual spelling of a length, the inverse of `parse_length`.

    >>> [format_length(Fraction(text)) for text in ("1", "3", "1/2", "1/4", "3/2", "1/3")]
    ['', '3', '/', '//', '3/2', '/3']
    """
    above = "" if length.numerator == 1 else str(length.numerator)
    if length.denominator == 1:
        return above
    if not above and length.denominator in (2, 4):
        return "/" * (length.denominator // 2)
    return f"{above}/{length.denominator}"


def is_one_note(length: Fraction) -> bool:
    """Whether one note with at most two dots has this length, in unit note lengths.

    Other lengths, such as 5 or 21/8, need a tie: abcm2ps refuses them ("too much dotted").

    >>> [is_one_note(Fraction(text)) for text in ("6", "7/4", "5", "21/8", "2/3")]
    [True, True, False, False, False]
    """
    above, below = length.numerator, length.denominator
    return above // (above & -above) in (1, 3, 7) and not below & (below - 1)


def split_length(text: str) -> tuple[str, str]:
    """Split a note, rest or chord into its head and its length.

    >>> split_length("[CE]3/2")
    ('[CE]', '3/2')
    """
    head = text.rstrip("0123456789/")
    return head, text[len(head) :]


@lru_cache(maxsize=65536)
def respell(text: str, numerator: int, denominator: int, octaves: int) -> str:
    """The shortest spelling of a note or rest `octaves` higher, its length times numerator / denominator.

    >>> respell("c2", 1, 4, -1), respell("C0", 2, 1, 0)
    ('C/', 'C0')
    """
    head, length = split_length(text)
    if octaves:
        note = parse_note(head)
        head = format_pitch(note.accidental, note.step, note.octave + octaves)
    try:
        return head + format_length(parse_length(length) * Fraction(numerator, denominator))
    except ValueError:
        return head + length


@lru_cache(maxsize=65536)
def staff_position(text: str) -> tuple[str, int]:
    """Step and octave of a note, whatever its accidental: its line or space on the staff.

    >>> staff_position("^c3/2")
    ('C', 1)
    """
    note = parse_note(split_length(text)[0])
    return note.step, note.octave
