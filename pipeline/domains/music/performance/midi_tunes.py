"""Tunes from MIDI files of one voice on sixteenths, written as ABC and learned as other tunes."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from pathlib import Path

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.abc_notation import format_pitch
from pipeline.domains.music.abc.domain import Abc
from pipeline.domains.music.abc.files import RawTune
from pipeline.domains.music.midi_files import is_midi_name, read_midi
from pipeline.domains.music.piece import Meter, NoteEvent, Piece
from pipeline.domains.music.render.staves import detect_key
from pipeline.records import Record, Rejection

SIXTEENTHS = 4
"""Sixteenths of a quarter note."""
MAX_OFF_GRID = 0.02
"""Share of notes, at most, whose onset is further from a sixteenth than an eighth of one."""
_MAJOR = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
_MINOR = ("Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#")
_SHARP_STEPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_FLAT_STEPS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
_SIGNS = {0: "=", 1: "^", -1: "_"}


@dataclass(frozen=True)
class MidiTunes(Abc):
    """Tunes from MIDI files of one voice each, or from ABC, with the settings of `Abc`."""

    def accepts_file(self, path: Path) -> bool:
        """Whether the name of a file has a suffix of MIDI."""
        return not path.name.startswith(".") and is_midi_name(path)

    def read(self, path: Path) -> Iterator[Record | Rejection]:
        """Yield the single tune of a MIDI file, or the tunes of an ABC file.

        Raises DataError where the file cannot be read.
        """
        if not is_midi_name(path):
            yield from super().read(path)
            return
        piece = read_midi(path)
        try:
            found = self._record(written_tune(piece, path.stem), path.name, str(path))
            if isinstance(found, Rejection) and len(piece.meters) > 1:
                found = self._record(written_tune(piece, path.stem, in_meters=True), path.name, str(path))
        except ValueError as error:
            found = Rejection(str(path), str(error))
        yield found


def written_tune(piece: Piece, title: str, in_meters: bool = False) -> RawTune:
    """Write the highest notes of a piece as a tune in its commonest meter.

    Bars of other meters, such as upbeats, have their own length, and with `in_meters` a field with their
    meter. Raises ValueError, with a countable reason, where notes are off the sixteenths.
    """
    voice = _find_voice(piece)
    bars, meters = _find_bars(piece, voice[-1][1])
    meter = meters[0] if in_meters else Counter(meters).most_common(1)[0][0]
    sharps, minor = detect_key(piece)
    key = f"{(_MINOR if minor else _MAJOR)[sharps + 7]}{'m' if minor else ''}"
    header = {"T": title, "M": meter, "L": "1/8", "K": key}
    written = _write_bars(voice, bars, key)
    if in_meters:
        before = [meter, *meters]  # the meter of the bar before each bar
        written = [
            bar if after == last else f"[M:{after}]{bar}"
            for bar, last, after in zip(written, before, meters, strict=False)
        ]
    return RawTune(1, "1", header, "|".join(written) + "|]")


def _find_bars(piece: Piece, end: int) -> tuple[list[int], list[str]]:
    """The onsets of the bars in sixteenths, with the end of the last one; and the meter of each bar."""
    meters = piece.meters if piece.meters and piece.meters[0].tick == 0 else (Meter(0), *piece.meters)
    starts: list[int] = []
    found: list[str] = []
    for meter, following in zip_longest(meters, meters[1:]):
        first = round(meter.tick * SIXTEENTHS / piece.ticks_per_quarter)
        until = end if following is None else round(following.tick * SIXTEENTHS / piece.ticks_per_quarter)
        steps = SIXTEENTHS * 4 * meter.beats // meter.beat_type
        if not steps:
            raise ValueError("a meter of less than a sixteenth")
        added = list(range(first, until, steps))
        found += [f"{meter.beats}/{meter.beat_type}"] * len(added)
        starts += added
        last = first + len(added) * steps
    return [*starts, max(last, end)], found


def _find_voice(piece: Piece) -> list[tuple[int, int, int]]:
    """Onset and end in sixteenths, and pitch: of each onset the highest note, ended by the next one."""
    step = piece.ticks_per_quarter / SIXTEENTHS
    notes = [note for note in piece.notes if not piece.parts[note.part].is_drum]
    if not notes:
        raise ValueError("no notes")
    off = sum(abs(note.onset / step - round(note.onset / step)) > 1 / 8 for note in notes)
    if off > MAX_OFF_GRID * len(notes):
        raise ValueError("notes off the sixteenths")
    highest: dict[int, NoteEvent] = {}
    for note in notes:
        highest[round(note.onset / step)] = note  # they are in the order of their pitches
    voice = []
    for (onset, note), following in zip_longest(highest.items(), list(highest)[1:]):
        end = max(round(note.end / step), onset + 1)
        voice.append((onset, end if following is None else min(end, following), note.pitch))
    return voice


def _write_bars(voice: list[tuple[int, int, int]], bars: list[int], key: str) -> list[str]:
    """Write bars of notes and rests in ABC; notes over a bar line are tied."""
    spans: list[tuple[int, int, int | None]] = []
    now = 0
    for onset, stop, pitch in voice:
        spans += [(now, onset, None), (onset, stop, pitch)]
        now = stop
    spans.append((now, bars[-1], None))
    signature, written = fields.signature(key), []
    for start, end in pairwise(bars):
        altered: dict[str, int] = {}
        written.append("")
        for onset, stop, pitch in spans:
            first, last = max(onset, start), min(stop, end)
            if first < last:
                name = "z" if pitch is None else _spell(pitch, key, signature, altered)
                tie = "-" if last < stop and pitch is not None else ""
                written[-1] += name + _format_length(last - first) + tie
    return written


def _spell(pitch: int, key: str, signature: dict[str, int], altered: dict[str, int]) -> str:
    """A pitch in ABC, with an accidental where neither the key nor the bar has it."""
    names = _FLAT_STEPS if fields.sharps(key) < 0 else _SHARP_STEPS
    step, sign = names[pitch % 12][0], {"#": 1, "b": -1}.get(names[pitch % 12][1:], 0)
    written = _SIGNS[sign] if altered.get(step, signature.get(step, 0)) != sign else ""
    altered[step] = sign
    return format_pitch(written, step, pitch // 12 - 5)


def _format_length(sixteenths: int) -> str:
    """A length in ABC, as a multiple of an eighth."""
    if sixteenths % 2 == 0:
        return "" if sixteenths == 2 else str(sixteenths // 2)
    return "/" if sixteenths == 1 else f"{sixteenths}/2"
