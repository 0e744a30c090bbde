"""Performances as a domain: MIDI files become events, which are learned, and samples become MIDI.

A sequence is the events of a piece (see `event_tokens.py`, also for repeated keys, pedals and the grid). Its
end is not learned, and a sample is an excerpt.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pipeline.config.checks import check_choice, check_range
from pipeline.domain import AttributeCounts, Domain
from pipeline.domains.music.compare.top_voice import encode_top_voice
from pipeline.domains.music.midi_files import is_midi_name, read_midi
from pipeline.domains.music.performance.beats import on_beats
from pipeline.domains.music.performance.event_grammar import EventGrammar
from pipeline.domains.music.performance.event_tokens import (
    MAX_PITCH,
    MIN_PITCH,
    NOTE_STARTS,
    PERFORMED,
    TOKENIZATIONS,
    EventTokens,
)
from pipeline.domains.music.performance.statistics import compare_performances, compare_written
from pipeline.domains.music.piece import Piece
from pipeline.domains.music.plural import format_count
from pipeline.domains.music.render.piece_record import PieceRecord
from pipeline.domains.music.render.staves import piano_score
from pipeline.domains.music.settings import check_shared
from pipeline.errors import ConfigError, DataError
from pipeline.evaluation.metric_comparison.groups import SAMPLES
from pipeline.grammar import Grammar
from pipeline.records import DomainOutput, Record, References, Rejection, Sample, Symbols

if TYPE_CHECKING:
    from music21.stream import Score

MAX_STRETCH = 0.25
_CLOSING_STEPS = 50
"""Keys that are down at the end of a sample are released after half a second."""


@dataclass(frozen=True)
class Performance(Domain):
    """Music of one player on a keyboard, from MIDI files.

    Raises
    ------
    ConfigError
        At construction, where a setting is out of range; the message names the setting.
    """

    tokenization: str = PERFORMED
    """One of MidiTok's tokenizations: "MIDILike" (as played, in hundredths of a second), "TSD" or "REMI" (as
    notated, on a grid of quarter notes)."""
    steps_per_quarter: int = 12
    """Grid steps of a quarter note in TSD and REMI; 12 has sixteenths and triplets."""
    transpose: int = 3
    """Training pieces are learned in other keys, too, up to so many semitones higher and lower."""
    stretch: float = 0.05
    """Training pieces are learned slower and faster by this share, too; 0: at their tempo only. It has no
    effect where time is measured in quarter notes."""
    longest_shifts: int = 25
    """Time shifts for which a key of a sample is down, at most. 99% of real notes are shorter, but a model
    may miss a note-off."""
    max_copy_notes: int | None = None
    """Samples with more consecutive notes of a training piece's top voice are dropped; None: only flagged."""

    family: ClassVar[str] = "music"
    symbol_name: ClassVar[str] = "event"
    separator: ClassVar[str] = " "
    larger_unit: ClassVar[str] = "note"
    open_ended: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_choice("domain.tokenization", self.tokenization, TOKENIZATIONS)
        check_range("domain.steps_per_quarter", self.steps_per_quarter, 4, 96)
        if self.steps_per_quarter % 4:
            raise ConfigError(
                f"domain.steps_per_quarter={self.steps_per_quarter} is not a multiple of 4; 12 is usual"
            )
        check_shared(self.transpose, self.max_copy_notes)
        check_range("domain.longest_shifts", self.longest_shifts, 1, 1000)
        check_range("domain.stretch", self.stretch, 0.0, MAX_STRETCH)

    @property
    def events(self) -> EventTokens:
        """The tokenization."""
        return EventTokens(self.tokenization, self.steps_per_quarter)

    @property
    def alphabet(self) -> tuple[str, ...]:
        """All events of the tokenization, so that any piece can be a prime."""
        return self.events.vocabulary

    def accepts_file(self, path: Path) -> bool:
        """Whether the name of a file has a suffix of MIDI."""
        return super().accepts_file(path) and is_midi_name(path)

    def read(self, path: Path) -> Iterator[Record | Rejection]:
        """Yield the single piece of a MIDI file, or the pieces of an `events.txt`.

        Raises DataError where the file cannot be read.
        """
        if path.suffix == ".txt":
            yield from self._read_events(path)
            return
        symbols = self.events.encode(read_midi(path))
        if symbols:
            yield Record(path.name, symbols, {"title": path.stem})
        else:
            yield Rejection(str(path), "no note within the range of a piano")

    def _read_events(self, path: Path) -> Iterator[Record | Rejection]:
        known = set(self.alphabet)
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: cannot be read as text ({error}); give MIDI or an events.txt") from None
        for number, line in enumerate(lines, start=1):
            symbols = tuple(line.split())
            unknown = next((name for name in symbols if name not in known), "")
            if not symbols or line.startswith("#"):
                continue
            if unknown:
                yield Rejection(f"{path}:{number}", f"not an event of {self.tokenization}", unknown[:40])
            else:
                yield Record(f"{path.name}:{number}", symbols, {"title": f"{path.stem} {number}"})

    def duplicate_key(self, record: Record) -> bytes | None:
        """The pitches relative to the first one, so that a piece in another key or tempo is equal."""
        pitches = [int(name.rpartition("_")[2]) for name in record.symbols if name.startswith(NOTE_STARTS)]
        lengths = len(record.symbols) - len(pitches)
        return hashlib.sha256(repr((lengths, [pitch - pitches[0] for pitch in pitches])).encode()).digest()

    def count_units(self, symbols: Symbols) -> int:
        """The number of notes."""
        return self.events.count_notes(symbols)

    def variants(self, record: Record) -> Iterator[Record]:
        """Yield the piece in other keys, within the keys of a piano, and slower and faster."""
        for semitones in range(-self.transpose, self.transpose + 1):
            transposed = transpose_events(record.symbols, semitones) if semitones else ()
            if transposed:
                yield Record(f"{record.id} {semitones:+d}", transposed)
        if self.stretch and self.events.in_seconds:
            piece = self.events.decode(release_keys(tuple(record.symbols)))
            for factor in (1 - self.stretch, 1 + self.stretch):
                symbols = self.events.encode(stretch_piece(piece, factor))
                yield Record(f"{record.id} x{factor:g}", symbols)

    def grammar(self, symbols: Sequence[str], training: AttributeCounts | None = None) -> Grammar | None:
        """The grammar of playable events: keys that are up are struck, keys that are down released."""
        return EventGrammar(self.events, symbols, self.longest_shifts)

    def parse_prime(self, text: str) -> Symbols:
        """The events of a text, with blanks between them. Raises ConfigError for other words."""
        symbols = tuple(text.split())
        unknown = next((name for name in symbols if name not in self.alphabet), None)
        if unknown is not None:
            raise ConfigError(
                f"sample.prime: {unknown!r} is not an event of {self.tokenization}; give some like "
                f"'{' '.join(self.alphabet[40:400:90])}', or a MIDI file: sample.prime=@my.mid "
                "sample.prime_length=200"
            )
        return symbols

    def finish(self, sample: Sample) -> Record | Rejection:
        """The record of a sample, where keys that are down at its end are released, or a rejection."""
        where = f"sample {sample.index + 1}"
        symbols = release_keys(tuple(sample.symbols))
        released = sum(name.startswith("NoteOff_") for name in symbols[len(sample.symbols) :])
        try:
            piece = self.events.decode(symbols)
        except ValueError as error:
            return Rejection(where, "events that cannot be decoded", str(error))
        if not piece.notes:
            return Rejection(where, "no notes", " ".join(symbols[:20]))
        metadata = {"title": f"Synthetic performance {sample.index + 1}"}
        if released:
            metadata["repaired"] = f"{format_count(released, 'key')} released at the end"
        name = f"performance_{sample.index + 1:04d}"
        record_class = PerformedRecord if self.events.in_seconds else PieceRecord
        return record_class(name, symbols, metadata, piece=piece)

    def audit(
        self, records: Sequence[Record], references: References, out_dir: Path
    ) -> tuple[Sequence[Record], DomainOutput]:
        """Name the training piece with the nearest top voice for each, and flag copies or drop them."""
        from pipeline.domains.music.compare.originality import audit_originality  # saves 1 s with matplotlib
        from pipeline.domains.music.compare.training_overlap import MelodyEncoding  # saves 0.5 s of numba

        encoding = MelodyEncoding(lambda record: encode_top_voice(self.decode_piece(record)), "piece")
        return audit_originality(records, references, out_dir, self.max_copy_notes, encoding)

    def compare(self, records: Sequence[Record], references: References, out_dir: Path) -> DomainOutput:
        """Compare timing, dynamics and pitch, or notes and bars of written music, with the references."""
        groups = {SAMPLES: records, **references.compared}
        pieces = {
            name: [self.decode_piece(record) for record in group] for name, group in groups.items() if group
        }
        compare = compare_performances if self.events.in_seconds else compare_written
        return compare(pieces, out_dir)

    def decode_piece(self, record: Record) -> Piece:
        """The piece of a record, or of a sequence of a baseline; without notes where it cannot be decoded."""
        if isinstance(record, PieceRecord):
            return record.piece
        try:
            return self.events.decode(release_keys(tuple(record.symbols)))
        except ValueError:
            return Piece(())

    def write(self, records: Sequence[Record], out_dir: Path) -> DomainOutput:
        """Write `events.txt`, with a line on how each performance was made, and a line of its events."""
        path = out_dir / "events.txt"
        with path.open("w", encoding="utf-8") as stream:
            for record in records:
                made = ", ".join(f"{name} {value}" for name, value in record.metadata.items())
                stream.write(f"# {record.id}: {made}\n{' '.join(record.symbols)}\n")
        pieces = [self.decode_piece(record) for record in records]
        length_s, notes = sum(piece.length_s for piece in pieces), sum(len(piece.notes) for piece in pieces)
        return DomainOutput(
            summary=(
                f"{format_count(len(records), 'performance')} of {length_s / len(records):.0f} s and "
                f"{notes / len(records):.0f} notes on average, as events in {path.name}",
            ),
            figures={"performances": len(records), "notes": notes, "seconds": round(length_s, 1)},
            files=(path,),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformedRecord(PieceRecord):
    """A performance, whose score is on the beats that are tracked in it."""

    def to_score(self) -> "Score":
        """Write a piano score on the tracked beats. Its bars are not those of the music."""
        return piano_score(self.on_score(self.piece), triplets=False)

    def on_score(self, piece: Piece) -> Piece:
        """The piece on its tracked beats."""
        return on_beats(piece)


_PITCHED = (*NOTE_STARTS, "NoteOff_")


def transpose_events(symbols: Symbols, semitones: int) -> tuple[str, ...]:
    """The events so many semitones higher; none where a note would leave the range of a piano."""
    transposed = []
    for name in symbols:
        if name.startswith(_PITCHED):
            kind, pitch = name.split("_")
            if not MIN_PITCH <= int(pitch) + semitones <= MAX_PITCH:
                return ()
            name = f"{kind}_{int(pitch) + semitones}"
        transposed.append(name)
    return tuple(transposed)


def stretch_piece(piece: Piece, factor: float) -> Piece:
    """The piece at another tempo, so that it lasts `factor` times as long."""
    tempos = tuple(tempo._replace(us_per_quarter=tempo.us_per_quarter * factor) for tempo in piece.tempos)
    return replace(piece, tempos=tempos)


def release_keys(symbols: tuple[str, ...]) -> tuple[str, ...]:
    """Add a note-off for every key that is down at the end of the events."""
    down: dict[str, None] = {}
    for name in symbols:
        kind, _, pitch = name.partition("_")
        if kind == "NoteOn":
            down[pitch] = None
        elif kind == "NoteOff":
            down.pop(pitch, None)
    if not down:
        return symbols
    wait = f"TimeShift_0.{_CLOSING_STEPS}.100"
    return (*symbols, wait, *(f"NoteOff_{pitch}" for pitch in sorted(down, key=int)))
