"""Bar lines added where a file has only line ends, as the Essen folk songs do.

ABC 2.1 §4.8 requires a bar line there. A line that ends with a full bar is unambiguous without one.
"""

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.abc_notation import SILENT_KINDS, Token, tokenize
from pipeline.domains.music.abc.normal_form import normalise_body
from pipeline.domains.music.abc.normal_form_options import NormalFormError, NormalFormOptions
from pipeline.domains.music.abc.notes import WHOLE, Ticks
from pipeline.domains.music.abc.tune import Tune

BAR_LINES_ADDED = "bar lines added at line ends"
_PLAIN = NormalFormOptions(ornaments=False, grace_notes=False, chord_symbols=False)


def add_bar_lines(body: str, meter: str, unit: str) -> str:
    """The body of a file with a bar line added at the end of each line where a bar is just full.

    >>> add_bar_lines("CDEF\\nGABc|d4", "4/4", "1/4")
    'CDEF|\\nGABc|d4|'
    """
    length = fields.bar_length(meter)
    if length is None or "\n" not in body:
        return body
    full, since, lines = length * WHOLE, 0, []
    for line in body.split("\n"):
        tokens = tokenize(line)
        duration, has_bar, ends_open = _measure(tokens, meter, unit)
        since = duration if has_bar else since + duration
        if ends_open and since == full:
            line, since = f"{line}|", 0
        lines.append(line)
    return "\n".join(lines)


def _measure(tokens: list[Token], meter: str, unit: str) -> tuple[Ticks, bool, bool]:
    """Ticks of a line after its last bar line, whether it has one, and whether it ends without one."""
    bars = [number for number, token in enumerate(tokens) if token.kind == "bar"]
    music = "".join(token.text for token in tokens[bars[-1] + 1 if bars else 0 :])
    sounding = [token for token in tokens if token.kind not in SILENT_KINDS]
    ends_open = bool(sounding) and sounding[-1].kind not in ("bar", "field", "ending")
    try:
        parsed = Tune(meter, unit, "C", normalise_body(music, meter, unit, _PLAIN, whole=False)).parsed
    except NormalFormError:
        return 0, bool(bars), False
    return sum(note.duration for note in parsed.notes), bool(bars), ends_open
