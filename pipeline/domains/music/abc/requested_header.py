"""What may be asked of the tunes that are drawn: meter, key, rhythm and range."""

import re
from collections import Counter
from dataclasses import dataclass, field, replace

from pipeline.domain import AttributeCounts
from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.abc_notation import ALTERATIONS, parse_note
from pipeline.errors import ConfigError

_MIN_RANGE = 12
USUAL = 0.05
"""The share of a dance's tunes; fewer are named or written otherwise than the dance is."""


@dataclass(frozen=True)
class Wishes:
    """Header fields by name (R, M, K), and the lowest and the highest pitch as MIDI note numbers."""

    header: tuple[tuple[str, str], ...] = field(default=())
    lowest: int | None = None
    highest: int | None = None
    bound: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """The values of fields that go with those asked for, by name; "" for a field that is left out."""

    @property
    def allowed(self) -> dict[str, frozenset[str]]:
        """The values that each field may have, for those that may not have all."""
        asked = {name: frozenset([value]) for name, value in self.header}
        return asked | {name: frozenset(values) for name, values in self.bound}


def requested_header(
    meter: str | None, key: str | None, dance: str | None, lowest: str | None, highest: str | None
) -> Wishes:
    """The wishes of settings.

    >>> requested_header("C|", "D major", None, "G,", "b")
    Wishes(header=(('M', '2/2'), ('K', 'D')), lowest=55, highest=83, bound=())

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
    if (high if high is not None else 127) - (low or 0) < _MIN_RANGE:
        raise ConfigError(
            f"domain.lowest={lowest} and domain.highest={highest} leave less than an octave; widen the range"
        )
    return Wishes(tuple(header), low, high)


def bind(wishes: Wishes, training: AttributeCounts) -> Wishes:
    """With the usual meters of a dance that is asked for, or the dances of a meter, in the training tunes.

    A meter is usual for a dance that has it in at least `USUAL` of its tunes. Tunes of no known dance are
    drawn for a meter where at least half of its training tunes are such. Raises ConfigError where dance and
    meter do not occur together.
    """
    asked = dict(wishes.header)
    pairs: Counter[tuple[str, str]] = Counter()
    for attributes, number in training.items():
        found = dict(attributes)
        pairs[found.get("dance", ""), found.get("meter", "")] += number
    dance, meter = asked.get("R"), asked.get("M")
    meters, dances = _paired(pairs, 0, dance), _paired(pairs, 1, meter)
    if dance and meter and meters and dances and meter not in meters:
        raise ConfigError(
            f"domain.dance={dance!r}, domain.meter={meter}: no training tune is both; meters of this dance: "
            f"{_listed(meters)}; dances in this meter: {_listed(dances)}; leave one of the two out"
        )
    if dance and meters and not meter:
        usual = [name for name, number in meters.items() if number >= USUAL * meters.total()]
        return replace(wishes, bound=(("M", tuple(sorted(usual))),))
    if meter and dances and not dance:
        usual = [n for n, number in dances.items() if n and number >= USUAL * _paired(pairs, 0, n).total()]
        unnamed = 2 * dances[""] >= dances.total() or not usual
        return replace(wishes, bound=(("R", (*sorted(usual), *([""] if unnamed else []))),))
    return wishes


def _paired(pairs: Counter[tuple[str, str]], place: int, value: str | None) -> Counter[str]:
    """Of the pairs that have a value at a place, how often each has which other value."""
    found: Counter[str] = Counter()
    for pair, number in pairs.items():
        if pair[place] == value:
            found[pair[1 - place]] += number
    return found


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name or 'no known dance'} ({number})" for name, number in counts.most_common())


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
