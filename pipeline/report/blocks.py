"""Blocks of the report: a file as a table, picture, player, text, sample grid or link, by its suffix.

A block is plain data; `page.html.jinja` turns it into HTML and escapes all of it. A file outside the run
folder is never shown, whatever a manifest names.
"""

import base64
import csv
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline.report.grid_view import Cell, build_rows

PICTURES = {".svg": "image/svg+xml", ".png": "image/png"}
SOUNDS = {".wav": "audio/wav", ".mp3": "audio/mpeg", ".ogg": "audio/ogg"}
LIGHT_SOUNDS = (".mp3", ".ogg")
"""Formats of sound that a sample grid embeds; others are too large."""
TEXTS = {".txt", ".fasta", ".abc"}

MAX_ROWS = 200
MAX_COLUMNS = 100
MAX_LINE_CHARACTERS = 1 << 17
"""A longer line of a table is read as several."""
MAX_TABLE_BYTES = 1 << 28
"""A larger table is a link."""
MAX_CHARACTERS = 12_000
MAX_LINE = 34
"""Characters of a table cell on one line, at most."""
MAX_FILE_BYTES = 8 << 20
"""A larger picture or sound is a link."""
MAX_PAGE_BYTES = 24 << 20
"""Pictures and sounds of a page together; later ones are links."""
MAX_UNFOLDED = 8
"""Pictures or players of a section that are shown without unfolding; a picture and its sound count as one."""
NUMBER = re.compile(r"[-+−]?(\d[\d,]*\.?\d*|\.\d+)([eE][-+]?\d+)?\s*%?|nan|inf|-|–|")


@dataclass(frozen=True)
class Block:
    """One file as it is shown. `kind`: table, picture, sound, text, grid, link or missing."""

    kind: str
    name: str
    link: str = ""
    source: str = ""
    """The data: address of a picture or sound."""
    text: str = ""
    note: str = ""
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    classes: Sequence[str] = ()
    """The CSS class of each column: num (aligned right), long (wraps), or none (one line)."""
    alt: str = ""
    grid_rows: Sequence[tuple[str, Sequence[Cell]]] = ()
    """Rows of a sample grid: the title of each row, and its cells."""

    @property
    def label(self) -> str:
        """The name of the file in words."""
        return Path(self.name).stem.replace("_", " ")


@dataclass
class PageContext:
    """The folders of the page and its run, and the bytes that may still be embedded."""

    run_dir: Path
    page_dir: Path
    bytes_left: int = field(default=MAX_PAGE_BYTES)
    made: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Files of the run by the name of their record."""
    shown: set[str] = field(default_factory=set)
    """Pictures and sounds in a sample grid, which later sections do not repeat."""

    def link(self, path: Path) -> str:
        """Return a relative address without a scheme."""
        return "./" + quote(os.path.relpath(path, self.page_dir).replace(os.sep, "/"))


def build_section(section: Mapping[str, Any], page: PageContext) -> dict[str, Any]:
    """Return title, caption and blocks of a section of the manifest; all but the first blocks are folded."""
    title = str(section.get("title", ""))
    names = [str(name) for name in section.get("files", ())]
    blocks = [_block(name, title, page) for name in names if name not in page.shown]
    media = sum(block.kind in ("picture", "sound") for block in blocks) == len(blocks)
    # A score and its sound share a name and stay together.
    labels = list(dict.fromkeys(block.label for block in blocks))
    if media:
        blocks.sort(key=lambda block: labels.index(block.label))
    shown = {*labels[: MAX_UNFOLDED if media else len(labels)]}
    first = sum(block.label in shown for block in blocks)
    return {
        "title": title,
        "caption": str(section.get("caption", "")),
        "blocks": blocks[:first],
        "folded": blocks[first:],
        "alone": len(blocks) == 1,
    }


def _block(name: str, title: str, page: PageContext) -> Block:
    path = page.run_dir / name
    # Of a sweep, the reports of its jobs differ only in their folders.
    shown = name if Path(name).name == "report.html" else Path(name).name or name
    if not path.resolve().is_relative_to(page.run_dir.resolve()):
        return Block("missing", name, note="lies outside the run folder and is not shown")
    if not path.is_file():
        return Block("missing", name, note="is missing: it was moved or deleted after the run")
    try:
        return _by_suffix(path, shown, title, page)
    except OSError as error:
        return Block("missing", name, note=f"cannot be read ({error.strerror})")


def _by_suffix(path: Path, name: str, title: str, page: PageContext) -> Block:
    suffix, link, size = path.suffix.lower(), page.link(path), path.stat().st_size
    largest = {".tsv": MAX_TABLE_BYTES, ".json": MAX_FILE_BYTES}.get(suffix, size)
    if size > largest:
        return Block("link", name, link, note=f"{_size(size)}, too large to be shown here")
    if suffix == ".tsv":
        return _table(path, name, link)
    if suffix in TEXTS:
        return _text(path, name, link)
    if suffix == ".json":
        return _grid(path, name, link, page)
    mime = PICTURES.get(suffix) or SOUNDS.get(suffix)
    if mime is None:
        return Block("link", name, link, note=_size(size))
    if size > min(MAX_FILE_BYTES, page.bytes_left):
        return Block("link", name, link, note=f"{_size(size)}, too large to be embedded here")
    page.bytes_left -= size
    source = f"data:{mime};base64,{base64.b64encode(path.read_bytes()).decode()}"
    kind = "picture" if suffix in PICTURES else "sound"
    return Block(kind, name, link, source, alt=f"{title}: {path.stem.replace('_', ' ')}")


def _grid(path: Path, name: str, link: str, page: PageContext) -> Block:
    try:
        found = build_rows(path, lambda record: _record_blocks(record, page))
    except ValueError as error:
        return Block("link", name, link, note=str(error))
    return Block("grid", name, link, grid_rows=found)


def _record_blocks(record: str, page: PageContext) -> list[Block]:
    """Return a picture, a sound, and links to all other files of a record."""
    names = page.made.get(record, ())
    chosen = [
        next((name for suffix in suffixes for name in names if name.endswith(suffix)), None)
        for suffixes in (PICTURES, LIGHT_SOUNDS)
    ]
    page.shown.update(name for name in chosen if name)
    blocks = [_block(name, "Sample grid", page) for name in chosen if name]
    for name in names:
        if name not in chosen:
            path = Path(name)
            kind, folder = path.suffix[1:], path.parent.name
            note = folder if folder.startswith(kind) else f"{folder} {kind}"
            blocks.append(Block("link", path.name, page.link(page.run_dir / path), note=note))
    return blocks


def _table(path: Path, name: str, link: str) -> Block:
    with path.open(encoding="utf-8", errors="replace", newline="") as stream:
        header, rows, more = _cells(iter(lambda: stream.readline(MAX_LINE_CHARACTERS), ""))
    width = max((len(row) for row in [header, *rows]), default=0)
    header = [*header, *[""] * (width - len(header))]
    rows = [[*row, *[""] * (width - len(row))] for row in rows]
    classes = [_column_class([row[column] for row in rows]) for column in range(width)]
    note = f"The first {len(rows)} of {len(rows) + more:,} rows; all are in the file" if more else ""
    return Block("table", name, link, note=note, header=header, rows=rows, classes=classes)


def _column_class(cells: Sequence[str]) -> str:
    if all(NUMBER.fullmatch(cell.strip()) for cell in cells):
        return "num"
    return "long" if max(map(len, cells)) > MAX_LINE else ""


def _cells(stream: Iterable[str]) -> tuple[list[str], list[list[str]], int]:
    """Return the header, the rows to show, and the number of further rows."""
    lines = csv.reader(stream, delimiter="\t")
    header, rows, more = [], [], 0
    while True:
        try:
            row = next(lines)[:MAX_COLUMNS]
        except StopIteration:
            return header, rows, more
        except csv.Error as error:
            row = [f"(unreadable: {error})"]
        if not header:
            header = row
        elif len(rows) < MAX_ROWS:
            rows.append(row)
        else:
            more += 1


def _text(path: Path, name: str, link: str) -> Block:
    with path.open(encoding="utf-8", errors="replace") as stream:
        text = stream.read(MAX_CHARACTERS + 1)
    if len(text) <= MAX_CHARACTERS:
        return Block("text", name, link, text=text)
    note = f"The first {MAX_CHARACTERS:,} characters; all {_size(path.stat().st_size)} are in the file"
    return Block("text", name, link, text=text[:MAX_CHARACTERS].rstrip() + " …", note=note)


def _size(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"
