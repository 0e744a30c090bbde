"""A chorale, four voices on a grid, and its symbols.

A step, usually a sixteenth, is one symbol, ``67,62,58,43`` (MIDI numbers, soprano to bass), or four,
``S67 A62 T58 B43``; each symbol ends with a space. ``_`` is a held note, ``.`` a silent voice. Where a source
does not distinguish held notes from repeated ones, its sequences have no ``_``, and equal consecutive pitches
are one note.
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
MAX_PITCH = 127
SIXTEENTHS = 16
"""Steps of a whole note on the finest grid, a sixteenth."""
HELD, REST = "_", "."
_SIGN = rf"(?:[0-9]{{1,3}}|[{HELD}{REST}])"
_PACKED = re.compile(rf"{_SIGN}(?:,{_SIGN}){{3}}")
_ONE_VOICE = re.compile(rf"([{VOICES}])({_SIGN})")


class InvalidChorale(ValueError):
    """A text or file that is not a chorale; the message is a short countable reason."""


class VoiceNote(NamedTuple):
    """One note of a voice, 0 for the soprano, with onset and length in steps."""

    voice: int
    pitch: int
    onset: int
    length: int


@dataclass(frozen=True, eq=False)
class Chorale:
    """Four voices on a grid.

    Parameters
    ----------
    pitches : numpy.ndarray
        MIDI numbers, or `SILENT`, ``(steps, 4)``, soprano to bass.
    struck : numpy.ndarray
        Whether a note starts, bool ``(steps, 4)``.
    marks_repeats : bool
        Whether the source distinguishes held notes from repeated ones.
    """

    pitches: np.ndarray
    struck: np.ndarray
    marks_repeats: bool = True

    def __len__(self) -> int:
        """The number of steps."""
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

    def transpose(self, semitones: int) -> "Chorale":
        """The chorale, so many semitones higher."""
        pitches = np.where(self.pitches == SILENT, SILENT, self.pitches + semitones)
        return Chorale(pitches, self.struck, self.marks_repeats)

    def coarsen(self, by: int) -> "Chorale":
        """The chorale on a grid whose steps are `by` times as long.

        Notes between the steps of this grid are lost. A note starts at a step where one started since the
        step before.
        """
        pitches = self.pitches[::by]
        starts = np.arange(1 - by, len(self), by)[: len(pitches)]
        struck = np.array([self.struck[max(at, 0) : at + by].any(axis=0) for at in starts])
        return Chorale(pitches, struck & (pitches != SILENT), self.marks_repeats)


def merge_repeats(pitches: np.ndarray) -> Chorale:
    """The chorale of pitches ``(steps, 4)``, where equal consecutive pitches are one note."""
    struck = (np.diff(pitches, axis=0, prepend=SILENT) != 0) & (pitches != SILENT)
    return Chorale(pitches, struck, marks_repeats=False)


def encode_chorale(chorale: Chorale, packed: bool, held: bool = True) -> tuple[str, ...]:
    """The symbols of a chorale: one for each step where `packed`, else four; without `held` it has no ``_``.

    >>> two = merge_repeats(np.array([[67, 62, 58, 43], [67, 60, -1, 43]]))
    >>> encode_chorale(two, packed=True), encode_chorale(two, packed=False)[4:]
    (('67,62,58,43 ', '67,60,.,43 '), ('S67 ', 'A60 ', 'T. ', 'B43 '))
    """
    marked = held and chorale.marks_repeats
    rows = [
        [REST if pitch == SILENT else str(pitch) if begins or not marked else HELD
         for pitch, begins in zip(*row, strict=True)]
        for row in zip(chorale.pitches.tolist(), chorale.struck.tolist(), strict=True)
    ]  # fmt: skip
    if packed:
        return tuple(",".join(row) + " " for row in rows)
    return tuple(f"{voice}{sign} " for row in rows for voice, sign in zip(VOICES, row, strict=True))


def parse_chorale(text: str) -> Chorale:
    """Parse the symbols of a chorale, of either kind, joined.

    Raises InvalidChorale where a step does not have four voices in order, or a silent voice is held.
    """
    return parse_rows(_split_rows(text.split()))


def parse_rows(rows: Sequence[Sequence[str]]) -> Chorale:
    """Parse four signs for each step. Raises InvalidChorale as `parse_chorale`."""
    if not rows:
        raise InvalidChorale("no notes")
    pitches = np.full((len(rows), len(VOICES)), SILENT)
    struck = np.zeros(pitches.shape, bool)
    for step, row in enumerate(rows):
        for voice, sign in enumerate(row):
            if sign == HELD:
                pitches[step, voice] = pitches[step - 1, voice] if step else SILENT
                if pitches[step, voice] == SILENT:
                    raise InvalidChorale("a note is held that was not struck")
            elif sign != REST:
                pitches[step, voice], struck[step, voice] = _parse_pitch(sign), True
    if (pitches == SILENT).all():
        raise InvalidChorale("no notes")
    marked = any(HELD in row for row in rows)
    return Chorale(pitches, struck) if marked else merge_repeats(pitches)


def _parse_pitch(sign: str) -> int:
    pitch = int(sign)
    if pitch > MAX_PITCH:
        raise InvalidChorale(f"a note above {MAX_PITCH}")
    return pitch


def split_symbols(text: str, packed: bool) -> tuple[str, ...]:
    """Split a text of either kind into symbols, packed or not.

    The last step may lack voices, unless symbols are packed. Raises InvalidChorale as `parse_chorale`.
    """
    words = text.split()
    if words and not packed and _ONE_VOICE.fullmatch(words[0]):
        whole = len(words) - len(words) % len(VOICES)
        _split_rows(words[:whole])
        for voice, word in zip(VOICES, words[whole:], strict=False):
            _parse_sign(word, voice)
        return tuple(f"{word} " for word in words)
    rows = _split_rows(words)
    if packed:
        return tuple(",".join(row) + " " for row in rows)
    return tuple(f"{voice}{sign} " for row in rows for voice, sign in zip(VOICES, row, strict=True))


def _split_rows(words: Sequence[str]) -> list[list[str]]:
    """The four signs of each step."""
    if not words or _PACKED.fullmatch(words[0]):
        return [_split_packed(word) for word in words]
    if len(words) % len(VOICES):
        raise InvalidChorale("a step without four voices")
    return [[_parse_sign(word, VOICES[at % 4]) for at, word in enumerate(words[start : start + 4])]
            for start in range(0, len(words), 4)]  # fmt: skip


def _split_packed(word: str) -> list[str]:
    if not _PACKED.fullmatch(word):
        raise InvalidChorale("a step without four voices")
    return word.split(",")


def _parse_sign(word: str, voice: str) -> str:
    match = _ONE_VOICE.fullmatch(word)
    if match is None or match[1] != voice:
        raise InvalidChorale("voices out of order")
    return match[2]
