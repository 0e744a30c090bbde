"""Chorales as a domain: settings, the symbols of a record, checks of samples, and files."""

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
from pipeline.domains.music.chorales.statistics import COMPARISON
from pipeline.domains.music.chorales.voices import (
    SILENT,
    SIXTEENTHS,
    VOICES,
    Chorale,
    InvalidChorale,
    encode_chorale,
    parse_chorale,
    split_symbols,
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

VOICE_RANGES = ((57, 81), (53, 74), (48, 69), (36, 64))
"""Lowest and highest note of each voice in Bach's chorales. A transposed chorale may not exceed them further
than before."""
_LINE_STEPS = 16
_HOW_MADE = ("step", "model", "temperature", "seed", "index", "log_probability", "bits_per_symbol")
_ALLOWED = (
    "a prime is steps of four voices, soprano to bass, as '67,62,58,43 _,_,_,45': MIDI note numbers, _ for a "
    "held note, . for a silent voice"
)


@dataclass(frozen=True)
class Chorales(Domain):
    """Chorales in four voices on a grid.

    Raises
    ------
    ConfigError
        At construction, where a setting is out of range; the message names the setting.
    """

    representation: str = "interleaved"
    """packed: a symbol is a whole step; interleaved: a symbol is one voice of a step, soprano to bass."""
    step: int = SIXTEENTHS
    """The grid: 16 (sixteenths), 8 (eighths) or 4 (quarters)."""
    held: bool = True
    """Whether symbols distinguish held notes from repeated ones, where the source does."""
    transpose: int = 0
    """Training chorales are learned in other keys, too, up to so many semitones higher and lower."""
    max_copy_notes: int | None = None
    """Chorales with more consecutive chords of outer voices in common with a training chorale are dropped;
    None: only flagged."""

    family: ClassVar[str] = "music"
    larger_unit: ClassVar[str] = "step"

    def __post_init__(self) -> None:
        check_choice("domain.representation", self.representation, ("packed", "interleaved"))
        if self.step not in (16, 8, 4):
            raise ConfigError(f"domain.step={self.step} is not 16, 8 or 4 (sixteenths, eighths, quarters)")
        check_shared(self.transpose, self.max_copy_notes)

    @property
    def packed(self) -> bool:
        """Whether a symbol is a whole step."""
        return self.representation == "packed"

    @property
    def symbol_name(self) -> str:
        """The noun for one symbol of the representation."""
        return "step" if self.packed else "voice"

    def read(self, path: Path) -> Iterator[Record | Rejection]:
        """Stream the chorales of a file of MusicXML, Humdrum, JSON or the text that `write` gives.

        Raises DataError where the file cannot be read or is none of these.
        """
        for named in read_chorales(path):
            if isinstance(named, Rejection):
                yield named
                continue
            if named.step < self.step:
                where, grid = f"{path}: {named.name}", f"step {named.step}"
                yield Rejection(where, "a coarser grid than domain.step", grid)
                continue
            subset = {"subset": named.subset} if named.subset else {}
            chorale = named.chorale.coarsen(named.step // self.step)
            yield Record(named.name, self._encode(chorale), {"title": _format_title(named.name), **subset})

    def accepts_file(self, path: Path) -> bool:
        """Whether a file of a folder may hold chorales, by its suffix."""
        return super().accepts_file(path) and path.suffix.lower() in SUFFIXES

    def _encode(self, chorale: Chorale) -> tuple[str, ...]:
        return encode_chorale(chorale, self.packed, self.held)

    def duplicate_key(self, record: Record) -> bytes | None:
        """The sounding pitches relative to the first one, so that chorales in other keys are equal.

        None where the source prescribes the split, so that figures compare with those of others.
        """
        if "subset" in record.metadata:
            return None
        pitches = parse_chorale(record.text).pitches
        first = pitches[pitches != SILENT][0]
        return np.where(pitches == SILENT, SILENT, (pitches - first) % 12).astype(np.int8).tobytes()

    def count_units(self, symbols: Symbols) -> int:
        """The number of steps."""
        return len(symbols) if self.packed else len(symbols) // len(VOICES)

    def variants(self, record: Record) -> Iterator[Record]:
        """Yield the chorale in other keys within the ranges of the voices."""
        chorale = parse_chorale(record.text)
        for semitones in range(-self.transpose, self.transpose + 1):
            if semitones and _is_singable(chorale, semitones):
                symbols = self._encode(chorale.transpose(semitones))
                yield Record(f"{record.id} {semitones:+d}", symbols, record.metadata)

    def grammar(self, symbols: Sequence[str], training: AttributeCounts | None = None) -> Grammar | None:
        """The grammar of whole steps with four voices, in which only sounding notes are held."""
        return ChoraleGrammar(symbols)

    def parse_prime(self, text: str) -> Symbols:
        """The symbols of steps in either representation. Raises ConfigError, which says what is allowed."""
        return self._parse("sample.prime", text)

    def parse_rest(self, text: str) -> Symbols:
        """The symbols of the end of a chorale, as `parse_prime`."""
        return self._parse("sample.end", text)

    def _parse(self, setting: str, text: str) -> Symbols:
        try:
            return split_symbols(text, self.packed)
        except InvalidChorale as error:
            raise ConfigError(f"{setting}: {error}; {_ALLOWED}") from None

    def finish(self, sample: Sample) -> Record | Rejection:
        """The record of a complete chorale with its piece, or a rejection."""
        where = f"sample {sample.index + 1}"
        if not sample.ended:
            return Rejection(where, "reached sample.length")
        try:
            chorale = parse_chorale(sample.text)
        except InvalidChorale as error:
            return Rejection(where, str(error), sample.text[-60:])
        return ChoraleRecord.of_chorale(
            f"chorale_{sample.index + 1:04d}", sample.symbols, chorale, self.step,
            {"title": f"Synthetic chorale {sample.index + 1}"},
        )  # fmt: skip

    def audit(
        self, records: Sequence[Record], references: References, out_dir: Path
    ) -> tuple[Sequence[Record], DomainOutput]:
        """Name the nearest training chorale of each, and flag copies or drop them."""
        from pipeline.domains.music.chorales.originality import OUTER_VOICES  # saves 0.5 s of numba
        from pipeline.domains.music.compare.originality import audit_originality  # saves 1 s with matplotlib

        return audit_originality(records, references, out_dir, self.max_copy_notes, OUTER_VOICES)

    def write(self, records: Sequence[Record], out_dir: Path) -> DomainOutput:
        """Write all chorales as one text, `chorales.txt`, with a whole note on each line."""
        path = out_dir / "chorales.txt"
        path.write_text("\n".join(format_chorale(record) for record in records), encoding="utf-8")
        return DomainOutput(
            sections=(
                ReportSection(
                    "Chorales", (path,), "Each word is a step: soprano, alto, tenor, bass.", part=RESULTS
                ),
            ),
            summary=(f"{format_count(len(records), 'chorale')} in {path.name}",),
            figures={"chorales": len(records)},
            files=(path,),
        )

    def compare(self, records: Sequence[Record], references: References, out_dir: Path) -> DomainOutput:
        """Compare counterpoint, chords and lengths with those of the reference groups."""
        return COMPARISON.compare(records, references.compared, out_dir)


def _format_title(name: str) -> str:
    """The title of a chorale by its name in the file: BWV 1.6 for ``bwv1.6.mxl``."""
    stem = Path(name).stem if name.lower().endswith(SUFFIXES) else name
    return f"BWV {stem[3:]}" if stem.lower().startswith("bwv") else stem


def _is_singable(chorale: Chorale, semitones: int) -> bool:
    for column, (lowest, highest) in zip(chorale.pitches.T, VOICE_RANGES, strict=True):
        sung = column[column != SILENT]
        if len(sung):
            low, high = sung.min(), sung.max()
            if low + semitones < min(low, lowest) or high + semitones > max(high, highest):
                return False
    return True


def format_chorale(record: Record) -> str:
    """A comment on how the chorale was made, and its packed steps, with a whole note on each line."""
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
