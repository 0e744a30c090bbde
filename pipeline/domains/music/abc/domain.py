"""Tunes in ABC notation as a domain: their learned form, their requests, and their files.

The sequence of a tune is its rhythm where that is known, meter, unit note length and key, one a line, then
the body on one line (see `normal_form`). Its symbols are characters or musical tokens (see `music_tokens`).
Title, source and the rest are metadata and not learned.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.config.checks import check_choice
from pipeline.domain import AttributeCounts, Domain
from pipeline.domains.music.abc.files import RawTune, read_tunes
from pipeline.domains.music.abc.finishing import finish_tune
from pipeline.domains.music.abc.import_tune import PIPES, RejectedTune, import_tune
from pipeline.domains.music.abc.music_tokens import (
    count_header_symbols,
    find_bar_ends,
    find_segment_role,
    length_change,
    music_tokens,
)
from pipeline.domains.music.abc.normal_form_options import NormalFormOptions
from pipeline.domains.music.abc.prime import parse_prime, parse_rest
from pipeline.domains.music.abc.requested_header import (
    RequestedAttributes,
    add_related_values,
    parse_attributes,
    parse_requested_attributes,
)
from pipeline.domains.music.abc.transpose import TranspositionError, transpose_tune
from pipeline.domains.music.abc.tune_files import write_tunes
from pipeline.domains.music.abc.tune_grammar import build_tune_grammar
from pipeline.domains.music.abc.tune_text import parse_tune
from pipeline.domains.music.compare.melody import encode_melody, hash_melody_ngrams
from pipeline.domains.music.settings import check_shared
from pipeline.errors import DataError
from pipeline.grammar import Grammar
from pipeline.records import DomainOutput, Record, References, Rejection, Sample, Symbols
from pipeline.segments import Segments

_FILE_NAME = re.compile(r"\.abc(\.(gz|bz2|xz|zst))?$")
SEGMENT_DISTANCES = (2, 4, 8)
"""Distances, in bars, at which a bar often comes again."""


@dataclass(frozen=True)
class Abc(Domain):
    """Tunes in ABC notation, one voice each.

    Raises
    ------
    ConfigError
        Where a setting has a value that is not allowed.

    References
    ----------
    The ABC music standard 2.1, https://abcnotation.com/wiki/abc:standard:v2.1
    """

    representation: str = "char"
    """The unit of a symbol: char, a character, or token, a musical token."""
    rhythm: bool = True
    """Whether tunes of a known rhythm, such as a reel, begin with it."""
    ornaments: bool = True
    """Whether rolls, trills, fermatas and staccato dots are learned."""
    grace_notes: bool = True
    """Whether grace notes are learned."""
    chord_symbols: bool = True
    """Whether chord symbols, such as Am7, are learned."""
    slurs: bool = False
    """Whether slurs are learned."""
    valid_only: bool = True
    """Whether tunes whose bars or repeats do not add up are rejected."""
    transpose: int = 0
    """Semitones, up and down, by which training tunes are also learned in other keys."""
    max_copy_notes: int | None = None
    """The longest run of notes that a tune may share with a training tune; longer ones are dropped. None:
    copies are only flagged."""
    repair: bool = False
    """Whether tunes that are not valid are repaired where a few edits do it; each edit is listed."""
    meter: str | None = None
    """The requested meter, such as 6/8."""
    key: str | None = None
    """The requested key, such as D or Em."""
    dance: str | None = None
    """The requested rhythm, such as jig."""
    lowest: str | None = None
    """The lowest allowed pitch as a note in ABC, such as G, for the G below middle C."""
    highest: str | None = None
    """The highest allowed pitch as a note in ABC, such as b."""

    record_suffix: ClassVar[str] = ".abc"
    family: ClassVar[str] = "music"
    larger_unit: ClassVar[str] = "note"
    gap_unit: ClassVar[str] = "bar"
    gap_symbols: ClassVar[int] = 48
    output_settings: ClassVar[tuple[str, ...]] = ("max_copy_notes", "repair")
    request_settings: ClassVar[tuple[str, ...]] = ("meter", "key", "dance", "lowest", "highest")

    @property
    def symbol_name(self) -> str:
        """The name of one symbol of the representation."""
        return {"char": "character", "token": "token"}[self.representation]

    def __post_init__(self) -> None:
        check_choice("domain.representation", self.representation, ("char", "token"))
        check_shared(self.transpose, self.max_copy_notes)
        self.request  # noqa: B018  raises where a request is not known

    def read(self, path: Path) -> Iterator[Record | Rejection]:
        """Stream the tunes of an ABC file, plain or compressed.

        Raises
        ------
        DataError
            Where the file cannot be read, is empty or binary, or holds no tune.
        """
        seen: Counter[str] = Counter()
        for raw in read_tunes(path):
            number = raw.number or f"line {raw.line}"
            seen[number] += 1
            again = f"#{seen[number]}" if seen[number] > 1 else ""
            yield self._record(raw, f"{path.name}:{number}{again}", f"{path}:{raw.line}")

    def accepts_file(self, path: Path) -> bool:
        """Whether the name of a file ends in .abc, compressed or not."""
        return super().accepts_file(path) and _FILE_NAME.search(path.name.lower()) is not None

    def title_data(self, files: Sequence[Path]) -> str:
        """The book of the first tune (`B:`), where it names one."""
        with suppress(DataError):  # an unreadable file was left out before
            if book := next(read_tunes(files[0])).header.get("B", "").strip():
                return book[:80]
        return super().title_data(files)

    def _record(self, raw: RawTune, name: str, where: str) -> Record | Rejection:
        found = import_tune(raw, self._normal_form, self.rhythm, self.valid_only)
        if isinstance(found, RejectedTune):
            detail = f"{name}: {found.detail}" if found.detail else name
            return Rejection(where, found.reason, detail)
        return Record(name, self._symbols(found.tune.text), found.metadata)

    def _symbols(self, text: str) -> Symbols:
        return music_tokens(text) if self.representation == "token" else text

    @property
    def _normal_form(self) -> NormalFormOptions:
        return NormalFormOptions(self.ornaments, self.grace_notes, self.chord_symbols, self.slurs)

    def duplicate_key(self, record: Record) -> bytes | None:
        """The whole melody, whatever its key, octave, unit note length and bar lines."""
        return encode_melody(record.text).tobytes() or None

    def fingerprints(self, record: Record) -> np.ndarray:
        """Hashes of short runs of the melody, whatever its key, octave and rhythm."""
        return hash_melody_ngrams(record.text)

    def count_units(self, symbols: Symbols) -> int:
        """The notes and chords of a tune, tied ones once; 0 without a header."""
        try:
            notes = parse_tune("".join(symbols)).parsed.notes
        except ValueError:
            return 0
        continues = [False, *(note.tied for note in notes)]
        return sum(bool(note.pitches) and not each for note, each in zip(notes, continues, strict=False))

    def variants(self, record: Record) -> Iterator[Record]:
        """The tune in each other key that it can be written in; none for pipes, which have one key."""
        if record.metadata.get("instrument") == PIPES:
            return
        tune = parse_tune(record.text)
        for semitones in range(-self.transpose, self.transpose + 1):
            with suppress(TranspositionError):
                if semitones:
                    text = transpose_tune(tune, semitones).text
                    yield Record(f"{record.id} {semitones:+d}", self._symbols(text))

    @property
    def request(self) -> RequestedAttributes:
        """The requested header fields and pitch range; ConfigError for a value that is not known."""
        return parse_requested_attributes(self.meter, self.key, self.dance, self.lowest, self.highest)

    @property
    def has_requests(self) -> bool:
        """Whether a meter, key, rhythm or range is requested."""
        return self.request != RequestedAttributes()

    @property
    def requested(self) -> dict[str, str]:
        """The requested dance, meter and key."""
        return self.request.attributes

    def requested_attributes(self, prime: Symbols) -> dict[str, str]:
        """The attributes that the settings request, and those of the prime's header lines."""
        return {**self.requested, **parse_attributes("".join(prime))}

    def attributes(self, record: Record) -> dict[str, str]:
        """The dance, meter and key of a tune's header; a tune without a known rhythm has no dance."""
        return parse_attributes("".join(record.symbols[: self.shuffle_start(record.symbols)]))

    def grammar(self, symbols: Sequence[str], training: AttributeCounts | None = None) -> Grammar | None:
        """The grammar by which bars fill up, repeats pair up, ties hold and requests are met.

        With the attributes of the training tunes, a requested dance allows only its usual meters, and a
        requested meter only its usual dances.

        Raises
        ------
        ConfigError
            Where the symbols cannot spell the request, or no training tune has both dance and meter.
        """
        request = add_related_values(self.request, training) if training else self.request
        return build_tune_grammar(tuple(symbols), request)

    def segments(self, symbols: Sequence[str]) -> Segments:
        """The bars of a tune."""
        roles: list[int] = [*map(find_segment_role, symbols)]
        return Segments(roles, [*map(length_change, symbols)], [*SEGMENT_DISTANCES])

    def shuffle_start(self, symbols: Symbols) -> int:
        """The position of the body, after a header of three or four lines; 0 without such a header."""
        return count_header_symbols(symbols)

    def parse_prime(self, text: str) -> Symbols:
        """The start of a tune from header fields and any first notes, such as ``M:6/8 K:D dAF``.

        Raises
        ------
        ConfigError
            For any other text; the message names the allowed fields and values.
        """
        return self._symbols(parse_prime(text, self._normal_form))

    def parse_rest(self, text: str) -> Symbols:
        """The music after a gap, to the end of the tune; it may begin with the bar line that closes the gap.

        Raises
        ------
        ConfigError
            For a text that is not music in one voice.
        """
        return self._symbols(parse_rest(text, self._normal_form))

    def gap_end(self, symbols: Symbols, begun: int, units: int, right: Symbols) -> int | None:
        """The end of the last bar of the gap: before its bar line where the right side begins with one."""
        ends = find_bar_ends(symbols, begun)
        if len(ends) < units:
            return None
        start, end = ends[units - 1]
        return start if "".join(right[:1])[:1] in (":", "|") else end

    def finish(self, sample: Sample) -> Record | Rejection:
        """A valid tune as a record, any other sample as a rejection with its first problem.

        The metadata `repaired` lists the edits: a last bar line that was missing, and repairs.
        """
        found = finish_tune(sample, self.repair)
        if isinstance(found, Rejection):
            return found
        metadata = {"title": f"Synthetic tune {sample.index + 1}"}
        if found.edits:
            metadata["repaired"] = "; ".join(found.edits)
        return Record(f"tune_{sample.index + 1:04d}", self._symbols(found.tune.text), metadata)

    def audit(
        self, records: Sequence[Record], references: References, out_dir: Path
    ) -> tuple[Sequence[Record], DomainOutput]:
        """Name the nearest training tune of each tune; flag copies, or drop them."""
        from pipeline.domains.music.compare.originality import audit_originality  # 1.5 s: it loads matplotlib

        return audit_originality(records, references, out_dir, self.max_copy_notes)

    def write(self, records: Sequence[Record], out_dir: Path) -> DomainOutput:
        """Write `tunes.abc` in the order sampled, `best_tunes.abc`, and `repairs.tsv` of repaired tunes."""
        return write_tunes(records, self.rank(records), out_dir)

    def rank(self, records: Sequence[Record]) -> Sequence[Record]:
        """The tunes by how many simple checks they pass; the metadata `checks` names those that fail."""
        from pipeline.domains.music.compare.ranking import rank_tunes  # 0.1 s: it loads numpy.random

        return rank_tunes(records)

    def format_record(self, record: Record, number: int) -> str:
        """A tune of an ABC file, valid or not."""
        return f"X:{number}\nT:{record.id}\n{record.text.strip()}\n\n"

    def compare(self, records: Sequence[Record], references: References, out_dir: Path) -> DomainOutput:
        """Metrics of validity, notes, pitches, intervals and lengths, next to the reference groups."""
        from pipeline.domains.music.compare.statistics import compare_tunes  # 0.1 s: it loads numpy.random

        return compare_tunes(records, references.compared, out_dir)
