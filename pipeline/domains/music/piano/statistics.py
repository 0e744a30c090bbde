"""The comparison of piano pieces: keys, intervals, chords and repetition, counted in the flat form.

Read next: `notes.py` (the flat form), `compare/sequence_comparison.py` (how groups are compared).
"""

import numpy as np

from pipeline.domains.music.compare.note_metrics import SCALES
from pipeline.domains.music.compare.piece_set import distribution_metric, percentage_metric
from pipeline.domains.music.compare.sequence_comparison import SequenceComparison
from pipeline.domains.music.piano.notes import MAX_CHORD_NOTES, InvalidNotes, group_chords, parse_notes
from pipeline.evaluation.metric_comparison.conclusions import ComparisonTerms

MAX_INTERVAL = 36
"""Semitones; wider intervals count as this."""
NGRAM_NOTES = 8
"""Notes of an n-gram that may occur again in a piece."""
TERMS = ComparisonTerms("notes", "piano pieces", "real pieces", ("JS distance of chords",))
Notes = tuple[int, ...]


def count_keys(notes: Notes) -> np.ndarray:
    """Notes by key, ``(128,)``."""
    return np.bincount(notes, minlength=128)


def count_intervals(notes: Notes) -> np.ndarray:
    """Intervals of consecutive notes by semitones, ``(2 * MAX_INTERVAL + 1,)``."""
    clipped = np.clip(np.diff(notes), -MAX_INTERVAL, MAX_INTERVAL)
    return np.bincount(clipped + MAX_INTERVAL, minlength=2 * MAX_INTERVAL + 1)


def count_chords(notes: Notes) -> np.ndarray:
    """Chords of two notes or more by their pitch classes above the lowest note, ``(4096,)``."""
    chords = (chord for chord in group_chords(notes) if len(chord) > 1)
    masks = [sum({1 << (note - chord[0]) % 12 for note in chord}) for chord in chords]
    return np.bincount(np.array(masks, int), minlength=2**12)


def count_chord_sizes(notes: Notes) -> np.ndarray:
    """Chords and single notes by their number of notes, ``(MAX_CHORD_NOTES + 1,)``."""
    return np.bincount([len(chord) for chord in group_chords(notes)], minlength=MAX_CHORD_NOTES + 1)


def count_in_scale(notes: Notes) -> tuple[float, float]:
    """The notes in the major or minor scale that has most, and all notes: MusPy's scale consistency."""
    classes = np.bincount(np.array(notes) % 12, minlength=12)
    return (SCALES @ classes).max(), len(notes)


def count_repeated(notes: Notes) -> tuple[int, int]:
    """The n-grams of `NGRAM_NOTES` notes that occur earlier in the piece, and all n-grams."""
    ngrams = [notes[at : at + NGRAM_NOTES] for at in range(len(notes) - NGRAM_NOTES + 1)]
    return len(ngrams) - len(set(ngrams)), len(ngrams)


METRICS = (
    distribution_metric("JS distance of keys", count_keys, True),
    distribution_metric("JS distance of intervals", count_intervals, True),
    distribution_metric("JS distance of chords, above their lowest note", count_chords),
    distribution_metric("JS distance of chord sizes", count_chord_sizes),
    percentage_metric("notes of one scale (%)", count_in_scale, True),
    percentage_metric(f"repeated {NGRAM_NOTES}-grams of notes (%)", count_repeated),
)


def parse_piece(text: str) -> Notes:
    """The notes of a piece of two notes or more. Raises InvalidNotes for other texts."""
    notes = parse_notes(text)
    if len(notes) < 2:
        raise InvalidNotes("a single note")
    return notes


COMPARISON = SequenceComparison(parse_piece, METRICS, TERMS)
