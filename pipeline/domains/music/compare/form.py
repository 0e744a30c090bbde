"""Metrics of the form of tunes: lengths of parts, parts that recur, and the last note."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import takewhile

import numpy as np

from pipeline.domains.music.abc.notes import Bar
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.compare.note_table import NoteTable, in_quarters, parse_tonic
from pipeline.domains.music.compare.piece_set import mean_metric
from pipeline.domains.music.render.playback import played_bars, played_notes
from pipeline.evaluation.metric_comparison.metric import Metric

PART_BARS = 8
MAX_SECTIONS = 64
"""Sections of eight bars that have letters, at most."""
MIN_SIMILARITY = 0.7
"""Share of the time at which sections of the same letter have the same pitch."""
_PART_ENDS = ("||", "|]", ":|", "::", "|:", ":||:")


def ends_on_tonic(tune: Tune) -> tuple[float, float]:
    """100 where the last note is the tonic of the key, else 0."""
    notes = [note for note in tune.parsed.notes if note.pitches]
    return (100.0 * ((max(notes[-1].pitches) - parse_tonic(tune.key)) % 12 == 0), 1) if notes else (0, 0)


def find_parts(tune: Tune) -> list[list[int]]:
    """The indices of the bars of each part, as notated: double bars and repeat signs end a part."""
    bars = tune.parsed.bars
    parts: list[list[int]] = [[]]
    for index in range(len(bars)):
        parts[-1].append(index)
        if _ends_part(bars, index):
            parts.append([])
    return parts[:-1]


def measure_parts(tune: Tune) -> list[int]:
    """The length of each part in bars, with its first ending only.

    A pick-up and the short bar that it completes count as one bar.
    """
    bars = tune.parsed.bars
    lengths = []
    for part in find_parts(tune):
        first = takewhile(lambda bar: not _is_later_ending(bar), (bars[index] for index in part))
        lengths.append(round(sum(float(bar.duration / bar.full) for bar in first if bar.full)))
    return [length for length in lengths if length]


def _ends_part(bars: Sequence[Bar], index: int) -> bool:
    if index + 1 == len(bars):
        return True
    following = bars[index + 1]
    if _is_later_ending(following):
        return False
    return bars[index].right in _PART_ENDS or following.left.endswith(":")


def _is_later_ending(bar: Bar) -> bool:
    return bool(bar.ending) and "1" not in bar.ending


def share_of_eight_bar_parts(tune: Tune) -> tuple[float, float]:
    """The percentage of the parts that have eight bars, with its weight: 1, or 0 without parts."""
    lengths = measure_parts(tune)
    return (100 * sum(each == PART_BARS for each in lengths) / len(lengths), 1) if lengths else (0, 0)


def find_form(tune: Tune) -> str:
    """The form of a tune as played, such as "AABB": a letter for each section of eight bars."""
    sections = list(_split_sections(tune))
    letters: list[int] = []
    for number, section in enumerate(sections):
        similar = (at for at in range(number) if (sections[at] == section).mean() >= MIN_SIMILARITY)
        first = next(similar, None)
        letters.append(max(letters, default=-1) + 1 if first is None else letters[first])
    return "".join(chr(ord("A") + min(letter, 25)) for letter in letters)


def _split_sections(tune: Tune) -> Iterator[np.ndarray]:
    """Yield the pitch at each time step of the sections of eight bars of each part as played.

    Shorter parts are joined to sections of eight bars. A remainder of four bars or more is a section.
    """
    full_bars = (bar.full for bar in tune.parsed.bars if bar.full and bar.duration == bar.full)
    full = next(full_bars, None)
    if full is None:
        return
    quarters = float(in_quarters([full])[0]) * PART_BARS
    starts, at = [], 0.0
    for length in _join(_measure_played_parts(tune), quarters * 1.01):
        if len(starts) >= MAX_SECTIONS:
            break
        starts += [at + number * quarters for number in range(min(round(length / quarters), MAX_SECTIONS))]
        at += length
    notes = [note for note in played_notes(tune) if note.pitches]
    yield from NoteTable(
        in_quarters([note.onset for note in notes]), in_quarters([note.duration for note in notes]),
        np.array([max(note.pitches) for note in notes], int), np.array(starts), quarters,
    ).bar_pitches  # fmt: skip


def _measure_played_parts(tune: Tune) -> Iterator[float]:
    """Yield the length in quarters of each part as played; a repeated part has two."""
    bars, length = tune.parsed.bars, 0.0
    order = played_bars(bars)
    for index, following in zip(order, [*order[1:], -1], strict=True):
        length += float(in_quarters([bars[index].duration])[0])
        if following <= index or _ends_part(bars, index):
            yield length
            length = 0.0


def _join(lengths: Iterable[float], max_length: float) -> Iterator[float]:
    """Yield sums of consecutive lengths, each as many as do not exceed the maximum together."""
    joined = 0.0
    for length in lengths:
        if joined and joined + length > max_length:
            yield joined
            joined = 0.0
        joined += length
    if joined:
        yield joined


def is_aabb(tune: Tune) -> tuple[float, float]:
    """100 for the form AABB, or one with more parts that are each played twice; else 0."""
    form = find_form(tune)
    if not form:
        return 0, 0
    pairs = [form[at : at + 2] for at in range(0, len(form) - 1, 2)]
    twice = all(pair[0] == pair[1] for pair in pairs)
    return 100.0 * (twice and len(set(form)) > 1 and len(form) % 2 == 0), 1


def form_metrics() -> list[Metric]:
    """The metrics of form, which count `TuneNotes`."""
    return [
        tune_metric("tunes that end on the tonic (%)", ends_on_tonic),
        tune_metric("parts of eight bars (%)", share_of_eight_bar_parts),
        tune_metric("tunes of the form AABB (%)", is_aabb),
    ]


def tune_metric(
    name: str, measure_tune: Callable[[Tune], tuple[float, float]], kept_by_shuffling: bool = False
) -> Metric:
    """The mean over tunes; `measure_tune` gives a number and its weight: 1, or 0 where it is undefined."""
    return mean_metric(name, lambda piece: measure_tune(piece.tune), kept_by_shuffling)
