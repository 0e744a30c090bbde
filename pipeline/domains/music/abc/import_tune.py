"""From a tune of a file to its learned form: header and body in normal form, at sounding pitch.

A few kinds of mistakes are mended, and the metadata `changes` names each of them. A tune with any other
mistake is rejected with a countable reason. `docs/reference/abc-reading.md` lists both.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.files import RawTune
from pipeline.domains.music.abc.key_field import KeyField, parse_key_field, parse_transposition
from pipeline.domains.music.abc.line_ends import BAR_LINES_ADDED, add_bar_lines
from pipeline.domains.music.abc.normal_form import normalise_in_key
from pipeline.domains.music.abc.normal_form_options import NormalFormError, NormalFormOptions
from pipeline.domains.music.abc.repeats import WRITTEN_OUT, close_repeats, write_out_repeats
from pipeline.domains.music.abc.transpose import TranspositionError, transpose_to_sounding_pitch
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.abc.tune_text import describe_problem, parse_tune

PIPES = "highland pipes"
"""The metadata `instrument` of tunes in the key of the highland pipes."""
_METADATA = {"T": "title", "C": "composer", "O": "origin", "R": "rhythm", "B": "book", "S": "source",
             "N": "notes", "Z": "transcription", "Q": "tempo"}  # fmt: skip
_ORDER_LEFT_OUT = "order of parts (P:) left out"
_CHANGE_AT_START = re.compile(r"\[([MK]):([^\]]*)\]")


@dataclass(frozen=True, slots=True)
class RejectedTune:
    """A tune that is not learned: a short countable reason, and the text found."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ImportedTune:
    """A tune that is learned, and its metadata."""

    tune: Tune
    metadata: dict[str, str]

    def with_changes(self, changes: Iterable[str]) -> "ImportedTune":
        """The same tune, with these changes added to its metadata."""
        named = [each for each in (self.metadata.get("changes"), *changes) if each]
        return replace(self, metadata={**self.metadata, "changes": "; ".join(named)}) if named else self


def import_tune(
    raw: RawTune, options: NormalFormOptions, with_rhythm: bool, valid_only: bool
) -> ImportedTune | RejectedTune:
    """The learned form of a tune, with its rhythm if wanted, or the reason for its rejection.

    A tune that is not valid is mended where that makes it valid. Else it is rejected, if `valid_only`.
    """
    if not raw.has_key:
        return RejectedTune("no key (K:)")
    if len(set(raw.voices)) > 1:
        return RejectedTune("several voices")
    if raw.accidentals != "pitch":  # the learned form would be read as other notes
        return RejectedTune("accidentals by another rule", raw.accidentals)
    try:
        return _mend(raw, _normalise(raw, options, with_rhythm), options, valid_only)
    except NormalFormError as error:
        return RejectedTune(str(error), error.detail)
    except TranspositionError as error:
        return RejectedTune("cannot be written at sounding pitch", str(error))
    except ValueError as error:
        return RejectedTune("unknown key, meter or unit", str(error))


def _mend(
    raw: RawTune, found: ImportedTune, options: NormalFormOptions, valid_only: bool
) -> ImportedTune | RejectedTune:
    """The tune with added bar lines and repeat signs, where these make it valid."""
    problems = found.tune.check()
    if not problems:
        return found
    mended = found
    if problems[0].reason == "bar too long":
        body = add_bar_lines(raw.body, found.tune.meter, found.tune.unit)
        if body != raw.body:
            added = replace(raw, body=body, changes=(*raw.changes, BAR_LINES_ADDED))
            mended = _normalise(added, options, bool(found.tune.rhythm))
    if mended.tune.check():
        closed, changes = close_repeats(mended.tune)
        mended = replace(mended, tune=parse_tune(closed.text)).with_changes(changes)
    if not mended.tune.check():
        return mended
    serious = [each for each in problems if valid_only or each.reason == "no notes"]
    return RejectedTune(serious[0].reason, describe_problem(found.tune, serious[0])) if serious else found


def _normalise(raw: RawTune, options: NormalFormOptions, with_rhythm: bool) -> ImportedTune:
    """The tune in normal form, at sounding pitch.

    Raises ValueError for a header without a normal form, NormalFormError for a body, and TranspositionError
    where the tune cannot be written as it sounds.
    """
    header = raw.header
    meter = fields.normalise_meter(header.get("M", ""))
    unit = fields.normalise_unit(header.get("L", ""), meter)
    field = _parse_header_key(raw)
    written_out = write_out_repeats(raw.body)
    found = normalise_in_key(written_out, meter, unit, options, field)
    key, body = field.key, found.text
    while change := _CHANGE_AT_START.match(body):
        meter, key = (change[2], key) if change[1] == "M" else (meter, change[2])
        body = body[change.end() :]
    if key is None:
        raise ValueError(f"no key in {header['K']!r}")
    rhythm = fields.normalise_rhythm(header.get("R", "")) if with_rhythm else ""
    tune = Tune(meter, unit, key, body, rhythm=rhythm)
    if found.semitones:
        tune = transpose_to_sounding_pitch(tune, found.semitones)
    changes = [*raw.changes, *found.changes]
    changes += [WRITTEN_OUT] if written_out != raw.body else []
    changes += [_ORDER_LEFT_OUT] if header.get("P") else []
    # `parse_tune` caches the tune by its text, so that its notes are parsed once.
    return ImportedTune(parse_tune(tune.text), _collect_metadata(raw)).with_changes(changes)


def _parse_header_key(raw: RawTune) -> KeyField:
    """The key of the header, with the transposition of its field V: and of directives."""
    if raw.transpose is None:
        raise NormalFormError("transposition changes inside the tune")
    field = parse_key_field(raw.header.get("K", ""))
    transposition = field.transposition.then(parse_transposition(raw.voice))
    if raw.transpose:
        transposition = replace(transposition, transpose=(transposition.transpose or 0) + raw.transpose)
    return replace(field, transposition=transposition)


def _collect_metadata(raw: RawTune) -> dict[str, str]:
    header = raw.header
    metadata = {_METADATA[name]: value for name, value in header.items() if name in _METADATA and value}
    if raw.encoding != "utf-8":
        metadata["encoding"] = raw.encoding
    if fields.is_pipes(header["K"]):
        metadata["instrument"] = PIPES
    return metadata
