"""Parts of a genome as the corpus: regions such as chr3L:1-2000000, BED files, features of an annotation.

A region is one or more spans of a sequence, in the order in which they are read. Read next: `features.py`,
`annotation.py` and `bed.py`, where regions come from, and `known_intervals.py`.
"""

import difflib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.domains.genome.bed import is_bed, read_bed
from pipeline.domains.genome.files import Part, SequenceChunk, SequenceHeader
from pipeline.domains.genome.overlaps import overlapping
from pipeline.domains.genome.spans import Region, Span
from pipeline.errors import ConfigError, DataError
from pipeline.records import Rejection

_NAMED = re.compile(r"(?P<name>.+):(?P<start>[0-9,]{1,20})-(?P<stop>[0-9,]{0,20})")
_IN_BRACES = re.compile(r"\{(?P<name>[^{}]+)\}")
_LIKE_NAMED = re.compile(r":[^:]*-[^:]*$")
_COMPLEMENT = bytes.maketrans(b"ACGTUacgtuRYKMBDHVrykmbdhv", b"TGCAAtgcaaYRMKVHDByrmkvhdb")
ABSENT = "feature on a sequence that is not in the data"
_OPEN = 2**62
"""The end of a region that goes to its sequence's end."""


def as_list(setting: object) -> list[Any]:
    """A setting that is one value, several, or None, as a list."""
    if setting is None:
        return []
    return list(setting) if isinstance(setting, (list, tuple)) else [setting]


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
    """Braces hold a name as it is, as in samtools: ``{chr1:1-600}`` is one, and ``{chr1}:1-600`` a part."""
    if quoted := _IN_BRACES.fullmatch(text):
        return Region(quoted["name"], (Span(0, _OPEN),), f"region {text}")
    match = _NAMED.fullmatch(text)
    if not text or (match is None and _LIKE_NAMED.search(text)):
        raise ConfigError(
            f"regions: {text!r} is not a region; write name, name:start-end (counted from 1, both included), "
            "the path of a .bed file, or a list of these; a name with such signs in it stands in braces, "
            "'{name}'"
        )
    name, start, stop = match.groups() if match else (text, "1", "")
    first, last = int(start.replace(",", "") or 0), int(stop.replace(",", "") or _OPEN)
    if not 1 <= first <= last:
        raise ConfigError(f"regions: {text!r} must have a start of 1 or more, not above its end")
    quoted = _IN_BRACES.fullmatch(name)
    spans = (Span(first - 1, last),)
    if quoted or not match:
        return Region(quoted["name"] if quoted else name, spans, f"region {text}")
    return Region(name, spans, f"region {text}", literal=text)


def select_regions(
    parts: Iterable[Part], regions: Sequence[Region], where: str, strict: bool = True
) -> Iterator[Part]:
    """Yield the regions of the records of `parts`, each as a record, in their order along the sequences.

    Regions that share bases have an equal `group` in their metadata, which keeps them on one side of the
    split. A region whose whole text is the name of a sequence is that sequence. Unless `strict`, regions of
    missing sequences become rejections. Memory holds only the regions at the current position. Raises
    DataError for a region beyond its sequence's end, where no sequence has any region, where a text is both a
    sequence and a part of another, and if `strict` for a region whose sequence is not there.
    """
    waiting: dict[str, list[Region]] = {}
    by_text = {region.literal: region for region in regions if region.literal}
    for region in regions:
        waiting.setdefault(region.sequence, []).append(region)
    lengths: dict[str, int] = {}
    chosen: _SelectedRegions | None = None
    for part in parts:
        if isinstance(part, SequenceChunk) and chosen is not None:
            yield from chosen.feed(part)
        elif isinstance(part, SequenceHeader):
            if chosen is not None:
                yield from chosen.finish()
                lengths[chosen.title.name] = chosen.position
            chosen = _SelectedRegions(part)
            if whole := by_text.get(part.name):
                _take_out(whole, waiting)
            wanted = waiting.pop(part.name, [])
            yield from chosen.choose([_as_sequence(whole)] if whole else wanted)
        else:
            yield part
    if chosen is not None:
        yield from chosen.finish()
        lengths[chosen.title.name] = chosen.position
    _check_texts(by_text, lengths, where)
    if waiting and (strict or not lengths.keys() & {region.sequence for region in regions}):
        raise DataError(_not_there(next(iter(waiting.values()))[0], lengths, where))
    for name, absent in waiting.items():
        place = absent[0].where.rpartition(":")[0]
        yield Rejection(place, ABSENT, name, len(absent), everywhere=True)


def _as_sequence(region: Region) -> Region:
    """The whole sequence whose name is the region's text."""
    return Region(region.literal, (Span(0, _OPEN),), region.where)


def _take_out(region: Region, waiting: dict[str, list[Region]]) -> None:
    others = [each for each in waiting.pop(region.sequence, []) if each != region]
    if others:
        waiting[region.sequence] = others


def _check_texts(by_text: Mapping[str, Region], there: Collection[str], where: str) -> None:
    """DataError where the text of a region is a sequence, and names a part of another."""
    for text, region in by_text.items():
        if text in there and region.sequence in there:
            name, part = region.sequence, text.removeprefix(region.sequence)
            raise DataError(
                f"{region.where}: {where} has both a sequence {text!r} and a sequence {name!r}; write "
                f"'{{{text}}}' for the whole one, or '{{{name}}}{part}' for a part of the other"
            )


class _SelectedRegions:
    """The regions of the record that is being read."""

    def __init__(self, title: SequenceHeader) -> None:
        self.title, self.position = title, 0
        self.all_of_it = False
        self.lengths: set[int] = set()
        self.waiting: list[Region] = []
        self.open: list[tuple[Region, list[list[bytes]]]] = []

    def choose(self, regions: Sequence[Region]) -> Iterator[Part]:
        """Wait for these regions."""
        self.lengths = {region.length for region in regions if region.length is not None}
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

    def feed(self, letters: SequenceChunk) -> Iterator[Part]:
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
        """Yield the regions that reach the end of the sequence. Raises DataError for a region beyond the end,
        and where the sequence does not have the length that regions depend on."""
        if wrong := self.lengths - {self.position}:
            raise DataError(
                f"{self.title.name} is circular with {max(wrong):,} bases by its annotation, but has "
                f"{self.position:,}; give the annotation of this sequence"
            )
        for region, pieces in [*self.open, *((region, []) for region in reversed(self.waiting))]:
            first, last = region.bounds
            if last < _OPEN or first >= self.position:
                requested = f"{first + 1:,}" + (f"-{last:,}" if last < _OPEN else "")
                raise DataError(
                    f"{region.where}: {requested} goes beyond {self.title.name}, which has {self.position:,} "
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
        yield SequenceHeader(name, self.title.description, self.title.line, start, whole, about)
        for span, piece in zip(spans, pieces, strict=True):
            bases = b"".join(piece)
            yield SequenceChunk(bases.translate(_COMPLEMENT)[::-1] if span.strand == "-" else bases, False)


def _not_there(region: Region, lengths: dict[str, int], where: str) -> str:
    pieces = [name for name in lengths if name.startswith(f"{region.sequence}:")]
    if pieces:
        return (
            f"{region.where}: {where} does not hold {region.sequence} but {len(pieces):,} pieces of it, such "
            f"as {pieces[0]}; choose pieces by their whole names, or give the whole sequence"
        )
    near = difflib.get_close_matches(region.sequence, list(lengths)[:10_000], n=3, cutoff=0.3)
    known = ((name, lengths[name]) for name in near or list(lengths)[:3])
    shown = ", ".join(f"{name} ({bases:,} bases)" if bases else name for name, bases in known)
    other = (near or list(lengths) or ["NAME"])[0]
    return (
        f"{region.where}: no sequence {region.sequence!r} is in {where}; there is {shown or 'none'}; other "
        f"names are mapped by 'domain.contig_map={{{region.sequence}: {other}}}'"
    )
