"""Tell a soft mask from a file that is simply written in lower case.

A masked assembly has unmasked bases among its first million, while a small contig of it may well be one
repeat from end to end. So the decision is one for the whole file, not for each record.
"""

import logging
from collections.abc import Iterable, Iterator

from pipeline.genome.files import Letters, Part

log = logging.getLogger(__name__)

LOOK_AHEAD = 2**20
"""Bases in lower case after which a file without any in upper case is taken to have no mask."""
_UPPER, _LOWER = b"ACGTU", b"acgtu"


def without_false_mask(parts: Iterable[Part], where: str) -> Iterator[Part]:
    """The same parts, in upper case where the file (`where` names it) starts without an upper-case base.

    Parts are held back from the first base in lower case to the first in upper case, the end of the file, or
    `LOOK_AHEAD` bases: memory is bounded by these and the runs of N between them.
    """
    rest = iter(parts)
    held, small = [], 0
    for part in rest:
        held.append(part)
        if isinstance(part, Letters):
            if _count(part.bases, _UPPER):
                yield from held
                yield from rest
                return
            small += _count(part.bases, _LOWER)
        if not small:
            # Titles, and runs of N: the same in either case.
            yield from held
            held.clear()
        elif small >= LOOK_AHEAD:
            break
    if small:
        log.info("%s: the first %s bases are all in lower case: this is no soft mask", where, f"{small:,}")
    yield from map(_in_upper_case, held)
    yield from map(_in_upper_case, rest)


def _count(bases: bytes, letters: bytes) -> int:
    return len(bases) - len(bases.translate(None, letters))


def _in_upper_case(part: Part) -> Part:
    return Letters(part.bases.upper(), part.plain) if isinstance(part, Letters) else part
