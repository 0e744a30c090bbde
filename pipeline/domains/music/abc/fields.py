"""The header fields that the music needs, in one spelling each: meter, unit note length, key and rhythm.

Source: ABC 2.1 §3.1.6 (M:), §3.1.7 (L:), §3.1.14 (K:), §3.1.16 (R:).
"""

import re
from fractions import Fraction
from functools import lru_cache

FREE_METER = "none"
MODES = {"": 0, "m": -3, "Mix": -1, "Dor": -2, "Phr": -4, "Lyd": 1, "Loc": -5}
"""Modes in the spelling of the learned form, with the sharps that each adds to the major key on its tonic."""

_THREE_LETTERS = "maj|min|ion|aeo|mix|dor|phr|lyd|loc"
# The first three letters name a mode, and blanks before it are allowed (§3.1.14). A single m is minor, a
# single M major. No note may touch the key.
_MODE = rf"(?i:{_THREE_LETTERS})[A-Za-z]*|[mM](?![A-Za-z])"
KEY = re.compile(rf"([A-G])([#b♯♭]?)([ \t]*(?:{_MODE}))?(?![A-Za-z#b♯♭,'/0-9])")
_AFTER_KEY = re.compile(r"[ \t]*([A-Za-z]+)(?![A-Za-z=])")
"""A word after a key that is no property such as clef=."""
_CLEFS = frozenset({"treble", "bass", "alto", "tenor", "perc", "none", "auto"})
_TONIC_SHARPS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
_SHARP_ORDER = "FCGDAEB"
_TEMPOS = {"2/2": 92, "4/4": 152, "2/4": 104, "3/4": 132, "3/8": 63, "6/8": 112, "9/8": 112, "12/8": 112}
_PULSES = {"reel": 104, "jig": 116, "slip jig": 116, "hop jig": 126, "hornpipe": 80, "clog": 76,
           "strathspey": 62, "highland fling": 76, "polka": 124, "slide": 136, "waltz": 132,
           "mazurka": 132, "schottische": 72, "barndance": 84}  # fmt: skip
_BEATS = {"march": 96, "air": 66}
RHYTHMS = (
    "air", "barndance", "clog", "highland fling", "hop jig", "hornpipe", "jig", "march", "mazurka", "polka",
    "reel", "schottische", "slide", "slip jig", "strathspey", "waltz",
)  # fmt: skip
"""Rhythms in the spelling of the learned form; any other rhythm is left out."""
_RHYTHMS_ALSO = {"double jig": "jig", "single jig": "jig", "slipjig": "slip jig", "fling": "highland fling",
                 "schottisch": "schottische", "barn dance": "barndance", "hop-jig": "hop jig"}  # fmt: skip
_ALLOWED_METERS = re.compile(r"(\d{1,2})/(1|2|4|8|16|32)")


def ascii_accidentals(text: str) -> str:
    """A key with # and b instead of the sharp and flat of Unicode.

    >>> ascii_accidentals("B♭"), ascii_accidentals("F♯m")
    ('Bb', 'F#m')
    """
    return text.replace("♯", "#").replace("♭", "b")


def is_pipes(text: str) -> bool:
    """Whether a key is that of the highland pipes, HP or Hp."""
    return re.match(r"(?i:hp)\b", text.strip()) is not None


def normalise_key(text: str) -> str:
    """One spelling for each key: tonic, then "", m, Mix, Dor, Phr, Lyd or Loc.

    >>> [normalise_key(text) for text in ("Dmaj", "E minr", "A Dorian", "Amin", "Hp", "EM", "F♯m")]
    ['D', 'Em', 'ADor', 'Am', 'AMix', 'E', 'F#m']

    Clefs and other words after the key are dropped. Raises ValueError for a text that is no key, for "none",
    for an unknown mode, for more than seven sharps or flats, and for a key with explicit accidentals.
    """
    text = ascii_accidentals(text.strip())
    if is_pipes(text):
        # The highland pipes play two sharps and no G sharp: the notes of A mixolydian.
        return "AMix"
    match = KEY.match(text)
    if match is None:
        raise ValueError(f"unknown key {text!r}")
    after = text[match.end() :]
    if re.search(r"(?:^|\s)(?:exp\b|[_^=]+[a-gA-G])", after):
        raise ValueError(f"key with accidentals of its own {text!r}")
    word = _AFTER_KEY.match(after) if match[3] is None else None
    if word is not None and word[1].lower() not in _CLEFS:
        raise ValueError(f"unknown mode {word[1]!r} in the key {text!r}")
    key = match[1] + match[2] + _normalise_mode((match[3] or "").strip())
    if abs(sharps(key)) > 7:
        raise ValueError(f"key {text!r} has more than seven sharps or flats")
    return key


def _normalise_mode(text: str) -> str:
    if text == "M":
        return ""
    short = text.lower()[:3]
    return {"m": "m", "min": "m", "aeo": "m", "": "", "maj": "", "ion": ""}.get(short, short.capitalize())


@lru_cache(maxsize=256)
def sharps(key: str) -> int:
    """Sharps in the signature of a normalised key; flats are negative.

    >>> sharps("D"), sharps("Gm"), sharps("ADor")
    (2, -2, 1)
    """
    accidental = key[1:2] if key[1:2] in ("#", "b") else ""
    mode = key[1 + len(accidental) :]
    return _TONIC_SHARPS[key[0]] + {"": 0, "#": 7, "b": -7}[accidental] + MODES[mode]


@lru_cache(maxsize=256)
def signature(key: str) -> dict[str, int]:
    """The signature of a normalised key: the semitones by which it alters each step.

    >>> signature("D")
    {'F': 1, 'C': 1}
    """
    count = sharps(key)
    steps = _SHARP_ORDER[:count] if count >= 0 else _SHARP_ORDER[::-1][:-count]
    return {step: (1 if count > 0 else -1) for step in steps}


def normalise_rhythm(text: str) -> str:
    """The spelling of a rhythm in `RHYTHMS`; "" for any other rhythm.

    >>> [normalise_rhythm(text) for text in ("Reel", " double jig", "sonata")]
    ['reel', 'jig', '']
    """
    text = " ".join(text.lower().split())
    text = _RHYTHMS_ALSO.get(text, text)
    return text if text in RHYTHMS else ""


def normalise_meter(text: str) -> str:
    """One spelling for each meter: C is 4/4, C| is 2/2, free meter is none.

    >>> [normalise_meter(text) for text in ("C", "C|", "6/8", "none", "")]
    ['4/4', '2/2', '6/8', 'none', 'none']

    Raises ValueError for a text that is no fraction of an allowed beat.
    """
    text = text.strip()
    if text in ("C", "c"):
        return "4/4"
    if text in ("C|", "c|"):
        return "2/2"
    if text.lower() in ("", "none", "free"):
        return FREE_METER
    match = _ALLOWED_METERS.fullmatch(re.sub(r"\s", "", text))
    if match is None or int(match[1]) == 0:
        raise ValueError(f"unknown meter {text!r}")
    return f"{int(match[1])}/{match[2]}"


def bar_length(meter: str) -> Fraction | None:
    """The length of a full bar in whole notes; None in free meter."""
    return None if meter == FREE_METER else Fraction(meter)


def is_compound(meter: str) -> bool:
    """Whether a beat has three parts, as in 6/8, 9/8 and 12/8."""
    if meter == FREE_METER:
        return False
    count = int(meter.partition("/")[0])
    return count % 3 == 0 and count > 3


def beat_length(meter: str) -> Fraction:
    """The length of a beat in whole notes: a dotted quarter in 6/8, a half note in 2/2."""
    if meter == FREE_METER:
        return Fraction(1, 4)
    count, unit = (int(part) for part in meter.split("/"))
    if is_compound(meter) or (count == 3 and unit >= 8):
        return Fraction(3, unit)
    return Fraction(1, unit if unit <= 4 else 4)


def beats_per_minute(meter: str, rhythm: str = "") -> int:
    """A usual tempo of the rhythm, or else of the meter, in beats of `beat_length`.

    >>> beats_per_minute("2/2", "reel"), beats_per_minute("4/4", "reel"), beats_per_minute("6/8", "jig")
    (104, 208, 116)
    """
    if rhythm in _PULSES and meter != FREE_METER:
        count, unit = (int(part) for part in meter.split("/"))
        # A dance in two has two pulses a bar, however the meter is written.
        in_two, in_three = Fraction(count, 2 * unit), Fraction(1, unit)
        pulse = in_two if count in (2, 4) else in_three if count == 3 else beat_length(meter)
        return round(_PULSES[rhythm] * pulse / beat_length(meter))
    return _BEATS.get(rhythm) or _TEMPOS.get(meter, 110)


def normalise_unit(text: str, meter: str) -> str:
    """The unit note length, such as 1/8; for an empty text the default of the meter (§3.1.7).

    Raises ValueError for a text that is no power of two from 1 to 1/64.
    """
    text = re.sub(r"\s", "", text)
    if not text:
        length = bar_length(meter)
        return "1/16" if length is not None and length < Fraction(3, 4) else "1/8"
    if not re.fullmatch(r"1(/(1|2|4|8|16|32|64))?", text):
        raise ValueError(f"unknown unit note length {text!r}")
    return text if "/" in text else "1/1"
