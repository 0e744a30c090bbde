"""Metrics of counterpoint in four voices: parallel fifths and octaves, ranges, crossings, leaps and chords.

Each function counts one chorale; the counts of a group add up.
"""

from itertools import combinations

import numpy as np

from pipeline.domains.music.chorales.voices import SILENT, VOICES, Chorale

FIFTH, OCTAVE = 7, 0
"""Semitones within an octave; unisons count as octaves."""
USUAL_RANGES = ((62, 79), (57, 72), (52, 67), (38, 62))
"""Lowest and highest note of each voice in 99% of the time of Bach's chorales."""
MAX_LEAP = 13
"""Semitones; wider intervals count as this."""
MAX_LENGTH = 16
"""Sixteenths; longer notes count as this."""
_PAIRS = tuple(combinations(range(len(VOICES)), 2))
"""All pairs of voices, the upper one first."""


def count_parallels(chorale: Chorale, interval: int) -> tuple[int, int]:
    """Parallel intervals, and steps at which two voices or more move.

    An interval is parallel where two voices move in the same direction from it to the same interval. Source:
    W. Piston, Harmony (1941), on parallel fifths and octaves; those by contrary motion are not counted.
    """
    pitches = chorale.pitches
    before, after = pitches[:-1], pitches[1:]
    steps = np.where((before != SILENT) & (after != SILENT), after - before, 0)
    found = 0
    for upper, lower in _PAIRS:
        same_direction = np.sign(steps[:, upper]) * np.sign(steps[:, lower]) > 0
        first, second = (before[:, upper] - before[:, lower]), (after[:, upper] - after[:, lower])
        found += int((same_direction & (first % 12 == interval) & (second % 12 == interval)).sum())
    return found, int(((steps != 0).sum(axis=1) >= 2).sum())


def count_crossings(chorale: Chorale) -> tuple[int, int]:
    """Steps in which a voice is below a lower one, and steps with two voices or more."""
    crossed, several = np.zeros(len(chorale), bool), np.zeros(len(chorale), bool)
    for upper, lower in _PAIRS:
        both = (chorale.pitches[:, upper] != SILENT) & (chorale.pitches[:, lower] != SILENT)
        crossed |= both & (chorale.pitches[:, upper] < chorale.pitches[:, lower])
        several |= both
    return int(crossed.sum()), int(several.sum())


def count_out_of_range(chorale: Chorale) -> tuple[int, int]:
    """Notes outside `USUAL_RANGES`, and all notes."""
    outside = sum(not USUAL_RANGES[n.voice][0] <= n.pitch <= USUAL_RANGES[n.voice][1] for n in chorale.notes)
    return outside, len(chorale.notes)


def count_wide_gaps(chorale: Chorale) -> tuple[int, int]:
    """Steps in which soprano and alto, or alto and tenor, are over an octave apart, and all steps.

    Only steps with all three voices count.
    """
    wide, three = np.zeros(len(chorale), bool), (chorale.pitches[:, :3] != SILENT).all(axis=1)
    for upper in (0, 1):
        wide |= chorale.pitches[:, upper] - chorale.pitches[:, upper + 1] > 12
    return int((wide & three).sum()), int(three.sum())


def count_chords(chorale: Chorale) -> np.ndarray:
    """Steps at which a note starts, by the pitch classes above the bass, ``(4096,)``."""
    at = chorale.struck.any(axis=1) & (chorale.pitches[:, -1] != SILENT)
    pitches = chorale.pitches[at]
    above = np.where(pitches != SILENT, 1 << ((pitches - pitches[:, -1:]) % 12), 0)
    return np.bincount(np.bitwise_or.reduce(above, axis=1), minlength=2**12)


def count_leaps(chorale: Chorale) -> np.ndarray:
    """Melodic intervals of each voice by semitones, ``(4 * 27,)``."""
    width = 2 * MAX_LEAP + 1
    row = np.zeros((len(VOICES), width), int)
    for before, after in zip(chorale.notes, chorale.notes[1:], strict=False):
        if before.voice == after.voice:
            leap = int(np.clip(after.pitch - before.pitch, -MAX_LEAP, MAX_LEAP))
            row[before.voice, leap + MAX_LEAP] += 1
    return row.ravel()


def count_lengths(chorale: Chorale) -> np.ndarray:
    """Notes of each voice by length in steps, ``(4 * 17,)``."""
    row = np.zeros((len(VOICES), MAX_LENGTH + 1), int)
    for note in chorale.notes:
        row[note.voice, min(note.length, MAX_LENGTH)] += 1
    return row.ravel()
