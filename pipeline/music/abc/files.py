"""Files of ABC tunes: where each begins, what it inherits, and its fields apart from its body.

Source: ABC 2.1 §2.2 (file structure), §3 (fields), §6.1.1 (continuations), §2.2.4 (other text).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import DataError
from pipeline.music.abc.folk_rnn import UNIT, is_spaced, joined

FIELD = re.compile(r"([A-Za-z+]):(.*)")
_SKIPPED_TEXT = re.compile(r"%%begin(text|ps|svg)\b")
_ACCIDENTALS = re.compile(r"(?:^%%|\bI:)\s*propagate-accidentals\s+(\w+)")
_FOLK_RNN_LINE = re.compile(r"\s*(?:<s>\s*)?(M:\S+)\s+(?:(L:\S+)\s+)?(K:\S+)\s+(.*?)\s*(?:</s>\s*)?$")
"""A whole tune on one line, as folk-rnn samples it."""
_LINES_AT_MOST = 200_000
"""Lines of one tune; a longer stretch without an empty line is no tune."""


@dataclass(frozen=True, slots=True)
class RawTune:
    """One tune as it stands in a file: the header's fields, and the lines after `K:` without comments.

    `accidentals` is how far one reaches in its bar: pitch (all octaves), octave, or not (§11.3).
    """

    line: int
    number: str
    header: dict[str, str]
    body: str
    encoding: str = "utf-8"
    has_key: bool = True
    voices: tuple[str, ...] = ()
    accidentals: str = "pitch"


@dataclass(slots=True)
class _Block:
    line: int
    lines: list[str] = field(default_factory=list)
    encoding: str = "utf-8"


def read_tunes(path: Path) -> Iterator[RawTune]:
    """Stream the tunes of a file, plain or compressed, UTF-8 or else Latin-1.

    Raises DataError where the file cannot be read, is empty or binary, or holds no tune.
    """
    inherited: dict[str, str] = {}
    accidentals = "pitch"
    found = 0
    for block in _blocks(path):
        names = {line[:2] for line in block.lines}
        if "X:" in names or "K:" in names:
            found += 1
            yield _raw_tune(block, inherited, accidentals)
        elif not found:
            accidentals = _accidentals(block.lines, accidentals)
            inherited.update(_header_fields(block.lines))
    if not found:
        raise DataError(
            f"{path}: no tune found; in ABC a tune starts with a line X:1 and its music follows a line such "
            "as K:D; name another file or folder"
        )


def _blocks(path: Path) -> Iterator[_Block]:
    """Runs of lines between empty lines, and from one X: line to the next."""
    block = _Block(1)
    skipping = False
    for number, (line, encoding) in enumerate(_decoded_lines(path), 1):
        if (whole := _FOLK_RNN_LINE.match(line)) is not None:
            if block.lines and _has_tune(block):
                yield block
                block = _Block(number)
            meter, unit, key, notes = whole.groups()
            yield _Block(number, [*block.lines, meter, unit or f"L:{UNIT}", key, notes], encoding)
            block = _Block(number + 1)
            continue
        if skipping or _SKIPPED_TEXT.match(line):
            skipping = not re.match(r"%%end(text|ps|svg)\b", line)
            continue
        starts_tune = line.startswith("X:")
        if block.lines and (not line.strip() or (starts_tune and _has_tune(block))):
            yield block
            block = _Block(number)
        if not line.strip():
            continue
        if not block.lines:
            block.line = number
        block.lines.append(line)
        if encoding != "utf-8":
            block.encoding = encoding
        if len(block.lines) > _LINES_AT_MOST:
            raise DataError(f"{path}:{block.line}: more than {_LINES_AT_MOST:,} lines without an empty one")
    if block.lines:
        yield block


def _has_tune(block: _Block) -> bool:
    return any(line.startswith(("X:", "K:")) for line in block.lines)


def _decoded_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Lines without their ends, each with the encoding that it turned out to be in."""
    from xopen import xopen

    any_text = False
    try:
        with xopen(path, "rb") as stream:
            for number, raw in enumerate(stream, 1):
                if b"\0" in raw:
                    raise DataError(
                        f"{path}:{number}: a byte 0, so this is no text; ABC is plain text, UTF-8 or Latin-1"
                    )
                any_text = any_text or bool(raw.strip())
                # Old Macintosh files end lines with a carriage return alone.
                for line in raw.rstrip(b"\r\n").split(b"\r"):
                    yield _decode(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}; is the file whole?") from error
    if not any_text:
        raise DataError(f"{path}: the file is empty; an ABC file holds tunes that start with X:1")


def _decode(line: bytes) -> tuple[str, str]:
    try:
        return line.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return line.decode("latin-1"), "latin-1"


def strip_comment(line: str) -> str:
    """A line without its comment and the white space before it; an escaped \\% is no comment."""
    at = re.search(r"(?<!\\)%", line)
    return (line[: at.start()] if at else line).rstrip()


def _header_fields(lines: Iterable[str]) -> dict[str, str]:
    """Fields by letter; what stands twice is joined, but of the three of the music the last counts."""
    values: dict[str, str] = {}
    for line in lines:
        match = FIELD.match(strip_comment(line))
        if match is None:
            continue
        name, value = match[1], match[2].strip()
        if name in values and name not in "MLKX" and value:
            value = f"{values[name]}; {value}"
        if value or name not in values:
            values[name] = value
    return values


def _accidentals(lines: Iterable[str], inherited: str) -> str:
    """What the last directive says, or what is inherited."""
    return next((match[1] for line in reversed([*lines]) if (match := _ACCIDENTALS.search(line))), inherited)


def _raw_tune(block: _Block, inherited: dict[str, str], accidentals: str) -> RawTune:
    key_at = next((i for i, line in enumerate(block.lines) if line.startswith("K:")), None)
    has_key = key_at is not None
    end = len(block.lines) if key_at is None else key_at + 1
    own = _header_fields(block.lines[:end])
    header = {**inherited, **own}
    voices = tuple(line[2:].split()[0] for line in block.lines[:end] if re.match(r"V:\s*\S", line))
    body, accidentals = _body(block.lines[end:]), _accidentals(block.lines, accidentals)
    if is_spaced(body):
        body = joined(body)
        header["L"] = own.get("L", UNIT)
    return RawTune(block.line, own.get("X", ""), header, body, block.encoding, has_key, voices, accidentals)


def _body(lines: Iterable[str]) -> str:
    """Music and body fields, one a line; comments gone, continued lines joined."""
    kept: list[str] = []
    joins = False
    for line in lines:
        if line.lstrip().startswith("%"):
            continue
        text = strip_comment(line)
        continued = text.endswith("\\")
        text = text.removesuffix("\\")
        if joins and kept and not FIELD.match(text):
            kept[-1] += text
        else:
            kept.append(text)
        joins = continued
    return "\n".join(kept)
