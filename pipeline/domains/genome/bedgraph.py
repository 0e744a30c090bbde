"""Surprisal along sequences as a bedGraph track, for genome browsers.

Source: the UCSC Genome Browser's description of bedGraph: half-open coordinates from 0, and no place twice.
"""

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pipeline.records import Record

TRACK = 'track type=bedGraph name="surprisal" description="surprisal, bits per base" visibility=full\n'
BLOCK_BASES = 2**16
"""Written at a time, so that a chromosome's rows are never all in memory."""
_REGION = re.compile(r"(?P<name>.+):(?P<first>[1-9]\d*)-(?P<last>[1-9]\d*)", re.ASCII)


def write_bedgraph(tracks: Iterable[tuple[Record, np.ndarray]], path: Path) -> Path:
    """Write the bits ``(length,)`` of each base, at its place in the sequence that the record was cut from.

    Where records overlap, the first one counts.
    """
    written: defaultdict[str, _Spans] = defaultdict(_Spans)
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(TRACK)
        for record, bits in tracks:
            name, start = place(record, len(bits))
            for first, last in written[name].add(start, start + len(bits)):
                for block in range(first, last, BLOCK_BASES):
                    values = bits[block - start : min(block + BLOCK_BASES, last) - start].tolist()
                    for at, value in enumerate(values, block):
                        stream.write(f"{name}\t{at}\t{at + 1}\t{value:.3f}\n")
    return path


def place(record: Record, length: int) -> tuple[str, int]:
    """The sequence that a record stands in, and its first base there, from 0.

    A sequence called ``chr3L:1001-3000``, as samtools faidx names what it cuts out, stands in chr3L; of other
    names the first word counts, as other programs have it.

    >>> place(Record("chr3L:1001-3000:11-20", "", {"source": "chr3L:1001-3000", "start": "11"}), 10)
    ('chr3L', 1010)
    """
    # A source is already the first word of a header.
    name = record.metadata.get("source", record.id).split()[0]
    start = int(record.metadata.get("start", 1)) - 1
    region = _REGION.fullmatch(name)
    if region and start + length <= int(region["last"]) - int(region["first"]) + 1:
        return region["name"], int(region["first"]) - 1 + start
    return name, start


class _Spans:
    """Half-open spans that do not touch, in order."""

    def __init__(self) -> None:
        self.spans: list[tuple[int, int]] = []

    def add(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Add a span; those parts of it that are new."""
        low = bisect_left(self.spans, start, key=lambda span: span[1])
        high = bisect_right(self.spans, stop, key=lambda span: span[0])
        known = self.spans[low:high]
        ends = [start, *(end for _, end in known)]
        begins = [*(begin for begin, _ in known), stop]
        new = [(first, last) for first, last in zip(ends, begins, strict=True) if first < last]
        self.spans[low:high] = [(min([start, *begins[:-1]]), max([stop, *ends[1:]]))]
        return new
