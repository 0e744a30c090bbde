"""Files of chorales: MusicXML and Humdrum by music21, JSON of four numbers a step, and our own text.

The JSON is that of the JSB chorales (https://github.com/czhuang/JSB-Chorales-dataset): an object of subsets,
or a list, of chorales, each a list of steps of four numbers from soprano to bass, -1 for silence. It does
not tell held notes from repeated ones. The text has a comment line, ``# name; step 16``, before each chorale,
and an empty line after it; its lines may be of any length. Without a step it is in sixteenths.
"""

import json
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pipeline.domains.music.chorales.voices import (
    HIGHEST_PITCH,
    SILENT,
    SIXTEENTHS,
    VOICES,
    Chorale,
    NotAChorale,
    from_text,
    held_by_pitch,
)
from pipeline.domains.music.unpacking_limits import check_score_file
from pipeline.errors import DataError
from pipeline.records import Rejection

if TYPE_CHECKING:
    from music21.stream import Part

SCORES = (".mxl", ".musicxml", ".xml", ".krn")
SUFFIXES = (*SCORES, ".json", ".txt")
SUBSETS = {"train": "train", "valid": "validation", "validation": "validation", "test": "test"}
MAX_BYTES = {".json": 2**25, ".txt": 2**25}
MAX_SCORE_BYTES = 2**24
LONGEST = 2**16
"""Steps; an hour and a half. What is longer is no chorale, but an error of the file."""
MAX_SILENCE = 32
"""Steps, two bars: where all voices are silent for longer, instruments play alone."""
_STEPS_PER_QUARTER = SIXTEENTHS // 4
_VOICE_NAMES = {
    "S": re.compile(r"(?:sop|cantus|canto|discant|s\.?\s*\d*$)"),
    "A": re.compile(r"(?:alt|contralt|a\.?\s*\d*$)"),
    "T": re.compile(r"(?:ten|t\.?\s*\d*$)"),
    "B": re.compile(r"(?:bass?[eouis]*\b|b\.?\s*\d*$)"),
}
"""Beginnings of the names of voices, in English, Latin, Italian, German and French, by their letters."""
_STEP = re.compile(r";\s*step (16|8|4)\b")
_SHAPE = (
    "JSON of chorales is an object of train, valid and test, or a list, of chorales, each a list of steps of "
    "four numbers from soprano to bass, -1 for silence"
)


class Found(NamedTuple):
    """A chorale with its name in the file, the subset that the file prescribes, "" where none, and its grid:
    16, 8 or 4."""

    name: str
    subset: str
    chorale: Chorale
    step: int = SIXTEENTHS


def read_chorales(path: Path) -> Iterator[Found | Rejection]:
    """The chorales of one file, by its suffix.

    Raises DataError where the file cannot be read or is none of these.
    """
    suffix = path.suffix.lower()
    most = MAX_BYTES.get(suffix, MAX_SCORE_BYTES)
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    if not 0 < size <= most:
        found = "it is empty" if not size else f"{size:,} bytes are more than the {most:,} allowed"
        raise DataError(f"{path}: {found}; give a file of chorales: {', '.join(SUFFIXES)}")
    if suffix == ".json":
        yield from _from_json(path)
    elif suffix == ".txt":
        yield from _from_text(path)
    elif suffix in SCORES:
        yield from _from_score(path)
    else:
        raise DataError(f"{path}: chorales are read from {', '.join(SUFFIXES)}, not from {suffix!r} files")


def _checked(found: Found, where: str) -> Found | Rejection:
    """The chorale without silence around it."""
    chorale = found.chorale
    sounding = np.flatnonzero((chorale.pitches != SILENT).any(axis=1))
    if not len(sounding):
        return Rejection(where, "no notes")
    if np.diff(sounding, prepend=sounding[0]).max() > MAX_SILENCE:
        return Rejection(where, "all voices silent for over two bars")
    inside = slice(sounding[0], sounding[-1] + 1)
    trimmed = Chorale(chorale.pitches[inside], chorale.struck[inside], chorale.told)
    return found._replace(chorale=trimmed)


def _from_json(path: Path) -> Iterator[Found | Rejection]:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError, OSError) as error:
        raise DataError(f"{path}: no JSON that can be read ({str(error)[:100]}); {_SHAPE}") from None
    groups = content if isinstance(content, dict) else {"": content}
    if not groups or not all(isinstance(group, list) for group in groups.values()):
        raise DataError(f"{path}: found {_kind(content)}; {_SHAPE}")
    strange = sorted(set(groups) - set(SUBSETS) - {""})
    if strange:
        raise DataError(f"{path}: the key {strange[0][:40]!r}, not one of {', '.join(SUBSETS)}; {_SHAPE}")
    for key, group in groups.items():
        for number, steps in enumerate(group, start=1):
            name = f"{path.name}:{f'{key}_' if key else ''}{number}"
            where = f"{path}:{f'{key}:' if key else ''}{number}"
            try:
                yield _checked(Found(name, SUBSETS.get(key, ""), held_by_pitch(_pitches(steps))), where)
            except NotAChorale as error:
                yield Rejection(where, str(error), name)


def _kind(content: Any) -> str:
    if isinstance(content, dict):
        return "an empty object" if not content else "an object whose values are no lists"
    return f"a value that is no list ({type(content).__name__})"


def _pitches(steps: Any) -> np.ndarray:
    """``(steps, 4)``. Raises NotAChorale."""
    if not isinstance(steps, list) or not steps or not all(isinstance(step, list) for step in steps):
        raise NotAChorale("not a list of steps")
    if len(steps) > LONGEST:
        raise NotAChorale(f"more than {LONGEST} steps")
    if any(len(step) != len(VOICES) for step in steps):
        raise NotAChorale("a step without four voices")
    pitches = np.array([[_pitch(value) for value in step] for step in steps])
    _check_order(pitches)
    return pitches


def _check_order(pitches: np.ndarray) -> None:
    """Raises NotAChorale where the soprano lies below the bass."""
    means = [column[column != SILENT].mean() if (column != SILENT).any() else None for column in pitches.T]
    if None not in (means[0], means[-1]) and means[0] < means[-1]:
        raise NotAChorale("the first voice lies below the last")


def _pitch(value: Any) -> int:
    if value is None or value == SILENT or value != value:  # NaN is silence in some copies
        return SILENT
    whole = isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
    if not whole or not 0 <= value <= HIGHEST_PITCH:
        raise NotAChorale(f"a pitch that is no number from 0 to {HIGHEST_PITCH}")
    return int(value)


def _from_text(path: Path) -> Iterator[Found | Rejection]:
    comment, words, start, number = "", [], 1, 0
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text ({error})") from None
    for at, line in enumerate([*lines, ""], start=1):
        if line.startswith("#"):
            comment = comment or line[1:]
        elif line.strip():
            start = at if not words else start
            words += line.split()
        elif words:
            number += 1
            name = "_".join(comment.split(";")[0].split()) or str(number)
            step = _STEP.search(comment)
            found = f"{path.name}:{name}", int(step[1]) if step else SIXTEENTHS
            yield _read_words(words, *found, f"{path}:{start}")
            comment, words = "", []


def _read_words(words: list[str], name: str, step: int, where: str) -> Found | Rejection:
    if len(words) > LONGEST * len(VOICES):
        return Rejection(where, f"more than {LONGEST} steps", name)
    try:
        return _checked(Found(name, "", from_text(" ".join(words)), step), where)
    except NotAChorale as error:
        return Rejection(where, str(error), name)


def _from_score(path: Path) -> Iterator[Found | Rejection]:
    from music21 import converter

    check_score_file(path)
    try:
        score = converter.parse(str(path), forceSource=True, storePickle=False)
        if any(part.atSoundingPitch is False for part in score.parts):  # of a part that transposes
            score.toSoundingPitch(inPlace=True)
        parts = list(score.parts)
    except Exception as error:  # music21 raises errors of many kinds on a broken file
        why = f"{type(error).__name__}: {str(error)[:120]}"
        raise DataError(f"{path}: music21 cannot read it ({why}); export it again as MusicXML") from None
    try:
        yield _checked(Found(path.name, "", _of_parts(_singers(parts))), str(path))
    except NotAChorale as error:
        yield Rejection(str(path), str(error), path.name)


def _singers(parts: list["Part"]) -> list["Part"]:
    """The four voices from soprano to bass, by their names, else four parts by their places.

    Raises NotAChorale where they are not four, or a name contradicts its place.
    """
    called = [_voice(part) for part in parts]
    named = [[part for part, voice in zip(parts, called, strict=True) if voice == name] for name in VOICES]
    if all(len(each) == 1 for each in named):
        return [each[0] for each in named]
    if len(parts) != len(VOICES):
        raise NotAChorale("not four voices")
    if any(voice not in (None, place) for voice, place in zip(called, VOICES, strict=True)):
        raise NotAChorale("voices named otherwise than they stand")
    return parts


def _voice(part: "Part") -> str | None:
    """The letter of the voice that a part is named after; None for other names."""
    name = str(part.partName or "").strip().lower()
    return next((voice for voice, names in _VOICE_NAMES.items() if names.match(name)), None)


def _of_parts(parts: list["Part"]) -> Chorale:
    rows = [list(_notes(part)) for part in parts]
    size = max((stop for row in rows for _, stop, *_ in row), default=0)
    if not 0 < size <= LONGEST:
        raise NotAChorale("no notes" if not size else f"more than {LONGEST} steps")
    pitches, struck = np.full((size, len(VOICES)), SILENT), np.zeros((size, len(VOICES)), bool)
    for voice, row in enumerate(rows):
        for start, stop, pitch, tied in row:
            pitches[start:stop, voice] = pitch
            # A tie from nowhere is a note of its own.
            struck[start, voice] = not (tied and start and pitches[start - 1, voice] == pitch)
    _check_order(pitches)
    return Chorale(pitches, struck)


def _notes(part: "Part") -> Iterator[tuple[int, int, int, bool]]:
    """First and last step (half-open), pitch, and whether it is tied to the note before."""
    reached = 0
    for element in part.flatten().notes:
        if element.duration.isGrace:
            continue
        if len(element.pitches) != 1:
            raise NotAChorale("a voice with chords")
        start, stop = _step(element.offset), _step(element.offset + element.quarterLength)
        if start < reached:
            raise NotAChorale("a part with several voices")
        reached = stop
        tied = element.tie is not None and element.tie.type in ("stop", "continue")
        yield start, stop, element.pitch.midi, tied


def _step(quarters: Any) -> int:
    step = Fraction(quarters) * _STEPS_PER_QUARTER
    if step.denominator != 1:
        raise NotAChorale("notes finer than a sixteenth")
    return int(step)
