"""Ranks tunes by simple checks, so that renders and people see the best first.

Tunes are sorted by the number of `CHECKS` that they pass. Among equal ones the first is that whose bits per
note are nearest to the median of all tunes, because the most probable tunes are often loops.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.abc.tune_text import parse_tune
from pipeline.domains.music.compare.form import measure_parts
from pipeline.domains.music.compare.structure import (
    MAX_USUAL_BARS,
    count_bars,
    has_loop,
    number_bars,
    parts_end_on_tonic,
    repeats_in_a_row,
)
from pipeline.records import Record

MAX_SAME_BARS = 4
"""A bar that occurs more often in a row is a loop."""
PHRASE_BARS = 4
USUAL_SHARPS = range(-3, 5)
"""Sharps of the keys that fiddlers and pipers use; flats count as negative sharps."""
MAX_RANGE = 24
"""Semitones: two octaves, the range of a flute or whistle."""
MIN_PITCH, MAX_PITCH = 55, 88
"""The lowest string of the fiddle, and its E in the third position, as MIDI numbers."""


def _no_loop(tune: Tune) -> bool:
    return not (has_loop(tune) or repeats_in_a_row(number_bars(tune), 1, MAX_SAME_BARS + 1))


def _has_whole_phrases(tune: Tune) -> bool:
    lengths = measure_parts(tune)
    return bool(lengths) and all(length % PHRASE_BARS == 0 for length in lengths)


def _is_playable(tune: Tune) -> bool:
    pitches = [pitch for note in tune.parsed.notes for pitch in note.pitches]
    inside = bool(pitches) and min(pitches) >= MIN_PITCH and max(pitches) <= MAX_PITCH
    return inside and max(pitches) - min(pitches) <= MAX_RANGE


CHECKS = {
    "all parts end on the tonic": parts_end_on_tonic,
    "no loop": _no_loop,
    f"at most {MAX_USUAL_BARS} bars": lambda tune: count_bars(tune) <= MAX_USUAL_BARS,
    f"parts of {PHRASE_BARS}, 8, 12 … bars": _has_whole_phrases,
    "a usual key": lambda tune: fields.sharps(tune.key) in USUAL_SHARPS,
    "a playable range": _is_playable,
}


def rank_tunes(records: Sequence[Record]) -> list[Record]:
    """Sort tunes, the best first, and write the checks that each passes into its metadata `checks`."""
    checked = [_check(record) for record in records]
    known = [bits for *_, bits in checked if bits is not None]
    median_bits = median(known) if known else 0.0

    def sort_key(number: int) -> tuple[int, float, int]:
        _, passed, bits = checked[number]
        return -passed, abs(bits - median_bits) if bits is not None else math.inf, number

    return [checked[number][0] for number in sorted(range(len(records)), key=sort_key)]


def _check(record: Record) -> tuple[Record, int, float | None]:
    """The record with its checks, the number of checks that it passes, and its bits per note if known."""
    tune = parse_tune(record.text)
    failed = [name for name, passes in CHECKS.items() if not passes(tune)]
    passed = len(CHECKS) - len(failed)
    text = f"{passed} of {len(CHECKS)} passed" + (f"; not: {', '.join(failed)}" if failed else "")
    return replace(record, metadata={**record.metadata, "checks": text}), passed, _bits_per_note(record, tune)


def _bits_per_note(record: Record, tune: Tune) -> float | None:
    struck = sum(bool(note.pitches) for note in tune.parsed.notes)
    if "log_probability" not in record.metadata or not struck:
        return None
    return -float(record.metadata["log_probability"]) / math.log(2) / struck
