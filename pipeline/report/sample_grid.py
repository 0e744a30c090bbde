"""The sample grid of a grid: one sample of each cell, primes down and temperatures across.

The stage `sample` writes it as JSON, which knows no files but the names of records; the report puts the
pictures and sounds beside the text that were made of these records, by whatever stage.
"""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config.sampling import SampleSettings
from pipeline.domain import Domain
from pipeline.generation.requests import Drawing
from pipeline.records import RESULTS, Record, Rejection, ReportSection, Sample, read_samples
from pipeline.runtime.plain_data import load_json

TRIED = 20
"""Samples of a cell that are looked at, at most, for one that the domain keeps."""
MAX_SYMBOLS = 2_000
"""Symbols of a sequence on the sheet."""
MAX_LETTERS = 8
"""Letters of a small alphabet, such as that of DNA, are told apart by colour."""


@dataclass(frozen=True)
class GridCell:
    """A sample on the sheet: `record` is its name after the domain's check, or `why` it has none."""

    number: int
    bits: float
    prime: str
    text: str
    more: int
    record: str
    why: str

    def __post_init__(self) -> None:
        """Raises TypeError: a sheet may have been written by others."""
        for name, value in vars(self).items():
            if not isinstance(value, {"number": int, "bits": int | float, "more": int}.get(name, str)):
                raise TypeError(f"{name} is {value!r}")


def write_grid(drawing: Drawing, domain: Domain, samples: Path, path: Path) -> ReportSection:
    """Write the sheet of finished samples, one JSON line each as in `samples.jsonl`."""
    count, grid = drawing.settings.count, drawing.settings.grid
    across = len(grid.temperatures) or 1
    cells = [_first_kept(tried, domain) for tried in _tried(samples, count)]
    rows = [cells[start : start + across] for start in range(0, len(cells), across)]
    letters = drawing.alphabet.symbols if drawing.alphabet.single_characters else ()
    sheet = {
        "rows": [" ".join(row[0].prime.split()) or "no prime" for row in rows],
        "columns": [f"temperature {t:g}" for t in grid.temperatures or [drawing.settings.temperature]],
        "letters": "".join(letters) if len(letters) <= MAX_LETTERS else "",
        "cells": [[vars(cell) for cell in row] for row in rows],
    }
    path.write_text(json.dumps(sheet, indent=1, ensure_ascii=False), encoding="utf-8")
    which = f"the first of {count} in each cell that passed every check" if count > 1 else "one in each cell"
    return ReportSection("Sample grid", (path,), f"From the same random numbers; {which}.", part=RESULTS)


def _tried(samples: Path, count: int) -> Iterator[list[Sample]]:
    """Of each cell's samples the first few; those of a cell stand together."""
    for _, cell in itertools.groupby(enumerate(read_samples(samples)), key=lambda pair: pair[0] // count):
        yield [sample for number, sample in cell if number % count < TRIED]


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
    """The records of a grid, of each cell one and then of each the next, so that the first few, which renders
    take, are of all cells; without a grid as they are. Within a cell they keep their order."""
    if not (settings.grid.temperatures or settings.grid.primes):
        return records
    records = sorted(records, key=lambda record: int(record.metadata["index"]) // settings.count)
    cells = [int(record.metadata["index"]) // settings.count for record in records]
    places = [list(range(len(list(same)))) for _, same in itertools.groupby(cells)]
    rank = list(itertools.chain.from_iterable(places))
    order = sorted(range(len(records)), key=lambda number: (rank[number], cells[number]))
    return [records[number] for number in order]


def read_grid(path: Path) -> dict[str, Any]:
    """The sheet as it was written; ValueError where it is none."""
    try:
        sheet = load_json(path.read_text(encoding="utf-8"))
        cells = [[GridCell(**cell) for cell in row] for row in sheet["cells"]]
        across = {len(row) for row in cells}
        if across != {len(sheet["columns"])} or len(cells) != len(sheet["rows"]):
            raise ValueError("rows and columns do not fit the cells")
        return {**sheet, "letters": str(sheet["letters"]), "cells": cells}
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"not a sample grid ({error})") from None
