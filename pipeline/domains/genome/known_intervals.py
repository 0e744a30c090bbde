"""Cut records into intervals of known bases: no window of a model ever crosses an N or a gap.

An interval that is a whole record keeps its name; any other is named ``name:start-end``, counted from 1, both
ends included, as in a genome browser.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from pipeline.domains.genome.fasta_scanner import BASES, CODE, EVENTS, FEW, MANY, UNKNOWN, find_runs
from pipeline.domains.genome.files import Part, SequenceChunk, SequenceHeader
from pipeline.domains.genome.soft_mask import SoftMask
from pipeline.records import Notice, Record, Rejection

POLICIES = ("split", "random", "error")
"""Policies for codes that stand for several bases."""

CHOICES = {
    "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
    "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG",
}  # fmt: skip
"""The bases that a code stands for. Source: IUPAC-IUB, Nucleic Acids Research 13 (1985) 3021."""

_KINDS = np.full(256, CODE, np.uint8)
_KINDS[list(b"ACGTUacgtu")] = BASES
_KINDS[list(b"Nn.-")] = UNKNOWN
_ONE_CODE = re.compile(rb"[RYSWKMBDHVryswkmbdhv]")
_NO_HEADER = SequenceHeader("", "", 0)
"""Stands for the header between two records."""
_UPPER = np.uint8(0xDF)
"""Without bit 5 a letter of ASCII is in upper case."""


def cut_known_intervals(
    parts: Iterable[Part],
    where: str,
    min_length: int,
    max_length: int,
    iupac: str,
    mask: SoftMask | None,
) -> Iterator[Record | Rejection | Notice]:
    """Yield a record for each interval, and a rejection for each run of N, gaps or codes between them.

    Many adjacent runs, among them intervals shorter than `min_length`, are combined into one rejection for
    each reason.

    Lengths are in bases; a longer interval is yielded in parts of `max_length`. With `iupac` "random", a code
    becomes one of its bases, always the same one at the same place. `where` names the file in rejections.
    """
    cutter = _IntervalCutter(where, min_length, max_length, iupac, mask)
    for part in parts:
        if isinstance(part, SequenceHeader):
            cutter.open(part)
        elif isinstance(part, SequenceChunk):
            cutter.extend(part)
        else:
            cutter.found.append(part)
        if cutter.found:
            yield from cutter.found
            cutter.found.clear()
    cutter.close()
    yield from cutter.found


@dataclass
class _DroppedRuns:
    """Adjacent runs that are dropped, from `start` on: the first few, and the number of runs and of letters
    of each kind."""

    start: int = 0
    first: list[tuple[int, int, int]] = field(default_factory=list)
    runs: list[int] = field(default_factory=lambda: [0] * MANY)
    letters: list[int] = field(default_factory=lambda: [0] * MANY)

    @property
    def is_empty(self) -> bool:
        return not any(self.runs)

    def add(self, kind: int, start: int, length: int) -> None:
        """One more run."""
        if len(self.first) < FEW:
            self.first.append((kind, start, length))
        self.runs[kind] += 1
        self.letters[kind] += length


@dataclass
class _IntervalCutter:
    """The record that is being read: the buffered part of an interval, or of a run between intervals."""

    where: str
    min_length: int
    max_length: int
    iupac: str
    mask: SoftMask | None
    found: list[Record | Rejection | Notice] = field(default_factory=list)
    title: SequenceHeader = field(default_factory=lambda: _NO_HEADER)
    upper: bool = True
    """Nothing of the record up to here is in lower case."""
    position: int = 0
    chunks: list[bytes] = field(default_factory=list)
    buffered: int = 0
    gap_kind: int = BASES
    gap_start: int = 0
    replaced: int = 0
    dropped: _DroppedRuns = field(default_factory=_DroppedRuns)

    def open(self, title: SequenceHeader) -> None:
        """Begin a record."""
        self.close()
        self.title, self.position, self.replaced, self.upper = title, 0, 0, True

    def extend(self, letters: SequenceChunk) -> None:
        """Go on with the record."""
        self.upper &= letters.upper
        if letters.plain:
            self._add(letters.bases)
            return
        bases = self._choose(letters.bases) if self.iupac == "random" else letters.bases
        array, runs, start = np.frombuffer(bases, np.uint8), np.empty((EVENTS, 8), np.int64), 0
        while start < len(bases):
            count, _ = find_runs(array, start, _KINDS, self.min_length, runs)
            for kind, end, *tally in runs[:count].tolist():
                if kind == BASES:
                    self._add(bases[start:end])
                elif kind == MANY:
                    self._drop_many(tally[:3], tally[3:])
                else:
                    self._skip(kind, end - start)
                start = end

    def close(self) -> None:
        """End the record."""
        if self.title is _NO_HEADER:
            return
        if not self.position:
            self.found.append(Rejection(f"{self.where}:{self.title.name}", "empty record"))
        self._end_gap()
        self._end_interval(whole=self.title.whole and self.buffered == self.position)
        if not self.dropped.is_empty:
            self._report_dropped()
        if self.replaced:
            detail = f"{self.replaced} codes in {self.title.name}"
            self.found.append(Rejection(self.where, "IUPAC codes replaced at random (kept)", detail))
        self.title = _NO_HEADER

    def _add(self, bases: bytes) -> None:
        if self.gap_kind:
            self._end_gap()
        self.chunks.append(bases)
        self.buffered += len(bases)
        self.position += len(bases)
        if self.buffered > self.max_length:
            joined, start = b"".join(self.chunks), self.position - self.buffered
            done = (self.buffered - 1) // self.max_length * self.max_length
            for at in range(0, done, self.max_length):
                self._record(joined[at : at + self.max_length], start + at, whole=False)
            self.chunks = [joined[done:]]
            self.buffered -= done

    def _skip(self, kind: int, length: int) -> None:
        self._end_interval(whole=False)
        if kind != self.gap_kind:
            self._end_gap()
            self.gap_kind, self.gap_start = kind, self.position
        self.position += length

    def _end_gap(self) -> None:
        if self.gap_kind:
            length = self.position - self.gap_start
            self._drop(self.gap_kind, self.gap_start, length)
            self.gap_kind = BASES

    def _end_interval(self, whole: bool) -> None:
        if not self.buffered:
            return
        bases, start = b"".join(self.chunks), self.position - self.buffered
        self.chunks, self.buffered = [], 0
        if len(bases) < self.min_length:
            self._drop(BASES, start, len(bases))
        else:
            self._record(bases, start, whole)

    def _drop(self, kind: int, start: int, length: int) -> None:
        if self.dropped.is_empty:
            self.dropped.start = start
        self.dropped.add(kind, start, length)

    def _drop_many(self, runs: list[int], letters: list[int]) -> None:
        """Drop runs, given the number of runs and of letters of each kind."""
        self._end_gap()
        self._end_interval(whole=False)
        for kind in range(MANY):
            self.dropped.runs[kind] += runs[kind]
            self.dropped.letters[kind] += letters[kind]
        self.position += sum(letters)

    def _report_dropped(self) -> None:
        """Reject the dropped runs: each, or one rejection for each reason where there are many."""
        dropped, self.dropped = self.dropped, _DroppedRuns()
        reasons = f"interval shorter than {self.min_length} bases", "N or gap left out", "IUPAC code left out"
        if sum(dropped.runs) == len(dropped.first):
            for kind, start, length in dropped.first:
                place = self._place(start, length)
                self.found.append(Rejection(place, reasons[kind], f"{length} bases"))
            return
        place = self._place(dropped.start, sum(dropped.letters))
        for reason, runs, letters in zip(reasons, dropped.runs, dropped.letters, strict=True):
            if runs:
                self.found.append(Rejection(place, reason, f"{letters} bases in {runs} places", runs))

    def _record(self, bases: bytes, start: int, whole: bool) -> None:
        if not self.dropped.is_empty:
            self._report_dropped()
        title = self.title
        start += title.start
        end = start + len(bases)
        if self.upper:
            symbols = bases.decode("ascii")
            marks = bytes(len(bases)) if self.mask is not None else None
        else:
            letters = np.frombuffer(bases, np.uint8)
            symbols = (letters & _UPPER).tobytes().decode("ascii")
            marks = self.mask.marks(letters) if self.mask is not None else None
        if "U" in symbols:
            symbols = symbols.replace("U", "T")
        metadata = {
            "source": title.name,
            "start": str(start + 1),
            "end": str(end),
            "description": title.description,
        }
        if title.about:
            metadata.update(title.about)
        name = title.name if whole else f"{title.name}:{start + 1}-{end}"
        self.found.append(Record(name, symbols, metadata, marks))

    def _choose(self, bases: bytes) -> bytes:
        """Each code becomes one of its bases, by a hash of its place: the same in every run."""
        pieces, done = [], 0
        for code in _ONE_CODE.finditer(bases):
            place = f"{self.title.name}:{self.title.start + self.position + code.start()}".encode()
            choices = CHOICES[code.group().decode().upper()].encode()
            chosen = choices[hashlib.blake2b(place, digest_size=8).digest()[0] % len(choices)]
            small = code.group()[0] & 32
            pieces += [bases[done : code.start()], bytes([chosen | small])]
            done = code.end()
            self.replaced += 1
        return b"".join([*pieces, bases[done:]])

    def _place(self, start: int, length: int) -> str:
        first = self.title.start + start + 1
        return f"{self.where}:{self.title.name}:{first}-{first + length - 1}"
