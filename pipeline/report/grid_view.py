"""A sample grid as the report shows it: cells with their letters coloured, and what was made of each."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.report.sample_grid import GridCell, read_grid

BLOCK = 10
"""Letters of a small alphabet stand in blocks, as in GenBank's flat files."""
AT_ONCE = 240
"""Characters of a cell that are not folded away."""

Letters = list[list[tuple[str, str]]]
"""Blocks of runs of the same letter, each with the class that says its colour."""


@dataclass(frozen=True)
class Text:
    """A sequence, or a part of one: in coloured letters where `blocks` are given."""

    prime: str
    rest: str
    blocks: Letters


@dataclass(frozen=True)
class Cell:
    """One sample: its head, its text, of which `whole` is folded away, and the blocks of its files."""

    label: str
    shown: GridCell
    text: Text
    whole: Text | None
    files: Sequence[Any]

    @property
    def size(self) -> int:
        """Characters of the whole sequence."""
        return len(self.shown.prime) + len(self.shown.text) + self.shown.more


def bands(path: Path, files_of: Callable[[str], Sequence[Any]]) -> list[tuple[str, list[Cell]]]:
    """The rows of a sheet with their heads; a sheet with one column is one row, headed by nothing.

    `files_of` gives what was made of a record. Raises ValueError where the file is no sheet.
    """
    sheet = read_grid(path)
    rows, columns, cells, letters = (sheet[name] for name in ("rows", "columns", "cells", "letters"))
    if len(columns) == 1:
        rows, columns, cells = list(columns), list(rows), [[row[0] for row in cells]]
    found = []
    for head, line in zip(rows, cells, strict=True):
        labelled = zip(columns, line, strict=True)
        found.append((str(head), [_cell(str(label), each, letters, files_of) for label, each in labelled]))
    return found


def _cell(label: str, shown: GridCell, letters: str, files_of: Callable[[str], Sequence[Any]]) -> Cell:
    start, length = len(shown.prime), len(shown.prime) + len(shown.text)
    # Of a prime longer than what is shown, its end, where the model takes over.
    before = shown.prime[max(0, start - AT_ONCE // 2) :]
    head = _text(before, shown.text[: AT_ONCE - len(before)], letters)
    whole = _text(shown.prime, shown.text, letters)
    files = files_of(shown.record) if shown.record else ()
    pictured = any(block.kind == "picture" for block in files)
    return Cell(label, shown, head, whole if pictured or length > AT_ONCE else None, files)


def _text(prime: str, rest: str, letters: str) -> Text:
    blocks = list(_blocks(prime, rest, letters)) if letters else []
    return Text(prime, rest, blocks)


def _blocks(prime: str, rest: str, letters: str) -> Iterator[list[tuple[str, str]]]:
    classes = {letter: f"letter-{number}" for number, letter in enumerate(letters)}
    marked = [*((letter, " given") for letter in prime), *((letter, "") for letter in rest)]
    for start in range(0, len(marked), BLOCK):
        runs = itertools.groupby(marked[start : start + BLOCK])
        yield [(classes.get(letter, "") + given, letter * len(list(run))) for (letter, given), run in runs]
