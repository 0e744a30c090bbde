"""The structure of a tune as players notice it: loops, part endings, accidentals, endings, length, keys.

All of it is measured in written order, repeats not played, on the bars and parts of our own ABC reading.
`docs/explanation/tune-metrics.md` defines each metric and gives figures of real tunes.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.layout import is_pickup
from pipeline.domains.music.abc.notes import Note
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.compare.form import parts, tune_measure
from pipeline.domains.music.compare.note_measures import rows_of
from pipeline.domains.music.compare.note_table import NoteTable, TuneNotes, mode_of, tonic_of
from pipeline.domains.music.render.playback import key_at, written_keys
from pipeline.evaluation.metric_comparison.divergence import jensen_shannon, proportions
from pipeline.evaluation.metric_comparison.metric import Metric

MIN_PHRASE_BARS, MAX_PHRASE_BARS = 2, 16
"""A phrase is a group of so many whole bars."""
LOOP_TIMES = 3
"""A phrase that stands so many times in a row is a loop: 0.1% of the real tunes have one."""
MAX_USUAL_BARS = 40
"""Fewer than 1% of the real tunes have more bars as written."""
MIN_PART_BARS = 2
"""A shorter group of bars, such as a pick-up before a repeat sign, is no part."""
FIFTH = 7
"""Semitones."""
MAX_COUNTED_BARS = 64
"""Longer tunes count as this in the distribution of lengths."""

TONIC_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
KEYS = tuple(tonic + mode for tonic in TONIC_NAMES for mode in fields.MODES)
"""A key for each tonic and mode; keys that sound the same are one."""

LOOPS = "tunes with a phrase three times in a row (%)"
LONG = f"tunes of more than {MAX_USUAL_BARS} bars (%)"
PARTS_ON_TONIC = "tunes whose parts all end on the tonic (%)"
ENDS_ALIKE = "tunes whose parts A and B end alike (%)"
ACCIDENTALS = "tunes with an accidental (%)"
ENDINGS = "tunes with first and second endings (%)"
BARS = "bars in a tune, JS distance"
KEY_SHARES = "keys, JS distance"


def structure_measures() -> list[Metric]:
    """The measures of structure, of pieces that have their `tune`."""
    return [
        tune_measure(LOOPS, lambda tune: _percent(has_loop(tune))),
        tune_measure(LONG, lambda tune: _percent(written_bars(tune) > MAX_USUAL_BARS), True),
        tune_measure(PARTS_ON_TONIC, lambda tune: _percent(parts_end_on_tonic(tune))),
        tune_measure(ENDS_ALIKE, lambda tune: _percent(ends_alike(tune))),
        tune_measure(ACCIDENTALS, lambda tune: _percent(has_accidental(tune)), True),
        tune_measure(ENDINGS, lambda tune: _percent(has_endings(tune)), True),
        tune_measure("bars in a tune", lambda tune: (written_bars(tune), 1), True),
        _profile(BARS, bar_count_profile),
        _profile(KEY_SHARES, key_profile),
        Metric("leaps over a fifth (%)", partial(rows_of, of=leaps), _ratio),
    ]


def _percent(holds: bool) -> tuple[float, float]:
    return 100.0 * holds, 1


def _ratio(sums: np.ndarray) -> np.ndarray:
    return 100 * sums[..., 0] / np.maximum(sums[..., 1], 1e-12)


def _profile(name: str, of: Callable[[TuneNotes], np.ndarray]) -> Metric:
    return Metric(name, partial(rows_of, of=of), proportions, jensen_shannon, kept_by_shuffling=True)


def bar_contents(tune: Tune) -> np.ndarray:
    """A number for the content of each bar as written, equal for equal bars, int ``(bars,)``.

    Bars are equal where the same pitches start at the same times and last as long; ornaments do not count.
    """
    bars = tune.parsed.bars
    notes: list[list[tuple]] = [[] for _ in bars]
    for note in tune.parsed.notes:
        if note.bar < len(bars):
            notes[note.bar].append((note.pitches, note.onset - bars[note.bar].onset, note.duration))
    numbers: dict[tuple, int] = {}
    return np.array([numbers.setdefault(tuple(each), len(numbers)) for each in notes], int)


def repeats_in_a_row(contents: np.ndarray, size: int, times: int) -> bool:
    """Whether a group of `size` bars stands `times` times in a row, without a bar between.

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
    """Whether a phrase of two bars or more stands three times in a row, as written."""
    contents = bar_contents(tune)
    sizes = range(MIN_PHRASE_BARS, min(MAX_PHRASE_BARS, len(contents) // LOOP_TIMES) + 1)
    return any(repeats_in_a_row(contents, size, LOOP_TIMES) for size in sizes)


def loops(tune: Tune) -> bool:
    """Whether a tune goes round in circles: it has a loop, or more bars than nearly all real tunes."""
    return has_loop(tune) or written_bars(tune) > MAX_USUAL_BARS


def written_bars(tune: Tune) -> int:
    """Bars as written, pick-ups not counted."""
    return sum(not is_pickup(bar) for bar in tune.parsed.bars)


def whole_parts(tune: Tune) -> list[list[int]]:
    """The bars of each part of `MIN_PART_BARS` or more, pick-ups left out."""
    bars = tune.parsed.bars
    kept = ([index for index in part if not is_pickup(bars[index])] for part in parts(tune))
    return [part for part in kept if len(part) >= MIN_PART_BARS]


def parts_end_on_tonic(tune: Tune) -> bool:
    """Whether the last note of each part, that of its last ending, is the tonic of the key in force."""
    found = whole_parts(tune)
    keys = list(written_keys(tune))
    last_notes = [_last_note(tune, part) for part in found]
    return bool(found) and all(
        note is not None and (max(note.pitches) - tonic_of(key_at(keys, note.start))) % 12 == 0
        for note in last_notes
    )


def _last_note(tune: Tune, part: Sequence[int]) -> Note | None:
    inside = set(part)
    return next((n for n in reversed(tune.parsed.notes) if n.pitches and n.bar in inside), None)


def ends_alike(tune: Tune) -> bool:
    """Whether the first two parts have the same bar before their last one: the cadence of the tune."""
    found, contents = whole_parts(tune), bar_contents(tune)
    return len(found) > 1 and bool(contents[found[0][-2]] == contents[found[1][-2]])


def has_accidental(tune: Tune) -> bool:
    """Whether a sharp, flat or natural is written before a note, grace note or note of a chord."""
    return any(token.kind in ("note", "chord", "grace") and {*token.text} & {*"^_="} for token in tune.tokens)


def has_endings(tune: Tune) -> bool:
    """Whether a part has a first and a second ending."""
    return any(bar.ending for bar in tune.parsed.bars)


def leaps(piece: NoteTable) -> tuple[float, float]:
    """Melodic intervals wider than a fifth, and all intervals."""
    steps = np.abs(np.diff(piece.melody[2]))
    return float((steps > FIFTH).sum()), float(len(steps))


def bar_count_profile(piece: TuneNotes) -> np.ndarray:
    """A one at the number of written bars, ``(MAX_COUNTED_BARS + 1,)``."""
    row = np.zeros(MAX_COUNTED_BARS + 1)
    row[min(written_bars(piece.tune), MAX_COUNTED_BARS)] = 1
    return row


def key_profile(piece: TuneNotes) -> np.ndarray:
    """A one at the key of the header, ``(len(KEYS),)`` in the order of `KEYS`."""
    row = np.zeros(len(KEYS))
    key = piece.tune.key
    row[KEYS.index(TONIC_NAMES[tonic_of(key)] + mode_of(key))] = 1
    return row
