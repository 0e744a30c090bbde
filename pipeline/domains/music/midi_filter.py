"""Removes events of MIDI files that symusic misreads: system exclusive messages and impossible meters.

A system exclusive message may have several packets (F0, then F7). symusic takes the second for other events,
and shifts all onsets after it. It also reads a time signature of 1/2**33 as 1/2. Neither event sounds.

Source: Standard MIDI Files 1.0 (MMA RP-001): chunks, MTrk events, FF 58 (time signature).
"""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

MAX_BEAT_POWER = 6
"""The shortest beat of a meter, as a power of one half: a 64th note."""
_SUSPECT = re.compile(rb"[\xf0\xf7]|\xff\x58\x04.[\x07-\xff]", re.DOTALL)
_DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}


class _Event(NamedTuple):
    """Ticks since the event before, the status byte, and the bytes after it."""

    delta: int
    status: int
    data: bytes

    @property
    def is_left_out(self) -> bool:
        """Whether it is a system exclusive message or an impossible meter."""
        is_meter = self.status == 0xFF and self.data[:2] == b"\x58\x04"
        return self.status in (0xF0, 0xF7) or (is_meter and self.data[3] > MAX_BEAT_POWER)


def drop_unreadable_events(data: bytes) -> bytes:
    """The file without system exclusive messages, and without meters of beats shorter than a 64th note.

    Returns the same object where the file has no such events. Raises ValueError where a track that has some
    is cut short.
    """
    if not _SUSPECT.search(data):
        return data
    out, offset = [], 0
    while offset < len(data):
        kind, size = data[offset : offset + 4], int.from_bytes(data[offset + 4 : offset + 8], "big")
        chunk = data[offset + 8 : offset + 8 + size]
        offset += 8 + size
        plain = _without_left_out(chunk) if kind == b"MTrk" else chunk
        out.append(kind + struct.pack(">I", size if plain is chunk else len(plain)) + plain)
    return b"".join(out)


def _without_left_out(track: bytes) -> bytes:
    """The track without these events; the other events keep their times."""
    kept, delta, is_changed = [], 0, False
    try:
        for event in _events(track):
            delta += event.delta
            if event.is_left_out:
                is_changed = True
            else:
                kept.append(_encode_number(delta) + bytes([event.status]) + event.data)
                delta = 0
    except IndexError:
        if is_changed:
            raise ValueError("an event is cut short") from None
    return b"".join(kept) if is_changed else track


def _events(track: bytes) -> Iterator[_Event]:
    """Yield all events, each with its status. Raises IndexError where one is cut short or unknown."""
    offset = running = 0
    while offset < len(track):
        delta, offset = _decode_number(track, offset)
        status = track[offset]
        if status >= 0x80:
            offset += 1
        else:
            status = running
        start = offset
        if status == 0xFF:
            size, offset = _decode_number(track, offset + 1)
        elif status in (0xF0, 0xF7):
            size, offset = _decode_number(track, offset)
        elif status >> 4 in _DATA_BYTES:
            running, size = status, _DATA_BYTES[status >> 4]
        else:
            raise IndexError(status)
        offset += size
        if offset > len(track):
            raise IndexError(offset)
        yield _Event(delta, status, track[start:offset])


def _decode_number(data: bytes, offset: int) -> tuple[int, int]:
    """A number of variable length, seven bits a byte, and the offset after it."""
    value = 0
    while True:
        value = value << 7 | data[offset] & 0x7F
        offset += 1
        if data[offset - 1] < 0x80:
            return value, offset


def _encode_number(value: int) -> bytes:
    """The inverse of `_decode_number`."""
    found = [value & 0x7F]
    while value := value >> 7:
        found.append(value & 0x7F | 0x80)
    return bytes(reversed(found))
