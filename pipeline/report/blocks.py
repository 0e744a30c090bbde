"""Files as blocks of a web page: a table, a picture, a player, text, a sample grid, or a link, by suffix.

A block is plain data; `pipeline/report/page.html.jinja` turns it into HTML and escapes all of it. Nothing
outside the run folder is ever shown, whatever a manifest says.
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

from pipeline.report.grid_view import Cell, bands

PICTURES = {".svg": "image/svg+xml", ".png": "image/png"}
SOUNDS = {".wav": "audio/wav", ".mp3": "audio/mpeg", ".ogg": "audio/ogg"}
LIGHT_SOUNDS = (".mp3", ".ogg")
"""What a sample grid plays; others would fill the page."""
TEXTS = {".txt", ".fasta", ".abc"}

MAX_ROWS = 200
MAX_COLUMNS = 100
MAX_LINE_CHARACTERS = 1 << 17
"""A longer line of a table is read as several."""
MAX_TABLE_BYTES = 1 << 28
"""A larger table is a link."""
MAX_CHARACTERS = 12_000
MAX_LINE = 34
"""Characters of a table's cell that are kept on one line."""
MAX_FILE_BYTES = 8 << 20
"""A larger picture or sound is a link."""
MAX_PAGE_BYTES = 24 << 20
"""Pictures and sounds of a page together; what comes later is a link."""
SHOWN_AT_ONCE = 8
"""Pictures or players of one section, a picture with its sound as one; the others are folded away."""
NUMBER = re.compile(r"[-+−]?(\d[\d,]*\.?\d*|\.\d+)([eE][-+]?\d+)?\s*%?|nan|inf|-|–|")


@dataclass(frozen=True)
class Block:
    """One file as it is shown. `kind`: table, picture, sound, text, sheet, link or missing."""

    kind: str
    name: str
    link: str = ""
    source: str = ""
    """data: address of a picture or sound."""
    text: str = ""
    note: str = ""
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    classes: Sequence[str] = ()
    """Of each column: num (aligned right), long (wraps), or neither (one line)."""
    alt: str = ""
    bands: Sequence[tuple[str, Sequence[Cell]]] = ()
    """Of a sample grid: the head of each row, and its cells."""

    @property
    def label(self) -> str:
        """The name as words."""
        return Path(self.name).stem.replace("_", " ")


@dataclass
class Page:
    """Where the page and its run lie, and how many bytes may still be embedded."""

    run_dir: Path
    page_dir: Path
    bytes_left: int = field(default=MAX_PAGE_BYTES)
    made: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Files of the run by the name of the record that they were made of."""
    shown: set[str] = field(default_factory=set)
    """Pictures and sounds that a sample grid shows, and that nothing after it shows again."""

    def link(self, path: Path) -> str:
        """A relative address, with no scheme whatever the name."""
        return "./" + quote(os.path.relpath(path, self.page_dir).replace(os.sep, "/"))


def show(section: Mapping[str, Any], page: Page) -> dict[str, Any]:
    """Title, caption and blocks of one section of a manifest, the first few apart from the others."""
    title = str(section.get("title", ""))
    names = [str(name) for name in section.get("files", ())]
    blocks = [_block(name, title, page) for name in names if name not in page.shown]
    media = sum(block.kind in ("picture", "sound") for block in blocks) == len(blocks)
    # A score and its sound share a name and stand together, also where some are folded away.
    labels = list(dict.fromkeys(block.label for block in blocks))
    if media:
        blocks.sort(key=lambda block: labels.index(block.label))
    shown = {*labels[: SHOWN_AT_ONCE if media else len(labels)]}
    first = sum(block.label in shown for block in blocks)
    return {
        "title": title,
        "caption": str(section.get("caption", "")),
        "blocks": blocks[:first],
        "folded": blocks[first:],
        "alone": len(blocks) == 1,
    }


def _block(name: str, title: str, page: Page) -> Block:
    path = page.run_dir / name
    shown = Path(name).name or name
    if not path.resolve().is_relative_to(page.run_dir.resolve()):
        return Block("missing", name, note="lies outside the run folder and is not shown")
    if not path.is_file():
        return Block("missing", name, note="is missing: it was moved or deleted after the run")
    try:
        return _by_suffix(path, shown, title, page)
    except OSError as error:
        return Block("missing", name, note=f"cannot be read ({error.strerror})")


def _by_suffix(path: Path, name: str, title: str, page: Page) -> Block:
    suffix, link, size = path.suffix.lower(), page.link(path), path.stat().st_size
    largest = {".tsv": MAX_TABLE_BYTES, ".json": MAX_FILE_BYTES}.get(suffix, size)
    if size > largest:
        return Block("link", name, link, note=f"{_size(size)}, too large to be shown here")
    if suffix == ".tsv":
        return _table(path, name, link)
    if suffix in TEXTS:
        return _text(path, name, link)
    if suffix == ".json":
        return _sheet(path, name, link, page)
    mime = PICTURES.get(suffix) or SOUNDS.get(suffix)
    if mime is None:
        return Block("link", name, link, note=_size(size))
    if size > min(MAX_FILE_BYTES, page.bytes_left):
        return Block("link", name, link, note=f"{_size(size)}, too large to be embedded here")
    page.bytes_left -= size
    source = f"data:{mime};base64,{base64.b64encode(path.read_bytes()).decode()}"
    kind = "picture" if suffix in PICTURES else "sound"
    return Block(kind, name, link, source, alt=f"{title}: {path.stem.replace('_', ' ')}")


def _sheet(path: Path, name: str, link: str, page: Page) -> Block:
    try:
        found = bands(path, lambda record: _made_of(record, page))
    except ValueError as error:
        return Block("link", name, link, note=str(error))
    return Block("sheet", name, link, bands=found)


def _made_of(record: str, page: Page) -> list[Block]:
    """A picture, a sound, and links to all else that was made of a record."""
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
    """Header, the rows to be shown, and how many there are beyond them."""
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
