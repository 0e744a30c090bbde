"""Each sequence of a file under a name of its own, also where the first words of headers are the same."""

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
