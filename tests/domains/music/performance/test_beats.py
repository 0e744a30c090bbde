"""Beats of performances are where a listener would tap."""

import numpy as np
import pytest

from pipeline.domains.music.midi_files import read_midi
from pipeline.domains.music.performance.beats import find_beats, on_beats
from pipeline.domains.music.performance.domain import PerformedRecord
from pipeline.domains.music.performance.event_tokens import EventTokens
from pipeline.domains.music.piece import NoteEvent, Piece
from pipeline.domains.music.render.staves import quantise


@pytest.mark.parametrize("period_s", [0.4, 0.5, 0.75])
def test_an_uneven_player_in_a_steady_tempo(period_s):
    rng = np.random.default_rng(1)
    times = 3.0 + np.arange(60) * period_s + rng.normal(0, 0.01, 60)
    halves = times[rng.random(60) < 0.4] + period_s / 2
    onsets = np.concatenate([times, halves])
    loud = np.concatenate([np.full(60, 80.0), np.full(len(halves), 50.0)])
    beats = find_beats(onsets, loud)
    assert np.diff(beats).mean() == pytest.approx(period_s, rel=0.01)
    assert max(np.abs(beats - time).min() for time in times) < 0.05


def test_the_beat_follows_a_player_who_slows_down():
    times = np.cumsum(0.5 * 1.003 ** np.arange(50))
    beats = find_beats(times, np.full(50, 80.0))
    assert max(np.abs(beats - time).min() for time in times) < 0.06
    assert np.diff(beats)[-3] > 1.08 * np.diff(beats)[2]


def test_two_notes_have_beats_too():
    assert len(find_beats([1.0], np.array([80.0]))) >= 2
    assert len(on_beats(Piece((NoteEvent(0, 60, 10), NoteEvent(900, 62, 10)), 100)).notes) == 2
    assert on_beats(Piece(())) == Piece(())


def test_a_piece_on_its_beats_sounds_as_before():
    rng = np.random.default_rng(2)
    onsets = np.sort(rng.integers(0, 3000, 80)).tolist()
    piece = EventTokens().decode(EventTokens().encode(
        Piece(tuple(NoteEvent(onset, 40 + at % 40, 30) for at, onset in enumerate(onsets)), 50)))  # fmt: skip
    again = on_beats(piece)
    before, after = (each.seconds([note.onset for note in each.notes]) for each in (piece, again))
    shift = before[0] - after[0]
    assert np.abs(np.sort(before) - np.sort(after) - shift).max() < 0.005


def test_a_played_prelude_is_written_in_its_own_bars(shared):
    """Chopin's prelude in C minor: a chord on every quarter, four to a bar, and the third is dotted."""
    piece = read_midi(shared / "piano_midi" / "piano-midi.de" / "Chopin_chpn-p20.mid")
    played = EventTokens().decode(EventTokens().encode(piece))
    columns = quantise(on_beats(played).notes, 480, triplets=False)
    onsets = sorted({onset - columns[0][0] for onset, _ in columns})
    assert onsets[:12] == [0, 12, 24, 33, 36, 48, 60, 72, 81, 84, 96, 108]
    upper, lower = PerformedRecord("prelude", (), piece=played).to_score().parts
    assert upper.recurse().getElementsByClass("KeySignature").first().sharps == -3
    first = lower.getElementsByClass("Measure").first()
    assert [note.quarterLength for note in first.notes] == [1, 1, 1, 1]
