"""Distinguish a soft mask from a file that is all in lower case.

A masked assembly has unmasked bases among its first million, but a small contig of it may be one repeat from
end to end. Therefore the decision is made for the whole file, not for each record.
"""

import logging
from collections.abc import Iterable, Iterator

import numpy as np

from pipeline.domains.genome.files import Part, SequenceChunk

log = logging.getLogger(__name__)

LOOK_AHEAD = 2**20
"""Bases in lower case after which a file without any in upper case is taken to have no mask."""
MAX_HELD = 2**26
"""Letters, mostly N, that are held back meanwhile."""
_UPPER, _LOWER = b"ACGTU", b"acgtu"
_FIRST_LOWER = np.uint8(ord("a"))


class SoftMask:
    """The mask of the letters of a file; `real` is decided when `watch` yields the first base."""

    def __init__(self) -> None:
        self.real = True

    def watch(self, parts: Iterable[Part], where: str) -> Iterator[Part]:
        """The same parts; the mask is not real where the file (`where` names it) starts all in lower case.

        Parts are held back from the first base in lower case to the first in upper case, the end of the file,
        `LOOK_AHEAD` bases or `MAX_HELD` letters.
        """
        rest = iter(parts)
        held, small, size = [], 0, 0
        for part in rest:
            held.append(part)
            if isinstance(part, SequenceChunk):
                if _count(part.bases, _UPPER):
                    break
                small += _count(part.bases, _LOWER)
                size += len(part.bases) if small else 0
            if not small:
                # Titles, and runs of N: the same in either case.
                yield from held
                held.clear()
            elif small >= LOOK_AHEAD or size >= MAX_HELD:
                self._is_none(where, small)
                break
        else:
            if small:
                self._is_none(where, small)
        yield from held
        yield from rest

    def marks(self, bases: np.ndarray) -> bytes:
        """For each letter ``(length,)`` 1 where it is masked, else 0."""
        return (bases >= _FIRST_LOWER).tobytes() if self.real else bytes(len(bases))

    def _is_none(self, where: str, small: int) -> None:
        self.real = False
        log.info("%s: the first %s bases are all in lower case: this is no soft mask", where, f"{small:,}")


def _count(bases: bytes, letters: bytes) -> int:
    return len(bases) - len(bases.translate(None, letters))
