"""Chorales as a domain: what is learned, what can be asked for, what is written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.config.checks import check_choice
from pipeline.domain import AttributeCounts, Domain
from pipeline.domains.music.chorales.files import SUFFIXES, read_chorales
from pipeline.domains.music.chorales.grammar import ChoraleGrammar
from pipeline.domains.music.chorales.score import ChoraleRecord
from pipeline.domains.music.chorales.voices import (
    SILENT,
    SIXTEENTHS,
    VOICES,
    Chorale,
    NotAChorale,
    from_text,
    split_symbols,
    to_symbols,
)
from pipeline.domains.music.plural import format_count
from pipeline.domains.music.settings import check_shared
from pipeline.errors import ConfigError
from pipeline.grammar import Grammar
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

WIDEST = ((57, 81), (53, 74), (48, 69), (36, 64))
"""Lowest and highest note of each voice in Bach's chorales: transposed ones leave these no further than they
did."""
_LINE_STEPS = 16
_HOW_MADE = ("step", "model", "temperature", "seed", "index", "log_probability", "bits_per_symbol")
_ALLOWED = (
    "a prime is steps of four voices, soprano to bass, as '67,62,58,43 _,_,_,45': MIDI note numbers, _ for a "
    "held note, . for silence"
)


@dataclass(frozen=True)
class Chorales(Domain):
    """Four-part chorales on a grid of sixteenths."""

    representation: str = "interleaved"
    """packed: one symbol a step; interleaved: one a voice, from soprano to bass."""
    step: int = SIXTEENTHS
    """The grid: 16, 8 or 4, sixteenths, eighths or quarters."""
    held: bool = True
    """Held notes are told from repeated ones where the source does; False: pitches alone."""
    transpose: int = 0
    """Semitones up and down by which chorales of the training split are learned in other keys, too."""
    max_copy_notes: int | None = None
    """Chorales with more outer-voice notes in a row of a training one are dropped; None: only flagged."""

    family: ClassVar[str] = "music"
    larger_unit: ClassVar[str] = "step"

    def __post_init__(self) -> None:
        check_choice("domain.representation", self.representation, ("packed", "interleaved"))
        if self.step not in (16, 8, 4):
            raise ConfigError(f"domain.step={self.step} is not 16, 8 or 4: sixteenths, eighths or quarters")
        check_shared(self.transpose, self.max_copy_notes)

    @property
    def packed(self) -> bool:
        """Whether a symbol is a whole step."""
        return self.representation == "packed"

    @property
    def symbol_name(self) -> str:
        """What the representation's symbols are called."""
        return "step" if self.packed else "voice"

    def read(self, path: Path) -> Iterator[Record | Rejection]:
        """Stream the chorales of a file of MusicXML, Humdrum, JSON or our own text.

        Raises DataError where the file cannot be read or is none of these.
        """
        for found in read_chorales(path):
            if isinstance(found, Rejection):
                yield found
                continue
            if found.step < self.step:
                coarse = f"{path}: {found.name}", "a coarser grid than domain.step", f"step {found.step}"
                yield Rejection(*coarse)
                continue
            metadata = {"title": _title(found.name), **({"subset": found.subset} if found.subset else {})}
            chorale = found.chorale.coarser(found.step // self.step)
            yield Record(found.name, self._symbols(chorale), metadata)

    def accepts_file(self, path: Path) -> bool:
        """Whether a file of a folder may hold chorales, by its suffix."""
        return super().accepts_file(path) and path.suffix.lower() in SUFFIXES

    def _symbols(self, chorale: Chorale) -> tuple[str, ...]:
        return to_symbols(chorale, self.packed, self.held)

    def duplicate_key(self, record: Record) -> bytes | None:
        """All that sounds, whatever its key; nothing where the source prescribes the split, whose figures
        are then those of others."""
        if "subset" in record.metadata:
            return None
        pitches = from_text(record.text).pitches
        first = pitches[pitches != SILENT][0]
        return np.where(pitches == SILENT, SILENT, (pitches - first) % 12).astype(np.int8).tobytes()

    def count_units(self, symbols: Symbols) -> int:
        """The steps."""
        return len(symbols) if self.packed else len(symbols) // len(VOICES)

    def variants(self, record: Record) -> Iterator[Record]:
        """The chorale in other keys, as far as voices reach."""
        chorale = from_text(record.text)
        for semitones in range(-self.transpose, self.transpose + 1):
            if semitones and _singable(chorale, semitones):
                symbols = self._symbols(chorale.moved(semitones))
                yield Record(f"{record.id} {semitones:+d}", symbols, record.metadata)

    def grammar(self, symbols: Sequence[str], training: AttributeCounts | None = None) -> Grammar | None:
        """Whole steps of four voices, and held notes that were struck."""
        return ChoraleGrammar(symbols)

    def parse_prime(self, text: str) -> Symbols:
        """The symbols of steps in either representation. Raises ConfigError, naming what is allowed."""
        return self._parse("sample.prime", text)

    def parse_rest(self, text: str) -> Symbols:
        """As `parse_prime`."""
        return self._parse("sample.end", text)

    def _parse(self, setting: str, text: str) -> Symbols:
        try:
            return split_symbols(text, self.packed)
        except NotAChorale as error:
            raise ConfigError(f"{setting}: {error}; {_ALLOWED}") from None

    def finish(self, sample: Sample) -> Record | Rejection:
        """A whole chorale as a record with its notes, everything else as a rejection."""
        where = f"sample {sample.index + 1}"
        if not sample.ended:
            return Rejection(where, "reached sample.length")
        try:
            chorale = from_text(sample.text)
        except NotAChorale as error:
            return Rejection(where, str(error), sample.text[-60:])
        return ChoraleRecord.of(
            f"chorale_{sample.index + 1:04d}", sample.symbols, chorale, self.step,
            {"title": f"Synthetic chorale {sample.index + 1}"},
        )  # fmt: skip

    def audit(
        self, records: Sequence[Record], references: References, out_dir: Path
    ) -> tuple[Sequence[Record], DomainOutput]:
        """Name the nearest training chorale of each; flag copies, or drop them."""
        from pipeline.domains.music.chorales.originality import OUTER_VOICES
        from pipeline.domains.music.compare.originality import audit

        return audit(records, references, out_dir, self.max_copy_notes, OUTER_VOICES)

    def write(self, records: Sequence[Record], out_dir: Path) -> DomainOutput:
        """Write all chorales as one text, `chorales.txt`, a whole note a line."""
        path = out_dir / "chorales.txt"
        path.write_text("\n".join(format_chorale(record) for record in records), encoding="utf-8")
        return DomainOutput(
            sections=(
                ReportSection(
                    "Chorales", (path,), "Soprano, alto, tenor and bass, a step a word.", part=RESULTS
                ),
            ),
            summary=(f"{format_count(len(records), 'chorale')} in {path.name}",),
            figures={"chorales": len(records)},
            files=(path,),
        )

    def compare(self, records: Sequence[Record], references: References, out_dir: Path) -> DomainOutput:
        """Parallels, ranges, crossings, chords and lengths beside those of the reference groups."""
        from pipeline.domains.music.chorales.statistics import compare_groups

        return compare_groups(records, references.compared, out_dir)


def _title(name: str) -> str:
    """A name for people: ``bwv1.6.mxl`` is BWV 1.6."""
    stem = Path(name).stem if name.lower().endswith(SUFFIXES) else name
    return f"BWV {stem[3:]}" if stem.lower().startswith("bwv") else stem


def _singable(chorale: Chorale, semitones: int) -> bool:
    for column, (lowest, highest) in zip(chorale.pitches.T, WIDEST, strict=True):
        sung = column[column != SILENT]
        if len(sung):
            low, high = sung.min(), sung.max()
            if low + semitones < min(low, lowest) or high + semitones > max(high, highest):
                return False
    return True


def format_chorale(record: Record) -> str:
    """A comment that says how it was made, and its steps, packed, a whole note a line."""
    known = record.metadata
    facts = [f"{name.replace('_', ' ')} {known[name]}" for name in _HOW_MADE if name in known]
    lines = [f"# {'; '.join([record.id, 'synthetic', *facts])}"]
    for fact in ("nearest", "copied"):
        if fact in record.metadata:
            lines.append(f"# {fact}: {record.metadata[fact]}")
    symbols = split_symbols(record.text, packed=True)
    for start in range(0, len(symbols), _LINE_STEPS):
        lines.append("".join(symbols[start : start + _LINE_STEPS]).rstrip())
    return "\n".join(lines) + "\n"
