"""Pieces as event symbols and back, by MidiTok's tokenizations.

MIDILike is that of Performance RNN: keys struck and let go, their velocity, and time shifts, on a grid of
hundredths of a second. The others stand on a grid of the piece's own quarter notes. Sources: Oore et al.,
"This time with feeling", Neural Computing and Applications 32 (2020) 955; Fradet et al., "MidiTok" (2021).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from pipeline.domains.music.piece import Meter, NoteEvent, Part, Piece, Tempo

if TYPE_CHECKING:
    from miditok import MusicTokenizer

PERFORMED = "MIDILike"
TOKENIZATIONS = (PERFORMED, "TSD", "REMI")
LOWEST, HIGHEST = 21, 108
"""The keys of a piano."""
STEPS_PER_SECOND = 100
VELOCITIES = 32
_COARSE = 4
"""Steps a quarter for what lasts longer than a bar of four quarters."""
_STRUCK = ("NoteOn_", "Pitch_")


@dataclass(frozen=True)
class EventTokens:
    """One tokenization. `steps_per_quarter` is the grid of those that count quarter notes."""

    tokenization: str = PERFORMED
    steps_per_quarter: int = 12

    @property
    def in_seconds(self) -> bool:
        """Whether time is that of the clock, not that of the beat."""
        return self.tokenization == PERFORMED

    @property
    def steps(self) -> int:
        """Grid steps of a quarter note; a quarter lasts a second where time is that of the clock."""
        return STEPS_PER_SECOND if self.in_seconds else self.steps_per_quarter

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """All symbols, in MidiTok's order."""
        return tuple(name for name in _tokenizer(self).vocab if not name.startswith("PAD"))

    def encode(self, piece: Piece) -> tuple[str, ...]:
        """The events of a piece's keys on the grid; what is none of a piano's keys is left out."""
        from symusic import Note, Score, TimeSignature, Track

        notes = on_grid(piece, self.steps, self.in_seconds)
        score, track = Score(self.steps), Track()
        for onset, pitch, duration, velocity, _ in notes:
            track.notes.append(Note(onset, duration, pitch, velocity))
        score.tracks.append(track)
        if not self.in_seconds:
            for meter in piece.meters:
                at = round(meter.tick * self.steps / piece.ticks_per_quarter)
                score.time_signatures.append(TimeSignature(at, meter.beats, meter.beat_type))
        return tuple(_tokenizer(self)(score)[0].tokens) if notes else ()

    def decode(self, symbols: Iterable[str]) -> Piece:
        """The piece that events tell of; a key that is let go without being struck, or never let go, is
        passed over. Raises ValueError for what the tokenization cannot read."""
        from miditok import TokSequence

        try:
            vocabulary = _tokenizer(self).vocab
            score = _tokenizer(self).decode([TokSequence(ids=[vocabulary[name] for name in symbols])])
        except (IndexError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error
        notes = _of_keys(sorted(
            NoteEvent(note.time, note.pitch, max(note.duration, 1), note.velocity)
            for track in score.tracks
            for note in track.notes
        ))  # fmt: skip
        if self.in_seconds:
            return performance(notes)
        meters = tuple(Meter(each.time, each.numerator, each.denominator) for each in score.time_signatures)
        return Piece(tuple(notes), score.ticks_per_quarter, (Part("Piano"),), meters=meters)

    @property
    def order(self) -> dict[str, set[str]]:
        """Which kinds of events may follow each kind."""
        return _tokenizer(self).tokens_types_graph

    def count_notes(self, symbols: Iterable[str]) -> int:
        """How many notes are struck."""
        return sum(symbol.startswith(_STRUCK) for symbol in symbols)


def performance(notes: Iterable[NoteEvent]) -> Piece:
    """Notes whose times are grid steps of the clock, as a piece that plays them so."""
    return Piece(tuple(notes), STEPS_PER_SECOND, (Part("Piano"),), tempos=(Tempo(0, 1_000_000),))


def on_grid(piece: Piece, steps: int, in_seconds: bool) -> list[NoteEvent]:
    """The piece as one player's keys on a grid of `steps` a quarter note, or a second.

    Pedals become lengths. A key sounds once at a time: struck again, it ends before; struck twice at once,
    it is one note. Drums, and pitches that a piano has not, are left out.
    """
    notes = sorted(
        note._replace(part=0)
        for note in piece.notes
        if not piece.parts[note.part].is_drum and LOWEST <= note.pitch <= HIGHEST
    )
    pedals = tuple(pedal._replace(part=0) for pedal in piece.pedals)
    keys = Piece(tuple(notes), piece.ticks_per_quarter, tempos=piece.tempos, pedals=pedals).without_pedals()
    onsets, ends = (
        _steps(keys, [getattr(note, name) for note in keys.notes], steps, in_seconds)
        for name in ("onset", "end")
    )
    return _of_keys(
        NoteEvent(onset, note.pitch, max(end - onset, 1), note.velocity)
        for note, onset, end in zip(keys.notes, onsets, ends, strict=True)
    )


def _of_keys(notes: Iterable[NoteEvent]) -> list[NoteEvent]:
    """Notes in the order of their onsets as keys can strike them."""
    struck: dict[int, dict[int, NoteEvent]] = {}
    for note in notes:
        same = struck.setdefault(note.pitch, {}).get(note.onset, note)
        struck[note.pitch][note.onset] = note._replace(
            duration=max(note.duration, same.duration), velocity=max(note.velocity, same.velocity)
        )
    return sorted(note for times in struck.values() for note in _one_at_a_time(list(times.values())))


def _steps(piece: Piece, ticks: Sequence[int], steps: int, in_seconds: bool) -> list[int]:
    times = piece.seconds(ticks) if in_seconds else np.asarray(ticks) / piece.ticks_per_quarter
    return np.rint(times * steps).astype(np.int64).tolist()


def _one_at_a_time(notes: list[NoteEvent]) -> Iterable[NoteEvent]:
    """The notes of one key, by onset, each until the next at most."""
    for note, following in pairwise(notes):
        yield note._replace(duration=min(note.duration, following.onset - note.onset))
    yield from notes[-1:]


@lru_cache(maxsize=8)
def _tokenizer(settings: EventTokens) -> "MusicTokenizer":
    import miditok

    # Seconds are written as beats of which one has 100 steps: TimeShift_0.37.100 lasts 0.37 s.
    lengths = {(0, 1): settings.steps} if settings.in_seconds else {(0, 4): settings.steps, (4, 16): _COARSE}
    config = miditok.TokenizerConfig(
        pitch_range=(LOWEST, HIGHEST + 1),
        beat_res=lengths,
        num_velocities=VELOCITIES,
        special_tokens=["PAD"],
        use_time_signatures=settings.tokenization == "REMI",
        use_pitchdrum_tokens=False,
    )
    return getattr(miditok, settings.tokenization)(config)
