"""The tune book: a web page with a score, a player and the files of every tune.

The page also says how likely each tune was and how near it is to a training tune. It needs no network and
no other file. Read next: `tunebook_child.py` (the engraving), `tunebook.html.jinja`, `tunebook.js` (the
player).
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
from pipeline.domains.music.plural import format_count
from pipeline.domains.music.render.base import name_records
from pipeline.domains.music.render.engrave import engrave_all
from pipeline.domains.music.render.notation import export_midi, find_title
from pipeline.domains.music.render.piece_record import PieceRecord
from pipeline.domains.music.render.playback import sounding_notes
from pipeline.errors import DataError
from pipeline.records import RESULTS, DomainOutput, Record, Rejection, ReportSection
from pipeline.report.page import content_policy
from pipeline.runtime.files import write_atomically

_ENGRAVER = "pipeline.domains.music.render.tunebook_child:engrave"
_MEDIA_TYPES = {
    "abc": "text/vnd.abc", "mid": "audio/midi", "musicxml": "application/vnd.recordare.musicxml+xml",
}  # fmt: skip
_TEMPLATES = Path(__file__).parent
_REPORT_TEMPLATES = Path(__file__).parents[3] / "report"
_MODES = {"": "major", "m": "minor", "Mix": "mixolydian", "Dor": "dorian", "Phr": "phrygian", "Lyd": "lydian",
          "Loc": "locrian"}  # fmt: skip
_TUNE_TOLERANCE, _PIECE_TOLERANCE = 0.002, 0.13
"""Quarters by which the onset of a note and that in the score may differ: of a piece half a sixteenth, since
the score rounds."""

Event = tuple[float, float, tuple[int, ...], tuple[str, ...]]
"""A sound: onset and duration in seconds, MIDI pitches, and the ids of its notes in the score."""


@dataclass(frozen=True)
class TunebookEntry:
    """A tune on the page.

    `wide` and `narrow` are SVGs; where they are empty, `problem` says why. `files` holds the label, the name
    and the data URL of each file. `events` is a JSON list of `Event`.
    """

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
    index: int = 0


def write_tunebook(
    records: Sequence[Record], sources: Mapping[str, str], program: int, out_dir: Path
) -> DomainOutput:
    """Write `tunebook.html`.

    `sources` has the MusicXML of records by their ids. A score or file that fails is a rejection, and its
    entry goes without it.
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
    kind = name_records(records)
    path = _write_page(entries, kind, out_dir / "tunebook.html")
    caption = "Scores to look at and listen to, with files to download. It opens without a network."
    return DomainOutput(
        sections=(ReportSection("Tune book", (path,), caption, part=RESULTS),),
        summary=(f"{format_count(len(entries), kind)} to look at and listen to in {path.name}",),
        files=(path,),
        rejections=tuple(rejections),
    )


def _entry(
    record: Record, source: str | None, program: int, made: Mapping[str, Any] | str
) -> tuple[TunebookEntry, list[Rejection]]:
    """A record's entry, and rejections for the files that failed."""
    files, failed = [], []
    if not isinstance(record, PieceRecord):
        files.append(_embed_file(record, "ABC", "abc", format_tune(record, 1).encode()))
    try:
        files.append(_embed_file(record, "MIDI", "mid", export_midi(record, program)))
    except DataError as error:
        failed.append(Rejection(record.id, "no MIDI in the tune book", str(error)))
    if source is not None:
        files.append(_embed_file(record, "MusicXML", "musicxml", source.encode()))
    facts = record.metadata
    events = list_events(record, ScoreTimeline() if isinstance(made, str) else ScoreTimeline(made["times"]))
    entry = TunebookEntry(
        id=record.id, title=find_title(record), facts=_describe(record), bits=_format_bits(record),
        nearest=facts.get("nearest", ""), distance=facts.get("nearest_distance", ""),
        copied=facts.get("copied", ""), events=json.dumps(events, separators=(",", ":")),
        seconds=max((onset + duration for onset, duration, _, _ in events), default=0.0), files=tuple(files),
        abc="" if isinstance(record, PieceRecord) else format_tune(record, 1).strip(),
        checks=facts.get("checks", ""), index=int(facts.get("index", 0)),
    )  # fmt: skip
    if isinstance(made, str):
        return replace(entry, problem=made), failed
    return replace(entry, wide=made["wide"], narrow=made["narrow"]), failed


def _embed_file(record: Record, label: str, suffix: str, data: bytes) -> tuple[str, str, str]:
    encoded = base64.b64encode(data).decode()
    return label, f"{record.id}.{suffix}", f"data:{_MEDIA_TYPES[suffix]};base64,{encoded}"


def _describe(record: Record) -> tuple[str, ...]:
    """Rhythm, meter and key of a tune; of a piece the number of its notes."""
    if isinstance(record, PieceRecord):
        return (format_count(len(record.piece.notes), "note"),)
    tune = parse_tune(record.text)
    tonic = tune.key[:2] if tune.key[1:2] in ("#", "b") else tune.key[:1]
    key = f"{tonic.replace('#', '♯').replace('b', '♭')} {_MODES[tune.key[len(tonic) :]]}"
    meter = "free meter" if tune.meter == fields.FREE_METER else tune.meter
    return tuple(filter(None, (tune.rhythm, meter, key)))


def _format_bits(record: Record) -> str:
    """Bits per note, "" where the log-likelihood of the record is not known."""
    if "log_probability" not in record.metadata:
        return ""
    if isinstance(record, PieceRecord):
        struck = len(record.piece.notes)
    else:
        notes = parse_tune(record.text).parsed.notes
        struck = sum(bool(note.pitches) for note in notes) - sum(note.tied for note in notes)
    bits = -float(record.metadata["log_probability"]) / math.log(2)
    return f"{bits / struck:.2f}" if struck > 0 else ""


class ScoreTimeline:
    """The onsets in a score, in quarters as notated, each with the ids of its notes."""

    def __init__(self, times: Sequence[Sequence[Any]] = ()) -> None:
        self._quarters = [float(quarters) for quarters, _ in times]
        self._ids = [tuple(ids) for _, ids in times]

    def note_ids_at(self, quarters: float, tolerance: float = _TUNE_TOLERANCE) -> tuple[str, ...]:
        """The ids at the nearest onset, or none where it is farther than the tolerance."""
        after = bisect(self._quarters, quarters)
        near = range(max(after - 1, 0), min(after + 1, len(self._quarters)))
        best = min(near, key=lambda at: abs(self._quarters[at] - quarters), default=None)
        if best is None or abs(self._quarters[best] - quarters) > tolerance:
            return ()
        return self._ids[best]


def list_events(record: Record, timeline: ScoreTimeline) -> list[Event]:
    """The sounds of a record as played, repeats included."""
    if isinstance(record, PieceRecord):
        piece = record.on_score(record.piece.without_pedals())
        onsets = piece.seconds([note.onset for note in piece.notes])
        ends = piece.seconds([note.end for note in piece.notes])
        starts = [note.onset / piece.ticks_per_quarter for note in piece.notes]
        found = zip(piece.notes, onsets, ends, starts, strict=True)
        return [
            (
                round(float(onset), 3),
                round(float(end - onset), 3),
                (note.pitch,),
                timeline.note_ids_at(start, _PIECE_TOLERANCE),
            )
            for note, onset, end, start in found
        ]
    return _list_tune_events(parse_tune(record.text), timeline)


def _list_tune_events(tune: Tune, timeline: ScoreTimeline) -> list[Event]:
    written = {note.start: float(note.onset) * 4 / WHOLE for note in tune.parsed.notes}
    beat = float(fields.beat_length(tune.meter) * WHOLE)
    second = beat * fields.beats_per_minute(tune.meter, tune.rhythm) / 60  # in ticks
    return [
        (
            round(float(note.onset) / second, 3), round(float(note.duration) / second, 3), note.pitches,
            timeline.note_ids_at(written[note.start]),
        )
        for note in sounding_notes(tune) if note.pitches
    ]  # fmt: skip


def _write_page(entries: Sequence[TunebookEntry], kind: str, path: Path) -> Path:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    style = "".join((folder / name).read_text(encoding="utf-8") for folder, name in
                    ((_REPORT_TEMPLATES, "report.css"), (_TEMPLATES, "tunebook.css")))  # fmt: skip
    script = (_TEMPLATES / "tunebook.js").read_text(encoding="utf-8")
    text = environment.get_template("tunebook.html.jinja").render(
        entries=[replace(entry, wide=Markup(entry.wide), narrow=Markup(entry.narrow)) for entry in entries],
        kind=kind, policy=content_policy(style, script), style=Markup(style), script=Markup(script),
    )  # fmt: skip
    write_atomically(path, text)
    return path
