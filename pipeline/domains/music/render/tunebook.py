"""The tune book as one page for a browser: every tune with its score, a player that lights up the notes, how
likely and how new it is, and its files. It needs nothing but itself.

Read next: `tunebook_child.py` (the engraving), `tunebook.html.jinja`, `tunebook.js` (the player).
"""

import base64
import json
import math
from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.notes import WHOLE
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.abc.tune_text import format_tune, parse_tune
from pipeline.domains.music.piece import PieceRecord
from pipeline.domains.music.render.base import count, noun
from pipeline.domains.music.render.notation import midi_bytes, title_of
from pipeline.domains.music.render.playback import sounding_notes
from pipeline.domains.music.render.score import engrave_all
from pipeline.errors import DataError
from pipeline.records import RESULTS, DomainOutput, Record, Rejection, ReportSection
from pipeline.report.page import content_policy
from pipeline.runtime.files import write_atomically

_ENGRAVER = "pipeline.domains.music.render.tunebook_child:engrave"
_TYPES = {"abc": "text/vnd.abc", "mid": "audio/midi", "musicxml": "application/vnd.recordare.musicxml+xml"}
_ROOM = Path(__file__).parent
_REPORT = Path(__file__).parents[3] / "report"
_MODES = {"": "major", "m": "minor", "Mix": "mixolydian", "Dor": "dorian", "Phr": "phrygian", "Lyd": "lydian",
          "Loc": "locrian"}  # fmt: skip
_CLOSE_QUARTERS, _NEAR_QUARTERS = 0.002, 0.13
"""Moments of a tune and of its score are the same where they differ by no more; those of a piece that was
played, by half a sixteenth."""

Event = tuple[float, float, tuple[int, ...], tuple[str, ...]]
"""What sounds: onset and duration in seconds, MIDI pitches, and the names of the notes in the score."""


@dataclass(frozen=True)
class Entry:
    """A tune as the page shows it; `wide` and `narrow` are SVGs, empty where `problem` says why, and `files`
    are names and data addresses."""

    id: str
    title: str
    facts: tuple[str, ...]
    bits: str
    nearest: str
    distance: str
    copied: str
    events: str
    seconds: float
    files: tuple[tuple[str, str, str], ...]
    abc: str = ""
    wide: str = ""
    narrow: str = ""
    problem: str = ""
    checks: str = ""
    drawn: int = 0


def write_tunebook(
    records: Sequence[Record], sources: Mapping[str, str], program: int, out_dir: Path
) -> DomainOutput:
    """Write `tunebook.html`; `sources` has the MusicXML of each record by its id, where there is some.

    What cannot be engraved, or written as MIDI, is missing in its entry, and a rejection.
    """
    scores = {name: {"source": text, "seed": str(number)} for number, (name, text) in
              enumerate(sources.items(), 1)}  # fmt: skip
    engraved = dict(engrave_all(scores, _ENGRAVER))
    rejections = [Rejection(name, "not engraved for the tune book", made) for name, made in engraved.items()
                  if isinstance(made, str)]  # fmt: skip
    entries = []
    for record in records:
        made = engraved.get(record.id, "none could be made of it")
        try:
            entry, failed = _entry(record, sources.get(record.id), program, made)
        except ValueError as error:
            rejections.append(Rejection(record.id, "not in the tune book", str(error)))
            continue
        entries.append(entry)
        rejections += failed
    kind = noun(records)
    path = _write_page(entries, kind, out_dir / "tunebook.html")
    caption = "Scores to look at and listen to, with files to take; it opens anywhere, without a network."
    return DomainOutput(
        sections=(ReportSection("Tune book", (path,), caption, part=RESULTS),),
        summary=(f"{count(len(entries), kind)} to see, hear and take along, in {path.name}",),
        files=(path,),
        rejections=tuple(rejections),
    )


def _entry(
    record: Record, source: str | None, program: int, made: Mapping[str, Any] | str
) -> tuple[Entry, list[Rejection]]:
    """A record's place in the book, and what could not be made for it."""
    files, failed = [], []
    if not isinstance(record, PieceRecord):
        files.append(_file(record, "ABC", "abc", format_tune(record, 1).encode()))
    try:
        files.append(_file(record, "MIDI", "mid", midi_bytes(record, program)))
    except DataError as error:
        failed.append(Rejection(record.id, "no MIDI in the tune book", str(error)))
    if source is not None:
        files.append(_file(record, "MusicXML", "musicxml", source.encode()))
    facts = record.metadata
    events = events_of(record, Moments() if isinstance(made, str) else Moments(made["times"]))
    entry = Entry(
        id=record.id, title=title_of(record), facts=_kind(record), bits=_bits(record, events),
        nearest=facts.get("nearest", ""), distance=facts.get("nearest_distance", ""),
        copied=facts.get("copied", ""), events=json.dumps(events, separators=(",", ":")),
        seconds=max((onset + duration for onset, duration, _, _ in events), default=0.0), files=tuple(files),
        abc="" if isinstance(record, PieceRecord) else format_tune(record, 1).strip(),
        checks=facts.get("checks", ""), drawn=int(facts.get("index", 0)),
    )  # fmt: skip
    if isinstance(made, str):
        return replace(entry, problem=made), failed
    return replace(entry, wide=made["wide"], narrow=made["narrow"]), failed


def _file(record: Record, label: str, suffix: str, data: bytes) -> tuple[str, str, str]:
    encoded = base64.b64encode(data).decode()
    return label, f"{record.id}.{suffix}", f"data:{_TYPES[suffix]};base64,{encoded}"


def _kind(record: Record) -> tuple[str, ...]:
    """Rhythm, meter and key, in words."""
    if isinstance(record, PieceRecord):
        return (count(len(record.piece.notes), "note"),)
    tune = parse_tune(record.text)
    tonic = tune.key[:2] if tune.key[1:2] in ("#", "b") else tune.key[:1]
    key = f"{tonic.replace('#', '♯').replace('b', '♭')} {_MODES[tune.key[len(tonic) :]]}"
    meter = "free meter" if tune.meter == fields.FREE_METER else tune.meter
    return tuple(filter(None, (tune.rhythm, meter, key)))


def _bits(record: Record, events: Sequence[Event]) -> str:
    """Bits per note, "" where the record does not say how likely it was."""
    if "log_probability" not in record.metadata:
        return ""
    if isinstance(record, PieceRecord):
        struck = len(record.piece.notes)
    else:
        notes = parse_tune(record.text).parsed.notes
        struck = sum(bool(note.pitches) for note in notes) - sum(note.tied for note in notes)
    bits = -float(record.metadata["log_probability"]) / math.log(2)
    return f"{bits / struck:.2f}" if struck > 0 else ""


class Moments:
    """The moments of a score at which notes start, in quarters as written, and the names of these notes."""

    def __init__(self, times: Sequence[Sequence[Any]] = ()) -> None:
        self._quarters = [float(quarters) for quarters, _ in times]
        self._names = [tuple(names) for _, names in times]

    def names_at(self, quarters: float, tolerance: float = _CLOSE_QUARTERS) -> tuple[str, ...]:
        """The names at the nearest moment, none where that is too far."""
        after = bisect(self._quarters, quarters)
        near = range(max(after - 1, 0), min(after + 1, len(self._quarters)))
        best = min(near, key=lambda at: abs(self._quarters[at] - quarters), default=None)
        if best is None or abs(self._quarters[best] - quarters) > tolerance:
            return ()
        return self._names[best]


def events_of(record: Record, moments: Moments) -> list[Event]:
    """What sounds when a record is played, repeats and all."""
    if isinstance(record, PieceRecord):
        piece = record.on_score(record.piece.pedalled())
        onsets = piece.seconds([note.onset for note in piece.notes])
        ends = piece.seconds([note.end for note in piece.notes])
        starts = [note.onset / piece.ticks_per_quarter for note in piece.notes]
        found = zip(piece.notes, onsets, ends, starts, strict=True)
        return [
            (
                round(float(onset), 3),
                round(float(end - onset), 3),
                (note.pitch,),
                moments.names_at(start, _NEAR_QUARTERS),
            )
            for note, onset, end, start in found
        ]
    return list(_tune_events(parse_tune(record.text), moments))


def _tune_events(tune: Tune, moments: Moments) -> list[Event]:
    written = {note.start: float(note.onset) * 4 / WHOLE for note in tune.parsed.notes}
    beat = float(fields.beat_length(tune.meter) * WHOLE)
    second = beat * fields.beats_per_minute(tune.meter, tune.rhythm) / 60  # in ticks
    return [
        (
            round(float(note.onset) / second, 3), round(float(note.duration) / second, 3), note.pitches,
            moments.names_at(written[note.start]),
        )
        for note in sounding_notes(tune) if note.pitches
    ]  # fmt: skip


def _write_page(entries: Sequence[Entry], kind: str, path: Path) -> Path:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(_ROOM), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    style = "".join((room / name).read_text(encoding="utf-8") for room, name in
                    ((_REPORT, "report.css"), (_ROOM, "tunebook.css")))  # fmt: skip
    script = (_ROOM / "tunebook.js").read_text(encoding="utf-8")
    text = environment.get_template("tunebook.html.jinja").render(
        entries=[replace(entry, wide=Markup(entry.wide), narrow=Markup(entry.narrow)) for entry in entries],
        kind=kind, policy=content_policy(style, script), style=Markup(style), script=Markup(script),
    )  # fmt: skip
    write_atomically(path, text)
    return path
