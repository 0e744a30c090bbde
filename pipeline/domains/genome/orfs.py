"""Open reading frames in all six frames of a sequence, with the codons of any of NCBI's genetic codes.

Two definitions are in use, and both are here:

* ``start-to-stop``: from the first start codon after an in-frame stop codon (or after the sequence's start)
  to the next in-frame stop codon, which is part of it, as in NCBI's ORFfinder and in GenBank's CDS.
* ``stop-to-stop``: the codons between two in-frame stop codons, neither of which is part of it, as in EMBOSS
  getorf. The ends of the sequence bound these as stop codons do where `partial` is wanted.

Coordinates count from 0 along the strand given, half-open, whichever strand the frame is read on.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from Bio.Data.CodonTable import unambiguous_dna_by_id

from pipeline.domains.genome.encoding import BASES, encode, reverse_complement_codes, words
from pipeline.errors import ConfigError

DEFINITIONS = ("start-to-stop", "stop-to-stop")
STANDARD_CODE = 1
CODONS = tuple(a + b + c for a in BASES for b in BASES for c in BASES)
"""In the order of their numbers in `encoding.words`."""


class Orf(NamedTuple):
    """One open reading frame: `sequence[start:end]`, to be turned round where `strand` is "-".

    `frame` is 0, 1 or 2: the bases before the first whole codon of that frame, on its own strand. Of a
    partial one an end of the sequence stands in for the start or the stop codon.
    """

    start: int
    end: int
    strand: str
    frame: int
    partial: bool = False

    @property
    def length(self) -> int:
        """In base pairs, with the stop codon where it is part of it."""
        return self.end - self.start


def find_orfs(
    sequence: str,
    shortest_bp: int = 30,
    definition: str = "start-to-stop",
    partial: bool = False,
    table: int = STANDARD_CODE,
    starts: tuple[str, ...] = ("ATG",),
) -> Iterator[Orf]:
    """The open reading frames of at least `shortest_bp`, by their start, then end, then strand.

    `table` is the number of a genetic code at NCBI. A codon with a letter that is not A, C, G or T is neither
    start nor stop. Raises ConfigError for a definition or a code that does not exist.
    """
    if definition not in DEFINITIONS:
        raise ConfigError(f"ORFs are {' or '.join(DEFINITIONS)}, not {definition!r}")
    codes = encode(sequence)
    begins = codon_set(starts) if definition == "start-to-stop" else None
    found = []
    for strand, read in (("+", codes), ("-", reverse_complement_codes(codes))):
        for frame in range(3):
            spans, cut = orf_spans(read, frame, begins, stop_codons(table))
            kept = (spans[:, 1] - spans[:, 0] >= shortest_bp) & (partial | ~cut)
            spans, cut = spans[kept], cut[kept]
            if strand == "-":
                spans = len(codes) - spans[:, ::-1]
            for (start, end), each in zip(spans.tolist(), cut.tolist(), strict=True):
                found.append(Orf(start, end, strand, frame, each))
    yield from sorted(found)


def orf_spans(
    codes: np.ndarray, frame: int, begins: np.ndarray | None, stops: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The open reading frames of one frame: spans ``(number, 2)`` in bases, and which of them an end of the
    sequence cuts ``(number,)``.

    `begins` and `stops` are codon sets ``(65,)``; without `begins` they run from stop to stop.
    """
    numbers = np.minimum(words(codes, 3)[frame::3], 64)
    ends = np.flatnonzero(stops[numbers])
    after = np.concatenate([[0], ends + 1])
    before = np.concatenate([ends, [len(numbers)]])
    cut = np.zeros(len(after), bool)
    cut[-1] = True
    if begins is None:
        cut[0] = True
        first, last = after, before
    else:
        candidates = np.concatenate([np.flatnonzero(begins[numbers]), [len(numbers)]])
        first = candidates[np.searchsorted(candidates[:-1], after)]
        # The stop codon belongs to it; where the sequence ends first there is none.
        last = np.minimum(before + 1, len(numbers))
    kept = first < before
    spans = np.stack([first, last], axis=1)[kept] * 3 + frame
    return spans, cut[kept]


def codon_set(codons: tuple[str, ...]) -> np.ndarray:
    """Return the set of these codons, by number, bool ``(65,)``; the last item stands for codons with other
    letters."""
    return np.array([codon in codons for codon in CODONS] + [False])


def stop_codons(table: int = STANDARD_CODE) -> np.ndarray:
    """The stop codons of one of NCBI's genetic codes, as a codon set.

    Raises ConfigError, with the numbers that there are, for another one.
    """
    if table not in unambiguous_dna_by_id:
        known = ", ".join(map(str, sorted(unambiguous_dna_by_id)))
        raise ConfigError(f"there is no genetic code {table}; NCBI's are {known}")
    return codon_set(tuple(unambiguous_dna_by_id[table].stop_codons))


def amino_acids(table: int = STANDARD_CODE) -> str:
    """One letter for each codon in the order of `CODONS`, ``*`` for a stop."""
    forward = unambiguous_dna_by_id[table].forward_table
    return "".join(forward.get(codon, "*") for codon in CODONS)
