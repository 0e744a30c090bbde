"""What may be asked of the tunes that are drawn: meter, key, rhythm and range."""

import re
from dataclasses import dataclass, field

from pipeline.errors import ConfigError
from pipeline.music.abc import fields
from pipeline.music.abc.abc_notation import ALTERATIONS, parse_note

_LEAST_RANGE = 12


@dataclass(frozen=True)
class Wishes:
    """Header fields by name (R, M, K), and the lowest and the highest pitch as MIDI note numbers."""

    header: tuple[tuple[str, str], ...] = field(default=())
    lowest: int | None = None
    highest: int | None = None


def wishes_of(
    meter: str | None, key: str | None, dance: str | None, lowest: str | None, highest: str | None
) -> Wishes:
    """The wishes of settings.

    >>> wishes_of("C|", "D major", None, "G,", "b")
    Wishes(header=(('M', '2/2'), ('K', 'D')), lowest=55, highest=83)

    Raises ConfigError, naming what is allowed, for what is not known.
    """
    header = []
    if dance is not None:
        rhythm = fields.normalise_rhythm(dance)
        if not rhythm:
            raise ConfigError(f"domain.dance={dance!r} is not one of {', '.join(fields.RHYTHMS)}")
        header.append(("R", rhythm))
    try:
        header += [("M", fields.normalise_meter(meter))] if meter is not None else []
    except ValueError:
        raise ConfigError(f"domain.meter={meter!r} is not a meter such as 6/8, C, C| or none") from None
    try:
        header += [("K", fields.normalise_key(key))] if key is not None else []
    except ValueError:
        raise ConfigError(
            f"domain.key={key!r} is not a key: A to G with # or b, then maj, min, mix, dor, phr, lyd or loc"
        ) from None
    low, high = _pitch("lowest", lowest), _pitch("highest", highest)
    if (high if high is not None else 127) - (low or 0) < _LEAST_RANGE:
        raise ConfigError(
            f"domain.lowest={lowest} and domain.highest={highest} leave less than an octave; widen the range"
        )
    return Wishes(tuple(header), low, high)


def _pitch(name: str, note: str | None) -> int | None:
    if note is None:
        return None
    if not re.fullmatch(r"(\^\^?|__?|=)?([A-G],*|[a-g]'*)", note):
        raise ConfigError(
            f"domain.{name}={note!r} is not a note in ABC: C is middle C, c an octave higher, C, an octave "
            "lower, ^F is F sharp"
        )
    written = parse_note(note)
    return written.natural_pitch + ALTERATIONS.get(written.accidental, 0)
