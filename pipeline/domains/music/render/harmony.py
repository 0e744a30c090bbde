"""Chords for a tune: those that it names, else a chord for each bar by what its notes, its key and its
cadences ask for, the best of all ways through the tune (Viterbi)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

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
        """As written above a staff.

        >>> Chord(9, 3).name
        'Am'
        """
        kinds = {(3, 7): "m", (3, 6): "dim", (4, 8): "aug"}
        return NAMES[self.root] + kinds.get((self.third, self.fifth), "")


# Degrees in semitones above the tonic with the third of their triad, and how welcome each is by itself.
_MAJOR = {(0, 4): 0.08, (2, 3): -0.04, (5, 4): 0.02, (7, 4): 0.04, (9, 3): -0.03, (10, 4): -0.12}
_MINOR = {(0, 3): 0.08, (3, 4): 0.0, (5, 3): 0.0, (7, 3): -0.03, (7, 4): 0.0, (8, 4): -0.03, (10, 4): 0.02}
_DORIAN = {(0, 3): 0.08, (3, 4): -0.03, (5, 4): -0.01, (7, 3): -0.03, (10, 4): 0.04}
_MIXOLYDIAN = {(0, 4): 0.08, (2, 3): -0.04, (5, 4): 0.02, (7, 3): -0.05, (9, 3): -0.05, (10, 4): 0.04}
_LYDIAN = {(0, 4): 0.08, (2, 4): 0.02, (7, 4): 0.02, (9, 3): -0.03, (11, 3): -0.04}
_PHRYGIAN = {(0, 3): 0.08, (1, 4): 0.03, (3, 4): -0.02, (5, 3): 0.0, (8, 4): -0.02, (10, 3): 0.0}
_MODES = {"": _MAJOR, "Lyd": _LYDIAN, "Mix": _MIXOLYDIAN, "m": _MINOR, "Phr": _PHRYGIAN, "Loc": _MINOR,
          "Dor": _DORIAN}  # fmt: skip
# From one degree to the next; what is not named is neither sought nor shunned.
_STEPS = {(7, 0): 0.10, (5, 0): 0.04, (10, 0): 0.05, (0, 7): 0.03, (0, 5): 0.03, (5, 7): 0.05, (2, 7): 0.07,
          (7, 5): -0.06, (9, 2): 0.03, (0, 10): 0.02}  # fmt: skip
_FIT = (1.0, 0.9, 0.8)
_STRANGE = -0.45
_PART_BARS = 8


def harmonise(tune: Tune) -> tuple[Chord, ...]:
    """One chord for each bar of a valid tune as written: that named in it or before it, else the best."""
    named = _named_chords(tune)
    if not any(named):
        return _best_chords(tune)
    chords: list[Chord] = []
    for chord in named:
        chords.append(chord or (chords[-1] if chords else next(filter(None, named))))
    return tuple(chords)


def parse_chord(text: str) -> Chord | None:
    """The triad of a chord symbol, None for what is none.

    >>> parse_chord("F#m7").name, parse_chord("D7/F#").name, parse_chord("slowly")
    ('F#m', 'D', None)
    """
    match = _SYMBOL.match(text)
    if match is None:
        return None
    root = (_SEMITONES[match[1]] + {"#": 1, "b": -1, "": 0}[match[2]]) % 12
    kind = match[3] or ""
    return Chord(root, _THIRDS.get(kind, 4), _FIFTHS.get(kind, 7))


def _named_chords(tune: Tune) -> list[Chord | None]:
    """The first chord named in each bar."""
    bars = tune.parsed.bars
    found: list[Chord | None] = [None] * len(bars)
    index = 0
    for token in tune.tokens:
        while index + 1 < len(bars) and token.start >= bars[index].end:
            index += 1
        if token.kind == "string" and bars and found[index] is None:
            found[index] = parse_chord(token.text.strip('"'))
    return found


def _best_chords(tune: Tune) -> tuple[Chord, ...]:
    bars = tune.parsed.bars
    tonic, degrees = _tonic_and_degrees(tune.key)
    chords = {Chord((tonic + degree) % 12, third): welcome for (degree, third), welcome in degrees.items()}
    by_bar: list[list[Note]] = [[] for _ in bars]
    for note in tune.parsed.notes:
        by_bar[note.bar].append(note)
    fits = []
    for index, bar in enumerate(bars):
        weights = _weights(bar, by_bar[index])
        fits.append([_fit(weights, chord) + welcome for chord, welcome in chords.items()])
    places = _places(bars)
    for index, row in enumerate(fits):
        for number, (degree, _) in enumerate(degrees):
            row[number] += _cadence(places[index], degree, last=index + 1 == len(bars))
    choices = tuple(chords)
    return tuple(choices[number] for number in _viterbi(fits, [degree for degree, _ in degrees]))


def _tonic_and_degrees(key: str) -> tuple[int, dict[tuple[int, int], float]]:
    accidental = key[1:2] if key[1:2] in ("#", "b") else ""
    tonic = (_SEMITONES[key[0]] + {"#": 1, "b": -1, "": 0}[accidental]) % 12
    return tonic, _MODES[key[1 + len(accidental) :]]


def _weights(bar: Bar, notes: Sequence[Note]) -> dict[int, float]:
    """How much each pitch class counts: by its length, more on a beat, most on the first."""
    beat = fields.beat_length(bar.meter) * WHOLE
    weights: dict[int, float] = {}
    for note in notes:
        offset = beat_offset(bar, note.onset)
        stress = 2.0 if offset == 0 else (1.5 if offset % beat == 0 else 1.0)
        for pitch in note.pitches:
            weights[pitch % 12] = weights.get(pitch % 12, 0.0) + stress * float(note.duration)
    return weights


def _fit(weights: dict[int, float], chord: Chord) -> float:
    """From -0.45, where no note is of the chord, to 1, where all are its root."""
    total = sum(weights.values())
    if not total:
        return 0.0
    worth = dict(zip(chord.pitch_classes, _FIT, strict=True))
    return sum(weight * worth.get(pitch, _STRANGE) for pitch, weight in weights.items()) / total


def _places(bars: Sequence[Bar]) -> list[tuple[int, bool, bool]]:
    """Of each bar its number in its part, from 0, -1 for an upbeat; whether it ends a phrase of eight bars or
    the part; and whether the next one does."""
    numbers: list[int] = []
    number = 0
    for bar in bars:
        if opens_section(bar.left):
            number = 0
        numbers.append(-1 if is_pickup(bar) else number)
        number += not is_pickup(bar)
    ends = [index + 1 == len(bars) or opens_section(bar.right) or (number + 1) % _PART_BARS == 0
            for index, (bar, number) in enumerate(zip(bars, numbers, strict=True))]  # fmt: skip
    before = [*ends[1:], False]
    return list(zip(numbers, ends, before, strict=True))


def _cadence(place: tuple[int, bool, bool], degree: int, last: bool) -> float:
    number, ends, before_end = place
    if number == 0 and degree == 0:
        return 0.15
    if ends:
        return (0.4 if last else 0.15) if degree == 0 else 0.0
    if before_end and degree in (7, 10):
        return 0.08
    return 0.06 if number % _PART_BARS == 3 and degree == 7 else 0.0


def _viterbi(fits: Sequence[Sequence[float]], degrees: Sequence[int]) -> list[int]:
    """The way through the bars of the highest sum of fits and steps; the first of equals."""
    if not fits:
        return []
    steps = [[0.02 if a == b else _STEPS.get((a, b), 0.0) for b in degrees] for a in degrees]
    best = list(fits[0])
    back: list[list[int]] = []
    for row in fits[1:]:
        sources = [max(range(len(best)), key=lambda a, b=b: best[a] + steps[a][b]) for b in range(len(row))]
        best = [best[a] + steps[a][b] + row[b] for b, a in enumerate(sources)]
        back.append(sources)
    path = [max(range(len(best)), key=best.__getitem__)]
    for sources in reversed(back):
        path.append(sources[path[-1]])
    return path[::-1]
