"""Performances as a domain: MIDI in, events of keys, loudness and time learned, MIDI out.

A sequence is a piece's events (see `event_tokens`); a piece has no end worth learning, and a sample is a
stretch of playing. Repeated keys, pedals and rounding to the grid are seen to before: see `on_grid` there.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pipeline.config.checks import check_choice, check_range
from pipeline.domain import AttributeCounts, Domain
from pipeline.domains.music.compare.top_voice import top_voice
from pipeline.domains.music.midi_files import is_midi_name, read_midi
from pipeline.domains.music.performance.event_tokens import (
    HIGHEST,
    LOWEST,
    PERFORMED,
    TOKENIZATIONS,
    EventTokens,
)
from pipeline.domains.music.piece import Piece
from pipeline.domains.music.plural import format_count
from pipeline.domains.music.render.piece_record import PieceRecord
from pipeline.domains.music.settings import check_shared
from pipeline.errors import ConfigError, DataError
from pipeline.grammar import Grammar
from pipeline.records import DomainOutput, Record, References, Rejection, Sample, Symbols

if TYPE_CHECKING:
    from music21.stream import Score

MAX_STRETCH = 0.25
_CLOSING_STEPS = 50
"""Notes that hang at the end of a sample sound half a second more."""


@dataclass(frozen=True)
class Performance(Domain):
    """Music of one player with keys, from MIDI files."""

    tokenization: str = PERFORMED
    """How a piece becomes events, one of MidiTok's ways: MIDILike (as it was played, in hundredths of a
    second), TSD or REMI (as it would be written, in parts of its quarter notes)."""
    steps_per_quarter: int = 12
    """The grid of TSD and REMI; 12 has sixteenths and triplets."""
    transpose: int = 3
    """Semitones up and down by which training pieces are learned too."""
    stretch: float = 0.05
    """Share by which training pieces are learned slower and faster too; 0: only as they are. Where time is
    counted in quarter notes there is nothing to stretch."""
    longest_shifts: int = 25
    """Time shifts for which a key of a sample stays down, at most: 99% of real notes are shorter, but a model
    forgets to let keys go."""
    max_copy_notes: int | None = None
    """Samples with more notes in a row of a training piece's top voice are dropped; None: only flagged."""

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
                f"domain.steps_per_quarter={self.steps_per_quarter} is no multiple of 4; 12 is usual"
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
        """All events, whether or not the data has them, so that any piece can be a prime."""
        return self.events.vocabulary

    def accepts_file(self, path: Path) -> bool:
        """Whether a file is named as MIDI."""
        return super().accepts_file(path) and is_midi_name(path)

    def read(self, path: Path) -> Iterator[Record | Rejection]:
        """The one piece of a MIDI file, or the lines of an `events.txt`. Raises DataError where a file cannot
        be read."""
        if path.suffix == ".txt":
            yield from self._read_events(path)
            return
        symbols = self.events.encode(read_midi(path))
        if symbols:
            yield Record(path.name, symbols, {"title": path.stem})
        else:
            yield Rejection(str(path), "no note of a piano's keys")

    def _read_events(self, path: Path) -> Iterator[Record | Rejection]:
        known = set(self.alphabet)
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: cannot be read as text ({error}); give MIDI or an events.txt") from None
        for number, line in enumerate(lines, start=1):
            symbols = tuple(line.split())
            strange = next((name for name in symbols if name not in known), "")
            if not symbols or line.startswith("#"):
                continue
            if strange:
                yield Rejection(f"{path}:{number}", f"no event of {self.tokenization}", strange[:40])
            else:
                yield Record(f"{path.name}:{number}", symbols, {"title": f"{path.stem} {number}"})

    def duplicate_key(self, record: Record) -> bytes | None:
        """The intervals from note to note: the same piece in any key, however fast and loud."""
        pitches = [int(name.rpartition("_")[2]) for name in record.symbols if name.startswith(_STRUCK)]
        lengths = len(record.symbols) - len(pitches)
        return hashlib.sha256(repr((lengths, [pitch - pitches[0] for pitch in pitches])).encode()).digest()

    def count_units(self, symbols: Symbols) -> int:
        """The notes that are struck."""
        return self.events.count_notes(symbols)

    def variants(self, record: Record) -> Iterator[Record]:
        """The piece in other keys, as far as the keyboard goes, and a little slower and faster."""
        for semitones in range(-self.transpose, self.transpose + 1):
            moved = transposed(record.symbols, semitones) if semitones else ()
            if moved:
                yield Record(f"{record.id} {semitones:+d}", moved)
        if self.stretch and self.events.in_seconds:
            piece = self.events.decode(closed(tuple(record.symbols)))
            for factor in (1 - self.stretch, 1 + self.stretch):
                symbols = self.events.encode(stretched(piece, factor))
                yield Record(f"{record.id} x{factor:g}", symbols)

    def grammar(self, symbols: Sequence[str], training: AttributeCounts | None = None) -> Grammar | None:
        """What can be played: keys that are up are struck, keys that are down are let go."""
        from pipeline.domains.music.performance.event_grammar import EventGrammar

        return EventGrammar(self.events, symbols, self.longest_shifts)

    def parse_prime(self, text: str) -> Symbols:
        """Events between spaces, as `events.txt` has them; ConfigError for others."""
        symbols = tuple(text.split())
        strange = next((name for name in symbols if name not in self.alphabet), None)
        if strange is not None:
            raise ConfigError(
                f"sample.prime: {strange!r} is no event of {self.tokenization}; give some like "
                f"'{' '.join(self.alphabet[40:400:90])}', or a MIDI file: sample.prime=@my.mid "
                "sample.prime_length=200"
            )
        return symbols

    def finish(self, sample: Sample) -> Record | Rejection:
        """A performance as a record; keys that are still down at its end are let go."""
        where = f"sample {sample.index + 1}"
        symbols = closed(tuple(sample.symbols))
        hanging = sum(name.startswith("NoteOff_") for name in symbols[len(sample.symbols) :])
        try:
            piece = self.events.decode(symbols)
        except ValueError as error:
            return Rejection(where, "events that cannot be read", str(error))
        if not piece.notes:
            return Rejection(where, "no notes", " ".join(symbols[:20]))
        metadata = {"title": f"Synthetic performance {sample.index + 1}"}
        if hanging:
            metadata["repaired"] = f"{format_count(hanging, 'key')} let go at the end"
        name = f"performance_{sample.index + 1:04d}"
        made = PerformedRecord if self.events.in_seconds else PieceRecord
        return made(name, symbols, metadata, piece=piece)

    def audit(
        self, records: Sequence[Record], references: References, out_dir: Path
    ) -> tuple[Sequence[Record], DomainOutput]:
        """Name the training piece whose top voice each sample shares most of; flag copies, or drop them."""
        from pipeline.domains.music.compare.originality import Melodies, audit

        melodies = Melodies(lambda record: top_voice(self.piece(record)), "piece")
        return audit(records, references, out_dir, self.max_copy_notes, melodies)

    def compare(self, records: Sequence[Record], references: References, out_dir: Path) -> DomainOutput:
        """Time, loudness and pitch, or of written music what is measured of tunes, beside the references."""
        from pipeline.domains.music.performance.statistics import compare_performances, compare_written

        groups = {"samples": records, **references.compared}
        pieces = {name: [self.piece(record) for record in group] for name, group in groups.items() if group}
        compare = compare_performances if self.events.in_seconds else compare_written
        return compare(pieces, out_dir)

    def piece(self, record: Record) -> Piece:
        """The piece of any record: finished, read, or drawn by a null model; silent if it makes no sense."""
        if isinstance(record, PieceRecord):
            return record.piece
        try:
            return self.events.decode(closed(tuple(record.symbols)))
        except ValueError:
            return Piece(())

    def write(self, records: Sequence[Record], out_dir: Path) -> DomainOutput:
        """`events.txt`: the events of each performance on a line, below one that says how it was made."""
        path = out_dir / "events.txt"
        with path.open("w", encoding="utf-8") as stream:
            for record in records:
                made = ", ".join(f"{name} {value}" for name, value in record.metadata.items())
                stream.write(f"# {record.id}: {made}\n{' '.join(record.symbols)}\n")
        length_s = sum(record.piece.length_s for record in records)
        notes = sum(len(record.piece.notes) for record in records)
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
    """A performance, whose beats must be found before it is written down."""

    def to_score(self) -> "Score":
        """A piano score on the beats that are found; where its bars begin is not known."""
        from pipeline.domains.music.render.staves import piano_score

        return piano_score(self.on_score(self.piece), triplets=False)

    def on_score(self, piece: Piece) -> Piece:
        """The piece on the beats that are found in it."""
        from pipeline.domains.music.performance.beats import on_beats

        return on_beats(piece)


_STRUCK = ("NoteOn_", "Pitch_")
_PITCHED = (*_STRUCK, "NoteOff_")


def transposed(symbols: Symbols, semitones: int) -> tuple[str, ...]:
    """The events some semitones higher; none where a note would leave the keyboard."""
    moved = []
    for name in symbols:
        if name.startswith(_PITCHED):
            kind, pitch = name.split("_")
            if not LOWEST <= int(pitch) + semitones <= HIGHEST:
                return ()
            name = f"{kind}_{int(pitch) + semitones}"
        moved.append(name)
    return tuple(moved)


def stretched(piece: Piece, factor: float) -> Piece:
    """The piece so many times as long: its tempo is another, its notes are the same."""
    tempos = tuple(tempo._replace(us_per_quarter=tempo.us_per_quarter * factor) for tempo in piece.tempos)
    return replace(piece, tempos=tempos)


def closed(symbols: tuple[str, ...]) -> tuple[str, ...]:
    """Events with a note-off for every key that is still down at their end."""
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
