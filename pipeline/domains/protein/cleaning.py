"""Turn the content of a protein FASTA file into records of the amino acids that are learned.

A protein has a start and an end, but a fragment does not. Therefore a symbol that cannot be learned rejects
the whole record, unless the settings say split or random. A stop ``*`` at the end is removed, since the end
of the record implies it; gaps of an alignment are removed. Codes: IUPAC-IUB, European Journal of Biochemistry
138 (1984) 9, with J of 2004 for leucine or isoleucine, U (selenocysteine) and O (pyrrolysine).
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from Bio.Data.IUPACData import extended_protein_values, protein_letters

from pipeline.domains.genome.files import Part, SequenceHeader
from pipeline.errors import DataError
from pipeline.records import Notice, Record, Rejection

STANDARD = protein_letters
"""The twenty amino acids, by their letters in order."""
RARE = {"U": "C", "O": "K"}
"""Selenocysteine and pyrrolysine, with the amino acid that each is read as: that which its codon's neighbours
and its chemistry are nearest to, as most programs have it."""
AMBIGUOUS = {code: extended_protein_values[code] for code in "BJXZ"}
"""The amino acids that a code stands for."""
STOP = "*"
GAPS = "-."

POLICIES = ("drop", "split", "random", "error")
"""Policies for a record with an ambiguous code: drop it, split it there, replace the code by one of its amino
acids, or refuse the file."""
STOP_POLICIES = ("drop", "split", "error")
RARE_POLICIES = ("replace", "keep")

MIN_NUCLEOTIDES = 60
"""So many letters or more that are all A, C, G, T, U or N are DNA or RNA: no real protein is like that."""

_NO_HEADER = SequenceHeader("", "", 0)
"""Stands for the header between two records."""
_AMBIGUOUS = re.compile(f"[{''.join(AMBIGUOUS)}]")
_TO_STANDARD = str.maketrans(RARE)
_WITHOUT_GAPS = str.maketrans("", "", GAPS)
_NUCLEOTIDES = re.compile("[ACGTUN]+")


@dataclass(frozen=True)
class Policy:
    """Policies for symbols other than the twenty amino acids; lengths are in amino acids."""

    ambiguous: str
    inner_stop: str
    rare: str
    min_length: int
    max_length: int

    @property
    def separators(self) -> re.Pattern[str] | None:
        """The pattern at which a record is split."""
        letters = [*AMBIGUOUS] if self.ambiguous == "split" else []
        letters += [re.escape(STOP)] if self.inner_stop == "split" else []
        return re.compile(f"([{''.join(letters)}])") if letters else None


def clean_proteins(
    parts: Iterable[Part], where: str, policy: Policy
) -> Iterator[Record | Rejection | Notice]:
    """Yield the records of a file, and a rejection for whatever was left out or changed.

    `where` names the file. Raises DataError where the policy refuses what is found.
    """
    cleaner = _Cleaner(where, policy, policy.separators)
    for part in parts:
        if isinstance(part, SequenceHeader):
            yield from cleaner.open(part)
        elif isinstance(part, (Rejection, Notice)):
            yield part
        else:
            yield from cleaner.extend(part.bases.decode("ascii").upper())
    yield from cleaner.close()


@dataclass
class _Cleaner:
    """The record that is being read; `position` counts letters other than gaps."""

    where: str
    policy: Policy
    separators: re.Pattern[str] | None
    title: SequenceHeader = field(default_factory=lambda: _NO_HEADER)
    position: int = 0
    pieces: list[str] = field(default_factory=list)
    buffered: int = 0
    gaps: int = 0
    fragments: bool = False
    finished: tuple[str, int] | None = None

    def open(self, title: SequenceHeader) -> Iterator[Record | Rejection]:
        yield from self.close()
        self.title, self.position, self.gaps, self.fragments = title, 0, 0, False

    def extend(self, letters: str) -> Iterator[Record | Rejection]:
        """Add letters; the last piece is held back, since it may be the whole record."""
        residues = letters.translate(_WITHOUT_GAPS)
        self.gaps += len(letters) - len(residues)
        *ended, last = self.separators.split(residues) if self.separators else [residues]
        for piece, separator in zip(ended[::2], ended[1::2], strict=True):
            self._append(piece)
            yield from self._end_piece()
            self.position += 1
            self.fragments |= separator != STOP
        self._append(last)

    def close(self) -> Iterator[Record | Rejection]:
        if self.title is _NO_HEADER:
            return
        yield from self._end_piece()
        if self.finished is not None:
            yield self._judge(*self.finished, whole=not (self.finished[1] or self.fragments))
            self.finished = None
        else:
            yield Rejection(f"{self.where}:{self.title.name}", "empty record")
        if self.gaps:
            detail = f"{self.gaps} gaps in {self.title.name}"
            yield Rejection(self.where, "gaps of an alignment taken out (kept)", detail)
        self.title = _NO_HEADER

    def _append(self, piece: str) -> None:
        """Add to the open piece; beyond the largest length only the length is kept."""
        if self.buffered <= self.policy.max_length + 1:
            self.pieces.append(piece[: self.policy.max_length + 2])
        self.buffered += len(piece)
        self.position += len(piece)

    def _end_piece(self) -> Iterator[Record | Rejection]:
        """Close the piece that is open, and deliver the one before it."""
        if not self.buffered:
            return
        if self.finished is not None:
            yield self._judge(*self.finished, whole=False)
        self.finished = "".join(self.pieces), self.position - self.buffered
        self.pieces, self.buffered = [], 0

    def _judge(self, residues: str, start: int, whole: bool) -> Record | Rejection:
        """Return a record, or the rejection with its reason."""
        policy = self.policy
        residues = residues.removesuffix(STOP)
        place = f"{self.where}:{self.title.name}"
        if not residues:
            return Rejection(place, "empty record")
        stop = residues.find(STOP)
        if stop >= 0:
            if policy.inner_stop == "error":
                raise DataError(
                    f"{place}: stop '*' at residue {start + stop + 1}, before the end of the protein; "
                    "set domain.inner_stop=drop or domain.inner_stop=split to read on"
                )
            return Rejection(place, "stop inside the protein", f"at residue {start + stop + 1}")
        if len(residues) > policy.max_length:
            return Rejection(place, f"longer than {policy.max_length} residues")
        if len(residues) < policy.min_length:
            return Rejection(place, f"shorter than {policy.min_length} residues", f"{len(residues)} residues")
        if len(residues) >= MIN_NUCLEOTIDES and _NUCLEOTIDES.fullmatch(residues):
            return Rejection(place, "looks like DNA or RNA; use dataset=genome")
        code = _AMBIGUOUS.search(residues)
        if code and policy.ambiguous != "random":
            at = f"{code.group()} at residue {start + code.start() + 1}"
            return Rejection(place, "ambiguous amino acid (domain.ambiguous)", at)
        return self._record(self._chosen(residues, start), start, whole)

    def _chosen(self, residues: str, start: int) -> str:
        """Each code becomes one of its amino acids, by a hash of its place: the same in every run."""
        if self.policy.rare == "replace":
            residues = residues.translate(_TO_STANDARD)

        def choose(code: re.Match[str]) -> str:
            choices = AMBIGUOUS[code.group()]
            place = f"{self.title.name}:{start + code.start()}".encode()
            return choices[int.from_bytes(hashlib.blake2b(place, digest_size=8).digest()) % len(choices)]

        return _AMBIGUOUS.sub(choose, residues)

    def _record(self, residues: str, start: int, whole: bool) -> Record:
        name, end = self.title.name, start + len(residues)
        return Record(
            id=name if whole else f"{name}:{start + 1}-{end}",
            symbols=residues,
            metadata={
                "source": name, "start": str(start + 1), "end": str(end),
                "description": self.title.description,
            },
        )  # fmt: skip
