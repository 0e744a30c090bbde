"""What a tune is asked to begin with: fields on one line or several, and the first notes."""

import re

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.normal_form import Keep, normalise_body
from pipeline.domains.music.abc.tune import Tune
from pipeline.errors import ConfigError

_FIELD = re.compile(r"\s*([A-Za-z]):[ \t]*")
_VALUES = {
    "R": re.compile(r"[a-z][a-z -]*[a-z](?=\s|$)", re.IGNORECASE),
    "M": re.compile(r"C\||C(?![A-Za-z])|none|\d+/\d+"),
    "L": re.compile(r"1/\d+"),
    "K": fields.KEY,
}
_NO_MUSIC = re.compile(r"[A-Za-z]*[h-tw][A-Za-z]*")
"""A word after a key with a letter that is no note, rest or bow mark."""
_ALLOWED = (
    "a prime is 'M:6/8 K:Dmaj' or 'R:reel M:4/4 L:1/8 K:Em' and then, if wanted, the first notes: meters "
    "such as C, C|, 6/8; L: 1/4, 1/8, 1/16; keys A to G with # or b and maj, min, mix, dor, phr, lyd or loc; "
    f"rhythms {', '.join(fields.RHYTHMS)}"
)


def parse_prime(text: str, keep: Keep) -> str:
    """The start of a learned tune from a text such as ``M:6/8 K:Dmaj``; "" from an empty one.

    Raises ConfigError, naming what is allowed, for everything else.
    """
    found: dict[str, str] = {}
    rest = text.strip()
    while rest and "K" not in found:
        match = _FIELD.match(rest)
        if match is None or match[1] not in _VALUES:
            raise ConfigError(f"sample.prime: {rest[:20]!r} is not R:, M:, L: or K:; {_ALLOWED}")
        name, rest = match[1], rest[match.end() :]
        value = _VALUES[name].match(rest)
        if value is None:
            raise ConfigError(f"sample.prime: {name}:{rest[:20]} is not known; {_ALLOWED}")
        found[name], rest = value[0], rest[value.end() :].lstrip()
        if name == "K" and value[3] is None and (word := _NO_MUSIC.match(rest)):
            raise ConfigError(f"sample.prime: unknown mode {word[0]!r} in K:{value[0]} {word[0]}; {_ALLOWED}")
    return _start(found, rest, keep) if found else ""


def _start(found: dict[str, str], body: str, keep: Keep) -> str:
    rhythm = fields.normalise_rhythm(found.get("R", ""))
    if "R" in found and not rhythm:
        raise ConfigError(f"sample.prime: R:{found['R']} is not known; {_ALLOWED}")
    start = f"R:{rhythm}\n" if rhythm else ""
    if found.keys() == {"R"}:
        return start
    if "M" not in found:
        raise ConfigError(f"sample.prime: M: is missing, which stands before L: and K:; {_ALLOWED}")
    try:
        meter = fields.normalise_meter(found["M"])
        if not found.keys() & {"L", "K"}:
            return f"{start}M:{meter}\n"
        unit = fields.normalise_unit(found.get("L", ""), meter)
        if "K" not in found:
            return f"{start}M:{meter}\nL:{unit}\n"
        header = Tune(meter, unit, fields.normalise_key(found["K"]), "", rhythm=rhythm).header
        return header + normalise_body(body, meter, unit, keep, whole=False)
    except ValueError as error:
        raise ConfigError(f"sample.prime: {error}; {_ALLOWED}") from error
