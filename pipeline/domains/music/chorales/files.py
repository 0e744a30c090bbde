"""Files of chorales: MusicXML and Humdrum by music21, JSON of four numbers for each step, and text.

The JSON is that of the JSB chorales (https://github.com/czhuang/JSB-Chorales-dataset): an object of subsets,
or a list, of chorales, each a list of steps of four numbers from soprano to bass, -1 for silence. It does
not distinguish held notes from repeated ones. The text has a comment line, ``# name; step 16``, before each
chorale, and an empty line after it; its lines may have any length. Without a step it is in sixteenths.
"""

import json
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pipeline.domains.music.chorales.voices import (
    MAX_PITCH,
    SILENT,
    SIXTEENTHS,
    VOICES,
    Chorale,
    InvalidChorale,
    merge_repeats,
    parse_chorale,
)
from pipeline.domains.music.score_files import MAX_SCORE_BYTES, SCORE_SUFFIXES, parse_score
from pipeline.errors import DataError
from pipeline.records import Rejection

if TYPE_CHECKING:
    from music21.stream import Part

SUFFIXES = (*SCORE_SUFFIXES, ".json", ".txt")
SUBSETS = {"train": "train", "valid": "validation", "validation": "validation", "test": "test"}
MAX_BYTES = {".json": 2**25, ".txt": 2**25}

MAX_STEPS = 2**16
"""Steps of a chorale: an hour and a half. A longer one is an error of the file."""
MAX_SILENCE = 32
"""Steps in which all voices are silent, two bars; in a longer silence instruments play alone."""
_STEPS_PER_QUARTER = SIXTEENTHS // 4
_VOICE_NAMES = {
    "S": re.compile(r"(?:sop|cantus|canto|discant|s\.?\s*\d*$)"),
    "A": re.compile(r"(?:alt|contralt|a\.?\s*\d*$)"),
    "T": re.compile(r"(?:ten|t\.?\s*\d*$)"),
    "B": re.compile(r"(?:bass?[eouis]*\b|b\.?\s*\d*$)"),
}
"""Beginnings of names of voices in English, Latin, Italian, German and French, by the letter of the voice."""
_STEP = re.compile(r";\s*step (16|8|4)\b")
_SHAPE = (
    "JSON of chorales is an object of train, valid and test, or a list, of chorales, each a list of steps of "
    "four numbers from soprano to bass, -1 for silence"
)


class NamedChorale(NamedTuple):
    """A chorale with its name in the file, its prescribed subset or "", and its grid: 16, 8 or 4."""

    name: str
    subset: str
    chorale: Chorale
    step: int = SIXTEENTHS


def read_chorales(path: Path) -> Iterator[NamedChorale | Rejection]:
    """Yield the chorales of a file, whose suffix says its format.

    Raises DataError where the file cannot be read or has another format.
    """
    suffix = path.suffix.lower()
    max_bytes = MAX_BYTES.get(suffix, MAX_SCORE_BYTES)
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    if not 0 < size <= max_bytes:
        fault = "it is empty" if not size else f"{size:,} bytes are more than the {max_bytes:,} allowed"
        raise DataError(f"{path}: {fault}; give a file of chorales: {', '.join(SUFFIXES)}")
    if suffix == ".json":
        yield from _read_json(path)
    elif suffix == ".txt":
        yield from _read_text(path)
    elif suffix in SCORE_SUFFIXES:
        yield _read_score(path)
    else:
        raise DataError(f"{path}: chorales are read from {', '.join(SUFFIXES)}, not from {suffix!r} files")


def _trim(named: NamedChorale, where: str) -> NamedChorale | Rejection:
    """Remove the silence around a chorale; one with long silence inside is a rejection."""
    chorale = named.chorale
    sounding = np.flatnonzero((chorale.pitches != SILENT).any(axis=1))
    if not len(sounding):
        return Rejection(where, "no notes")
    if np.diff(sounding, prepend=sounding[0]).max() > MAX_SILENCE:
        return Rejection(where, "all voices silent for over two bars")
    inside = slice(sounding[0], sounding[-1] + 1)
    trimmed = Chorale(chorale.pitches[inside], chorale.struck[inside], chorale.marks_repeats)
    return named._replace(chorale=trimmed)


def _read_json(path: Path) -> Iterator[NamedChorale | Rejection]:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError, OSError) as error:
        raise DataError(f"{path}: cannot be parsed as JSON ({str(error)[:100]}); {_SHAPE}") from None
    groups = content if isinstance(content, dict) else {"": content}
    if not groups or not all(isinstance(group, list) for group in groups.values()):
        raise DataError(f"{path}: found {_describe_json(content)}; {_SHAPE}")
    unknown = sorted(set(groups) - set(SUBSETS) - {""})
    if unknown:
        raise DataError(f"{path}: the key {unknown[0][:40]!r}, not one of {', '.join(SUBSETS)}; {_SHAPE}")
    for key, group in groups.items():
        for number, steps in enumerate(group, start=1):
            name = f"{path.name}:{f'{key}_' if key else ''}{number}"
            where = f"{path}:{f'{key}:' if key else ''}{number}"
            try:
                chorale = merge_repeats(_parse_steps(steps))
                yield _trim(NamedChorale(name, SUBSETS.get(key, ""), chorale), where)
            except InvalidChorale as error:
                yield Rejection(where, str(error), name)


def _describe_json(content: Any) -> str:
    if isinstance(content, dict):
        return "an empty object" if not content else "an object whose values are not lists"
    return f"a value that is not a list ({type(content).__name__})"


def _parse_steps(steps: Any) -> np.ndarray:
    """The pitches ``(steps, 4)`` of a JSON value. Raises InvalidChorale."""
    if not isinstance(steps, list) or not steps or not all(isinstance(step, list) for step in steps):
        raise InvalidChorale("not a list of steps")
    if len(steps) > MAX_STEPS:
        raise InvalidChorale(f"more than {MAX_STEPS} steps")
    if any(len(step) != len(VOICES) for step in steps):
        raise InvalidChorale("a step without four voices")
    pitches = np.array([[_parse_pitch(value) for value in step] for step in steps])
    _check_order(pitches)
    return pitches


def _check_order(pitches: np.ndarray) -> None:
    """Raises InvalidChorale where the soprano is below the bass, on average."""
    soprano, bass = (voice[voice != SILENT] for voice in (pitches[:, 0], pitches[:, -1]))
    if len(soprano) and len(bass) and soprano.mean() < bass.mean():
        raise InvalidChorale("the first voice lies below the last")


def _parse_pitch(value: Any) -> int:
    if value is None or value == SILENT or value != value:  # some copies of the data have NaN for silence
        return SILENT
    whole = isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
    if not whole or not 0 <= value <= MAX_PITCH:
        raise InvalidChorale(f"a pitch that is not a number from 0 to {MAX_PITCH}")
    return int(value)


def _read_text(path: Path) -> Iterator[NamedChorale | Rejection]:
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
            grid = int(step[1]) if step else SIXTEENTHS
            yield _parse_words(words, f"{path.name}:{name}", grid, f"{path}:{start}")
            comment, words = "", []


def _parse_words(words: list[str], name: str, step: int, where: str) -> NamedChorale | Rejection:
    if len(words) > MAX_STEPS * len(VOICES):
        return Rejection(where, f"more than {MAX_STEPS} steps", name)
    try:
        return _trim(NamedChorale(name, "", parse_chorale(" ".join(words)), step), where)
    except InvalidChorale as error:
        return Rejection(where, str(error), name)


def _read_score(path: Path) -> NamedChorale | Rejection:
    parts = parse_score(path, _list_parts)
    try:
        return _trim(NamedChorale(path.name, "", _convert_parts(_order_voices(parts))), str(path))
    except InvalidChorale as error:
        return Rejection(str(path), str(error), path.name)


def _list_parts(score: Any) -> list["Part"]:
    """The parts of a score at sounding pitch."""
    if any(part.atSoundingPitch is False for part in score.parts):  # of a transposing instrument
        score.toSoundingPitch(inPlace=True)
    return list(score.parts)


def _order_voices(parts: list["Part"]) -> list["Part"]:
    """The four voices from soprano to bass, by their names, or else by their order in the score.

    Raises InvalidChorale where there are not four, or a name contradicts the order.
    """
    voices = [_parse_voice(part) for part in parts]
    named = [[part for part, voice in zip(parts, voices, strict=True) if voice == name] for name in VOICES]
    if all(len(each) == 1 for each in named):
        return [each[0] for each in named]
    if len(parts) != len(VOICES):
        raise InvalidChorale("not four voices")
    if any(voice not in (None, expected) for voice, expected in zip(voices, VOICES, strict=True)):
        raise InvalidChorale("voices whose names contradict their order")
    return parts


def _parse_voice(part: "Part") -> str | None:
    """The letter of the voice that a part is named after; None for other names."""
    name = str(part.partName or "").strip().lower()
    return next((voice for voice, names in _VOICE_NAMES.items() if names.match(name)), None)


def _convert_parts(parts: list["Part"]) -> Chorale:
    rows = [list(_list_notes(part)) for part in parts]
    size = max((stop for row in rows for _, stop, *_ in row), default=0)
    if not 0 < size <= MAX_STEPS:
        raise InvalidChorale("no notes" if not size else f"more than {MAX_STEPS} steps")
    pitches, struck = np.full((size, len(VOICES)), SILENT), np.zeros((size, len(VOICES)), bool)
    for voice, row in enumerate(rows):
        for start, stop, pitch, tied in row:
            pitches[start:stop, voice] = pitch
            # A note that is tied to no note before it starts there.
            struck[start, voice] = not (tied and start and pitches[start - 1, voice] == pitch)
    _check_order(pitches)
    return Chorale(pitches, struck)


def _list_notes(part: "Part") -> Iterator[tuple[int, int, int, bool]]:
    """Yield start and stop in steps, pitch, and whether the note is tied to the one before."""
    reached = 0
    for element in part.flatten().notes:
        if element.duration.isGrace:
            continue
        if len(element.pitches) != 1:
            raise InvalidChorale("a voice with chords")
        start, stop = _convert_time(element.offset), _convert_time(element.offset + element.quarterLength)
        if start < reached:
            raise InvalidChorale("a part with several voices")
        reached = stop
        tied = element.tie is not None and element.tie.type in ("stop", "continue")
        yield start, stop, element.pitches[0].midi, tied


def _convert_time(quarters: Any) -> int:
    """A time in steps. Raises InvalidChorale where it is between two steps."""
    step = Fraction(quarters) * _STEPS_PER_QUARTER
    if step.denominator != 1:
        raise InvalidChorale("notes finer than a sixteenth")
    return int(step)
