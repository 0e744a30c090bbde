"""Tunes in other keys: every note, key and chord symbol moved by one interval, exactly.

An interval is a number of semitones and a number of fifths up the line … Bb F C G D A E B F# …, which says
how it is spelled. Moving by fifths takes the steps of one key to the steps of the other, one to one, and
every accidental to that which stands as far from its key; so a note without an accidental stays one, and
what accidentals reach, in their bar and over ties, stays as it was, without being looked at.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.abc_notation import (
    ALTERATIONS,
    Token,
    format_pitch,
    parse_note,
    split_length,
    tokenize,
)
from pipeline.domains.music.abc.normal_form import Keep, normalise_body
from pipeline.domains.music.abc.tune import Tune

LOWEST, HIGHEST = 55, 88
"""MIDI note numbers that a fiddle plays easily, G3 to E6: a tune is moved no further, but for what it has."""
MAX_SIGNS = 6
"""Sharps or flats of the tune's key; keys inside it may have one more."""

_FIFTHS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
_STEPS = "CDEFGAB"
_SIGNS = {semitones: sign for sign, semitones in ALTERATIONS.items()}
_TONIC_SIGNS = {-1: "b", 0: "", 1: "#"}
_SYMBOL = re.compile(r'"([A-G])([#b]?)([^/"]*)(?:/([A-G])([#b]?))?"')


class NotMovable(ValueError):
    """A tune that cannot be written in the other key; the message says why."""


class Interval(NamedTuple):
    """So many semitones, spelled as so many fifths; ``semitones - 7 * fifths`` is whole octaves."""

    semitones: int
    fifths: int

    def moved(self, step: str, alteration: int) -> tuple[str, int]:
        """The step and alteration that a note lands on, its octave aside.

        >>> Interval(2, 2).moved("F", 0), Interval(1, -5).moved("E", 0)
        (('G', 0), ('F', 0))
        """
        place = _FIFTHS[step] + self.fifths + 1
        return "FCGDAEB"[place % 7], alteration + place // 7

    @property
    def steps(self) -> int:
        """Steps of the staff that it goes up."""
        return 4 * self.fifths + 7 * ((self.semitones - 7 * self.fifths) // 12)


def transposed(tune: Tune, semitones: int) -> Tune:
    """The tune so many semitones higher (lower below 0), in a key of the same mode with few signs.

    Raises NotMovable where that leaves the range, or takes more accidentals than ABC can write.
    """
    pitches = [pitch for note in tune.reading.notes for pitch in note.pitches]
    if pitches:
        low, high = min(pitches), max(pitches)
        if low + semitones < min(low, LOWEST) or high + semitones > max(high, HIGHEST):
            raise NotMovable("out of range")
    return _Mover(tune, semitones).run()


def at_sounding_pitch(tune: Tune, semitones: int) -> Tune:
    """A tune written as it sounds, whatever its range: so many semitones higher. Raises NotMovable."""
    return _Mover(tune, semitones).run()


class _Mover:
    def __init__(self, tune: Tune, semitones: int) -> None:
        self.tune = tune
        inside = [token.text[3:-1] for token in tune.tokens if token.text.startswith("[K:")]
        try:
            signs = [fields.sharps(key) for key in (tune.key, *inside)]
        except (KeyError, IndexError) as error:
            raise NotMovable(f"unknown key {error}") from error
        self.interval = Interval(semitones, _fifths(semitones, signs))

    def run(self) -> Tune:
        """Move the key, and every token of the body."""
        body = "".join(self._token(token) for token in self.tune.tokens)
        key = _key(self.tune.key, self.interval)
        return replace(self.tune, key=key, body=body)

    def _token(self, token: Token) -> str:
        kind, text = token.kind, token.text
        if kind in ("unknown", "field"):  # a lone accidental, say, would join that of the next note
            raise NotMovable(f"unknown symbol {text!r}")
        if kind == "note":
            return _note(text, self.interval)
        if kind in ("chord", "grace"):
            end = text.rindex("]" if kind == "chord" else "}")
            return text[0] + "".join(self._token(part) for part in tokenize(text[1:end])) + text[end:]
        if kind == "string":
            return _symbol(text, self.interval)
        if kind == "inline" and text[1] == "K":
            return f"[K:{_key(text[3:-1], self.interval)}]"
        return text


def _fifths(semitones: int, signs: Sequence[int]) -> int:
    """The spelling that leaves few sharps or flats, of `signs` in the tune's key and in those inside it."""

    def cost(fifths: int) -> tuple[bool, int, bool]:
        moved = [count + fifths for count in signs]
        # Of six sharps and six flats, those that the tune is used to.
        return abs(moved[0]) > MAX_SIGNS, max(map(abs, moved)), (moved[0] > 0) != (signs[0] >= 0)

    nearest = 7 * semitones % 12
    best = min((nearest - 24, nearest - 12, nearest, nearest + 12), key=cost)
    if max(abs(count + best) for count in signs) > MAX_SIGNS + 1:
        raise NotMovable("a key inside it has too many sharps or flats")
    return best


@lru_cache(maxsize=65536)
def _note(text: str, interval: Interval) -> str:
    head, length = split_length(text)
    note = parse_note(head)
    step, change = interval.moved(note.step, 0)
    sign = ""
    if note.accidental:
        alteration = ALTERATIONS[note.accidental] + change
        if alteration not in _SIGNS:
            raise NotMovable("more than two sharps or flats on a note")
        sign = _SIGNS[alteration]
    octave = (7 * note.octave + _STEPS.index(note.step) + interval.steps) // 7
    return format_pitch(sign, step, octave) + length


@lru_cache(maxsize=4096)
def _key(key: str, interval: Interval) -> str:
    match = re.match(r"([A-G])([#b]?)", key)
    if match is None:
        raise NotMovable(f"unknown key {key!r}")
    step, alteration = interval.moved(match[1], {"": 0, "#": 1, "b": -1}[match[2]])
    if alteration not in _TONIC_SIGNS:
        raise NotMovable(f"no name for the key in place of {key}")
    return step + _TONIC_SIGNS[alteration] + key[match.end() :]


@lru_cache(maxsize=65536)
def _symbol(text: str, interval: Interval) -> str:
    """A chord symbol moved; other words in quotes stay."""
    match = _SYMBOL.fullmatch(text)
    if match is None or normalise_body(text, "4/4", "1/8", Keep(), whole=False) != text:
        return text
    root = _named(match[1], match[2], interval)
    bass = f"/{_named(match[4], match[5], interval)}" if match[4] else ""
    return f'"{root}{match[3]}{bass}"'


def _named(step: str, sign: str, interval: Interval) -> str:
    """A note's name, by another one that sounds the same where it would need two signs."""
    step, alteration = interval.moved(step, {"": 0, "#": 1, "b": -1}[sign])
    if abs(alteration) > 1:
        step, alteration = Interval(0, -12 if alteration > 0 else 12).moved(step, alteration)
    return step + _TONIC_SIGNS[alteration]
