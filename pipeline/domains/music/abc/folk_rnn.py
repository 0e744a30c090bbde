"""Tunes in the format of folk-rnn: tokens and lengths separated by blanks, without a unit note length.

The learned form holds the same music. Ties, grace notes and chord symbols, which folk-rnn's vocabulary
lacks, are written in the same manner.

Source: https://github.com/IraKorshunova/folk-rnn, data_v2
"""

import re
from collections.abc import Iterator

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.music_tokens import is_length, music_tokens, split_bar_and_ending
from pipeline.domains.music.abc.normal_form import normalise_body
from pipeline.domains.music.abc.normal_form_options import NormalFormOptions
from pipeline.domains.music.abc.tune import Tune

UNIT = "1/8"
"""The unit note length of all tunes of folk-rnn."""
_MODES = {"": "maj", "m": "min", "Mix": "mix", "Dor": "dor", "Phr": "phr", "Lyd": "lyd", "Loc": "loc"}
_OPTIONS = NormalFormOptions(slurs=True)
_HALVES = {"/": "/2", "//": "/4"}
_LENGTH = re.compile(r"[0-9/]+[<>]*")
_LONE_LENGTH = re.compile(r"(?<=[A-Ga-gzx,'\]]) [0-9/]+[<>]*(?!\S)")
_HEADER = re.compile(r"\s*(?:<s>\s*)?(?:([MLK]):[ \t]*(\S+)\s+)")


def to_folk_rnn(text: str) -> str:
    r"""A learned tune as folk-rnn's tokens, on one line.

    >>> to_folk_rnn("M:6/8\nL:1/8\nK:D\n|:GED c/d/|1e3:|2e>d|]".replace(" ", ""))
    'M:6/8 K:Dmaj |: G E D c /2 d /2 |1 e 3 :| |2 e > d |]'

    Raises ValueError where the header is not the normal one.
    """
    tune = Tune.from_text(text)
    body = normalise_body(
        f"[L:{tune.unit}]{tune.body}", tune.meter, UNIT, NormalFormOptions(slurs=True), whole=False
    )
    header = (f"M:{tune.meter}", f"K:{_format_key(tune.key)}")
    return " ".join((*header, *_separate(music_tokens(body))))


def _format_key(key: str) -> str:
    tonic = key[:2] if key[1:2] in ("#", "b") else key[0]
    return tonic + _MODES[key[len(tonic) :]]


def _separate(tokens: tuple[str, ...]) -> Iterator[str]:
    for token in tokens:
        bar = split_bar_and_ending(token)
        if bar is not None and bar[1] and bar[0] != "|":
            yield from (bar[0], f"|{bar[1]}")
        elif is_length(token):
            yield _HALVES.get(token, token)
        else:
            yield token


def from_folk_rnn(text: str) -> str:
    r"""The learned text of one tune in folk-rnn's tokens; the inverse of `to_folk_rnn`.

    >>> from_folk_rnn("<s> M:6/8 K:Dmaj |: G E D c /2 d /2 |1 e 3 :| |2 e > d |] </s>")
    'M:6/8\nL:1/8\nK:D\n|:GEDc/d/|1e3:|2e>d|]'

    Raises ValueError where meter or key is missing or unknown, and for several voices.
    """
    header: dict[str, str] = {}
    while "K" not in header and (match := _HEADER.match(text)):
        header[match[1]] = match[2]
        text = text[match.end() :]
    if "K" not in header:
        raise ValueError("no key (K:) before the notes")
    meter = fields.normalise_meter(header.get("M", ""))
    unit = fields.normalise_unit(header.get("L", UNIT), meter)
    notes = join_tokens(text.strip().removesuffix("</s>"))
    body = normalise_body(notes, meter, unit, _OPTIONS, whole=False)
    return Tune(meter, unit, fields.normalise_key(header["K"]), body).text


def is_spaced(body: str) -> bool:
    """Whether blanks separate the tokens of a body from their lengths, so that ABC would lose the lengths.

    >>> is_spaced("G 2 E E | c /2 d /2 c"), is_spaced("G2 E E | c/ d/ c")
    (True, False)
    """
    if not _LONE_LENGTH.search(body):
        return False
    return all(_LENGTH.fullmatch(piece) or len(music_tokens(piece)) == 1 for piece in set(body.split()))


def join_tokens(body: str) -> str:
    """A spaced body as ABC; two lengths in a row stay separate, so that `Tune.check` names them.

    >>> join_tokens("|: G 2 E | c /2> d /2 :| |2 e |]")
    '|:G2E|c/2>d/2:||2e|]'
    """
    pieces = body.split()
    gaps = (
        " " if _LENGTH.match(piece) and _LENGTH.match(before) else ""
        for before, piece in zip(["", *pieces], pieces, strict=False)
    )
    return "".join(gap + piece for gap, piece in zip(gaps, pieces, strict=True))
