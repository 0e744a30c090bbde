"""Standard MIDI Files without what symusic reads wrongly: system exclusive messages, impossible meters.

A system exclusive message may come in packets (F0, then F7). symusic takes the second for other events, and
shifts all onsets after it. It also reads a time signature of 1/2**33 as 1/2. Neither event sounds.

Source: Standard MIDI Files 1.0 (MMA RP-001): chunks, MTrk events, FF 58 (time signature).
"""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

MAX_BEAT_POWER = 6
"""The shortest beat of a meter is a 64th note, 1/2**6."""
_SUSPECT = re.compile(rb"[\xf0\xf7]|\xff\x58\x04.[\x07-\xff]", re.DOTALL)
_DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}


class _Event(NamedTuple):
    """Ticks since the event before, the status byte, and what follows it."""

    delta: int
    status: int
    data: bytes

    @property
    def is_left_out(self) -> bool:
        """Whether it is a system exclusive message or an impossible meter."""
        is_meter = self.status == 0xFF and self.data[:2] == b"\x58\x04"
        return self.status in (0xF0, 0xF7) or (is_meter and self.data[3] > MAX_BEAT_POWER)


def plain_events(data: bytes) -> bytes:
    """The same file without system exclusive messages and time signatures of beats shorter than a 64th note.

    Most files come back as they are. Raises ValueError where a track that has such events is cut short.
    """
    if not _SUSPECT.search(data):
        return data
    out, place = [], 0
    while place < len(data):
        kind, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "big")
        chunk = data[place + 8 : place + 8 + size]
        place += 8 + size
        plain = _without_left_out(chunk) if kind == b"MTrk" else chunk
        out.append(kind + struct.pack(">I", size if plain is chunk else len(plain)) + plain)
    return b"".join(out)


def _without_left_out(track: bytes) -> bytes:
    """The events of a track that stay, at the times where they were."""
    kept, waited, is_changed = [], 0, False
    try:
        for event in _events(track):
            waited += event.delta
            if event.is_left_out:
                is_changed = True
            else:
                kept.append(_spell(waited) + bytes([event.status]) + event.data)
                waited = 0
    except IndexError:
        if is_changed:
            raise ValueError("an event is cut short") from None
    return b"".join(kept) if is_changed else track


def _events(track: bytes) -> Iterator[_Event]:
    """All events, each with a status of its own. Raises IndexError where one is cut short or unknown."""
    place = running = 0
    while place < len(track):
        delta, place = _number(track, place)
        status = track[place]
        if status >= 0x80:
            place += 1
        else:
            status = running
        start = place
        if status == 0xFF:
            size, place = _number(track, place + 1)
        elif status in (0xF0, 0xF7):
            size, place = _number(track, place)
        elif status >> 4 in _DATA_BYTES:
            running, size = status, _DATA_BYTES[status >> 4]
        else:
            raise IndexError(status)
        place += size
        if place > len(track):
            raise IndexError(place)
        yield _Event(delta, status, track[start:place])


def _number(data: bytes, place: int) -> tuple[int, int]:
    """A number of variable length, seven bits a byte, and the place after it."""
    value = 0
    while True:
        value = value << 7 | data[place] & 0x7F
        place += 1
        if data[place - 1] < 0x80:
            return value, place


def _spell(value: int) -> bytes:
    """The inverse of `_number`."""
    found = [value & 0x7F]
    while value := value >> 7:
        found.append(value & 0x7F | 0x80)
    return bytes(reversed(found))
