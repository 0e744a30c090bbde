"""Properties of whole measures of a score: their numbers, their beams, and the ends of endings."""

import math
from collections.abc import Sequence
from fractions import Fraction

from music21 import harmony, meter, note, stream

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.layout import beat_offset, is_pickup
from pipeline.domains.music.abc.notes import WHOLE, Bar, Ticks, opens_section

QUARTER = WHOLE // 4


def quarters(ticks: Ticks) -> Fraction:
    """Ticks in quarters, exactly."""
    return Fraction(ticks) / QUARTER


def time_signature(text: str) -> "meter.TimeSignature":
    """The time signature of a meter other than free meter."""
    return meter.TimeSignature(text)


def hidden_meter(length: Ticks) -> "meter.TimeSignature":
    """A time signature as long as a bar of free meter, which the page does not show."""
    share = Fraction(length) / WHOLE
    below = share.denominator
    while below & (below - 1):
        below += 1
    made = meter.TimeSignature(f"{max(math.ceil(share * below), 1)}/{below}")
    made.style.hideObjectOnPrint = True
    return made


def ends_ending(bars: Sequence[Bar], index: int) -> bool:
    """Whether a first or second ending ends with this bar."""
    last = index + 1 == len(bars)
    return last or opens_section(bars[index].right) or bool(bars[index + 1].ending)


def number_measures(bars: Sequence[Bar], measures: Sequence["stream.Measure"]) -> None:
    """Number the measures from 1. A pick-up, which completes a short bar, has no number of its own."""
    number = 0
    for index, (bar, measure) in enumerate(zip(bars, measures, strict=True)):
        missing = float(quarters(bar.full - bar.duration)) if bar.full is not None else 0.0
        if is_pickup(bar):
            measure.number = number
            measure.numberSuffix = "a" if index else None
            measure.showNumber = stream.enums.ShowNumber.NEVER
            measure.paddingLeft = missing
        else:
            number += 1
            measure.number = number
            measure.paddingRight = missing  # else music21 fills the bar with a rest


def beam_notes(bar: Bar, measure: "stream.Measure", rhythm: str) -> None:
    """Beam the notes of each beat; in bars of 4/4 without notes shorter than eighths, of each half bar."""
    notes = [
        one
        for one in measure.notesAndRests
        if not one.duration.isGrace and not isinstance(one, harmony.Harmony)
    ]
    if len(notes) < 2 or bar.full is None:
        return
    short = rhythm == "strathspey" or any(one.duration.quarterLength < Fraction(1, 3) for one in notes)
    beat = fields.beat_length(bar.meter)
    if fields.bar_length(bar.meter) == 1 and not fields.is_compound(bar.meter):
        beat = Fraction(1, 4) if short else Fraction(1, 2)
    groups = time_signature(bar.meter)
    count = Fraction(bar.meter) / beat
    if count.denominator == 1:
        groups.beamSequence = meter.MeterSequence(bar.meter)
        groups.beamSequence.partition(int(count))
    start = float(quarters(beat_offset(bar, bar.onset)))
    joined = False
    for one, beams in zip(notes, groups.getBeams(notes, measureStartOffset=start), strict=True):
        kind = None if beams is None or not len(beams) else beams.getTypeByNumber(1)
        # In a short bar music21 may end a beam that has no start.
        if isinstance(one, note.NotRest) and beams is not None and (kind == "start" or joined):
            one.beams = beams
        joined = kind in ("start", "continue")
