"""What theory books count in four voices: parallel fifths and octaves, ranges, crossings, leaps, chords.

Each function makes of a chorale a row; rows add up over chorales.
"""

from itertools import combinations

import numpy as np

from pipeline.domains.music.chorales.voices import SILENT, VOICES, Chorale

FIFTH, OCTAVE = 7, 0
"""Semitones within an octave; unisons count as octaves."""
USUAL_RANGES = ((62, 79), (57, 72), (52, 67), (38, 62))
"""Lowest and highest note of each voice in Bach's chorales, but for 1% of the time."""
WIDEST_LEAP = 13
"""Semitones; wider intervals count as this."""
LONGEST = 16
"""Sixteenths; longer notes count as this."""
_LOWER = tuple(combinations(range(len(VOICES)), 2))


def parallels(chorale: Chorale, interval: int) -> tuple[int, int]:
    """How often two voices move in the same direction from one interval to the same, and how often any two
    voices move at once.

    Source: W. Piston, Harmony (1941), on parallel fifths and octaves; those by contrary motion are not
    counted.
    """
    pitches = chorale.pitches
    before, after = pitches[:-1], pitches[1:]
    steps = np.where((before != SILENT) & (after != SILENT), after - before, 0)
    found = 0
    for upper, lower in _LOWER:
        same_way = np.sign(steps[:, upper]) * np.sign(steps[:, lower]) > 0
        width = (before[:, upper] - before[:, lower]), (after[:, upper] - after[:, lower])
        found += int((same_way & (width[0] % 12 == interval) & (width[1] % 12 == interval)).sum())
    return found, int(((steps != 0).sum(axis=1) >= 2).sum())


def crossings(chorale: Chorale) -> tuple[int, int]:
    """The steps in which a voice lies below a lower one, and those with two voices or more."""
    crossed, several = np.zeros(len(chorale), bool), np.zeros(len(chorale), bool)
    for upper, lower in _LOWER:
        both = (chorale.pitches[:, upper] != SILENT) & (chorale.pitches[:, lower] != SILENT)
        crossed |= both & (chorale.pitches[:, upper] < chorale.pitches[:, lower])
        several |= both
    return int(crossed.sum()), int(several.sum())


def out_of_range(chorale: Chorale) -> tuple[int, int]:
    """The notes outside `USUAL_RANGES`, and all notes."""
    outside = sum(not USUAL_RANGES[n.voice][0] <= n.pitch <= USUAL_RANGES[n.voice][1] for n in chorale.notes)
    return outside, len(chorale.notes)


def wide_gaps(chorale: Chorale) -> tuple[int, int]:
    """The steps in which soprano and alto, or alto and tenor, are more than an octave apart, and all steps
    with these voices."""
    wide, three = np.zeros(len(chorale), bool), (chorale.pitches[:, :3] != SILENT).all(axis=1)
    for upper in (0, 1):
        wide |= chorale.pitches[:, upper] - chorale.pitches[:, upper + 1] > 12
    return int((wide & three).sum()), int(three.sum())


def chords(chorale: Chorale) -> np.ndarray:
    """Steps at which something is struck, by the pitch classes that sound above the bass, ``(4096,)``."""
    at = chorale.struck.any(axis=1) & (chorale.pitches[:, -1] != SILENT)
    pitches = chorale.pitches[at]
    above = np.where(pitches != SILENT, 1 << ((pitches - pitches[:, -1:]) % 12), 0)
    return np.bincount(np.bitwise_or.reduce(above, axis=1), minlength=2**12)


def leaps(chorale: Chorale) -> np.ndarray:
    """Steps of each voice from note to note, by semitones: ``(4 * 27,)``."""
    width = 2 * WIDEST_LEAP + 1
    row = np.zeros((len(VOICES), width), int)
    for before, after in zip(chorale.notes, chorale.notes[1:], strict=False):
        if before.voice == after.voice:
            leap = int(np.clip(after.pitch - before.pitch, -WIDEST_LEAP, WIDEST_LEAP))
            row[before.voice, leap + WIDEST_LEAP] += 1
    return row.ravel()


def lengths(chorale: Chorale) -> np.ndarray:
    """Notes of each voice by their length in steps, ``(4 * 17,)``."""
    row = np.zeros((len(VOICES), LONGEST + 1), int)
    for note in chorale.notes:
        row[note.voice, min(note.length, LONGEST)] += 1
    return row.ravel()
