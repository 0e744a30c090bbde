"""Pieces as piano scores by music21: two staves, each with one voice of chords.

A note that overlaps the next one of its hand ends there, because a performance does not say which notes
form a voice.
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
"""Times in a score are whole numbers of these, as sixteenths and triplets of eighths are."""
_SIXTEENTH, _TRIPLET = 3, 4
_MAX_ANALYSED_NOTES = 500
"""Notes by which music21 finds the key."""
_TIES = {0: "start"}
_SHARP_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_TRIPLET_GAIN = 0.5
"""A quarter has triplets where its notes are off them by less than this share of their distance from
sixteenths."""


def piano_score(piece: Piece, triplets: bool = True) -> "Score":
    """Write a piece on two staves, in its key or the one that music21 finds.

    Parameters
    ----------
    piece : Piece
        The piece; its drums are left out.
    triplets : bool
        Whether a quarter note may be divided in triplets; otherwise it has sixteenths only.

    Returns
    -------
    music21.stream.Score
        The score, with clefs, bars, rests, ties and beams.

    Raises
    ------
    DataError
        Starting with a countable reason, where the piece has no pitched notes.
    """
    from music21 import instrument, layout, stream

    pitched = [note for note in piece.notes if not piece.parts[note.part].is_drum]
    if not pitched:
        raise DataError("no notes: only drums or nothing at all")
    columns = quantise(pitched, piece.ticks_per_quarter, triplets)
    upper = _is_upper(piece)
    score = stream.Score()
    sharps, _ = detect_key(piece)
    hands = [_group_chords(columns, pitched, upper, is_right) for is_right in (True, False)]
    staves = [_make_staff(chords, piece, sharps) for chords in hands]
    for staff in staves:
        player = instrument.Piano()
        player.partName = player.partAbbreviation = ""  # a brace needs no name before each staff
        staff.insert(0, player)
        score.insert(0, staff)
    _add_notation(staves)
    score.insert(0, layout.StaffGroup(list(score.parts), symbol="brace", barTogether=True))
    return score


def quantise(
    notes: Sequence[NoteEvent], ticks_per_quarter: int, triplets: bool = True
) -> list[tuple[int, int]]:
    """Round onset and end of each note to the sixteenths or triplets of its quarter, in units of a score."""
    per_unit = ticks_per_quarter / UNITS_PER_QUARTER
    grids: dict[int, int] = {}
    by_quarter = itertools.groupby(notes, key=lambda note: note.onset // ticks_per_quarter)
    for quarter, members in by_quarter:
        onsets = {note.onset / per_unit for note in members}
        off = {grid: sum(abs(x - grid * round(x / grid)) for x in onsets) for grid in (_SIXTEENTH, _TRIPLET)}
        is_triplet = triplets and off[_TRIPLET] < _TRIPLET_GAIN * off[_SIXTEENTH]
        grids[quarter] = _TRIPLET if is_triplet else _SIXTEENTH
    rounded = []
    for note in notes:
        grid = grids[note.onset // ticks_per_quarter]
        onset, length = (grid * round(ticks / per_unit / grid) for ticks in (note.onset, note.duration))
        rounded.append((onset, onset + max(length, grid)))
    return rounded


def _is_upper(piece: Piece) -> list[bool] | None:
    """For each part whether the right hand plays it; None where the piece does not have two parts."""
    pitches = [[note.pitch for note in piece.notes if note.part == part] for part in range(len(piece.parts))]
    if len(pitches) != 2 or not all(pitches):
        return None
    means = [sum(each) / len(each) for each in pitches]
    return [mean == max(means) for mean in means] if means[0] != means[1] else [True, False]


def _group_chords(
    columns: Iterable[tuple[int, int]], notes: Iterable[NoteEvent], upper: list[bool] | None, is_right: bool
) -> list[tuple[int, int, list[int]]]:
    """Onset, end and pitches of the chords of one hand; each ends when the next one begins at the latest."""
    struck: dict[int, dict[int, int]] = {}
    for (onset, end), note in zip(columns, notes, strict=True):
        if (note.pitch >= MIDDLE_C if upper is None else upper[note.part]) == is_right:
            struck.setdefault(onset, {})[note.pitch] = end
    onsets = sorted(struck)
    return [
        (onset, min(max(struck[onset].values()), following), sorted(struck[onset]))
        for onset, following in itertools.zip_longest(onsets, onsets[1:], fillvalue=2**40)
    ]


def detect_key(piece: Piece) -> tuple[int, bool]:
    """The first key of the piece, or else the one that music21 finds: its sharps, and whether it is minor."""
    if piece.keys:
        return piece.keys[0].sharps, piece.keys[0].minor
    pitched = [each for each in piece.notes if not piece.parts[each.part].is_drum]
    return analyse_key((each.pitch, 1) for each in pitched[:_MAX_ANALYSED_NOTES])


def analyse_key(notes: Iterable[tuple[int, float]]) -> tuple[int, bool]:
    """The key that music21 finds for MIDI pitches with lengths in quarters: its sharps, and whether minor.

    Source: the key profiles of C. Krumhansl, Cognitive Foundations of Musical Pitch (1990).
    """
    from music21 import key, note, stream

    melody = stream.Stream()
    for pitch, quarters in notes:
        melody.append(note.Note(pitch, quarterLength=quarters))
    found = melody.analyze("key")
    if not isinstance(found, key.Key):
        raise DataError(f"no key: music21 found {found!r}")
    return found.sharps, found.mode == "minor"


def _spell(number: int, flats: bool) -> str:
    """The name of a MIDI pitch for music21, with black keys as flats or as sharps."""
    names = ("C", "D-", "D", "E-", "E", "F", "G-", "G", "A-", "A", "B-", "B") if flats else _SHARP_NAMES
    return f"{names[number % 12]}{number // 12 - 1}"


def _make_staff(chords: Iterable[tuple[int, int, list[int]]], piece: Piece, sharps: int) -> "Staff":
    """The staff of one hand, still without rests and bars."""
    from music21 import chord, key, meter, note, stream, tie

    staff = stream.Part()
    staff.insert(0, key.KeySignature(sharps))
    signature = (piece.meters or (Meter(0),))[0]
    staff.insert(0, meter.TimeSignature(f"{signature.beats}/{signature.beat_type}"))
    for onset, end, pitches in chords:
        names = [_spell(number, sharps < 0) for number in pitches]
        spans = _split_note(onset, end)
        for number, (start, stop) in enumerate(spans):
            made = note.Note(names[0]) if len(names) == 1 else chord.Chord(names)
            made.quarterLength = Fraction(stop - start, UNITS_PER_QUARTER)
            if len(spans) > 1:
                made.tie = tie.Tie(_TIES.get(number, "stop" if number == len(spans) - 1 else "continue"))
            staff.insert(Fraction(start, UNITS_PER_QUARTER), made)
    return staff


def _split_note(onset: int, end: int) -> list[tuple[int, int]]:
    """Split a note that begins or ends at a triplet at its whole quarters.

    No single note value lasts from a triplet to a sixteenth.
    """
    first, last = (
        -(-onset // UNITS_PER_QUARTER) * UNITS_PER_QUARTER,
        end // UNITS_PER_QUARTER * UNITS_PER_QUARTER,
    )
    if first > last or (onset % _SIXTEENTH == 0 and end % _SIXTEENTH == 0):
        return [(onset, end)]
    return [(a, b) for a, b in itertools.pairwise((onset, first, last, end)) if a < b]


def _add_notation(staves: Sequence["Staff"]) -> None:
    """Add clefs, bars, rests, ties and beams."""
    from music21 import clef

    longest = max(staff.highestTime for staff in staves)
    for staff, sign in zip(staves, (clef.TrebleClef, clef.BassClef), strict=True):
        staff.insert(0, sign())
        staff.makeRests(refStreamOrTimeRange=[0.0, longest], fillGaps=True, inPlace=True)
        staff.makeNotation(inPlace=True, cautionaryNotImmediateRepeat=False)
