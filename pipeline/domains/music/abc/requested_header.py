"""The attributes that settings request of sampled tunes: meter, key, rhythm and pitch range."""

import re
from collections import Counter
from dataclasses import dataclass, replace

from pipeline.domain import AttributeCounts
from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.abc_notation import ALTERATIONS, parse_note
from pipeline.errors import ConfigError

_MIN_RANGE_SEMITONES = 12
MIN_USUAL_SHARE = 0.05
"""A meter is usual for a dance that has it in this share of its tunes; the others are often mislabelled."""


_ATTRIBUTES = {"R": "dance", "M": "meter", "K": "key"}
_HEADER_LINE = re.compile(r"^([RMK]):([^\n]*)\n", re.MULTILINE)


def parse_attributes(header: str) -> dict[str, str]:
    r"""The attributes that header lines give, by the names of their settings.

    >>> parse_attributes("M:6/8\nL:1/8\nK:D\n")
    {'meter': '6/8', 'key': 'D'}
    """
    return {_ATTRIBUTES[name]: value for name, value in _HEADER_LINE.findall(header)}


@dataclass(frozen=True)
class RequestedAttributes:
    """The requested header fields and pitch range of all sampled tunes."""

    header: tuple[tuple[str, str], ...] = ()
    """Values of header fields, by letter (R, M, K)."""
    lowest: int | None = None
    """The lowest pitch, as a MIDI note number."""
    highest: int | None = None
    related: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Values that go with the requested ones, by field; "" for a field left out."""

    @property
    def attributes(self) -> dict[str, str]:
        """The requested values by the names of their settings."""
        return {_ATTRIBUTES[name]: value for name, value in self.header}

    @property
    def header_values(self) -> dict[str, frozenset[str]]:
        """The values that each restricted field may have."""
        requested = {name: frozenset([value]) for name, value in self.header}
        return requested | {name: frozenset(values) for name, values in self.related}


def parse_requested_attributes(
    meter: str | None, key: str | None, dance: str | None, lowest: str | None, highest: str | None
) -> RequestedAttributes:
    """The requested attributes from the settings.

    >>> parse_requested_attributes("C|", "D major", None, "G,", "b")
    RequestedAttributes(header=(('M', '2/2'), ('K', 'D')), lowest=55, highest=83, related=())

    Raises ConfigError, naming the allowed values, for a value that is not known.
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
    low, high = _parse_pitch("lowest", lowest), _parse_pitch("highest", highest)
    if (high if high is not None else 127) - (low or 0) < _MIN_RANGE_SEMITONES:
        raise ConfigError(
            f"domain.lowest={lowest} and domain.highest={highest} leave less than an octave; widen the range"
        )
    return RequestedAttributes(tuple(header), low, high)


def add_related_values(request: RequestedAttributes, training: AttributeCounts) -> RequestedAttributes:
    """The request with the usual meters of its dance, or the usual dances of its meter, in the training data.

    A tune without a known dance is allowed where at least half of the training tunes in the meter have none.
    Raises ConfigError where no training tune has both dance and meter.
    """
    requested = dict(request.header)
    pairs: Counter[tuple[str, str]] = Counter()
    for attributes, number in training.items():
        found = dict(attributes)
        pairs[found.get("dance", ""), found.get("meter", "")] += number
    dance, meter = requested.get("R"), requested.get("M")
    meters, dances = _count_partners(pairs, 0, dance), _count_partners(pairs, 1, meter)
    if dance and meter and meters and dances and meter not in meters:
        raise ConfigError(
            f"domain.dance={dance!r}, domain.meter={meter}: no training tune is both; meters of this dance: "
            f"{_list_counts(meters)}; dances in this meter: {_list_counts(dances)}; leave one of the two out"
        )
    if dance and meters and not meter:
        usual = [name for name, number in meters.items() if number >= MIN_USUAL_SHARE * meters.total()]
        return replace(request, related=(("M", tuple(sorted(usual))),))
    if meter and dances and not dance:
        return replace(request, related=(("R", _usual_dances(pairs, dances)),))
    return request


def _usual_dances(pairs: Counter[tuple[str, str]], dances: Counter[str]) -> tuple[str, ...]:
    """Of the dances in a meter those for which it is usual, and "" where most tunes have none."""
    usual = [
        name
        for name, number in dances.items()
        if name and number >= MIN_USUAL_SHARE * _count_partners(pairs, 0, name).total()
    ]
    unnamed = 2 * dances[""] >= dances.total() or not usual
    return (*sorted(usual), *([""] if unnamed else []))


def _count_partners(pairs: Counter[tuple[str, str]], place: int, value: str | None) -> Counter[str]:
    """Of the pairs with a value at a place, how often each has which other value."""
    found: Counter[str] = Counter()
    for pair, number in pairs.items():
        if pair[place] == value:
            found[pair[1 - place]] += number
    return found


def _list_counts(counts: Counter[str]) -> str:
    return ", ".join(f"{name or 'no known dance'} ({number})" for name, number in counts.most_common())


def _parse_pitch(setting: str, note: str | None) -> int | None:
    if note is None:
        return None
    if not re.fullmatch(r"(\^\^?|__?|=)?([A-G],*|[a-g]'*)", note):
        raise ConfigError(
            f"domain.{setting}={note!r} is not a note in ABC: C is middle C, c an octave higher, C, an "
            "octave lower, ^F is F sharp"
        )
    written = parse_note(note)
    return written.natural_pitch + ALTERATIONS.get(written.accidental, 0)
