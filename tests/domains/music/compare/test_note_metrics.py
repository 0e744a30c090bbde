"""Metrics of notes on tunes whose values are known."""

import numpy as np
import pytest

from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.compare import note_metrics
from pipeline.domains.music.compare.form import (
    ends_on_tonic,
    find_form,
    form_metrics,
    is_aabb,
    measure_parts,
    share_of_eight_bar_parts,
)
from pipeline.domains.music.compare.note_table import STEPS, NoteTable, TuneNotes
from pipeline.domains.music.compare.piece_set import PieceSet
from pipeline.domains.music.piece import Key, Meter, NoteEvent, Part, Piece

A = "d2fd adfd|edef gfed|d2fd adfa|bagf edBA|d2fd adfd|edef gfed|fafd gfed|c2A2 d4"
B = "f2af bfaf|g2bg abge|f2af bfaf|gfed c2A2|f2af bfaf|g2bg abge|fafd gfed|c2A2 d4"


def tune(body: str, key: str = "C", meter: str = "4/4", unit: str = "1/4") -> Tune:
    return Tune(meter, unit, key, body)


def notes(body: str, key: str = "C", meter: str = "4/4", unit: str = "1/4") -> TuneNotes:
    return TuneNotes.of_tune(tune(body, key, meter, unit))


def pieces(*some: NoteTable) -> PieceSet:
    return PieceSet(some)


SCALE = notes("CDEF|GABc|]")
WALTZ = notes("D3|D2 F|A4-|A2 d|d3|]", "Dm", "3/4")


def test_notes_of_a_tune_have_times_in_quarters_and_their_bars():
    assert SCALE.onsets.tolist() == list(range(8)) and set(SCALE.durations) == {1.0}
    assert SCALE.pitches.tolist() == [60, 62, 64, 65, 67, 69, 71, 72]
    assert (SCALE.bars.tolist(), SCALE.bar_quarters, SCALE.tonic) == ([0, 4], 4, 0)


def test_tied_notes_are_one_and_repeats_are_not_played():
    assert notes("C4-|C4|E4:|").durations.tolist() == [8, 4]
    assert notes("[CE]4-|[CE]4|]").durations.tolist() == [8, 8]
    assert notes("[CE]4 -|[CE]4|]", unit="1/8").melody[2].tolist()[0] == 64


def test_pitch_classes_stand_above_the_tonic():
    assert note_metrics.count_degrees(SCALE).tolist() == [2, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1]
    assert (note_metrics.count_degrees(notes("DEFG|ABcd|]", "D")) == note_metrics.count_degrees(SCALE)).all()
    pairs = note_metrics.count_degree_pairs(notes("CGCG|]")).reshape(12, 12)
    assert (pairs[0, 7], pairs[7, 0], pairs.sum()) == (2, 1, 3)


def test_intervals_and_their_limit():
    steps = note_metrics.count_intervals(notes("C D c' C|]"))
    middle = note_metrics.MAX_INTERVAL
    assert np.flatnonzero(steps).tolist() == [0, middle + 2, 2 * middle]


def test_lengths_are_counted_in_twelfths_of_a_quarter():
    found = note_metrics.count_lengths(notes("C2 (3DEF z C/ C/4 C/4|]"))
    assert {int(at): int(found[at]) for at in np.flatnonzero(found)} == {24: 1, 8: 3, 6: 1, 3: 2}


def test_a_note_longer_than_a_whole_note_counts_as_one():
    assert (
        len(note_metrics.count_lengths(notes("C2|]"))) == note_metrics.MAX_LENGTH_STEPS + 1 == 4 * STEPS + 1
    )


def test_figures_as_muspy_defines_them():
    assert note_metrics.pitch_range(SCALE) == (12, 1)
    assert note_metrics.pitch_classes_used(SCALE) == (7, True)
    assert note_metrics.scale_consistency(SCALE)[0] == 100
    # of four neighbouring semitones A flat major has three, and no scale has all
    assert note_metrics.scale_consistency(notes("C^CD^D|]"))[0] == 75
    assert note_metrics.pitch_class_entropy(notes("CcCc|]"))[0] == 0
    assert note_metrics.pitch_class_entropy(notes("CEGB|]"))[0] == 2
    # of 48 steps of a bar the second one has its four notes at other places than the first one's two
    assert note_metrics.groove_consistency(notes("C2C2|CCCC|]"))[0] == pytest.approx(100 * (1 - 2 / 48))
    assert note_metrics.groove_consistency(notes("CEGc|CCCC|]"))[0] == 100
    assert note_metrics.notes_per_quarter(notes("C4|C2C2|]"))[0] == 3 / 8


def test_rhythms_of_bars_are_counted_by_their_onsets():
    groups = {"samples": pieces(notes("C2C2|G2E2|CDEF|]")),
              "other": pieces(notes("c2c2|]"), notes("C3|]", meter="3/4"))}  # fmt: skip
    (metric,) = (each for each in note_metrics.note_metrics(groups) if each.name == note_metrics.RHYTHMS)
    assert sorted(metric.count(groups["samples"])[0]) == [0, 0, 1, 2]
    assert sorted(metric.count(groups["other"]).sum(axis=0)) == [0, 0, 1, 1]


def test_bars_that_come_again():
    piece = notes("CDEF|GABc|CDEF|C2EF|]")
    assert note_metrics.repeated_bars(piece)[0] == pytest.approx(100 / 3)
    curve = note_metrics.count_bar_similarity(piece).reshape(2, -1)
    assert curve[1].tolist() == [1, 1, 1] + [0] * (note_metrics.MAX_DISTANCE_BARS - 3)
    assert curve[0, 1] == pytest.approx((1 + 0) / 2)  # bars 1 and 3 are the same, 2 and 4 have no step alike


def test_what_has_no_bars_or_no_notes_counts_for_nothing():
    nothing = NoteTable(*np.zeros((2, 0)), np.zeros(0, int), np.zeros(0))
    free = notes("CDEF GABc|]", meter="none")
    group = pieces(nothing, free)
    for metric in note_metrics.note_metrics({"samples": group}):
        rows = metric.count(group)
        assert not rows[0].any() and np.isfinite(rows).all()
    assert note_metrics.groove_consistency(free) == (0, 0) and note_metrics.pitch_range(free) == (12, 1)


def test_polyphony_is_measured_where_there_is_some():
    duet = NoteTable(np.array([0.0, 0.0]), np.array([4.0, 1.0]), np.array([60, 64]), np.zeros(1), 4)
    assert note_metrics.polyphony(duet) == (25, 1)
    assert note_metrics.note_metrics({"samples": pieces(duet)})[-1].name.startswith("time with two notes")
    assert duet.melody[2].tolist() == [64]


def test_a_piece_of_midi_is_measured_as_the_same_tune():
    events = tuple(NoteEvent(480 * at, pitch, 480) for at, pitch in enumerate(SCALE.pitches.tolist()))
    drums = (NoteEvent(0, 36, 480, part=1),)
    piece = Piece(tuple(sorted(events + drums)), 480, (Part(), Part("drums", is_drum=True)),
                  meters=(Meter(0, 4, 4),), keys=(Key(0, 0),))  # fmt: skip
    found = NoteTable.of_piece(piece)
    assert (found.bars.tolist(), found.tonic) == ([0, 4], 0)
    for metric in note_metrics.note_metrics({"samples": pieces(SCALE)}):
        assert (metric.count(pieces(found)) == metric.count(pieces(SCALE))).all(), metric.name
    assert NoteTable.of_piece(Piece(events, keys=(Key(0, -1, True),))).tonic == 2


# --- form -------------------------------------------------------------------------------------------------


def reel(body: str) -> Tune:
    return tune(body, "D", unit="1/8")


@pytest.mark.parametrize(("body", "lengths", "form"), [
    (f"|:{A}:|:{B}:|", [8, 8], "AABB"),
    (f"{A}||{B}|]", [8, 8], "AB"),
    (f"|:{A}:|{B}|{B}|]", [8, 16], "AABB"),
    (f"A2|:{A[:-4]} d2 A2:|:{B[:-4]} d2 A2:|", [8, 8], "AABB"),
    (f"|:{A}|[1 {A[:9]}:|[2 {B[:9]}||{B}|]", [9, 8], "AAB"),
    (f"|:{A[:39]}:|{B}|]", [4, 8], "AB"),
], ids=["repeats", "once", "written out", "pick-up", "endings", "half a part"])  # fmt: skip
def test_parts_and_form(body, lengths, form):
    assert (measure_parts(reel(body)), find_form(reel(body))) == (lengths, form)


def test_form_in_figures():
    assert is_aabb(reel(f"|:{A}:|:{B}:|")) == (100, 1)
    assert is_aabb(reel(f"{A}||{B}|]")) == is_aabb(reel(f"{A}:|")) == (0, 1)
    assert share_of_eight_bar_parts(reel(f"|:{A}:|{B}|{B}|]")) == (50, 1)
    assert ends_on_tonic(reel(A + "|]")) == (100, 1)
    assert ends_on_tonic(reel(A + "|A8|]")) == (0, 1) == ends_on_tonic(tune("D4|C4|]", "Dm"))


def test_free_meter_has_no_form():
    free = tune("CDEF GABc|c4|]", meter="none")
    assert (measure_parts(free), find_form(free), is_aabb(free)) == ([], "", (0, 0))


def test_a_bar_cut_short_goes_on_in_the_pick_up_of_the_next_part():
    piece = notes("A|dfaf|d3:|f|gfed|d3|]", "D")
    assert piece.bars.tolist() == [1, 5, 9, 13]
    assert piece.bar_pitches[1, ::12].tolist() == [74, 74, 74, 78]


@pytest.mark.parametrize("body", [
    "C" + "9" * 40 + "|C8|]", "C/" + "9" * 30 + "|D8|]", "C8|" * 3000 + "]", "z8|]", "|:|:C8:|:|",
    "[K:G]C8|[M:3/4]C6|]",
], ids=["endless", "shortest", "many bars", "silence", "broken repeats", "changes"])  # fmt: skip
def test_odd_tunes_are_measured_in_finite_numbers(body):
    group = pieces(notes(body, unit="1/8"))
    for metric in [*note_metrics.note_metrics({"samples": group}), *form_metrics()]:
        assert np.isfinite(metric.count(group)).all(), metric.name
