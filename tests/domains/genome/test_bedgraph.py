"""A bedGraph track that UCSC takes: places of the source sequence, each of them once."""

import numpy as np
import pytest

from pipeline.domains.genome.bedgraph import place, write_bedgraph
from pipeline.records import Record


def rows_of(tmp_path, *tracks) -> list[tuple[str, int, int, float]]:
    path = write_bedgraph(tracks, tmp_path / "surprisal.bedgraph")
    first, *lines = path.read_text().splitlines()
    assert first.startswith("track type=bedGraph ")
    cells = [line.split("\t") for line in lines]
    return [(name, int(start), int(end), float(value)) for name, start, end, value in cells]


def cut(source: str, start: int) -> Record:
    return Record(f"{source}:{start}", "", {"source": source, "start": str(start)})


@pytest.mark.parametrize(
    ("record", "length", "expected"),
    [
        (cut("chr4", 101), 50, ("chr4", 100)),
        (cut("chr3L:1001-3000", 1), 2000, ("chr3L", 1000)),
        (cut("chr3L:1001-3000", 11), 20, ("chr3L", 1010)),
        (cut("HLA:1-5", 1), 2000, ("HLA:1-5", 0)),
        (Record("chrX of a fly", ""), 5, ("chrX", 0)),
    ],
    ids=["part", "region", "part of a region", "no region", "no source"],
)
def test_places_are_those_of_the_source(record, length, expected):
    assert place(record, length) == expected


def test_every_base_has_a_row(tmp_path):
    rows = rows_of(tmp_path, (cut("chr2", 11), np.array([1.5, 2.0])), (cut("chr3", 1), np.array([0.25])))
    assert rows == [("chr2", 10, 11, 1.5), ("chr2", 11, 12, 2.0), ("chr3", 0, 1, 0.25)]


def test_where_records_overlap_the_first_counts(tmp_path):
    spans = [(101, 50), (131, 40), (51, 60), (95, 100), (1, 10)]
    tracks = [
        (cut(f"chr4:{start}-{start + size - 1}", 1), np.full(size, float(n)))
        for n, (start, size) in enumerate(spans)
    ]
    rows = rows_of(tmp_path, *tracks)
    expected = {}
    for n, (start, size) in enumerate(spans):
        for at in range(start - 1, start - 1 + size):
            expected.setdefault(at, float(n))
    assert {start: value for _, start, _, value in rows} == expected
    assert len(rows) == len(expected) and all(end == start + 1 for _, start, end, _ in rows)
