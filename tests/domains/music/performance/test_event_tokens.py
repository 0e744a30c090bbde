"""Pieces become events and are played as they were."""

import numpy as np
import pytest
from tiny import some_performance

from pipeline.domains.music.midi_files import read_midi, write_midi
from pipeline.domains.music.performance.event_tokens import TOKENIZATIONS, EventTokens, quantise_keys
from pipeline.domains.music.piece import NoteEvent, Part, Pedal, Piece, Tempo

REAL = (
    "maestro/Maestro_1.mid", "piano-midi.de/Chopin_chpn-p20.mid", "piano-midi.de/Bach_bach_850.mid",
    "piano-midi.de/Haydn_haydn_7_2.mid",
)  # fmt: skip


def seconds(piece: Piece, notes) -> np.ndarray:
    """Onset and end of each note, by pitch and onset, in seconds ``(notes, 2)``."""
    ordered = sorted(notes, key=lambda note: (note.pitch, note.onset))
    return np.stack([piece.seconds([n.onset for n in ordered]), piece.seconds([n.end for n in ordered])], 1)


@pytest.mark.parametrize("name", REAL)
def test_a_performance_comes_back_within_a_step(name, shared, tmp_path):
    piece = read_midi(shared / "piano_midi" / name)
    path = tmp_path / "again.mid"
    path.write_bytes(write_midi(EventTokens().decode(EventTokens().encode(piece))))
    again = read_midi(path)
    one = [note._replace(part=0) for note in piece.notes]
    pedals = tuple(pedal._replace(part=0) for pedal in piece.pedals)
    played = Piece(
        tuple(sorted(one)), piece.ticks_per_quarter, tempos=piece.tempos, pedals=pedals
    ).without_pedals()
    lost = len(played.notes) - len(again.notes)  # a key that two voices strike at once is one note
    assert 0 <= lost <= 5
    if not lost:
        gap = np.abs(seconds(played, played.notes) - seconds(again, again.notes))
        assert gap[:, 0].max() <= 0.005 + 1e-6
        assert np.mean(gap[:, 1] <= 0.01 + 1e-6) == 1


@pytest.mark.parametrize("tokenization", TOKENIZATIONS)
def test_every_tokenization_gives_back_the_notes_on_its_grid(tokenization, tmp_path):
    path = tmp_path / "made.mid"
    path.write_bytes(some_performance())
    piece, events = read_midi(path), EventTokens(tokenization)
    symbols = events.encode(piece)
    assert set(symbols) <= set(events.vocabulary)
    again = events.decode(symbols)
    scale = again.ticks_per_quarter // events.steps
    expected = quantise_keys(piece, events.steps, events.in_seconds)
    assert events.count_notes(symbols) == len(expected) == len(again.notes)
    for note, found in zip(expected, again.notes, strict=True):
        assert (note.onset * scale, note.pitch, note.duration * scale) == found[:3]
        assert abs(note.velocity - found.velocity) <= 2


def test_the_grid_counts_seconds_whatever_the_tempo():
    piece = Piece((NoteEvent(0, 60, 480), NoteEvent(960, 62, 240)), 480, tempos=(Tempo(480, 250_000),))
    assert [note[:3] for note in quantise_keys(piece, 100, in_seconds=True)] == [(0, 60, 50), (75, 62, 13)]
    assert [note[:3] for note in quantise_keys(piece, 12, in_seconds=False)] == [(0, 60, 12), (24, 62, 6)]


def test_a_key_sounds_once_at_a_time():
    notes = (NoteEvent(0, 60, 480, 50), NoteEvent(0, 60, 960, 40, 1), NoteEvent(480, 60, 480, 70))
    piece = Piece(notes, 480, parts=(Part("a"), Part("b")))
    assert quantise_keys(piece, 100, in_seconds=True) == [NoteEvent(0, 60, 50, 50), NoteEvent(50, 60, 50, 70)]


def test_one_pedal_holds_both_hands_and_drums_are_no_keys():
    parts = (Part("right"), Part("left"), Part("kit", is_drum=True))
    notes = (NoteEvent(0, 20, 480), NoteEvent(0, 36, 480, part=2), NoteEvent(0, 60, 480))
    piece = Piece(notes, 480, parts=parts, pedals=(Pedal(0, 960, part=1),))
    assert quantise_keys(piece, 100, in_seconds=True) == [NoteEvent(0, 60, 100)]


def test_events_that_make_no_sense_are_passed_over():
    events = EventTokens()
    piece = events.decode(["NoteOff_60", "NoteOn_62", "Velocity_63", "TimeShift_0.50.100", "NoteOff_62"])
    assert [note[:3] for note in piece.notes] == [(0, 62, 50)]
    with pytest.raises(ValueError, match="NoteOn_200"):
        events.decode(["NoteOn_200"])
