"""Files of ABC tunes: split into tunes, with the inherited fields, and each tune into header and body.

Source: ABC 2.1 §2.2 (file structure), §3 (fields), §6.1.1 (continuations), §2.2.4 (other text).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.domains.music.abc.folk_rnn import UNIT, is_spaced, join_tokens
from pipeline.errors import DataError
from pipeline.runtime.unpacking import open_unpacked

FIELD = re.compile(r"([A-Za-z+]):(.*)")
_SKIPPED_TEXT = re.compile(r"%%begin(text|ps|svg)\b")
_ACCIDENTALS = re.compile(r"(?:^%%|\bI:)\s*propagate-accidentals\s+(\w+)")
_TRANSPOSE = re.compile(r"(?:^%%|\bI:)\s*MIDI\s+(r?transpose)\s+([+-]?\d{1,2})\b")
_MUSIC = re.compile(r"(?![A-Za-z+]:|%|\s*$)")
_FOLK_RNN_LINE = re.compile(r"\s*(?:<s>\s*)?(M:\S+)\s+(?:(L:\S+)\s+)?(K:\S+)\s+(.*?)\s*(?:</s>\s*)?$")
"""A whole tune on one line, as folk-rnn samples it."""
_INLINE_FIELD = re.compile(r"\s*(?:<s>\s*)?\[([A-Za-z]:[^\]\n]*)\]")
"""A header field in brackets, as in later data of folk-rnn, where all fields of the header are."""
_INLINE_HEADER = re.compile(rf"(?:{_INLINE_FIELD.pattern})*(?<=\])\s*\[K:")
"""A header whose fields all stand inline in one line; it begins a tune without X:."""
_QUOTED_ENDS = ("=", "=20", "=0D")
_CHORD_OPEN = re.compile(r"\[[A-Ga-g^_=,'0-9/ ]*$")
_CHORD_CLOSED = re.compile(r"[A-Ga-g^_=,'0-9/ ]*\]")
_MAIL_LINE_WIDTH = 70
"""Characters from which on a mail program may have broken a line."""
LINES_JOINED = "lines joined that broke inside a sign"
_MAX_LINE_BYTES = 2**20
_MAX_TUNE_LINES = 200_000
"""Lines of one tune; more lines without an empty one are no tune."""


@dataclass(frozen=True, slots=True)
class RawTune:
    """One tune as it stands in a file: the header's fields, and the lines after `K:` without comments."""

    line: int
    """The first line of the tune in its file."""
    number: str
    """The value of X:."""
    header: dict[str, str]
    """Fields by letter, those of the file's header included."""
    body: str
    encoding: str = "utf-8"
    has_key: bool = True
    voices: tuple[str, ...] = ()
    """The names that the header's fields V: give."""
    accidentals: str = "pitch"
    """The reach of an accidental in its bar: pitch (all octaves), octave, or not (§11.3)."""
    voice: str = ""
    """The properties that the header's first field V: gives."""
    transpose: int | None = 0
    """Semitones that directives add to all pitches; None where they change inside the tune."""
    changes: tuple[str, ...] = ()
    """Short phrases that say what was mended."""


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
    accidentals, transpose = "pitch", 0
    found = 0
    for block in _split_blocks(path):
        block.lines = _join_continued_fields(_unpack_inline_header(block.lines))
        if _has_tune(block):
            found += 1
            yield _build_raw_tune(block, inherited, accidentals, transpose)
        elif not found:
            accidentals = _find_accidental_reach(block.lines, accidentals)
            transpose = _find_transposition(block.lines, transpose) or 0
            inherited.update(_parse_fields(block.lines))
    if not found:
        raise DataError(
            f"{path}: no tune found; in ABC a tune starts with a line X:1 and its music follows a line such "
            "as K:D; name another file or folder"
        )


def _split_blocks(path: Path) -> Iterator[_Block]:
    """The lines between empty lines, and from one X: line to the next."""
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
        if _has_inline_header(block.lines[:1]) and _has_inline_header([line]):
            yield block
            block = _Block(number)
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
        if len(block.lines) > _MAX_TUNE_LINES:
            raise DataError(
                f"{path}:{block.line}: more than {_MAX_TUNE_LINES:,} lines without an empty "
                "line; an ABC file has an empty line after each tune"
            )
    if block.lines:
        yield block


def _has_inline_header(lines: list[str]) -> bool:
    """Whether the first line, if there is one, begins with a header of inline fields."""
    return bool(lines) and lines[0][:1] in "[< " and _INLINE_HEADER.match(lines[0]) is not None


def _has_tune(block: _Block) -> bool:
    return any(line.startswith(("X:", "K:")) for line in block.lines)


def _decoded_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Lines without their ends, each with its encoding."""
    any_text = False
    try:
        with open_unpacked(path) as stream:
            for number, raw in enumerate(iter(lambda: stream.readline(_MAX_LINE_BYTES + 1), b""), 1):
                if len(raw) > _MAX_LINE_BYTES:
                    raise DataError(f"{path}:{number}: a line of over {_MAX_LINE_BYTES:,} bytes; is it ABC?")
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
    """A line without its comment and the white space before it; an escaped \\% begins no comment."""
    at = re.search(r"(?<!\\)%", line)
    return (line[: at.start()] if at else line).rstrip()


def _unpack_inline_header(lines: list[str]) -> list[str]:
    """The lines with a header of inline fields rewritten as fields, one a line."""
    first = next((number for number, line in enumerate(lines) if _MUSIC.match(line)), None)
    if first is None or not _INLINE_FIELD.match(lines[first]) or any(map(_is_key, lines)):
        return lines
    found, rest, at = lines[:first], "\n".join(lines[first:]), 0
    while not (found and _is_key(found[-1])) and (field := _INLINE_FIELD.match(rest, at)):
        found.append(field[1])
        at = field.end()
    return [*found, *rest[at:].strip().removesuffix("</s>").rstrip().split("\n")]


def _is_key(line: str) -> bool:
    return line.startswith("K:")


def _join_continued_fields(lines: list[str]) -> list[str]:
    """The lines with each continued field, whose next line starts with +: (§3.3), in one line."""
    if not any(line.startswith("+:") for line in lines):
        return lines
    whole: list[list[str]] = []
    for line in lines:
        if line.startswith("+:") and whole and FIELD.match(whole[-1][0]):
            whole[-1].append(line[2:].strip())
        else:
            whole.append([line])
    return [" ".join(parts) for parts in whole]


def _parse_fields(lines: Iterable[str]) -> dict[str, str]:
    """Fields by letter. A repeated field is joined; of M:, L:, K: and X: the last one counts."""
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


def _find_accidental_reach(lines: Iterable[str], inherited: str) -> str:
    """The reach of accidentals by the last directive, or the inherited one."""
    return next((match[1] for line in reversed([*lines]) if (match := _ACCIDENTALS.search(line))), inherited)


def _find_transposition(lines: list[str], inherited: int) -> int | None:
    """Semitones that directives add to all pitches; None where a directive stands after notes."""
    semitones, in_music = inherited, False
    for line in lines:
        match = _TRANSPOSE.search(line) if "MIDI" in line else None
        if match is not None:
            if in_music:
                return None
            semitones = int(match[2]) + (semitones if match[1] == "rtranspose" else 0)
        in_music = in_music or _MUSIC.match(line) is not None
    return semitones


def _build_raw_tune(block: _Block, inherited: dict[str, str], accidentals: str, transpose: int) -> RawTune:
    key_at = next((i for i, line in enumerate(block.lines) if line.startswith("K:")), None)
    has_key = key_at is not None
    end = len(block.lines) if key_at is None else key_at + 1
    own = _parse_fields(block.lines[:end])
    header = {**inherited, **own}
    voices = [line[2:].split(None, 1) for line in block.lines[:end] if re.match(r"V:\s*\S", line)]
    accidentals = _find_accidental_reach(block.lines, accidentals)
    body, mended = _join_body(block.lines[end:])
    if is_spaced(body):
        body = join_tokens(body)
        header["L"] = own.get("L", UNIT)
    return RawTune(
        block.line, own.get("X", ""), header, body, block.encoding, has_key,
        voices=tuple(name for name, *_ in voices),
        accidentals=accidentals,
        voice=strip_comment(voices[0][-1]) if voices and len(voices[0]) > 1 else "",
        transpose=_find_transposition(block.lines, transpose),
        changes=(LINES_JOINED,) if mended else (),
    )  # fmt: skip


def _join_body(lines: Iterable[str]) -> tuple[str, bool]:
    """Music and body fields, one a line, and whether lines were joined that broke inside a sign.

    Comments are left out, and continued lines joined.
    """
    kept: list[list[str]] = []
    joins = mended = False
    for line in lines:
        if line.lstrip().startswith("%"):
            continue
        text = strip_comment(line)
        is_field = FIELD.match(text) is not None
        if text.endswith(_QUOTED_ENDS) and not is_field:  # quoted-printable, from an e-mail
            mended = True
            text = text[:-1] + "\\" if text.endswith("=") else text[:-3]
        continued = text.endswith("\\")
        text = text.removesuffix("\\")
        if kept and not joins and not FIELD.match(kept[-1][0]) and _breaks_inside_sign(kept[-1][-1], text):
            joins = mended = True
        if joins and kept and not is_field:
            kept[-1].append(text)
        else:
            kept.append([text])
        joins = continued
    return "\n".join(map("".join, kept)), mended


def _breaks_inside_sign(before: str, line: str) -> bool:
    """Whether a line begins inside a sign of the line before, as where a program broke lines at a width."""
    if not line or not before:
        return False
    if line[0] in "/,'":
        return True
    if line[0].isdigit():  # the number of an ending, or a length after a line of full width
        return before[-1] in "|:" or len(before) >= _MAIL_LINE_WIDTH
    return _CHORD_OPEN.search(before) is not None and _CHORD_CLOSED.match(line) is not None
