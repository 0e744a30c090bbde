"""Damages of files, by a seed: what a careless copy does, and what a hostile hand would do."""

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path

ODD = (
    None, True, -1, 0, 2**31, 2**63, 10**400, 1e308, float("nan"), float("inf"), "", "x", "\0",
    "../../etc/passwd", "/dev/zero", "${oc.env:HOME}", [], [None], {}, {"": {}}, [[[[]]]], "\x1b[31m",
    "\ud800", "1e999",
)  # fmt: skip


def truncate(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def flip(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 3, 20))):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def splice(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    odd = rng.choice(
        (b"\0", b"\xff" * 8, b"\n\n", b"\t", b"9" * 5000, b"[" * 5000, data[:100], rng.randbytes(64))
    )
    return data[:at] + odd + data[at + rng.choice((0, len(odd))) :]


def number(rng: random.Random, data: bytes) -> bytes:
    """A whole number somewhere, as of an array or a header."""
    at = rng.randrange(max(1, len(data) // 8)) * 8
    odd = rng.choice((-1, 0, 1, 2**15, 2**31, 2**62, -(2**63)))
    return data[:at] + struct.pack("<q", odd) + data[at + 8 :]


def nothing(rng: random.Random, data: bytes) -> bytes:
    return b""


def json_value(rng: random.Random, data: bytes) -> bytes:
    """Another value at some place of a JSON text, or of one of its lines; something absent, or too deep."""
    try:
        lines = data.decode().splitlines() if data.count(b"}\n") > 1 else [data.decode()]
        at = rng.randrange(len(lines))
        root = [json.loads(lines[at])]
    except ValueError:
        return flip(rng, data)
    node, key = root, 0
    while isinstance(node[key], dict | list) and node[key] and rng.random() < 0.8:
        node = node[key]
        key = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
    if isinstance(node, dict) and rng.random() < 0.2:
        del node[key]
    else:
        node[key] = rng.choice(ODD)
    text = json.dumps(root[0]) if rng.random() < 0.95 else '{"a":' * 3000 + "1" + "}" * 3000
    return "\n".join([*lines[:at], text, *lines[at + 1 :], ""]).encode("utf-8", "surrogatepass")


ANY: tuple[Callable[[random.Random, bytes], bytes], ...] = (truncate, flip, splice, number, nothing)


def damage(path: Path, seed: int) -> str:
    """Damage a file; the name of what was done."""
    rng = random.Random(seed)
    structured = path.suffix in (".json", ".jsonl")
    kind = json_value if structured and rng.random() < 0.7 else rng.choice(ANY)
    path.write_bytes(kind(rng, path.read_bytes()))
    return kind.__name__
