"""Cut `upstream.fa.gz` from the upstream regions of all fly transcripts.

Run ``python cut.py dm3_upstream2000.fa.gz``; the README beside this file says where that comes from.

The same source gives the same bytes. Needs nothing but Python's standard library.
"""

import gzip
import hashlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCE_SHA256 = "78076ae22e0084cfb4d6775b000ed9d8fadcefe2469aacce76b78f5a427a08f4"
WANTED = {"chr3L": 600, "chrX": 150}
"""Regions to keep of each arm, spread evenly along it."""

HEADER = re.compile(r">(\S+)_up_2000_\S+_([fr]) (\w+):(\d+)-(\d+)$")
"""Transcript, strand, chromosome, start and end (1-based, inclusive)."""

COMPLEMENT = str.maketrans("ACGT", "TGCA")
Region = tuple[str, int, int, str, str]
"""Chromosome, start, end, sequence of the plus strand, transcript with its strand."""


def read_regions(path: Path) -> Iterator[Region]:
    """The regions of whole length without any N, turned back to the plus strand where they were reversed."""
    with gzip.open(path, "rt", encoding="ascii") as lines:
        entries = lines.read().split("\n>")
    for entry in entries:
        title, *rows = entry.splitlines()
        match = HEADER.match(">" + title.removeprefix(">"))
        # The source is all in lower case, so its case says nothing about repeats.
        bases = "".join(rows).upper()
        if match is None or set(bases) - set("ACGT"):
            continue
        transcript, strand, chromosome, start, end = match.groups()
        if strand == "r":
            bases = bases.translate(COMPLEMENT)[::-1]
        if len(bases) == int(end) - int(start) + 1 == 2000:
            yield chromosome, int(start), int(end), bases, f"upstream of {transcript}, strand {strand}"


def choose(regions: list[Region], chromosome: str, count: int) -> list[Region]:
    """Of the regions that overlap no earlier chosen one, `count` spread evenly along the chromosome."""
    apart: list[Region] = []
    for region in sorted(regions):
        if region[0] == chromosome and (not apart or region[1] > apart[-1][2]):
            apart.append(region)
    return [apart[index * len(apart) // count] for index in range(count)]


def wrap(bases: str) -> str:
    """Lines of 80 bases."""
    return "\n".join(bases[start : start + 80] for start in range(0, len(bases), 80))


def main(source: Path) -> None:
    """Write `upstream.fa.gz` beside this script and print its sha256."""
    found = hashlib.sha256(source.read_bytes()).hexdigest()
    if found != SOURCE_SHA256:
        sys.exit(f"{source}: sha256 is {found}, and {SOURCE_SHA256} is the file that this script knows")
    regions = list(read_regions(source))
    fasta = "".join(
        f">{chromosome}:{start}-{end} {about}\n{wrap(bases)}\n"
        for arm, count in WANTED.items()
        for chromosome, start, end, bases, about in choose(regions, arm, count)
    )
    packed = gzip.compress(fasta.encode("ascii"), compresslevel=9, mtime=0)
    target = Path(__file__).with_name("upstream.fa.gz")
    target.write_bytes(packed)
    print(f"{target}: {len(packed):,} bytes, sha256 {hashlib.sha256(packed).hexdigest()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
