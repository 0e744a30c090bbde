"""Chords for a tune: the chord symbols that it has, or one chord for each bar by its notes, key and cadences.

Without chord symbols the sequence of chords with the highest sum of scores is found (Viterbi, IEEE
Transactions on Information Theory 13 (1967) 260).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.layout import beat_offset, is_pickup
from pipeline.domains.music.abc.notes import WHOLE, Bar, Note, opens_section
from pipeline.domains.music.abc.tune import Tune

NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SYMBOL = re.compile(r"([A-G])([#b]?)(maj7?|min|m|dim|aug|sus|\+)?")
_THIRDS = {"m": 3, "min": 3, "dim": 3}
_FIFTHS = {"dim": 6, "aug": 8, "+": 8}


@dataclass(frozen=True, slots=True)
class Chord:
    """A triad by the pitch class of its root, and the semitones of its third and fifth."""

    root: int
    third: int = 4
    fifth: int = 7

    @property
    def pitch_classes(self) -> tuple[int, int, int]:
        """Root, third and fifth."""
        return self.root, (self.root + self.third) % 12, (self.root + self.fifth) % 12

    @property
    def name(self) -> str:
        """The chord symbol.

        >>> Chord(9, 3).name
        'Am'
        """
        kinds = {(3, 7): "m", (3, 6): "dim", (4, 8): "aug"}
        return NAMES[self.root] + kinds.get((self.third, self.fifth), "")


# For each mode the score of each chord: a degree in semitones above the tonic, with the third of its triad.
_MAJOR = {(0, 4): 0.08, (2, 3): -0.04, (5, 4): 0.02, (7, 4): 0.04, (9, 3): -0.03, (10, 4): -0.12}
_MINOR = {(0, 3): 0.08, (3, 4): 0.0, (5, 3): 0.0, (7, 3): -0.03, (7, 4): 0.0, (8, 4): -0.03, (10, 4): 0.02}
_DORIAN = {(0, 3): 0.08, (3, 4): -0.03, (5, 4): -0.01, (7, 3): -0.03, (10, 4): 0.04}
_MIXOLYDIAN = {(0, 4): 0.08, (2, 3): -0.04, (5, 4): 0.02, (7, 3): -0.05, (9, 3): -0.05, (10, 4): 0.04}
_LYDIAN = {(0, 4): 0.08, (2, 4): 0.02, (7, 4): 0.02, (9, 3): -0.03, (11, 3): -0.04}
_PHRYGIAN = {(0, 3): 0.08, (1, 4): 0.03, (3, 4): -0.02, (5, 3): 0.0, (8, 4): -0.02, (10, 3): 0.0}
_MODES = {"": _MAJOR, "Lyd": _LYDIAN, "Mix": _MIXOLYDIAN, "m": _MINOR, "Phr": _PHRYGIAN, "Loc": _MINOR,
          "Dor": _DORIAN}  # fmt: skip
# The score of a step from one degree to the next; other steps have 0.
_STEPS = {(7, 0): 0.10, (5, 0): 0.04, (10, 0): 0.05, (0, 7): 0.03, (0, 5): 0.03, (5, 7): 0.05, (2, 7): 0.07,
          (7, 5): -0.06, (9, 2): 0.03, (0, 10): 0.02}  # fmt: skip
_CHORD_TONES = (1.0, 0.9, 0.8)
"""Scores of notes that are the root, third and fifth of the chord."""
_OTHER_TONE = -0.45
_PHRASE_BARS = 8


def harmonise(tune: Tune) -> tuple[Chord, ...]:
    """One chord for each bar of a valid tune as notated.

    In a tune with chord symbols it is the symbol of the bar, or the last one before it.
    """
    named = _find_symbols(tune)
    if not any(named):
        return _find_best_chords(tune)
    chords: list[Chord] = []
    for chord in named:
        chords.append(chord or (chords[-1] if chords else next(filter(None, named))))
    return tuple(chords)


def parse_chord(text: str) -> Chord | None:
    """The triad of a chord symbol; None for other texts.

    >>> parse_chord("F#m7").name, parse_chord("D7/F#").name, parse_chord("slowly")
    ('F#m', 'D', None)
    """
    match = _SYMBOL.match(text)
    if match is None:
        return None
    root = (_SEMITONES[match[1]] + {"#": 1, "b": -1, "": 0}[match[2]]) % 12
    kind = match[3] or ""
    return Chord(root, _THIRDS.get(kind, 4), _FIFTHS.get(kind, 7))


def _find_symbols(tune: Tune) -> list[Chord | None]:
    """The first chord symbol of each bar."""
    bars = tune.parsed.bars
    found: list[Chord | None] = [None] * len(bars)
    index = 0
    for token in tune.tokens:
        while index + 1 < len(bars) and token.start >= bars[index].end:
            index += 1
        if token.kind == "string" and bars and found[index] is None:
            found[index] = parse_chord(token.text.strip('"'))
    return found


def _find_best_chords(tune: Tune) -> tuple[Chord, ...]:
    bars = tune.parsed.bars
    tonic, degrees = _parse_key(tune.key)
    chords = {Chord((tonic + degree) % 12, third): score for (degree, third), score in degrees.items()}
    by_bar: list[list[Note]] = [[] for _ in bars]
    for note in tune.parsed.notes:
        by_bar[note.bar].append(note)
    scores = []
    for index, bar in enumerate(bars):
        weights = _weigh_pitch_classes(bar, by_bar[index])
        scores.append([_score_notes(weights, chord) + score for chord, score in chords.items()])
    phrases = _find_phrases(bars)
    for index, row in enumerate(scores):
        for number, (degree, _) in enumerate(degrees):
            row[number] += _score_cadence(phrases[index], degree, last=index + 1 == len(bars))
    choices = tuple(chords)
    return tuple(choices[number] for number in _viterbi(scores, [degree for degree, _ in degrees]))


def _parse_key(key: str) -> tuple[int, dict[tuple[int, int], float]]:
    """The pitch class of the tonic, and the chords of the mode with their scores."""
    accidental = key[1:2] if key[1:2] in ("#", "b") else ""
    tonic = (_SEMITONES[key[0]] + {"#": 1, "b": -1, "": 0}[accidental]) % 12
    return tonic, _MODES[key[1 + len(accidental) :]]


def _weigh_pitch_classes(bar: Bar, notes: Sequence[Note]) -> dict[int, float]:
    """The weight of each pitch class: the lengths of its notes, more on a beat, most on the first one."""
    beat = fields.beat_length(bar.meter) * WHOLE
    weights: dict[int, float] = {}
    for note in notes:
        offset = beat_offset(bar, note.onset)
        stress = 2.0 if offset == 0 else (1.5 if offset % beat == 0 else 1.0)
        for pitch in note.pitches:
            weights[pitch % 12] = weights.get(pitch % 12, 0.0) + stress * float(note.duration)
    return weights


def _score_notes(weights: dict[int, float], chord: Chord) -> float:
    """The score of a chord for the notes of a bar, from -0.45 (no chord tone) to 1 (all are its root)."""
    total = sum(weights.values())
    if not total:
        return 0.0
    tones = dict(zip(chord.pitch_classes, _CHORD_TONES, strict=True))
    return sum(weight * tones.get(pitch, _OTHER_TONE) for pitch, weight in weights.items()) / total


class _PhraseBar(NamedTuple):
    """The number of a bar in its part, from 0 (-1: an upbeat); whether it, or the next one, ends a phrase.

    A phrase ends after eight bars, or with the part.
    """

    number: int
    ends_phrase: bool
    is_before_end: bool


def _find_phrases(bars: Sequence[Bar]) -> list[_PhraseBar]:
    numbers: list[int] = []
    number = 0
    for bar in bars:
        if opens_section(bar.left):
            number = 0
        numbers.append(-1 if is_pickup(bar) else number)
        number += not is_pickup(bar)
    ends = [index + 1 == len(bars) or opens_section(bar.right) or (number + 1) % _PHRASE_BARS == 0
            for index, (bar, number) in enumerate(zip(bars, numbers, strict=True))]  # fmt: skip
    return [_PhraseBar(*each) for each in zip(numbers, ends, [*ends[1:], False], strict=True)]


def _score_cadence(bar: _PhraseBar, degree: int, last: bool) -> float:
    """The score of a degree for a bar's place in its phrase; `last` says that the tune ends with the bar."""
    if bar.number == 0 and degree == 0:
        return 0.15
    if bar.ends_phrase:
        return (0.4 if last else 0.15) if degree == 0 else 0.0
    if bar.is_before_end and degree in (7, 10):
        return 0.08
    return 0.06 if bar.number % _PHRASE_BARS == 3 and degree == 7 else 0.0


def _viterbi(scores: Sequence[Sequence[float]], degrees: Sequence[int]) -> list[int]:
    """The chord of each bar with the highest sum of scores and steps; of equal sequences the first."""
    if not scores:
        return []
    steps = [[0.02 if a == b else _STEPS.get((a, b), 0.0) for b in degrees] for a in degrees]
    best = list(scores[0])
    back: list[list[int]] = []
    for row in scores[1:]:
        sources = [max(range(len(best)), key=lambda a, b=b: best[a] + steps[a][b]) for b in range(len(row))]
        best = [best[a] + steps[a][b] + row[b] for b, a in enumerate(sources)]
        back.append(sources)
    path = [max(range(len(best)), key=best.__getitem__)]
    for sources in reversed(back):
        path.append(sources[path[-1]])
    return path[::-1]
