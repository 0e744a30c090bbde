"""Four voices on a grid: what a chorale is, and its symbols.

A step, usually a sixteenth, is one symbol, ``67,62,58,43`` (MIDI numbers, soprano to bass), or four,
``S67 A62 T58 B43``; each symbol ends with a space. ``_`` is a held note, ``.`` a silent voice.
Where a source does not tell held notes from repeated ones there is no ``_`` in all the sequence, and equal
pitches in a row are one note.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

VOICES = "SATB"
NAMES = ("Soprano", "Alto", "Tenor", "Bass")
SILENT = -1
HIGHEST_PITCH = 127
SIXTEENTHS = 16
"""Steps of a whole note on the finest grid."""
HELD, REST = "_", "."
_SIGN = rf"(?:[0-9]{{1,3}}|[{HELD}{REST}])"
_PACKED = re.compile(rf"{_SIGN}(?:,{_SIGN}){{3}}")
_ONE_VOICE = re.compile(rf"([{VOICES}])({_SIGN})")


class NotAChorale(ValueError):
    """What is no chorale; the message is a short reason that can be counted."""


class VoiceNote(NamedTuple):
    """One note of a voice (0 is the soprano): onset and length in steps."""

    voice: int
    pitch: int
    onset: int
    length: int


@dataclass(frozen=True, eq=False)
class Chorale:
    """`pitches` ``(steps, 4)``, MIDI note numbers or `SILENT`; `struck` ``(steps, 4)``, where notes begin.

    `told` is whether the source tells held notes from repeated ones.
    """

    pitches: np.ndarray
    struck: np.ndarray
    told: bool = True

    def __len__(self) -> int:
        """The steps."""
        return len(self.pitches)

    @cached_property
    def notes(self) -> tuple[VoiceNote, ...]:
        """All notes, voice by voice."""
        found = []
        for voice in range(len(VOICES)):
            column = self.pitches[:, voice]
            edges = self.struck[:, voice] | (np.diff(column, prepend=SILENT) != 0)
            starts = [*np.flatnonzero(edges).tolist(), len(self)]
            found += [VoiceNote(voice, int(column[start]), start, stop - start)
                      for start, stop in pairwise(starts) if column[start] != SILENT]  # fmt: skip
        return tuple(found)

    def moved(self, semitones: int) -> "Chorale":
        """The chorale so many semitones higher."""
        pitches = np.where(self.pitches == SILENT, SILENT, self.pitches + semitones)
        return Chorale(pitches, self.struck, self.told)

    def coarser(self, by: int) -> "Chorale":
        """Every so many-th step: the pitches heard on a coarser grid; notes that are on none of its steps are
        lost, and one is struck where any was since the step before."""
        pitches = self.pitches[::by]
        starts = np.arange(1 - by, len(self), by)[: len(pitches)]
        struck = np.array([self.struck[max(at, 0) : at + by].any(axis=0) for at in starts])
        return Chorale(pitches, struck & (pitches != SILENT), self.told)


def held_by_pitch(pitches: np.ndarray) -> Chorale:
    """The chorale of pitches alone ``(steps, 4)``, where a note lasts as long as its pitch."""
    struck = (np.diff(pitches, axis=0, prepend=SILENT) != 0) & (pitches != SILENT)
    return Chorale(pitches, struck, told=False)


def to_symbols(chorale: Chorale, packed: bool, held: bool = True) -> tuple[str, ...]:
    """One symbol a step, or four; without `held` pitches alone.

    >>> two = held_by_pitch(np.array([[67, 62, 58, 43], [67, 60, -1, 43]]))
    >>> to_symbols(two, packed=True), to_symbols(two, packed=False)[4:]
    (('67,62,58,43 ', '67,60,.,43 '), ('S67 ', 'A60 ', 'T. ', 'B43 '))
    """
    marked = held and chorale.told
    rows = [
        [REST if pitch == SILENT else str(pitch) if begins or not marked else HELD
         for pitch, begins in zip(*row, strict=True)]
        for row in zip(chorale.pitches.tolist(), chorale.struck.tolist(), strict=True)
    ]  # fmt: skip
    if packed:
        return tuple(",".join(row) + " " for row in rows)
    return tuple(f"{voice}{sign} " for row in rows for voice, sign in zip(VOICES, row, strict=True))


def from_text(text: str) -> Chorale:
    """The inverse of `to_symbols`, of both kinds, joined.

    Raises NotAChorale where a step has not its four voices in their order, or a note is held that was not
    struck.
    """
    return from_rows(_rows(text.split()))


def from_rows(rows: Sequence[Sequence[str]]) -> Chorale:
    """The chorale of signs, four a step. Raises NotAChorale as `from_text`."""
    if not rows:
        raise NotAChorale("no notes")
    pitches = np.full((len(rows), len(VOICES)), SILENT)
    struck = np.zeros(pitches.shape, bool)
    for step, row in enumerate(rows):
        for voice, sign in enumerate(row):
            if sign == HELD:
                pitches[step, voice] = pitches[step - 1, voice] if step else SILENT
                if pitches[step, voice] == SILENT:
                    raise NotAChorale("a note is held that was not struck")
            elif sign != REST:
                pitches[step, voice], struck[step, voice] = _pitch(sign), True
    if (pitches == SILENT).all():
        raise NotAChorale("no notes")
    marked = any(HELD in row for row in rows)
    return Chorale(pitches, struck) if marked else held_by_pitch(pitches)


def _pitch(sign: str) -> int:
    pitch = int(sign)
    if pitch > HIGHEST_PITCH:
        raise NotAChorale(f"a note above {HIGHEST_PITCH}")
    return pitch


def split_symbols(text: str, packed: bool) -> tuple[str, ...]:
    """The symbols of a text of either kind; its last step may lack voices where symbols are voices.

    Raises NotAChorale as `from_text`.
    """
    words = text.split()
    if words and not packed and _ONE_VOICE.fullmatch(words[0]):
        whole = len(words) - len(words) % len(VOICES)
        _rows(words[:whole])
        for voice, word in zip(VOICES, words[whole:], strict=False):
            _sign(word, voice)
        return tuple(f"{word} " for word in words)
    rows = _rows(words)
    if packed:
        return tuple(",".join(row) + " " for row in rows)
    return tuple(f"{voice}{sign} " for row in rows for voice, sign in zip(VOICES, row, strict=True))


def _rows(words: Sequence[str]) -> list[list[str]]:
    if not words or _PACKED.fullmatch(words[0]):
        return [_packed(word) for word in words]
    if len(words) % len(VOICES):
        raise NotAChorale("a step without four voices")
    return [[_sign(word, VOICES[at % 4]) for at, word in enumerate(words[start : start + 4])]
            for start in range(0, len(words), 4)]  # fmt: skip


def _packed(word: str) -> list[str]:
    if not _PACKED.fullmatch(word):
        raise NotAChorale("a step without four voices")
    return word.split(",")


def _sign(word: str, voice: str) -> str:
    match = _ONE_VOICE.fullmatch(word)
    if match is None or match[1] != voice:
        raise NotAChorale("voices out of order")
    return match[2]
