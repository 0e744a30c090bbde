"""Parts of a genome as the corpus: regions such as chr3L:1-2000000, BED files, features of an annotation.

A region is one or more spans of a sequence, in the order in which they are read. Read next: `features.py`,
where regions come from an annotation, and `stretches.py`.
"""

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import ConfigError, DataError
from pipeline.genome.files import Letters, Part, Title, read_lines
from pipeline.genome.overlaps import overlapping

_NAMED = re.compile(r"(?P<name>.+):(?P<start>[0-9,]{1,20})-(?P<stop>[0-9,]{0,20})")
_LIKE_NAMED = re.compile(r":[^:]*-[^:]*$")
_POSITION = re.compile(r"[0-9]{1,15}")
_COMPLEMENT = bytes.maketrans(b"ACGTUacgtuRYKMBDHVrykmbdhv", b"TGCAAtgcaaYRMKVHDByrmkvhdb")
_BED_NAMES = (".bed", ".bed.gz")
_OPEN = 2**62
"""The end of a region that goes to its sequence's end."""


class Span(NamedTuple):
    """A part of a sequence, half-open from 0; on the - strand it is read backwards, complemented."""

    start: int
    stop: int
    strand: str = "+"


@dataclass(frozen=True, slots=True)
class Region:
    """What is taken of a sequence: one record. `name` is its own, where it has one; `about` is metadata."""

    sequence: str
    spans: tuple[Span, ...]
    where: str
    name: str = ""
    about: tuple[tuple[str, str], ...] = field(default=())

    @property
    def bounds(self) -> tuple[int, int]:
        """Its first base, and the one behind its last, along the sequence."""
        return min(span.start for span in self.spans), max(span.stop for span in self.spans)

    @property
    def location(self) -> str:
        """Where it lies, counted from 1, as INSDC's feature table writes it."""
        parts = [f"{span.start + 1}..{span.stop}" for span in self.spans]
        if {span.strand for span in self.spans} == {"-"}:
            return f"complement({_join(parts[::-1])})"
        marks = ("complement({})" if span.strand == "-" else "{}" for span in self.spans)
        return _join([mark.format(part) for mark, part in zip(marks, parts, strict=True)])


def _join(parts: Sequence[str]) -> str:
    return f"join({','.join(parts)})" if len(parts) > 1 else parts[0]


def as_list(setting: object) -> list[Any]:
    """A setting that is one value, several, or None, as a list."""
    if setting is None:
        return []
    return list(setting) if isinstance(setting, (list, tuple)) else [setting]


def position(text: str) -> int:
    """A whole number of a table's column; -1 for anything else."""
    return int(text) if _POSITION.fullmatch(text) else -1


def is_bed(text: object) -> bool:
    """Whether a region of the user's is the name of a BED file."""
    return str(text).strip().lower().endswith(_BED_NAMES)


def parse_regions(setting: object) -> list[Region]:
    """The regions of a setting: a name, ``name:start-end`` (from 1, both included), a BED file, or a list.

    Raises ConfigError for what is none of these, DataError for a bad BED file.
    """
    found: list[Region] = []
    for each in as_list(setting):
        text = str(each).strip()
        found += read_bed(Path(text).expanduser()) if is_bed(text) else [_parse(text)]
    return list(dict.fromkeys(found))


def _parse(text: str) -> Region:
    match = _NAMED.fullmatch(text)
    if not text or (match is None and _LIKE_NAMED.search(text)):
        raise ConfigError(
            f"regions: {text!r} is not a region; write name, name:start-end (counted from 1, both included), "
            "the path of a .bed file, or a list of these"
        )
    name, start, stop = match.groups() if match else (text, "1", "")
    first, last = int(start.replace(",", "") or 0), int(stop.replace(",", "") or _OPEN)
    if not 1 <= first <= last:
        raise ConfigError(f"regions: {text!r} must have a start of 1 or more, not above its end")
    return Region(name, (Span(first - 1, last),), f"region {text}")


def read_bed(path: Path) -> list[Region]:
    """The regions of a BED file: name, start and end (half-open from 0), and in its sixth column a strand.

    Raises DataError, with the line, for what is not BED. Source: https://samtools.github.io/hts-specs/BEDv1.pdf
    """
    found = []
    for number, line in enumerate(read_lines(path), start=1):
        columns = line.split("\t" if "\t" in line else None)
        if not line.strip() or columns[0].startswith(("#", "track", "browser")):
            continue
        start, stop = map(position, columns[1:3]) if len(columns) > 2 else (-1, -1)
        if not 0 <= start < stop:
            raise DataError(
                f"{path}:{number}: a line of BED has a name, a start (from 0) and an end above it, parted by "
                "tabs; correct the file"
            )
        strand = "-" if len(columns) > 5 and columns[5] == "-" else "+"
        found.append(Region(columns[0], (Span(start, stop, strand),), f"{path}:{number}"))
    if not found:
        raise DataError(f"{path}: no region is in this BED file")
    return list(dict.fromkeys(found))


def select_regions(
    parts: Iterable[Part], regions: Sequence[Region], where: str, strict: bool = True
) -> Iterator[Part]:
    """Of the records of `parts` the regions, each a record of its own, in their order along the sequences.

    Regions that share bases have an equal `group` in their metadata: what is tested must not have been
    learned.
    Memory holds the regions that the reading is in. Raises DataError for a region beyond its sequence's end,
    where no sequence has any region, and if `strict` for a region whose sequence is not there.
    """
    waiting: dict[str, list[Region]] = {}
    for region in regions:
        waiting.setdefault(region.sequence, []).append(region)
    lengths: dict[str, int] = {}
    chosen: _Chosen | None = None
    for part in parts:
        if isinstance(part, Letters) and chosen is not None:
            yield from chosen.feed(part)
        elif isinstance(part, Title):
            if chosen is not None:
                yield from chosen.finish()
                lengths[chosen.title.name] = chosen.position
            chosen = _Chosen(part)
            yield from chosen.choose(waiting.pop(part.name, []))
    if chosen is not None:
        yield from chosen.finish()
        lengths[chosen.title.name] = chosen.position
    if waiting and (strict or not lengths.keys() & {region.sequence for region in regions}):
        raise DataError(_not_there(next(iter(waiting.values()))[0], lengths, where))


class _Chosen:
    """The regions of the record that is being read."""

    def __init__(self, title: Title) -> None:
        self.title, self.position = title, 0
        self.all_of_it = False
        self.waiting: list[Region] = []
        self.open: list[tuple[Region, list[list[bytes]]]] = []

    def choose(self, regions: Sequence[Region]) -> Iterator[Part]:
        """Wait for these regions."""
        # Alone, a whole sequence need not be held in memory.
        self.all_of_it = [region.spans for region in regions] == [(Span(0, _OPEN),)]
        if self.all_of_it:
            yield self.title
            return
        firsts = overlapping([[(span.start, span.stop) for span in region.spans] for region in regions])
        shared = Counter(firsts)
        for region, first in zip(regions, firsts, strict=True):
            group = (("group", f"{self.title.name}:{regions[first].location}"),) if shared[first] > 1 else ()
            self.waiting.append(replace(region, about=(*region.about, *group)))
        self.waiting.sort(key=lambda region: region.bounds, reverse=True)

    def feed(self, letters: Letters) -> Iterator[Part]:
        """The regions that these letters complete."""
        bases, start = letters.bases, self.position
        self.position += len(bases)
        if self.all_of_it:
            yield letters
            return
        while self.waiting and self.waiting[-1].bounds[0] < self.position:
            region = self.waiting.pop()
            self.open.append((region, [[] for _ in region.spans]))
        for region, pieces in self.open:
            for span, piece in zip(region.spans, pieces, strict=True):
                if span.start < self.position and span.stop > start:
                    piece.append(bases[max(0, span.start - start) : span.stop - start])
        done = [each for each in self.open if each[0].bounds[1] <= self.position]
        if done:
            self.open = [each for each in self.open if each[0].bounds[1] > self.position]
        for region, pieces in done:
            yield from self.record(region, pieces)

    def finish(self) -> Iterator[Part]:
        """What goes to the end of the sequence. Raises DataError for what would go beyond it."""
        for region, pieces in [*self.open, *((region, []) for region in reversed(self.waiting))]:
            first, last = region.bounds
            if last < _OPEN or first >= self.position:
                asked = f"{first + 1:,}" + (f"-{last:,}" if last < _OPEN else "")
                raise DataError(
                    f"{region.where}: {asked} goes beyond {self.title.name}, which has {self.position:,} "
                    "bases; give an end within it"
                )
            yield from self.record(region, pieces)

    def record(self, region: Region, pieces: Sequence[Sequence[bytes]]) -> Iterator[Part]:
        """One region as a record; on the + strand it keeps its place in the sequence."""
        spans = tuple(Span(s.start, min(s.stop, self.position), s.strand) for s in region.spans)
        name, start = self.title.name, spans[0].start
        own_name = region.name
        if not own_name and spans[0].strand == "-":
            own_name = f"{name}:{start + 1}-{spans[0].stop}(-)"
        about = (("location", f"{name}:{Region(name, spans, '').location}"), *region.about)
        if own_name:
            name, start = own_name, 0
        whole = bool(own_name) or region.spans[0] == (0, _OPEN, "+")
        yield Title(name, self.title.description, self.title.line, start, whole, about)
        for span, piece in zip(spans, pieces, strict=True):
            bases = b"".join(piece)
            yield Letters(bases.translate(_COMPLEMENT)[::-1] if span.strand == "-" else bases, False)


def _not_there(region: Region, lengths: dict[str, int], where: str) -> str:
    near = difflib.get_close_matches(region.sequence, list(lengths)[:10_000], n=3, cutoff=0.3)
    known = ((name, lengths[name]) for name in near or list(lengths)[:3])
    shown = ", ".join(f"{name} ({bases:,} bases)" if bases else name for name, bases in known)
    return f"{region.where}: no sequence {region.sequence!r} is in {where}; there is {shown or 'none'}"
