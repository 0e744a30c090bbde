"""The field K: of a tune: key, explicit accidentals, clef, octave and transposition.

Source: ABC 2.1 §3.1.14 (keys and modes), §4.6 (clefs and transposition).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.abc_notation import ALTERATIONS, parse_note, split_length

_TONIC = re.compile(r"([A-G])([#b]?)(?![#b])")
_EXPLICIT = re.compile(r"(\^\^?|__?|(?<![A-Za-z])=)([a-gA-G])(?![A-Za-z])")
_WORD = re.compile(r'([A-Za-z]+)=("[^"]*"|\S*)|(\S+)')
_CLEF = re.compile(r"(?:treble|bass|alto|tenor|none|perc|auto)[1-5]?([+-]8)?", re.IGNORECASE)
_ONLY_CLEF = re.compile(r"(?:treble|bass|alto|tenor|perc|auto)\b|[a-z]+=", re.IGNORECASE)
_MOVES_OTHERWISE = ("shift", "sound", "score", "instrument", "t")
"""Properties of later drafts and of single programs that move the sounding pitch."""
_SIGNS = {semitones: sign for sign, semitones in ALTERATIONS.items()}
_MAX_OCTAVES, _MAX_SEMITONES = 4, 48


@dataclass(frozen=True, slots=True)
class Transposition:
    """The distance of the sounding from the written pitch; None for a part that a field does not give."""

    clef: int | None = None
    """Octaves of a clef such as treble-8."""
    octave: int | None = None
    """Octaves of the property octave=."""
    transpose: int | None = None
    """Semitones of the property transpose=."""

    @property
    def semitones(self) -> int:
        """Semitones above the written pitch, the sum of the three."""
        return 12 * ((self.clef or 0) + (self.octave or 0)) + (self.transpose or 0)

    def then(self, later: "Transposition") -> "Transposition":
        """The transposition after a further field, which replaces the parts that it gives."""
        given = {name: getattr(later, name) for name in self.__slots__ if getattr(later, name) is not None}
        return replace(self, **given) if given else self


@dataclass(frozen=True, slots=True)
class KeyField:
    """The content of a field K:."""

    key: str | None
    """Normalised; None where the field names only a clef."""
    accidentals: tuple[tuple[str, int], ...] = ()
    """Semitones by step, where they differ from the signature of `key`."""
    transposition: Transposition = Transposition()


@lru_cache(maxsize=1024)
def parse_key_field(text: str) -> KeyField:
    """Parse the text after K:.

    >>> parse_key_field("D Phr ^f").accidentals, parse_key_field("clef=bass").key
    ((('F', 1),), None)
    >>> parse_key_field("Gmin treble-8 transpose=-2").transposition.semitones
    -14

    Raises ValueError for an unknown key or mode, and for a property that ABC 2.1 does not define.
    """
    text = fields.ascii_accidentals(text.strip())
    if fields.is_pipes(text):
        return KeyField(fields.normalise_key(text), (), parse_transposition(text[2:]))
    if _ONLY_CLEF.match(text):
        return KeyField(None, (), parse_transposition(text))
    found = _TONIC.match(text)
    if found is None:
        raise ValueError(f"unknown key {text!r}")
    rest = text[found.end() :]
    explicit = {step.upper(): ALTERATIONS[sign] for sign, step in _EXPLICIT.findall(rest)}
    rest = _EXPLICIT.sub(" ", rest)
    if re.search(r"[\^_]", rest):
        raise ValueError(f"unknown accidentals in the key {text!r}")
    rest, is_exp = re.subn(r"(?i)(?:^|(?<=\s))exp\b", " ", rest)
    tonic = found[0]
    if is_exp:
        key, wanted = _find_nearest_key(tonic, explicit), {step: explicit.get(step, 0) for step in "CDEFGAB"}
    else:
        key, wanted = fields.normalise_key(tonic + rest), explicit
    signature = fields.signature(key)
    differing = ((step, sign) for step, sign in wanted.items() if signature.get(step, 0) != sign)
    return KeyField(key, tuple(sorted(differing)), parse_transposition(rest))


def _find_nearest_key(tonic: str, explicit: dict[str, int]) -> str:
    """The key on a tonic whose signature differs from these accidentals in the fewest steps."""

    def distance(key: str) -> int:
        signature = fields.signature(key)
        return sum(signature.get(step, 0) != explicit.get(step, 0) for step in "CDEFGAB")

    return min((tonic + mode for mode in fields.MODES if abs(fields.sharps(tonic + mode)) <= 7), key=distance)


@lru_cache(maxsize=1024)
def parse_transposition(text: str) -> Transposition:
    """The transposition in the properties after a key or in a field V:; other properties are ignored.

    >>> parse_transposition('clef=treble-8 name="Tenor" octave=1')
    Transposition(clef=-1, octave=1, transpose=None)

    Raises ValueError for a value that is no number, and for a property that ABC 2.1 does not define.
    """
    found: dict[str, int] = {}
    for name, value in _split_properties(text):
        if name in _MOVES_OTHERWISE:
            raise ValueError(f"{name}={value} is not supported")
        clef = _CLEF.fullmatch(value) if not name else None
        if name == "clef":  # after any clef a +8 or -8 moves the pitch
            clef = re.fullmatch(r".*?([+-]8)?", value.strip('"'))
        if clef is not None:
            found["clef"] = int(clef[1] or 0) // 8
        elif name in ("octave", "transpose"):
            limit = _MAX_OCTAVES if name == "octave" else _MAX_SEMITONES
            if not re.fullmatch(r"[+-]?\d{1,2}", value) or abs(int(value)) > limit:
                raise ValueError(f"{name}={value} is no number from -{limit} to {limit}")
            found[name] = int(value)
    return Transposition(**found)


def _split_properties(text: str) -> Iterator[tuple[str, str]]:
    """The properties as names in lower case, "" for a word without a name, and values."""
    for name, value, word in _WORD.findall(text):
        yield name.lower(), value or word


class TranspositionState:
    """The present transposition while a tune is parsed, as octaves and semitones.

    `octaves` may change inside a tune. `semitones`, from -5 to 6, hold for the whole tune.
    """

    def __init__(self) -> None:
        self.transposition, self.octaves, self.semitones = Transposition(), 0, 0

    def update(self, field: Transposition) -> bool:
        """Apply a further field; return whether the semitones stay the same."""
        self.transposition = self.transposition.then(field)
        before = self.semitones
        octaves, semitones = divmod(self.transposition.semitones + 5, 12)
        self.octaves, self.semitones = octaves, semitones - 5
        return self.semitones == before


class ExplicitAccidentals:
    """The explicit accidentals of a key, written before the notes that they alter, once a bar."""

    def __init__(self, accidentals: Iterable[tuple[str, int]] = ()) -> None:
        self.semitones = dict(accidentals)
        self._altered: set[str] = set()  # steps that have an accidental in this bar

    def end_bar(self) -> None:
        """Forget the accidentals of the bar."""
        self._altered.clear()

    def spell(self, text: str, is_held: bool) -> str:
        """A note with the accidental that it needs; a note held by a tie needs none."""
        note = parse_note(split_length(text)[0])
        if note.accidental:
            self._altered.add(note.step)
        elif note.step in self.semitones and note.step not in self._altered and not is_held:
            self._altered.add(note.step)
            return _SIGNS[self.semitones[note.step]] + text
        return text
