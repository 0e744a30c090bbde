"""Transposition of tunes: every note, key and chord symbol moves by one interval, exactly.

An interval is a number of semitones, and a number of fifths on the line … Bb F C G D A E B F# …, which
determines its spelling. Moving by fifths maps the steps of one key to the steps of the other, one to one, and
keeps the distance of each accidental from its key. So a note without an accidental stays without one, and the
reach of accidentals, in their bar and over ties, does not change.
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
from pipeline.domains.music.abc.normal_form import normalise_body
from pipeline.domains.music.abc.normal_form_options import NormalFormOptions
from pipeline.domains.music.abc.tune import Tune

MIN_PITCH, MAX_PITCH = 55, 88
"""MIDI note numbers that a fiddle plays easily, G3 to E6: the range of a moved tune, or its own range."""
MAX_KEY_SIGNS = 6
"""Sharps or flats of the tune's key; keys inside it may have one more."""

_FIFTHS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
_STEPS = "CDEFGAB"
_SIGNS = {semitones: sign for sign, semitones in ALTERATIONS.items()}
_TONIC_SIGNS = {-1: "b", 0: "", 1: "#"}
_SYMBOL = re.compile(r'"([A-G])([#b]?)([^/"]*)(?:/([A-G])([#b]?))?"')


class TranspositionError(ValueError):
    """A tune that cannot be written in the other key; the message names the reason."""


class Interval(NamedTuple):
    """Semitones, and the fifths that spell them; ``semitones - 7 * fifths`` are whole octaves."""

    semitones: int
    fifths: int

    def apply(self, step: str, alteration: int) -> tuple[str, int]:
        """The step and alteration of a note after the move, without its octave.

        >>> Interval(2, 2).apply("F", 0), Interval(1, -5).apply("E", 0)
        (('G', 0), ('F', 0))
        """
        place = _FIFTHS[step] + self.fifths + 1
        return "FCGDAEB"[place % 7], alteration + place // 7

    @property
    def steps(self) -> int:
        """The interval in steps of the staff."""
        return 4 * self.fifths + 7 * ((self.semitones - 7 * self.fifths) // 12)


def transpose_tune(tune: Tune, semitones: int) -> Tune:
    """The tune moved by semitones, in a key of the same mode with few sharps or flats.

    Raises TranspositionError where it leaves the range, or needs more accidentals than ABC can write.
    """
    pitches = [pitch for note in tune.parsed.notes for pitch in note.pitches]
    if pitches:
        low, high = min(pitches), max(pitches)
        if low + semitones < min(low, MIN_PITCH) or high + semitones > max(high, MAX_PITCH):
            raise TranspositionError("out of range")
    return _Transposer(tune, semitones).run()


def transpose_to_sounding_pitch(tune: Tune, semitones: int) -> Tune:
    """The tune moved by semitones, without regard to its range; TranspositionError as `transpose_tune`."""
    return _Transposer(tune, semitones).run()


class _Transposer:
    def __init__(self, tune: Tune, semitones: int) -> None:
        self.tune = tune
        inside = [token.text[3:-1] for token in tune.tokens if token.text.startswith("[K:")]
        try:
            signs = [fields.sharps(key) for key in (tune.key, *inside)]
        except (KeyError, IndexError) as error:
            raise TranspositionError(f"unknown key {error}") from error
        self.interval = Interval(semitones, _choose_fifths(semitones, signs))

    def run(self) -> Tune:
        """Move the key, and every token of the body."""
        body = "".join(self._token(token) for token in self.tune.tokens)
        key = _move_key(self.tune.key, self.interval)
        return replace(self.tune, key=key, body=body)

    def _token(self, token: Token) -> str:
        kind, text = token.kind, token.text
        if kind in ("unknown", "field"):  # a single accidental, for example, would join that of the next note
            raise TranspositionError(f"unknown symbol {text!r}")
        if kind == "note":
            return _move_note(text, self.interval)
        if kind in ("chord", "grace"):
            end = text.rindex("]" if kind == "chord" else "}")
            return text[0] + "".join(self._token(part) for part in tokenize(text[1:end])) + text[end:]
        if kind == "string":
            return _move_chord_symbol(text, self.interval)
        if kind == "inline" and text[1] == "K":
            return f"[K:{_move_key(text[3:-1], self.interval)}]"
        return text


def _choose_fifths(semitones: int, signs: Sequence[int]) -> int:
    """The fifths that leave few sharps or flats; `signs` has those of all keys, the tune's key first."""

    def cost(fifths: int) -> tuple[bool, int, bool]:
        moved = [count + fifths for count in signs]
        # Of six sharps and six flats the kind that the tune has already.
        return abs(moved[0]) > MAX_KEY_SIGNS, max(map(abs, moved)), (moved[0] > 0) != (signs[0] >= 0)

    nearest = 7 * semitones % 12
    best = min((nearest - 24, nearest - 12, nearest, nearest + 12), key=cost)
    if max(abs(count + best) for count in signs) > MAX_KEY_SIGNS + 1:
        raise TranspositionError("a key inside it has too many sharps or flats")
    return best


@lru_cache(maxsize=65536)
def _move_note(text: str, interval: Interval) -> str:
    head, length = split_length(text)
    note = parse_note(head)
    step, change = interval.apply(note.step, 0)
    sign = ""
    if note.accidental:
        alteration = ALTERATIONS[note.accidental] + change
        if alteration not in _SIGNS:
            raise TranspositionError("more than two sharps or flats on a note")
        sign = _SIGNS[alteration]
    octave = (7 * note.octave + _STEPS.index(note.step) + interval.steps) // 7
    return format_pitch(sign, step, octave) + length


@lru_cache(maxsize=4096)
def _move_key(key: str, interval: Interval) -> str:
    match = re.match(r"([A-G])([#b]?)", key)
    if match is None:
        raise TranspositionError(f"unknown key {key!r}")
    step, alteration = interval.apply(match[1], {"": 0, "#": 1, "b": -1}[match[2]])
    if alteration not in _TONIC_SIGNS:
        raise TranspositionError(f"no name for the key in place of {key}")
    return step + _TONIC_SIGNS[alteration] + key[match.end() :]


@lru_cache(maxsize=65536)
def _move_chord_symbol(text: str, interval: Interval) -> str:
    """A chord symbol after the move; other words in quotes stay."""
    match = _SYMBOL.fullmatch(text)
    if match is None or normalise_body(text, "4/4", "1/8", NormalFormOptions(), whole=False) != text:
        return text
    root = _move_name(match[1], match[2], interval)
    bass = f"/{_move_name(match[4], match[5], interval)}" if match[4] else ""
    return f'"{root}{match[3]}{bass}"'


def _move_name(step: str, sign: str, interval: Interval) -> str:
    """The name of a chord's root or bass; a name with two signs becomes its enharmonic equivalent."""
    step, alteration = interval.apply(step, {"": 0, "#": 1, "b": -1}[sign])
    if abs(alteration) > 1:
        step, alteration = Interval(0, -12 if alteration > 0 else 12).apply(step, alteration)
    return step + _TONIC_SIGNS[alteration]
