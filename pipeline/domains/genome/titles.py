"""Names of sequences: unique in each file, and with coordinates for parts."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pipeline.data.unique_names import UniqueNames
from pipeline.domains.genome.files import Part, SequenceHeader
from pipeline.records import Notice


def make_names_unique(parts: Iterable[Part], where: str) -> Iterator[Part]:
    """The same parts, with a number behind each name that an earlier title of the file has, and a notice.

    `where` names the file.
    """
    names, first = UniqueNames(), ""
    for part in parts:
        if isinstance(part, SequenceHeader) and (name := names.unique(part.name)) != part.name:
            at = f" (line {part.line})" if part.line else ""
            first = first or f"{name!r} is the second {part.name!r}{at}"
            part = replace(part, name=name)
        yield part
    if first:
        text = f"sequences whose header begins with the first word of an earlier one: {names.renamed:,}"
        yield Notice(where, f"{text}; each got a name of its own: {first}")


def name_part(name: str, start: int, stop: int) -> str:
    """Name a part of a sequence ``name:start-end``, from 1, inclusive; coordinates in the name are an offset.

    >>> name_part("chr4", 0, 100), name_part("chr4:1001-2000", 0, 100)
    ('chr4:1-100', 'chr4:1001-1100')
    """
    source, colon, span = name.rpartition(":")
    first, dash, last = span.partition("-")
    if colon and dash and first.isdecimal() and last.isdecimal():
        return f"{source}:{int(first) + start}-{int(first) + stop - 1}"
    return f"{name}:{start + 1}-{stop}"
