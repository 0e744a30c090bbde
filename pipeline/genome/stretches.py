"""Cut records into stretches of known bases: no window of a model ever crosses an N or a gap.

A stretch that is a whole record keeps its name; any other is called ``name:start-end``, counted from 1, both
ends included, as in a genome browser.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from pipeline.domain import Record, Rejection
from pipeline.genome.files import Letters, Part, Title
from pipeline.genome.scan import EVENTS, find_runs
from pipeline.genome.soft_mask import SoftMask

POLICIES = ("split", "random", "error")
"""What becomes of codes for several bases."""

CHOICES = {
    "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
    "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG",
}  # fmt: skip
"""The bases that a code stands for. Source: IUPAC-IUB, Nucleic Acids Research 13 (1985) 3021."""

_BASES, _UNKNOWN, _CODE = range(3)
_KINDS = np.full(256, _CODE, np.uint8)
_KINDS[list(b"ACGTUacgtu")] = _BASES
_KINDS[list(b"Nn.-")] = _UNKNOWN
_REASONS = {_UNKNOWN: "N or gap left out", _CODE: "IUPAC code left out"}
_ONE_CODE = re.compile(rb"[RYSWKMBDHVryswkmbdhv]")
_UPPER = np.uint8(0xDF)
"""Without bit 5 a letter of ASCII is in upper case."""


def cut_stretches(
    parts: Iterable[Part],
    where: str,
    min_length: int,
    max_length: int,
    iupac: str,
    mask: SoftMask | None,
) -> Iterator[Record | Rejection]:
    """Yield a record for each stretch, and a rejection for each run of N, gaps or codes between them.

    Lengths in bases; a longer stretch is delivered in parts of `max_length`. With `iupac` "random", a code
    becomes one of its bases, always the same one at the same place. `where` names the file in rejections.
    """
    cutter = _Cutter(where, min_length, max_length, iupac, mask)
    for part in parts:
        if isinstance(part, Title):
            cutter.open(part)
        elif isinstance(part, Letters):
            cutter.extend(part)
        else:
            cutter.found.append(part)
        if cutter.found:
            yield from cutter.found
            cutter.found.clear()
    cutter.close()
    yield from cutter.found


@dataclass
class _Cutter:
    """The record that is being read: what is buffered of a stretch, or of a run between stretches."""

    where: str
    min_length: int
    max_length: int
    iupac: str
    mask: SoftMask | None
    found: list[Record | Rejection] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    title: Title | None = None
    skipped: bool = False
    position: int = 0
    chunks: list[bytes] = field(default_factory=list)
    buffered: int = 0
    gap_kind: int = _BASES
    gap_start: int = 0
    replaced: int = 0

    def open(self, title: Title) -> None:
        """Begin a record; of several with the same name the first is kept."""
        self.close()
        self.title, self.position, self.replaced = title, 0, 0
        # Eight bytes a name, since there may be millions.
        key = hash((title.name, title.start, title.about))
        self.skipped = key in self.seen
        self.seen.add(key)
        if self.skipped:
            at = f"{self.where}:{title.line}" if title.line else self.where
            self.found.append(Rejection(at, "duplicate id", title.name))

    def extend(self, letters: Letters) -> None:
        """Go on with the record."""
        if self.skipped:
            return
        if letters.plain:
            self._add(letters.bases)
            return
        bases = self._choose(letters.bases) if self.iupac == "random" else letters.bases
        array, runs, start = np.frombuffer(bases, np.uint8), np.empty((EVENTS, 2), np.int64), 0
        while start < len(bases):
            count, _ = find_runs(array, start, _KINDS, runs)
            for kind, end in runs[:count].tolist():
                if kind == _BASES:
                    self._add(bases[start:end])
                else:
                    self._skip(kind, end - start)
                start = end

    def close(self) -> None:
        """End the record."""
        if self.title is None or self.skipped:
            return
        if not self.position:
            self.found.append(Rejection(f"{self.where}:{self.title.name}", "empty record"))
        self._end_gap()
        self._end_stretch(whole=self.title.whole and self.buffered == self.position)
        if self.replaced:
            detail = f"{self.replaced} codes in {self.title.name}"
            self.found.append(Rejection(self.where, "IUPAC codes replaced at random (kept)", detail))
        self.title = None

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
        self._end_stretch(whole=False)
        if kind != self.gap_kind:
            self._end_gap()
            self.gap_kind, self.gap_start = kind, self.position
        self.position += length

    def _end_gap(self) -> None:
        if self.gap_kind:
            length = self.position - self.gap_start
            place = self._place(self.gap_start, length)
            self.found.append(Rejection(place, _REASONS[self.gap_kind], f"{length} bases"))
            self.gap_kind = _BASES

    def _end_stretch(self, whole: bool) -> None:
        if not self.buffered:
            return
        bases, start = b"".join(self.chunks), self.position - self.buffered
        self.chunks, self.buffered = [], 0
        if len(bases) < self.min_length:
            reason = f"stretch shorter than {self.min_length} bases"
            self.found.append(Rejection(self._place(start, len(bases)), reason, f"{len(bases)} bases"))
        else:
            self._record(bases, start, whole)

    def _record(self, bases: bytes, start: int, whole: bool) -> None:
        title = self.title
        start += title.start
        end = start + len(bases)
        letters = np.frombuffer(bases, np.uint8)
        marks = self.mask.marks(letters) if self.mask is not None else None
        symbols = str(letters & _UPPER, "ascii")
        if "U" in symbols:
            symbols = symbols.replace("U", "T")
        metadata = {
            "source": title.name,
            "start": str(start + 1),
            "end": str(end),
            "description": title.description,
            **dict(title.about),
        }
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
