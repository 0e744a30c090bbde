"""Pieces as piano scores: two staves, one voice of chords each, by music21.

What overlaps in a hand is cut at its next note: a pedalled performance has no other voices to tell apart.
"""

import itertools
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from pipeline.domains.music.piece import Meter, NoteEvent, Piece
from pipeline.errors import DataError

if TYPE_CHECKING:
    from music21.stream import Part as Staff
    from music21.stream import Score

MIDDLE_C = 60
UNITS_PER_QUARTER = 12
"""Positions on the page are whole numbers of these: sixteenths and triplet eighths are."""
_SIXTEENTH, _TRIPLET = 3, 4
_HEARD_NOTES = 500
_TIES = {0: "start"}
_SHARP_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_TRIPLET_GAIN = 0.5
"""A quarter is written as a triplet where its notes are off the sixteenths by twice as much."""


def piano_score(piece: Piece, triplets: bool = True) -> "Score":
    """The piece on two staves, at sixteenths or, if wanted, triplets of its quarter notes, in its key or the
    one that music21 hears.

    Raises DataError, starting with a countable reason, where there is no note to write.
    """
    from music21 import instrument, layout, stream

    pitched = [note for note in piece.notes if not piece.parts[note.part].is_drum]
    if not pitched:
        raise DataError("no notes: only drums or nothing at all")
    columns = quantised(pitched, piece.ticks_per_quarter, triplets)
    upper = _is_upper(piece)
    score = stream.Score()
    sharps, _ = key_of(piece)
    staves = [_staff(_chords(columns, pitched, upper, wanted), piece, sharps) for wanted in (True, False)]
    for staff in staves:
        player = instrument.Piano()
        player.partName = player.partAbbreviation = ""  # a brace needs no name before each staff
        staff.insert(0, player)
        score.insert(0, staff)
    _write_down(staves)
    score.insert(0, layout.StaffGroup(list(score.parts), symbol="brace", barTogether=True))
    return score


def quantised(
    notes: Sequence[NoteEvent], ticks_per_quarter: int, triplets: bool = True
) -> list[tuple[int, int]]:
    """Onset and end of each note in units of a quarter, each quarter at sixteenths or triplets."""
    per_unit = ticks_per_quarter / UNITS_PER_QUARTER
    grids: dict[int, int] = {}
    by_quarter = itertools.groupby(notes, key=lambda note: note.onset // ticks_per_quarter)
    for quarter, members in by_quarter:
        places = {note.onset / per_unit for note in members}
        off = {grid: sum(abs(x - grid * round(x / grid)) for x in places) for grid in (_SIXTEENTH, _TRIPLET)}
        in_three = triplets and off[_TRIPLET] < _TRIPLET_GAIN * off[_SIXTEENTH]
        grids[quarter] = _TRIPLET if in_three else _SIXTEENTH
    rounded = []
    for note in notes:
        grid = grids[note.onset // ticks_per_quarter]
        onset, length = (grid * round(ticks / per_unit / grid) for ticks in (note.onset, note.duration))
        rounded.append((onset, onset + max(length, grid)))
    return rounded


def _is_upper(piece: Piece) -> list[bool] | None:
    """For each part whether it is the right hand's, where two parts are the hands; else None."""
    pitches = [[note.pitch for note in piece.notes if note.part == part] for part in range(len(piece.parts))]
    if len(pitches) != 2 or not all(pitches):
        return None
    means = [sum(each) / len(each) for each in pitches]
    return [mean == max(means) for mean in means] if means[0] != means[1] else [True, False]


def _chords(
    columns: Iterable[tuple[int, int]], notes: Iterable[NoteEvent], upper: list[bool] | None, wanted: bool
) -> list[tuple[int, int, list[int]]]:
    """Onset, end and pitches of one hand, each chord until the next one at most."""
    struck: dict[int, dict[int, int]] = {}
    for (onset, end), note in zip(columns, notes, strict=True):
        if (note.pitch >= MIDDLE_C if upper is None else upper[note.part]) == wanted:
            struck.setdefault(onset, {})[note.pitch] = end
    onsets = sorted(struck)
    return [
        (onset, min(max(struck[onset].values()), following), sorted(struck[onset]))
        for onset, following in itertools.zip_longest(onsets, onsets[1:], fillvalue=2**40)
    ]


def key_of(piece: Piece) -> tuple[int, bool]:
    """Sharps, and whether it is minor: the piece's first key, else the one that music21 hears."""
    from music21 import note, stream

    if piece.keys:
        return piece.keys[0].sharps, piece.keys[0].minor
    pitched = [each for each in piece.notes if not piece.parts[each.part].is_drum]
    heard = stream.Stream([note.Note(each.pitch) for each in pitched[:_HEARD_NOTES]]).analyze("key")
    return heard.sharps, heard.mode == "minor"


def _spelled(number: int, flats: bool) -> str:
    """A pitch by its name, black keys as the key signature would have them."""
    names = ("C", "D-", "D", "E-", "E", "F", "G-", "G", "A-", "A", "B-", "B") if flats else _SHARP_NAMES
    return f"{names[number % 12]}{number // 12 - 1}"


def _staff(chords: Iterable[tuple[int, int, list[int]]], piece: Piece, sharps: int) -> "Staff":
    """One hand, without rests and bars yet."""
    from music21 import chord, key, meter, note, stream, tie

    staff = stream.Part()
    staff.insert(0, key.KeySignature(sharps))
    signature = (piece.meters or (Meter(0),))[0]
    staff.insert(0, meter.TimeSignature(f"{signature.beats}/{signature.beat_type}"))
    for onset, end, pitches in chords:
        names = [_spelled(number, sharps < 0) for number in pitches]
        spans = _spans(onset, end)
        for number, (start, stop) in enumerate(spans):
            made = note.Note(names[0]) if len(names) == 1 else chord.Chord(names)
            made.quarterLength = Fraction(stop - start, UNITS_PER_QUARTER)
            if len(spans) > 1:
                made.tie = tie.Tie(_TIES.get(number, "stop" if number == len(spans) - 1 else "continue"))
            staff.insert(Fraction(start, UNITS_PER_QUARTER), made)
    return staff


def _spans(onset: int, end: int) -> list[tuple[int, int]]:
    """The note values of a note: its quarters apart where it begins or ends at a triplet, for no single
    value lasts from a triplet to a sixteenth."""
    first, last = (
        -(-onset // UNITS_PER_QUARTER) * UNITS_PER_QUARTER,
        end // UNITS_PER_QUARTER * UNITS_PER_QUARTER,
    )
    if first > last or (onset % _SIXTEENTH == 0 and end % _SIXTEENTH == 0):
        return [(onset, end)]
    return [(a, b) for a, b in itertools.pairwise((onset, first, last, end)) if a < b]


def _write_down(staves: Sequence["Staff"]) -> None:
    """Clefs, bars, rests, ties and beams."""
    from music21 import clef

    longest = max(staff.highestTime for staff in staves)
    for staff, sign in zip(staves, (clef.TrebleClef, clef.BassClef), strict=True):
        staff.insert(0, sign())
        staff.makeRests(refStreamOrTimeRange=[0.0, longest], fillGaps=True, inPlace=True)
        staff.makeNotation(inPlace=True, cautionaryNotImmediateRepeat=False)
