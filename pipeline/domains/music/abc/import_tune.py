"""A tune of a file as it is learned: header and body in normal form, at sounding pitch, mended where plain.

What a file lacks is mended in few ways, each of which the metadata `changes` names. Everything else is
refused with a countable reason. `docs/reference/abc-reading.md` lists both.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.files import RawTune
from pipeline.domains.music.abc.key_field import KeyField, parse_key_field, parse_sounding
from pipeline.domains.music.abc.line_ends import ADDED, add_bar_lines
from pipeline.domains.music.abc.normal_form import Keep, NotNormal, normalise_in_key
from pipeline.domains.music.abc.repeats import WRITTEN_OUT, close_repeats, write_out_repeats
from pipeline.domains.music.abc.transpose import NotMovable, at_sounding_pitch
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.abc.tune_text import describe_problem, parse_tune

PIPES = "highland pipes"
"""The metadata `instrument` of tunes in a key of theirs."""
_METADATA = {"T": "title", "C": "composer", "O": "origin", "R": "rhythm", "B": "book", "S": "source",
             "N": "notes", "Z": "transcription", "Q": "tempo"}  # fmt: skip
_ORDER_LEFT_OUT = "order of parts (P:) left out"
_CHANGE_AT_START = re.compile(r"\[([MK]):([^\]]*)\]")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a tune is not learned: a short countable reason, and what was found."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """A tune that is learned, and what is known of it."""

    tune: Tune
    metadata: dict[str, str]

    def with_changes(self, changes: Iterable[str]) -> "Imported":
        """The same, whose metadata also tells of these changes."""
        told = [each for each in (self.metadata.get("changes"), *changes) if each]
        return replace(self, metadata={**self.metadata, "changes": "; ".join(told)}) if told else self


def import_tune(raw: RawTune, keep: Keep, with_rhythm: bool, valid_only: bool) -> Imported | Refusal:
    """The tune, with its rhythm where that is wanted, or why it is refused.

    A tune that is not valid is mended, where that makes it valid; else it is refused, if `valid_only`.
    """
    if not raw.has_key:
        return Refusal("no key (K:)")
    if len(set(raw.voices)) > 1:
        return Refusal("several voices")
    if raw.accidentals != "pitch":  # a sequence cannot say so, and would be read as other notes
        return Refusal("accidentals by another rule", raw.accidentals)
    try:
        return _mended(raw, _normal(raw, keep, with_rhythm), keep, valid_only)
    except NotNormal as error:
        return Refusal(str(error), error.detail)
    except NotMovable as error:
        return Refusal("cannot be written at sounding pitch", str(error))
    except ValueError as error:
        return Refusal("unknown key, meter or unit", str(error))


def _mended(raw: RawTune, found: Imported, keep: Keep, valid_only: bool) -> Imported | Refusal:
    """The tune, with the bar lines and repeat signs that its file lacks where that makes it valid."""
    problems = found.tune.check()
    if not problems:
        return found
    mended = found
    if problems[0].reason == "bar too long":
        body = add_bar_lines(raw.body, found.tune.meter, found.tune.unit)
        if body != raw.body:
            added = replace(raw, body=body, changes=(*raw.changes, ADDED))
            mended = _normal(added, keep, bool(found.tune.rhythm))
    if mended.tune.check():
        closed, changes = close_repeats(mended.tune)
        mended = replace(mended, tune=parse_tune(closed.text)).with_changes(changes)
    if not mended.tune.check():
        return mended
    serious = [each for each in problems if valid_only or each.reason == "no notes"]
    return Refusal(serious[0].reason, describe_problem(found.tune, serious[0])) if serious else found


def _normal(raw: RawTune, keep: Keep, with_rhythm: bool) -> Imported:
    """The tune in normal form, at sounding pitch.

    Raises ValueError for a header that has none, NotNormal for a body, NotMovable where the tune cannot be
    written as it sounds.
    """
    header = raw.header
    meter = fields.normalise_meter(header.get("M", ""))
    unit = fields.normalise_unit(header.get("L", ""), meter)
    field = _key_field(raw)
    written_out = write_out_repeats(raw.body)
    found = normalise_in_key(written_out, meter, unit, keep, field)
    key, body = field.key, found.text
    while change := _CHANGE_AT_START.match(body):
        meter, key = (change[2], key) if change[1] == "M" else (meter, change[2])
        body = body[change.end() :]
    if key is None:
        raise ValueError(f"no key in {header['K']!r}")
    rhythm = fields.normalise_rhythm(header.get("R", "")) if with_rhythm else ""
    tune = Tune(meter, unit, key, body, rhythm=rhythm)
    if found.semitones:
        tune = at_sounding_pitch(tune, found.semitones)
    changes = [*raw.changes, *found.changes]
    changes += [WRITTEN_OUT] if written_out != raw.body else []
    changes += [_ORDER_LEFT_OUT] if header.get("P") else []
    # By way of its text, so that other readers of the text find the reading of the last tunes ready.
    return Imported(parse_tune(tune.text), _metadata(raw)).with_changes(changes)


def _key_field(raw: RawTune) -> KeyField:
    """The key of the header, with what its field V: and a directive say of the sounding pitch."""
    if raw.transpose is None:
        raise NotNormal("transposition changes inside the tune")
    field = parse_key_field(raw.header.get("K", ""))
    sounding = field.sounding.then(parse_sounding(raw.voice))
    if raw.transpose:
        sounding = replace(sounding, transpose=(sounding.transpose or 0) + raw.transpose)
    return replace(field, sounding=sounding)


def _metadata(raw: RawTune) -> dict[str, str]:
    header = raw.header
    metadata = {_METADATA[name]: value for name, value in header.items() if name in _METADATA and value}
    if raw.encoding != "utf-8":
        metadata["encoding"] = raw.encoding
    if fields.is_pipes(header["K"]):
        metadata["instrument"] = PIPES
    return metadata
