"""2bit files made by hand, as https://genome.ucsc.edu/FAQ/FAQformat.html#format7 has them."""

import re
import struct


def blocks(sequence: str, pattern: str) -> list[tuple[int, int]]:
    return [(found.start(), len(found[0])) for found in re.finditer(pattern, sequence)]


def packed(sequence: str, order: str) -> bytes:
    """The record of a sequence, in one of the two byte orders, < or >."""
    unknown, masked = blocks(sequence, "[Nn]+"), blocks(sequence, "[a-z]+")
    numbers = [len(sequence)]
    for found in (unknown, masked):
        numbers += [len(found), *(start for start, _ in found), *(size for _, size in found)]
    codes = ["TCAG".index(base) if base in "TCAG" else 0 for base in sequence.upper()]
    codes += [0] * (-len(codes) % 4)
    bases = bytes(a << 6 | b << 4 | c << 2 | d for a, b, c, d in zip(*[iter(codes)] * 4, strict=True))
    return struct.pack(f"{order}{len(numbers) + 1}I", *numbers, 0) + bases


def two_bit(sequences: dict[str, str], order: str = "<", version: int = 0) -> bytes:
    """The file of these sequences."""
    offset_code = "Q" if version else "I"
    index_size = sum(1 + len(name) + struct.calcsize(f"<{offset_code}") for name in sequences)
    head, body = struct.pack(f"{order}4I", 0x1A412743, version, len(sequences), 0), b""
    for name, sequence in sequences.items():
        offset = struct.pack(order + offset_code, 16 + index_size + len(body))
        head += bytes([len(name)]) + name.encode() + offset
        body += packed(sequence, order)
    return head + body
