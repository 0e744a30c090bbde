"""Metrics of the structure of tunes: loops, ends of parts, accidentals, endings, length and keys.

All are measured on the bars and parts as notated, without following repeats.
`docs/explanation/tune-metrics.md` defines each metric and gives figures of real tunes.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.layout import is_pickup
from pipeline.domains.music.abc.notes import Note
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.compare.form import find_parts, tune_metric
from pipeline.domains.music.compare.note_table import NoteTable, TuneNotes, parse_mode, parse_tonic
from pipeline.domains.music.compare.piece_set import distribution_metric, percentage_metric
from pipeline.domains.music.render.playback import key_at, written_keys
from pipeline.evaluation.metric_comparison.metric import Metric

MIN_PHRASE_BARS, MAX_PHRASE_BARS = 2, 16
"""Bars of a phrase."""
LOOP_TIMES = 3
"""A phrase that occurs so many times in a row is a loop: 0.1% of the real tunes have one."""
MAX_USUAL_BARS = 40
"""Bars as notated; fewer than 1% of the real tunes have more."""
MIN_PART_BARS = 2
"""Bars of a part; a shorter group, such as a pick-up before a repeat sign, is not one."""
FIFTH = 7
"""Semitones."""
MAX_COUNTED_BARS = 64
"""Bars in the distribution of lengths; longer tunes count as this."""

TONIC_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
KEYS = tuple(tonic + mode for tonic in TONIC_NAMES for mode in fields.MODES)
"""The keys of all tonics and modes; enharmonically equal keys are one."""

LOOPS = "tunes with a phrase three times in a row (%)"
LONG = f"tunes of more than {MAX_USUAL_BARS} bars (%)"
PARTS_ON_TONIC = "tunes whose parts all end on the tonic (%)"
ENDS_ALIKE = "tunes whose parts A and B end alike (%)"
ACCIDENTALS = "tunes with an accidental (%)"
ENDINGS = "tunes with first and second endings (%)"
BARS = "bars in a tune, JS distance"
KEY_SHARES = "keys, JS distance"


def structure_metrics() -> list[Metric]:
    """The metrics of structure, which count `TuneNotes`."""
    return [
        tune_metric(LOOPS, lambda tune: (100.0 * has_loop(tune), 1)),
        tune_metric(LONG, lambda tune: (100.0 * (count_bars(tune) > MAX_USUAL_BARS), 1), True),
        tune_metric(PARTS_ON_TONIC, lambda tune: (100.0 * parts_end_on_tonic(tune), 1)),
        tune_metric(ENDS_ALIKE, lambda tune: (100.0 * has_equal_cadences(tune), 1)),
        tune_metric(ACCIDENTALS, lambda tune: (100.0 * has_accidental(tune), 1), True),
        tune_metric(ENDINGS, lambda tune: (100.0 * has_endings(tune), 1), True),
        tune_metric("bars in a tune", lambda tune: (count_bars(tune), 1), True),
        distribution_metric(BARS, count_bar_numbers, True),
        distribution_metric(KEY_SHARES, count_keys, True),
        percentage_metric("leaps over a fifth (%)", count_leaps),
    ]


def number_bars(tune: Tune) -> np.ndarray:
    """Number the bars as notated by their content, int ``(bars,)``: equal bars have equal numbers.

    Bars are equal where the same pitches have the same onsets and lengths; ornaments do not count.
    """
    bars = tune.parsed.bars
    notes: list[list[tuple]] = [[] for _ in bars]
    for note in tune.parsed.notes:
        if note.bar < len(bars):
            notes[note.bar].append((note.pitches, note.onset - bars[note.bar].onset, note.duration))
    numbers: dict[tuple, int] = {}
    return np.array([numbers.setdefault(tuple(each), len(numbers)) for each in notes], int)


def repeats_in_a_row(contents: np.ndarray, size: int, times: int) -> bool:
    """Whether a group of `size` bars occurs `times` times in a row.

    >>> repeats_in_a_row(np.array([1, 2, 1, 2, 1, 2]), 2, 3), repeats_in_a_row(np.array([1, 2, 1, 2]), 2, 3)
    (True, False)
    """
    wanted = (times - 1) * size
    if len(contents) < wanted + size:
        return False
    same = np.concatenate([[0], contents[size:] == contents[:-size], [0]])
    edges = np.flatnonzero(np.diff(same))
    return bool(((edges[1::2] - edges[::2]) >= wanted).any())


def has_loop(tune: Tune) -> bool:
    """Whether a phrase of two bars or more occurs three times in a row, as notated."""
    contents = number_bars(tune)
    sizes = range(MIN_PHRASE_BARS, min(MAX_PHRASE_BARS, len(contents) // LOOP_TIMES) + 1)
    return any(repeats_in_a_row(contents, size, LOOP_TIMES) for size in sizes)


def is_looping(tune: Tune) -> bool:
    """Whether a tune has a loop, or more bars than nearly all real tunes."""
    return has_loop(tune) or count_bars(tune) > MAX_USUAL_BARS


def count_bars(tune: Tune) -> int:
    """The number of bars as notated, without pick-ups."""
    return sum(not is_pickup(bar) for bar in tune.parsed.bars)


def find_whole_parts(tune: Tune) -> list[list[int]]:
    """The indices of the bars of each part of `MIN_PART_BARS` or more, without pick-ups."""
    bars = tune.parsed.bars
    parts = ([index for index in part if not is_pickup(bars[index])] for part in find_parts(tune))
    return [part for part in parts if len(part) >= MIN_PART_BARS]


def parts_end_on_tonic(tune: Tune) -> bool:
    """Whether the last note of each part, that of its last ending, is the tonic of the key at that note."""
    parts = find_whole_parts(tune)
    keys = list(written_keys(tune))
    last_notes = [_find_last_note(tune, part) for part in parts]
    return bool(parts) and all(
        note is not None and (max(note.pitches) - parse_tonic(key_at(keys, note.start))) % 12 == 0
        for note in last_notes
    )


def _find_last_note(tune: Tune, part: Sequence[int]) -> Note | None:
    inside = set(part)
    return next((n for n in reversed(tune.parsed.notes) if n.pitches and n.bar in inside), None)


def has_equal_cadences(tune: Tune) -> bool:
    """Whether the last bar but one of the first two parts is the same."""
    parts, contents = find_whole_parts(tune), number_bars(tune)
    return len(parts) > 1 and bool(contents[parts[0][-2]] == contents[parts[1][-2]])


def has_accidental(tune: Tune) -> bool:
    """Whether a note, grace note or note of a chord has a sharp, flat or natural."""
    return any(token.kind in ("note", "chord", "grace") and {*token.text} & {*"^_="} for token in tune.tokens)


def has_endings(tune: Tune) -> bool:
    """Whether a part has a first and a second ending."""
    return any(bar.ending for bar in tune.parsed.bars)


def count_leaps(piece: NoteTable) -> tuple[float, float]:
    """Melodic intervals wider than a fifth, and all melodic intervals."""
    steps = np.abs(np.diff(piece.melody[2]))
    return float((steps > FIFTH).sum()), float(len(steps))


def count_bar_numbers(piece: TuneNotes) -> np.ndarray:
    """A one at the number of bars as notated, ``(MAX_COUNTED_BARS + 1,)``."""
    row = np.zeros(MAX_COUNTED_BARS + 1)
    row[min(count_bars(piece.tune), MAX_COUNTED_BARS)] = 1
    return row


def count_keys(piece: TuneNotes) -> np.ndarray:
    """A one at the key of the header, ``(len(KEYS),)`` in the order of `KEYS`."""
    row = np.zeros(len(KEYS))
    key = piece.tune.key
    row[KEYS.index(TONIC_NAMES[parse_tonic(key)] + parse_mode(key))] = 1
    return row
