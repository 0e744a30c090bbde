"""Tunes in ABC notation as a domain: what is learned, what can be asked for, what is written.

The sequence of a tune is its rhythm where that is known, meter, unit note length and key, one a line, then
the body on one line (see `normal_form`); its symbols are characters or musical tokens (see `music_tokens`).
Title, source and the rest are kept beside it and not learned.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.config.checks import check_choice
from pipeline.domain import AttributeCounts, Domain
from pipeline.domains.music.abc.abc_notation import is_one_note, parse_length, split_length
from pipeline.domains.music.abc.files import RawTune, read_tunes
from pipeline.domains.music.abc.import_tune import PIPES, Refusal, import_tune
from pipeline.domains.music.abc.music_tokens import added_length, bar_ends, music_tokens, role_of
from pipeline.domains.music.abc.normal_form import Keep, NotNormal, normalise_body
from pipeline.domains.music.abc.prime import parse_prime
from pipeline.domains.music.abc.repair import cut_to_bars, mend
from pipeline.domains.music.abc.requested_header import Wishes, bind, requested_header
from pipeline.domains.music.abc.transpose import NotMovable, transposed
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.abc.tune_grammar import tune_grammar
from pipeline.domains.music.abc.tune_text import describe_problem, format_tune, parse_tune
from pipeline.domains.music.render.base import count
from pipeline.domains.music.settings import check_shared
from pipeline.errors import ConfigError, DataError
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
from pipeline.segments import Phrases

_ATTRIBUTES = {"R": "dance", "M": "meter", "K": "key"}
_HEADER_LINE = re.compile(r"^([RMK]):([^\n]*)\n", re.MULTILINE)
BEST_TUNES = 12
"""Tunes of `best_tunes.abc`, at most."""
BARS_BACK = (2, 4, 8)
"""After so many bars one of them is likeliest to come again."""


@dataclass(frozen=True)
class Abc(Domain):
    """Tunes in ABC notation, one voice each."""

    representation: str = "char"
    """What a symbol is: char, a character, or token, a musical token."""
    rhythm: bool = True
    """Tunes of a known rhythm, such as a reel, begin with it."""
    ornaments: bool = True
    grace_notes: bool = True
    chord_symbols: bool = True
    slurs: bool = False
    valid_only: bool = True
    transpose: int = 0
    """Semitones up and down by which tunes of the training split are learned in other keys, too."""
    max_copy_notes: int | None = None
    """Tunes with more notes in a row of a training tune are dropped; None: copies are only flagged."""
    repair: bool = False
    """Tunes that are not valid as they were drawn are mended, where a few edits do it; each edit is told."""
    meter: str | None = None
    """The meter that is asked for, such as 6/8."""
    key: str | None = None
    """The key that is asked for, such as D or Em."""
    dance: str | None = None
    """The rhythm that is asked for, such as jig."""
    lowest: str | None = None
    """The lowest pitch that may be drawn, as a note in ABC, such as G, for the G below middle C."""
    highest: str | None = None

    record_suffix: ClassVar[str] = ".abc"
    family: ClassVar[str] = "music"
    larger_unit: ClassVar[str] = "note"
    gap_unit: ClassVar[str] = "bar"
    gap_symbols: ClassVar[int] = 48
    output_settings: ClassVar[tuple[str, ...]] = ("max_copy_notes", "repair")
    request_settings: ClassVar[tuple[str, ...]] = ("meter", "key", "dance", "lowest", "highest")

    @property
    def symbol_name(self) -> str:
        """What the representation's symbols are called."""
        return {"char": "character", "token": "token"}[self.representation]

    def __post_init__(self) -> None:
        check_choice("domain.representation", self.representation, ("char", "token"))
        check_shared(self.transpose, self.max_copy_notes)
        self.wishes  # noqa: B018  what is wrong is told now

    def read(self, path: Path) -> Iterator[Record | Rejection]:
        """Stream the tunes of an ABC file, plain or compressed.

        Raises DataError where the file cannot be read, is empty or binary, or holds no tune.
        """
        seen: Counter[str] = Counter()
        for raw in read_tunes(path):
            number = raw.number or f"line {raw.line}"
            seen[number] += 1
            again = f"#{seen[number]}" if seen[number] > 1 else ""
            yield self._record(raw, f"{path.name}:{number}{again}", f"{path}:{raw.line}")

    def accepts_file(self, path: Path) -> bool:
        """Whether a file is named as ABC, compressed or not."""
        return (
            super().accepts_file(path)
            and re.search(r"\.abc(\.(gz|bz2|xz|zst))?$", path.name.lower()) is not None
        )

    def title_data(self, files: Sequence[Path]) -> str:
        """The book of the first tune (`B:`), where it names one."""
        with suppress(DataError):  # of several files the first may be unreadable, and then was left out
            book = next(read_tunes(files[0])).header.get("B", "").strip()
            return book[:80] or super().title_data(files)
        return super().title_data(files)

    def _record(self, raw: RawTune, name: str, where: str) -> Record | Rejection:
        found = import_tune(raw, self._keep, self.rhythm, self.valid_only)
        if isinstance(found, Refusal):
            detail = f"{name}: {found.detail}" if found.detail else name
            return Rejection(where, found.reason, detail)
        return Record(name, self._symbols(found.tune.text), found.metadata)

    def _symbols(self, text: str) -> Symbols:
        return music_tokens(text) if self.representation == "token" else text

    @property
    def _keep(self) -> Keep:
        return Keep(self.ornaments, self.grace_notes, self.chord_symbols, self.slurs)

    def duplicate_key(self, record: Record) -> bytes | None:
        """The whole melody, whatever its key, octave, unit note length and bar lines."""
        from pipeline.domains.music.compare.likeness import melody_letters

        return melody_letters(record.text).tobytes() or None

    def fingerprints(self, record: Record) -> np.ndarray:
        """Words of the melody, anywhere in it, whatever its key, octave and rhythm."""
        from pipeline.domains.music.compare.likeness import melody_words

        return melody_words(record.text)

    def count_units(self, symbols: Symbols) -> int:
        """The notes and chords that are struck, tied ones once; none without a header."""
        try:
            notes = parse_tune("".join(symbols)).reading.notes
        except ValueError:
            return 0
        held = [False, *(note.tied for note in notes)]
        return sum(bool(note.pitches) and not tied for note, tied in zip(notes, held, strict=False))

    def variants(self, record: Record) -> Iterator[Record]:
        """The tune in other keys, as far as it can be written and played in them; pipes have but one."""
        if record.metadata.get("instrument") == PIPES:
            return
        tune = parse_tune(record.text)
        for semitones in range(-self.transpose, self.transpose + 1):
            if semitones:
                with suppress(NotMovable):
                    moved = transposed(tune, semitones)
                    yield Record(f"{record.id} {semitones:+d}", self._symbols(moved.text))

    @property
    def wishes(self) -> Wishes:
        """What is asked for. Raises ConfigError, naming what is allowed, for what is not known."""
        return requested_header(self.meter, self.key, self.dance, self.lowest, self.highest)

    @property
    def has_requests(self) -> bool:
        """Whether a meter, key, rhythm or range is asked for."""
        return self.wishes != Wishes()

    @property
    def requested(self) -> dict[str, str]:
        """The dance, meter and key that are asked for."""
        return {_ATTRIBUTES[name]: value for name, value in self.wishes.header}

    def requested_attributes(self, prime: Symbols) -> dict[str, str]:
        """What the settings ask for, and the header lines of the prime."""
        lines = _HEADER_LINE.findall("".join(prime))
        return {**self.requested, **{_ATTRIBUTES[name]: value for name, value in lines}}

    def attributes(self, record: Record) -> dict[str, str]:
        """The dance, meter and key of a tune's header; a tune without a known rhythm has no dance."""
        header = "".join(record.symbols[: self.shuffle_start(record.symbols)])
        lines = {line[0]: line[2:] for line in header.splitlines()}
        return {_ATTRIBUTES[name]: value for name, value in lines.items() if name in _ATTRIBUTES}

    def grammar(self, symbols: Sequence[str], training: AttributeCounts | None = None) -> Grammar | None:
        """Bars that fill up, repeats that pair up, ties that hold, and what is asked for: a dance brings its
        usual meters along, and a meter its dances."""
        wishes = self.wishes
        return tune_grammar(tuple(symbols), bind(wishes, training) if training else wishes)

    def phrases(self, symbols: Sequence[str]) -> Phrases:
        """The bars of a tune."""
        return Phrases([*map(role_of, symbols)], [*map(added_length, symbols)], [*BARS_BACK])

    def shuffle_start(self, symbols: Symbols) -> int:
        """Where the body starts, behind the header's lines; 0 where there are not three or four of them."""
        header = re.match(r"(?:R:[^\n]*\n)?(?:[^\n]*\n){3}", "".join(symbols))
        end = header.end() if header else 0
        return sum(place < end for place in itertools.accumulate(map(len, symbols), initial=0))

    def parse_prime(self, text: str) -> Symbols:
        """The start of a sequence from fields on one line or several, and the notes that may follow K:.

        Raises ConfigError, naming what is allowed, for everything else.
        """
        return self._symbols(parse_prime(text, self._keep))

    def parse_rest(self, text: str) -> Symbols:
        """The music behind a gap, to the tune's end; it may begin with the bar line that closes the gap.

        Raises ConfigError for what is no music in one voice.
        """
        try:
            # A bar line stays only behind music.
            body = normalise_body(f"z{text.strip()}", "4/4", "1/8", self._keep, whole=False)
        except NotNormal as error:
            raise ConfigError(f"sample.fill.right: {error}; write music such as 'gfe d2B|A6:|'") from None
        return self._symbols(body[1:])

    def gap_end(self, symbols: Symbols, begun: int, units: int, right: Symbols) -> int | None:
        """The end of the last of so many bars: before its bar line where the right side brings that along."""
        ends = bar_ends(symbols, begun)
        if len(ends) < units:
            return None
        before, behind = ends[units - 1]
        return before if "".join(right[:1])[:1] in (":", "|") else behind

    def finish(self, sample: Sample) -> Record | Rejection:
        """A valid tune as a record, everything else as a rejection by its first problem.

        A missing last bar line is added, and the record's metadata says so, as it does of repairs.
        """
        where = f"sample {sample.index + 1}"
        if not sample.ended and not self.repair:
            return Rejection(where, "reached sample.length")
        try:
            raw = Tune.from_text(sample.text)
        except ValueError as error:
            return Rejection(where, str(error), sample.text[:60])
        if "\n" in raw.body:
            return Rejection(where, "line break inside the body")
        tune, edits = _close(raw) if sample.ended else cut_to_bars(raw)
        problems = tune.check()
        if problems:
            mended = mend(tune) if self.repair else None
            if mended is None:
                return Rejection(where, problems[0].reason, describe_problem(tune, problems[0]))
            tune, edits = mended[0], (*edits, *mended[1])
        if length := _tied_length(tune):
            return Rejection(where, "length that takes a tie", length)
        metadata = {"title": f"Synthetic tune {sample.index + 1}"}
        if edits:
            metadata["repaired"] = "; ".join(edits)
        return Record(f"tune_{sample.index + 1:04d}", self._symbols(tune.text), metadata)

    def audit(
        self, records: Sequence[Record], references: References, out_dir: Path
    ) -> tuple[Sequence[Record], DomainOutput]:
        """Name the nearest training tune of each tune; flag copies, or drop them."""
        from pipeline.domains.music.compare.originality import audit

        return audit(records, references, out_dir, self.max_copy_notes)

    def write(self, records: Sequence[Record], out_dir: Path) -> DomainOutput:
        """Write all tunes in the order drawn as one book, `tunes.abc`; the best ones as `best_tunes.abc`."""
        path = out_dir / "tunes.abc"
        _write_book(records, path)
        best = _write_book(self.rank(records)[:BEST_TUNES], out_dir / "best_tunes.abc")
        repaired = sum("repaired" in record.metadata for record in records)
        as_drawn = len(records) - repaired
        added = f", {repaired} of them repaired, {as_drawn} as they were drawn" if repaired else ""
        said = "The best first, by simple checks that each tune states (docs/explanation/tune-metrics.md)."
        sections = [
            ReportSection("The best tunes", (best,), said, part=RESULTS),
            ReportSection("All tunes as drawn", (path,), "ABC notation, for any ABC program.", part=RESULTS),
        ]
        files = [path, best]
        if repaired:
            files.append(_list_repairs(records, out_dir / "repairs.tsv"))
            sections.append(
                ReportSection("Repairs", (files[-1],), "What was changed where tunes were not valid.")
            )
        return DomainOutput(
            sections=tuple(sections),
            summary=(f"{count(len(records), 'tune')} in {path.name}{added}",),
            figures={"tunes": len(records), "tunes_repaired": repaired},
            files=tuple(files),
        )

    def rank(self, records: Sequence[Record]) -> Sequence[Record]:
        """The tunes for which most of a few simple checks hold come first; `checks` names those that fail."""
        from pipeline.domains.music.compare.ranking import rank

        return rank(records)

    def format_record(self, record: Record, number: int) -> str:
        """As a tune of an ABC file, whether it is valid or not."""
        return f"X:{number}\nT:{record.id}\n{record.text.strip()}\n\n"

    def compare(self, records: Sequence[Record], references: References, out_dir: Path) -> DomainOutput:
        """Validity, notes, pitches, intervals and note lengths beside those of the reference groups."""
        from pipeline.domains.music.compare.statistics import compare_groups

        return compare_groups(records, references.compared, out_dir)


def _close(tune: Tune) -> tuple[Tune, tuple[str, ...]]:
    """The tune with a final bar line where its last bar has none, and whether it was added."""
    bars = tune.reading.bars
    if not bars or bars[-1].right:
        return tune, ()
    return replace(tune, body=tune.body + "|]"), ("final bar line added",)


def _tied_length(tune: Tune) -> str | None:
    """A note or rest as written whose length no single note has, which some programs refuse."""
    for kind, text, _ in tune.tokens:
        if kind in ("note", "rest", "chord") and not is_one_note(parse_length(split_length(text)[1])):
            return text
    return None


def _write_book(records: Sequence[Record], path: Path) -> Path:
    opening = "%abc-2.1\n% Synthetic tunes, made by a model; a tune ends at an empty line.\n\n"
    book = "".join(format_tune(record, number) for number, record in enumerate(records, 1))
    path.write_text(opening + book, encoding="utf-8")
    return path


def _list_repairs(records: Sequence[Record], path: Path) -> Path:
    rows = [(r.id, each) for r in records for each in r.metadata.get("repaired", "").split("; ") if each]
    lines = (f"{name}\t{edit}\n" for name, edit in [("tune", "edit"), *rows])
    path.write_text("".join(lines), encoding="utf-8")
    return path
