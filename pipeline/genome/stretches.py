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
from pipeline.genome.files import Letters, Title
from pipeline.genome.soft_mask import without_false_mask

POLICIES = ("split", "random", "error")
"""What becomes of codes for several bases."""

CHOICES = {
    "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
    "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG",
}  # fmt: skip
"""The bases that a code stands for. Source: IUPAC-IUB, Nucleic Acids Research 13 (1985) 3021."""

_RUNS = re.compile(rb"(?P<bases>[ACGTUacgtu]+)|(?P<unknown>[Nn.\-]+)|(?P<code>[^ACGTUacgtuNn.\-]+)")
_CODE = re.compile(rb"[RYSWKMBDHVryswkmbdhv]")
_TO_DNA = bytes.maketrans(b"Uu", b"Tt")
_REASONS = {"unknown": "N or gap left out", "code": "IUPAC code left out"}


def cut_stretches(
    parts: Iterable[Title | Letters],
    where: str,
    min_length: int,
    max_length: int,
    iupac: str,
    soft_mask: bool,
) -> Iterator[Record | Rejection]:
    """Yield a record for each stretch, and a rejection for each run of N, gaps or codes between them.

    Lengths in bases; a longer stretch is delivered in parts of `max_length`. With `iupac` "random", a code
    becomes one of its bases, always the same one at the same place. `where` names the file in rejections.
    """
    cutter = _Cutter(where, min_length, max_length, iupac, soft_mask)
    for part in without_false_mask(parts, where) if soft_mask else parts:
        if isinstance(part, Title):
            yield from cutter.open(part)
        else:
            yield from cutter.extend(part)
    yield from cutter.close()


@dataclass
class _Cutter:
    """The record that is being read: what is buffered of a stretch, or of a run between stretches."""

    where: str
    min_length: int
    max_length: int
    iupac: str
    soft_mask: bool
    seen: set[int] = field(default_factory=set)
    title: Title | None = None
    skipped: bool = False
    position: int = 0
    chunks: list[bytes] = field(default_factory=list)
    buffered: int = 0
    gap_kind: str = ""
    gap_start: int = 0
    replaced: int = 0

    def open(self, title: Title) -> Iterator[Record | Rejection]:
        yield from self.close()
        self.title, self.position, self.replaced = title, 0, 0
        # Eight bytes a name, since there may be millions.
        key = int.from_bytes(hashlib.blake2b(title.name.encode(), digest_size=8).digest())
        self.skipped = key in self.seen
        self.seen.add(key)
        if self.skipped:
            at = f"{self.where}:{title.line}" if title.line else self.where
            yield Rejection(at, "duplicate id", title.name)

    def extend(self, letters: Letters) -> Iterator[Record | Rejection]:
        if self.skipped:
            return
        if letters.plain:
            yield from self._add(letters.bases)
            return
        bases = self._choose(letters.bases) if self.iupac == "random" else letters.bases
        for run in _RUNS.finditer(bases):
            if run.lastgroup == "bases":
                yield from self._add(run.group().translate(_TO_DNA))
            else:
                yield from self._skip(str(run.lastgroup), len(run.group()))

    def close(self) -> Iterator[Record | Rejection]:
        if self.title is None or self.skipped:
            return
        if not self.position:
            yield Rejection(f"{self.where}:{self.title.name}", "empty record")
        yield from self._end_gap()
        yield from self._end_stretch(whole=self.buffered == self.position)
        if self.replaced:
            detail = f"{self.replaced} codes in {self.title.name}"
            yield Rejection(self.where, "IUPAC codes replaced at random (kept)", detail)
        self.title = None

    def _add(self, bases: bytes) -> Iterator[Record | Rejection]:
        yield from self._end_gap()
        self.chunks.append(bases)
        self.buffered += len(bases)
        self.position += len(bases)
        while self.buffered > self.max_length:
            joined = b"".join(self.chunks)
            start = self.position - self.buffered
            yield self._record(joined[: self.max_length], start, whole=False)
            self.chunks = [joined[self.max_length :]]
            self.buffered -= self.max_length

    def _skip(self, kind: str, length: int) -> Iterator[Record | Rejection]:
        yield from self._end_stretch(whole=False)
        if kind != self.gap_kind:
            yield from self._end_gap()
            self.gap_kind, self.gap_start = kind, self.position
        self.position += length

    def _end_gap(self) -> Iterator[Rejection]:
        if self.gap_kind:
            length = self.position - self.gap_start
            yield Rejection(self._place(self.gap_start, length), _REASONS[self.gap_kind], f"{length} bases")
            self.gap_kind = ""

    def _end_stretch(self, whole: bool) -> Iterator[Record | Rejection]:
        if not self.buffered:
            return
        bases, start = b"".join(self.chunks), self.position - self.buffered
        self.chunks, self.buffered = [], 0
        if len(bases) < self.min_length:
            reason = f"stretch shorter than {self.min_length} bases"
            yield Rejection(self._place(start, len(bases)), reason, f"{len(bases)} bases")
        else:
            yield self._record(bases, start, whole)

    def _record(self, bases: bytes, start: int, whole: bool) -> Record:
        title, end = self.title, start + len(bases)
        # A letter of ASCII is small where bit 5 is set.
        marks = (np.frombuffer(bases, np.uint8) >> 5 & 1).tobytes() if self.soft_mask else None
        return Record(
            id=title.name if whole else f"{title.name}:{start + 1}-{end}",
            symbols=bases.upper().decode("ascii"),
            metadata={
                "source": title.name,
                "start": str(start + 1),
                "end": str(end),
                "description": title.description,
            },
            marks=marks,
        )

    def _choose(self, bases: bytes) -> bytes:
        """Each code becomes one of its bases, by a hash of its place: the same in every run."""
        pieces, done = [], 0
        for code in _CODE.finditer(bases):
            place = f"{self.title.name}:{self.position + code.start()}".encode()
            choices = CHOICES[code.group().decode().upper()].encode()
            chosen = choices[hashlib.blake2b(place, digest_size=8).digest()[0] % len(choices)]
            small = code.group()[0] & 32
            pieces += [bases[done : code.start()], bytes([chosen | small])]
            done = code.end()
            self.replaced += 1
        return b"".join([*pieces, bases[done:]])

    def _place(self, start: int, length: int) -> str:
        return f"{self.where}:{self.title.name}:{start + 1}-{start + length}"
