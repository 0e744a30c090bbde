"""The sample grid: one sample for each prime (rows) and temperature (columns).

The stage `sample` writes it as JSON with the names of records. The report adds the pictures and sounds of
these records, from whatever stage.
"""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config.sampling import SampleSettings
from pipeline.domain import Domain
from pipeline.generation.sampling_run import SamplingRun
from pipeline.records import RESULTS, Record, Rejection, ReportSection, Sample, read_samples
from pipeline.runtime.plain_data import load_json

MAX_CHECKED = 20
"""Samples of a cell that are checked, at most, for one that the domain keeps."""
MAX_SYMBOLS = 2_000
"""Symbols of a sequence in a cell, at most."""
MAX_LETTERS = 8
"""Symbols of an alphabet whose letters have colours, such as DNA."""


@dataclass(frozen=True)
class GridCell:
    """A sample in the grid: `record` is its name after the check of the domain, or `why` is the reason for
    its rejection."""

    number: int
    bits: float
    prime: str
    text: str
    more: int
    record: str
    why: str

    def __post_init__(self) -> None:
        """Raise TypeError for a wrong type, because others may have written the file."""
        for name, value in vars(self).items():
            if not isinstance(value, {"number": int, "bits": int | float, "more": int}.get(name, str)):
                raise TypeError(f"{name} is {value!r}")


def write_grid(drawing: SamplingRun, domain: Domain, samples: Path, path: Path) -> ReportSection:
    """Write the grid of the samples of a `samples.jsonl`."""
    count, grid = drawing.settings.count, drawing.settings.grid
    across = len(grid.temperatures) or 1
    cells = [_first_kept(tried, domain) for tried in _first_of_cells(samples, count)]
    rows = [cells[start : start + across] for start in range(0, len(cells), across)]
    letters = drawing.alphabet.symbols if drawing.alphabet.single_characters else ()
    grid_data = {
        "rows": [" ".join(row[0].prime.split()) or "no prime" for row in rows],
        "columns": [f"temperature {t:g}" for t in grid.temperatures or [drawing.settings.temperature]],
        "letters": "".join(letters) if len(letters) <= MAX_LETTERS else "",
        "cells": [[vars(cell) for cell in row] for row in rows],
    }
    path.write_text(json.dumps(grid_data, indent=1, ensure_ascii=False), encoding="utf-8")
    which = f"the first of {count} in each cell that passed every check" if count > 1 else "one in each cell"
    return ReportSection("Sample grid", (path,), f"From the same random numbers; {which}.", part=RESULTS)


def _first_of_cells(samples: Path, count: int) -> Iterator[list[Sample]]:
    """Yield the first samples of each cell; samples of a cell are adjacent in the file."""
    for _, cell in itertools.groupby(enumerate(read_samples(samples)), key=lambda pair: pair[0] // count):
        yield [sample for number, sample in cell if number % count < MAX_CHECKED]


def _first_kept(tried: Sequence[Sample], domain: Domain) -> GridCell:
    finished = [(each, domain.finish(each)) for each in tried[:1]]
    for each in tried[1:]:
        if isinstance(finished[-1][1], Record):
            break
        finished.append((each, domain.finish(each)))
    sample, found = finished[-1] if isinstance(finished[-1][1], Record) else finished[0]
    begun, stop = sample.prime_length, sample.prime_length + MAX_SYMBOLS
    name, reason = ("", found.reason) if isinstance(found, Rejection) else (found.id, "")
    shown = domain.separator.join
    return GridCell(
        sample.index + 1, round(sample.bits_per_symbol, 3), shown(sample.symbols[:begun]),
        shown(sample.symbols[begun:stop]), max(0, len(sample.symbols) - stop),
        name, reason,
    )  # fmt: skip


def interleave_cells(records: Sequence[Record], settings: SampleSettings) -> Sequence[Record]:
    """Order the records of a grid so that the first few, which renders take, are from all cells.

    The first records of all cells come first, then the second ones, and so on. Without a grid the order
    stays.
    """
    if not (settings.grid.temperatures or settings.grid.primes):
        return records
    records = sorted(records, key=lambda record: int(record.metadata["index"]) // settings.count)
    cells = [int(record.metadata["index"]) // settings.count for record in records]
    places = [list(range(len(list(same)))) for _, same in itertools.groupby(cells)]
    rank = list(itertools.chain.from_iterable(places))
    order = sorted(range(len(records)), key=lambda number: (rank[number], cells[number]))
    return [records[number] for number in order]


def read_grid(path: Path) -> dict[str, Any]:
    """Read a grid; raise ValueError where the file is not one."""
    try:
        grid = load_json(path.read_text(encoding="utf-8"))
        cells = [[GridCell(**cell) for cell in row] for row in grid["cells"]]
        across = {len(row) for row in cells}
        if across != {len(grid["columns"])} or len(cells) != len(grid["rows"]):
            raise ValueError("rows and columns do not fit the cells")
        return {**grid, "letters": str(grid["letters"]), "cells": cells}
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"not a sample grid ({error})") from None
