"""Which tunes to show first: a score of simple checks, stated with each tune.

The score is the number of `CHECKS` that hold. Of equal tunes that one is first whose bits per note are
nearest to the median of all tunes: the likeliest tunes are often loops.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.abc.tune_text import parse_tune
from pipeline.domains.music.compare.form import part_lengths
from pipeline.domains.music.compare.structure import (
    MAX_USUAL_BARS,
    bar_contents,
    has_loop,
    parts_end_on_tonic,
    repeats_in_a_row,
    written_bars,
)
from pipeline.records import Record

MAX_SAME_BARS = 4
"""A bar that stands more often in a row is a loop."""
PHRASE_BARS = 4
USUAL_SHARPS = range(-3, 5)
"""Sharps of the keys that fiddlers and pipers use; flats count below nought."""
MAX_RANGE = 24
"""Semitones: two octaves, as far as a flute or whistle goes."""
LOWEST, HIGHEST = 55, 88
"""The fiddle's lowest string, and its e in the third position, as MIDI note numbers."""


def _no_loop(tune: Tune) -> bool:
    return not (has_loop(tune) or repeats_in_a_row(bar_contents(tune), 1, MAX_SAME_BARS + 1))


def _whole_phrases(tune: Tune) -> bool:
    lengths = part_lengths(tune)
    return bool(lengths) and all(length % PHRASE_BARS == 0 for length in lengths)


def _playable(tune: Tune) -> bool:
    pitches = [pitch for note in tune.parsed.notes for pitch in note.pitches]
    inside = bool(pitches) and min(pitches) >= LOWEST and max(pitches) <= HIGHEST
    return inside and max(pitches) - min(pitches) <= MAX_RANGE


CHECKS = {
    "all parts end on the tonic": parts_end_on_tonic,
    "no loop": _no_loop,
    f"at most {MAX_USUAL_BARS} bars": lambda tune: written_bars(tune) <= MAX_USUAL_BARS,
    f"parts of {PHRASE_BARS}, 8, 12 … bars": _whole_phrases,
    "a usual key": lambda tune: fields.sharps(tune.key) in USUAL_SHARPS,
    "a playable range": _playable,
}


def rank(records: Sequence[Record]) -> list[Record]:
    """The tunes, the best first, with the checks that hold in the metadata `checks`."""
    checked = [_checked(record) for record in records]
    known = [bits for *_, bits in checked if bits is not None]
    middle = median(known) if known else 0.0

    def place(number: int) -> tuple[int, float, int]:
        _, score, bits = checked[number]
        return -score, abs(bits - middle) if bits is not None else math.inf, number

    return [checked[number][0] for number in sorted(range(len(records)), key=place)]


def _checked(record: Record) -> tuple[Record, int, float | None]:
    """The record with its checks, how many of them hold, and its bits per note where they are known."""
    tune = parse_tune(record.text)
    failed = [name for name, holds in CHECKS.items() if not holds(tune)]
    score = len(CHECKS) - len(failed)
    said = f"{score} of {len(CHECKS)} hold" + (f"; not: {', '.join(failed)}" if failed else "")
    return replace(record, metadata={**record.metadata, "checks": said}), score, _bits(record, tune)


def _bits(record: Record, tune: Tune) -> float | None:
    struck = sum(bool(note.pitches) for note in tune.parsed.notes)
    if "log_probability" not in record.metadata or not struck:
        return None
    return -float(record.metadata["log_probability"]) / math.log(2) / struck
