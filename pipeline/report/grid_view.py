"""The view of a sample grid in the report: cells with coloured letters, and the files of each sample."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.report.sample_grid import GridCell, read_grid

BLOCK = 10
"""Letters of a block, as in the flat files of GenBank."""
MAX_UNFOLDED = 240
"""Characters of a cell that are shown without unfolding, at most."""

Letters = list[list[tuple[str, str]]]
"""Blocks of runs of the same letter, each with the CSS class of its colour."""


@dataclass(frozen=True)
class Text:
    """A sequence, or a part of one; in coloured letters where it has `blocks`."""

    prime: str
    rest: str
    blocks: Letters


@dataclass(frozen=True)
class Cell:
    """One sample: its title, its text (`whole` is folded), and the blocks of its files."""

    label: str
    shown: GridCell
    text: Text
    whole: Text | None
    files: Sequence[Any]

    @property
    def size(self) -> int:
        """Characters of the whole sequence."""
        return len(self.shown.prime) + len(self.shown.text) + self.shown.more


def build_rows(path: Path, files_of: Callable[[str], Sequence[Any]]) -> list[tuple[str, list[Cell]]]:
    """Return the rows of a grid with their titles; a grid with one column becomes one row.

    `files_of` returns the blocks of the files of a record. Raises ValueError where the file is not a grid.
    """
    grid = read_grid(path)
    rows, columns, cells, letters = (grid[name] for name in ("rows", "columns", "cells", "letters"))
    if len(columns) == 1:
        rows, columns, cells = list(columns), list(rows), [[row[0] for row in cells]]
    found = []
    for head, line in zip(rows, cells, strict=True):
        labelled = zip(columns, line, strict=True)
        found.append((str(head), [_cell(str(label), each, letters, files_of) for label, each in labelled]))
    return found


def _cell(label: str, shown: GridCell, letters: str, files_of: Callable[[str], Sequence[Any]]) -> Cell:
    start, length = len(shown.prime), len(shown.prime) + len(shown.text)
    # Of a long prime, the end is shown, where the sample continues it.
    before = shown.prime[max(0, start - MAX_UNFOLDED // 2) :]
    head = _text(before, shown.text[: MAX_UNFOLDED - len(before)], letters)
    whole = _text(shown.prime, shown.text, letters)
    files = files_of(shown.record) if shown.record else ()
    pictured = any(block.kind == "picture" for block in files)
    return Cell(label, shown, head, whole if pictured or length > MAX_UNFOLDED else None, files)


def _text(prime: str, rest: str, letters: str) -> Text:
    blocks = list(_blocks(prime, rest, letters)) if letters else []
    return Text(prime, rest, blocks)


def _blocks(prime: str, rest: str, letters: str) -> Iterator[list[tuple[str, str]]]:
    classes = {letter: f"letter-{number}" for number, letter in enumerate(letters)}
    marked = [*((letter, " given") for letter in prime), *((letter, "") for letter in rest)]
    for start in range(0, len(marked), BLOCK):
        runs = itertools.groupby(marked[start : start + BLOCK])
        yield [(classes.get(letter, "") + given, letter * len(list(run))) for (letter, given), run in runs]
