"""Pieces as event symbols and back, by MidiTok's tokenizations.

MIDILike is that of Performance RNN: note-on and note-off events, velocities, and time shifts on a grid of
hundredths of a second. The others have a grid of the piece's quarter notes. Sources: Oore et al., "This time
with feeling", Neural Computing and Applications 32 (2020) 955; Fradet et al., "MidiTok" (2021).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import numpy as np

from pipeline.domains.music.piece import Meter, NoteEvent, Part, Piece, Tempo

if TYPE_CHECKING:
    from miditok import MusicTokenizer, TokSequence

PERFORMED = "MIDILike"
TOKENIZATIONS = (PERFORMED, "TSD", "REMI")
MIN_PITCH, MAX_PITCH = 21, 108
"""The lowest and the highest key of a piano."""
STEPS_PER_SECOND = 100
VELOCITIES = 32
_COARSE_STEPS = 4
"""Steps of a quarter in times longer than four quarters."""
NOTE_STARTS = ("NoteOn_", "Pitch_")
"""Beginnings of the events that start a note."""


@dataclass(frozen=True)
class EventTokens:
    """One tokenization. `steps_per_quarter` is the grid of those that measure time in quarter notes."""

    tokenization: str = PERFORMED
    steps_per_quarter: int = 12

    @property
    def in_seconds(self) -> bool:
        """Whether time is measured in seconds rather than in quarter notes."""
        return self.tokenization == PERFORMED

    @property
    def steps(self) -> int:
        """Grid steps of a quarter note, or of a second where time is measured in seconds."""
        return STEPS_PER_SECOND if self.in_seconds else self.steps_per_quarter

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """All symbols, in MidiTok's order."""
        return tuple(name for name in self._ids if not name.startswith("PAD"))

    @property
    def _ids(self) -> dict[str, int]:
        # One vocabulary is a dictionary; MidiTok has lists of several for other tokenizations.
        return cast("dict[str, int]", _build_tokenizer(self).vocab)

    def encode(self, piece: Piece) -> tuple[str, ...]:
        """Encode the notes of a piece within the range of a piano, on the grid.

        Returns
        -------
        tuple of str
            The events; none where the piece has no such notes.
        """
        from symusic.core import NoteTick, ScoreTick, TimeSignatureTick, TrackTick

        notes = quantise_keys(piece, self.steps, self.in_seconds)
        score, track = ScoreTick(self.steps), TrackTick()
        for onset, pitch, duration, velocity, _ in notes:
            track.notes.append(NoteTick(onset, duration, pitch, velocity))
        score.tracks.append(track)
        if not self.in_seconds:
            for meter in piece.meters:
                at = round(meter.tick * self.steps / piece.ticks_per_quarter)
                score.time_signatures.append(TimeSignatureTick(at, meter.beats, meter.beat_type))
        (sequence,) = cast("list[TokSequence]", _build_tokenizer(self)(score))
        return tuple(cast("list[str]", sequence.tokens)) if notes else ()

    def decode(self, symbols: Iterable[str]) -> Piece:
        """Decode events to a piece.

        A note-off without a note-on, and a note-on without a note-off, are ignored. Raises ValueError where
        the tokenization cannot decode the events.
        """
        from miditok import TokSequence

        try:
            ids = self._ids
            score = _build_tokenizer(self).decode([TokSequence(ids=[ids[name] for name in symbols])])
        except (IndexError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error
        notes = _merge_keys(sorted(
            NoteEvent(note.time, note.pitch, max(note.duration, 1), note.velocity)
            for track in score.tracks
            for note in track.notes
        ))  # fmt: skip
        if self.in_seconds:
            return build_performance(notes)
        meters = tuple(Meter(each.time, each.numerator, each.denominator) for each in score.time_signatures)
        return Piece(tuple(notes), score.ticks_per_quarter, (Part("Piano"),), meters=meters)

    @property
    def order(self) -> dict[str, set[str]]:
        """The kinds of events that may follow each kind."""
        return _build_tokenizer(self).tokens_types_graph

    def count_notes(self, symbols: Iterable[str]) -> int:
        """The number of notes."""
        return sum(symbol.startswith(NOTE_STARTS) for symbol in symbols)


def build_performance(notes: Iterable[NoteEvent]) -> Piece:
    """The piece of notes whose times are grid steps of seconds."""
    return Piece(tuple(notes), STEPS_PER_SECOND, (Part("Piano"),), tempos=(Tempo(0, 1_000_000),))


def quantise_keys(piece: Piece, steps: int, in_seconds: bool) -> list[NoteEvent]:
    """Round the notes of a piece to a grid, as the keys of one piano play them.

    Pedals become lengths. A note ends at the latest when its key is struck again, and equal notes with one
    onset are one note. Drums, and pitches outside the range of a piano, are left out.

    Parameters
    ----------
    piece
        The piece.
    steps
        Grid steps of a quarter note, or of a second with `in_seconds`.
    in_seconds
        Whether the grid is one of seconds.

    Returns
    -------
    list of NoteEvent
        The notes, with times in grid steps, sorted.
    """
    notes = sorted(
        note._replace(part=0)
        for note in piece.notes
        if not piece.parts[note.part].is_drum and MIN_PITCH <= note.pitch <= MAX_PITCH
    )
    pedals = tuple(pedal._replace(part=0) for pedal in piece.pedals)
    keys = Piece(tuple(notes), piece.ticks_per_quarter, tempos=piece.tempos, pedals=pedals).without_pedals()
    onsets, ends = (
        _round_ticks(keys, [getattr(note, name) for note in keys.notes], steps, in_seconds)
        for name in ("onset", "end")
    )
    return _merge_keys(
        NoteEvent(onset, note.pitch, max(end - onset, 1), note.velocity)
        for note, onset, end in zip(keys.notes, onsets, ends, strict=True)
    )


def _merge_keys(notes: Iterable[NoteEvent]) -> list[NoteEvent]:
    """Merge equal notes of one onset, and end each note before its key is struck again; sorted."""
    struck: dict[int, dict[int, NoteEvent]] = {}
    for note in notes:
        same = struck.setdefault(note.pitch, {}).get(note.onset, note)
        struck[note.pitch][note.onset] = note._replace(
            duration=max(note.duration, same.duration), velocity=max(note.velocity, same.velocity)
        )
    return sorted(note for times in struck.values() for note in _remove_overlaps(list(times.values())))


def _round_ticks(piece: Piece, ticks: Sequence[int], steps: int, in_seconds: bool) -> list[int]:
    times = piece.seconds(ticks) if in_seconds else np.asarray(ticks) / piece.ticks_per_quarter
    return np.rint(times * steps).astype(np.int64).tolist()


def _remove_overlaps(notes: list[NoteEvent]) -> Iterable[NoteEvent]:
    """Yield the notes of one key, which are sorted; each ends when the next one starts at the latest."""
    for note, following in pairwise(notes):
        yield note._replace(duration=min(note.duration, following.onset - note.onset))
    yield from notes[-1:]


@lru_cache(maxsize=8)
def _build_tokenizer(settings: EventTokens) -> "MusicTokenizer":
    import miditok

    # A second is given as a beat of 100 steps: TimeShift_0.37.100 lasts 0.37 s.
    fine, coarse = {(0, 1): settings.steps}, {(0, 4): settings.steps, (4, 16): _COARSE_STEPS}
    lengths = fine if settings.in_seconds else coarse
    config = miditok.TokenizerConfig(
        pitch_range=(MIN_PITCH, MAX_PITCH + 1),
        beat_res=lengths,
        num_velocities=VELOCITIES,
        special_tokens=["PAD"],
        use_time_signatures=settings.tokenization == "REMI",
        use_pitchdrum_tokens=False,
    )
    return getattr(miditok, settings.tokenization)(config)
