"""Parts of a tune given by the user: the prime, header fields and first notes, or the end after a gap."""

import re

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.normal_form import normalise_body
from pipeline.domains.music.abc.normal_form_options import NormalFormError, NormalFormOptions
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
"""A word after a key with a letter that is no note, rest or bowing."""
_ALLOWED = (
    "a prime is 'M:6/8 K:Dmaj' or 'R:reel M:4/4 L:1/8 K:Em', and any first notes; meters are "
    "such as C, C|, 6/8; L: is 1/4, 1/8 or 1/16; keys are A to G with # or b and maj, min, mix, dor, phr, "
    f"lyd or loc; rhythms are {', '.join(fields.RHYTHMS)}"
)


def parse_prime(text: str, options: NormalFormOptions) -> str:
    """The start of a learned tune from a text such as ``M:6/8 K:Dmaj``; "" for an empty text.

    Raises ConfigError, naming the allowed fields and values, for any other text.
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
    return _start(found, rest, options) if found else ""


def _start(found: dict[str, str], body: str, options: NormalFormOptions) -> str:
    rhythm = fields.normalise_rhythm(found.get("R", ""))
    if "R" in found and not rhythm:
        raise ConfigError(f"sample.prime: R:{found['R']} is not known; {_ALLOWED}")
    start = f"R:{rhythm}\n" if rhythm else ""
    if found.keys() == {"R"}:
        return start
    if "M" not in found:
        raise ConfigError(f"sample.prime: M: is missing before L: or K:; {_ALLOWED}")
    try:
        meter = fields.normalise_meter(found["M"])
        if not found.keys() & {"L", "K"}:
            return f"{start}M:{meter}\n"
        unit = fields.normalise_unit(found.get("L", ""), meter)
        if "K" not in found:
            return f"{start}M:{meter}\nL:{unit}\n"
        header = Tune(meter, unit, fields.normalise_key(found["K"]), "", rhythm=rhythm).header
        return header + normalise_body(body, meter, unit, options, whole=False)
    except ValueError as error:
        raise ConfigError(f"sample.prime: {error}; {_ALLOWED}") from error


def parse_rest(text: str, options: NormalFormOptions) -> str:
    """The music after a gap in the learned form; it may begin with the bar line that closes the gap.

    Raises ConfigError for a text that is not music in one voice.
    """
    try:
        # The rest before the text keeps a first bar line.
        return normalise_body(f"z{text.strip()}", "4/4", "1/8", options, whole=False)[1:]
    except NormalFormError as error:
        raise ConfigError(f"sample.fill.right: {error}; write music such as 'gfe d2B|A6:|'") from None
