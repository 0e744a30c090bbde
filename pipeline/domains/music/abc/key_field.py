"""The field K: of a tune: key, accidentals of its own, clef, octave and transposition.

Source: ABC 2.1 §3.1.14 (keys and modes), §4.6 (clefs and transposition).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.abc_notation import ALTERATIONS, parse_note, split_length

_TONIC = re.compile(r"([A-G])([#b]?)(?![#b])")
_OWN = re.compile(r"(\^\^?|__?|(?<![A-Za-z])=)([a-gA-G])(?![A-Za-z])")
_WORD = re.compile(r'([A-Za-z]+)=("[^"]*"|\S*)|(\S+)')
_CLEF = re.compile(r"(?:treble|bass|alto|tenor|none|perc|auto)[1-5]?([+-]8)?", re.IGNORECASE)
_ONLY_CLEF = re.compile(r"(?:treble|bass|alto|tenor|perc|auto)\b|[a-z]+=", re.IGNORECASE)
_MOVES_OTHERWISE = ("shift", "sound", "score", "instrument", "t")
"""Words of later drafts and of single programs that move the sounding pitch."""
_SIGNS = {semitones: sign for sign, semitones in ALTERATIONS.items()}
_MAX_OCTAVES, _MAX_SEMITONES = 4, 48


@dataclass(frozen=True, slots=True)
class Sounding:
    """How far notes sound from where they are written; None where a field does not say.

    `clef` and `octave` count octaves, `transpose` semitones.
    """

    clef: int | None = None
    octave: int | None = None
    transpose: int | None = None

    @property
    def semitones(self) -> int:
        """Semitones above the written pitch, all three together."""
        return 12 * ((self.clef or 0) + (self.octave or 0)) + (self.transpose or 0)

    def then(self, later: "Sounding") -> "Sounding":
        """What holds after a further field: what it does not say stays as it was."""
        said = {name: getattr(later, name) for name in self.__slots__ if getattr(later, name) is not None}
        return replace(self, **said) if said else self


@dataclass(frozen=True, slots=True)
class KeyField:
    """What a field K: says; `key` is normalised, None where the field names only a clef.

    `accidentals` are the semitones by step that differ from the signature of `key`.
    """

    key: str | None
    accidentals: tuple[tuple[str, int], ...] = ()
    sounding: Sounding = Sounding()


@lru_cache(maxsize=1024)
def parse_key_field(text: str) -> KeyField:
    """The key and everything after it.

    >>> parse_key_field("D Phr ^f").accidentals, parse_key_field("clef=bass").key
    ((('F', 1),), None)
    >>> parse_key_field("Gmin treble-8 transpose=-2").sounding.semitones
    -14

    Raises ValueError for what is no key or mode, and for words that move the pitch in unknown ways.
    """
    text = fields.plain_signs(text.strip())
    if fields.is_pipes(text):
        return KeyField(fields.normalise_key(text), (), parse_sounding(text[2:]))
    if _ONLY_CLEF.match(text):
        return KeyField(None, (), parse_sounding(text))
    found = _TONIC.match(text)
    if found is None:
        raise ValueError(f"unknown key {text!r}")
    rest = text[found.end() :]
    own = {step.upper(): ALTERATIONS[sign] for sign, step in _OWN.findall(rest)}
    rest = _OWN.sub(" ", rest)
    if re.search(r"[\^_]", rest):
        raise ValueError(f"unknown accidentals in the key {text!r}")
    rest, explicit = re.subn(r"(?i)(?:^|(?<=\s))exp\b", " ", rest)
    tonic = found[0]
    if explicit:
        key, wanted = _nearest_key(tonic, own), {step: own.get(step, 0) for step in "CDEFGAB"}
    else:
        key, wanted = fields.normalise_key(tonic + rest), own
    signature = fields.signature(key)
    differing = ((step, sign) for step, sign in wanted.items() if signature.get(step, 0) != sign)
    return KeyField(key, tuple(sorted(differing)), parse_sounding(rest))


def _nearest_key(tonic: str, own: dict[str, int]) -> str:
    """The key on a tonic whose signature differs from these accidentals in the fewest steps."""

    def distance(key: str) -> int:
        signature = fields.signature(key)
        return sum(signature.get(step, 0) != own.get(step, 0) for step in "CDEFGAB")

    return min((tonic + mode for mode in fields.MODES if abs(fields.sharps(tonic + mode)) <= 7), key=distance)


@lru_cache(maxsize=1024)
def parse_sounding(text: str) -> Sounding:
    """What the words after a key, or in a field V:, say of the sounding pitch; other words say nothing.

    >>> parse_sounding('clef=treble-8 name="Tenor" octave=1')
    Sounding(clef=-1, octave=1, transpose=None)

    Raises ValueError for a number that is none, and for words that move the pitch in unknown ways.
    """
    found: dict[str, int] = {}
    for name, value in _words(text):
        if name in _MOVES_OTHERWISE:
            raise ValueError(f"{name}={value} is not read")
        clef = _CLEF.fullmatch(value) if not name else None
        if name == "clef":  # whatever it is called, a +8 or -8 behind it moves the pitch
            clef = re.fullmatch(r".*?([+-]8)?", value.strip('"'))
        if clef is not None:
            found["clef"] = int(clef[1] or 0) // 8
        elif name in ("octave", "transpose"):
            most = _MAX_OCTAVES if name == "octave" else _MAX_SEMITONES
            if not re.fullmatch(r"[+-]?\d{1,2}", value) or abs(int(value)) > most:
                raise ValueError(f"{name}={value} is no number from -{most} to {most}")
            found[name] = int(value)
    return Sounding(**found)


def _words(text: str) -> Iterator[tuple[str, str]]:
    """Names in lower case, "" where a word has none, and values."""
    for name, value, word in _WORD.findall(text):
        yield name.lower(), value or word


class SoundingPitch:
    """Where the notes of a tune sound: `octaves`, which may change inside it, and `semitones` from -5 to 6,
    which hold for the whole tune."""

    def __init__(self) -> None:
        self.sounding, self.octaves, self.semitones = Sounding(), 0, 0

    def hear(self, field: Sounding) -> bool:
        """Heed a further field; whether the semitones are what they were."""
        self.sounding = self.sounding.then(field)
        before = self.semitones
        octaves, semitones = divmod(self.sounding.semitones + 5, 12)
        self.octaves, self.semitones = octaves, semitones - 5
        return self.semitones == before


class OwnAccidentals:
    """Accidentals of a key's own, written before the notes that they alter: once a bar, as any other."""

    def __init__(self, accidentals: Iterable[tuple[str, int]] = ()) -> None:
        self.semitones = dict(accidentals)
        self._altered: set[str] = set()  # steps that have an accidental in this bar

    def end_bar(self) -> None:
        """Accidentals hold no longer."""
        self._altered.clear()

    def spell(self, text: str, is_held: bool) -> str:
        """A note, with the sign that it lacks; a note held by a tie has that of the note before it."""
        note = parse_note(split_length(text)[0])
        if note.accidental:
            self._altered.add(note.step)
        elif note.step in self.semitones and note.step not in self._altered and not is_held:
            self._altered.add(note.step)
            return _SIGNS[self.semitones[note.step]] + text
        return text
