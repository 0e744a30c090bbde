"""The form of a tune: how long its parts are, which of them come again, and where it comes to rest."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import takewhile

import numpy as np

from pipeline.domains.music.abc.notes import Bar
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.compare.note_measures import mean, rows_of
from pipeline.domains.music.compare.note_table import NoteTable, in_quarters, tonic_of
from pipeline.domains.music.render.playback import played_bars, played_notes
from pipeline.evaluation.metric_comparison.metric import Metric

PART_BARS = 8
MAX_SECTIONS = 64
"""More eight bars are not given letters."""
SAME = 0.7
"""Sections that have the same pitch for so much of the time are called by the same letter."""
_PART_ENDS = ("||", "|]", ":|", "::", "|:", ":||:")


def ends_on_tonic(tune: Tune) -> tuple[float, float]:
    """100 where the last note is the tonic of the key, else 0."""
    notes = [note for note in tune.parsed.notes if note.pitches]
    return (100.0 * ((max(notes[-1].pitches) - tonic_of(tune.key)) % 12 == 0), 1) if notes else (0, 0)


def parts(tune: Tune) -> list[list[int]]:
    """The indices of the bars of each part, as written: double bars and repeat signs end a part."""
    bars = tune.parsed.bars
    found: list[list[int]] = [[]]
    for index in range(len(bars)):
        found[-1].append(index)
        if _ends_part(bars, index):
            found.append([])
    return found[:-1]


def part_lengths(tune: Tune) -> list[int]:
    """Bars of each part; of its endings only the first counts.

    A pick-up and the short bar that it completes are one bar together.
    """
    bars = tune.parsed.bars
    lengths = []
    for part in parts(tune):
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


def eight_bar_parts(tune: Tune) -> tuple[float, float]:
    """Percent of the parts that have eight bars, and how often that counts: once, where there are parts."""
    lengths = part_lengths(tune)
    return (100 * sum(each == PART_BARS for each in lengths) / len(lengths), 1) if lengths else (0, 0)


def form_letters(tune: Tune) -> str:
    """A letter for every eight bars as played, repeats and all: the same letter for music that comes
    again."""
    sections = list(_sections(tune))
    letters: list[int] = []
    for number, section in enumerate(sections):
        alike = (at for at in range(number) if (sections[at] == section).mean() >= SAME)
        first = next(alike, None)
        letters.append(max(letters, default=-1) + 1 if first is None else letters[first])
    return "".join(chr(ord("A") + min(letter, 25)) for letter in letters)


def _sections(tune: Tune) -> Iterator[np.ndarray]:
    """The pitch at each time step of every eight bars of every part as played; shorter parts are joined to
    eight bars. Of what is left over, four bars or more count as eight."""
    bar = next((bar for bar in tune.parsed.bars if bar.full and bar.duration == bar.full), None)
    if bar is None:
        return
    quarters = float(in_quarters([bar.full])[0]) * PART_BARS
    starts, at = [], 0.0
    for length in _joined(_played_parts(tune), quarters * 1.01):
        if len(starts) >= MAX_SECTIONS:
            break
        starts += [at + number * quarters for number in range(min(round(length / quarters), MAX_SECTIONS))]
        at += length
    notes = [note for note in played_notes(tune) if note.pitches]
    yield from NoteTable(
        in_quarters([note.onset for note in notes]), in_quarters([note.duration for note in notes]),
        np.array([max(note.pitches) for note in notes], int), np.array(starts), quarters,
    ).bar_pitches  # fmt: skip


def _played_parts(tune: Tune) -> Iterator[float]:
    """Quarters of each part in the order of playing; one that is repeated comes twice."""
    bars, length = tune.parsed.bars, 0.0
    order = played_bars(bars)
    for index, following in zip(order, [*order[1:], -1], strict=True):
        length += float(in_quarters([bars[index].duration])[0])
        if following <= index or _ends_part(bars, index):
            yield length
            length = 0.0


def _joined(lengths: Iterable[float], longest: float) -> Iterator[float]:
    """Neighbouring lengths together as long as they stay within the longest."""
    joined = 0.0
    for length in lengths:
        if joined and joined + length > longest:
            yield joined
            joined = 0.0
        joined += length
    if joined:
        yield joined


def is_aabb(tune: Tune) -> tuple[float, float]:
    """100 where every eight bars are played twice, two parts or more: AABB; else 0."""
    form = form_letters(tune)
    if not form:
        return 0, 0
    pairs = [form[at : at + 2] for at in range(0, len(form) - 1, 2)]
    twice = all(pair[0] == pair[1] for pair in pairs)
    return 100.0 * (twice and len(set(form)) > 1 and len(form) % 2 == 0), 1


def form_measures() -> list[Metric]:
    """The measures of form, of pieces that have their `tune`."""
    return [
        tune_measure("tunes that end on the tonic (%)", ends_on_tonic),
        tune_measure("parts of eight bars (%)", eight_bar_parts),
        tune_measure("tunes of the form AABB (%)", is_aabb),
    ]


def tune_measure(
    name: str, of: Callable[[Tune], tuple[float, float]], kept_by_shuffling: bool = False
) -> Metric:
    """The mean over pieces of a number of their `tune`; `of` gives it with its weight, 1 or 0."""
    rows = partial(rows_of, of=lambda piece: of(piece.tune))
    return Metric(name, rows, mean, kept_by_shuffling=kept_by_shuffling)
