"""Tunes are played as abc2midi plays them, where it is installed: pitches, and onsets in quarter notes."""

import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.domains.music.abc.domain import Abc
from pipeline.domains.music.abc.notes import WHOLE
from pipeline.domains.music.abc.tune_text import format_tune, parse_tune
from pipeline.domains.music.midi_files import read_midi
from pipeline.domains.music.render.playback import played_notes
from pipeline.records import Record

pytestmark = pytest.mark.skipif(shutil.which("abc2midi") is None, reason="no abc2midi on PATH")

TUNES = {
    "modes": ("K:A Dorain", "CDEF|GABc|]"),
    "own accidentals": ("K:D Phr ^f", "DEFG|ABcd|f2 =f f|f4|]"),
    "octave of a clef": ("K:G treble-8", "GABc|dcBA|]"),
    "octave and transposition": ("K:G bass transpose=3 octave=-1", "GABc|d^cBA|]"),
    "clef inside": ("K:G", "F4|[K:treble+8]F4|[K:G treble]f4|]"),
    "transposed by a directive": ("%%MIDI transpose -5\nK:Gm", "GABc|dcBA|]"),
    "ties in chords": ("K:C", "[CEG]2-[CEG]2|[C-E-]2[CE]2|]"),
    "list of endings": ("K:C", "|:CDEF|[1,3 G4:|[2 A4:|[4 c4|]"),
    "three endings": ("K:C", "|:CDEF|1 G4:|2 A4:|3 c4|]"),
    "note before a repeat on its line": ("K:C", "CDEF|dcB\nA:|\n|:efga|g4:|"),
    "second start of a repeat": ("K:C", "|:CDEF|GABc|:cBAG|FEDC:|"),
    "continued fields": ("K:C", "CDEF|\nw:do re\n+: mi fa\nGABc|]"),
    "rests of bars and meters": ("K:C", "CDEF|Z2|\nM:3/4\nCDE|x3|]"),
    "broken rhythm and tuplets": ("K:D", "c>dc<d|(3cdec2|c>>d e2|]"),
    "accidentals": ("K:D", "F=FFc|^cc=c2|F4-|F2F2|]"),
}


def by_abc2midi(text: str, folder: Path) -> list[tuple[int, float]]:
    """Pitches and onsets as that program plays a tune, grace notes and ornaments left out."""
    source, target = folder / "tune.abc", folder / "tune.mid"
    source.write_text(text, encoding="utf-8")
    subprocess.run(
        ["abc2midi", source, "-o", target, "-NFNP", "-NGRA", "-NGUI"], check=False, capture_output=True
    )
    piece = read_midi(target)
    return sorted((round(note.onset / piece.ticks_per_quarter * 24), note.pitch) for note in piece.notes)


def by_us(record: Record) -> list[tuple[int, int]]:
    notes = played_notes(parse_tune(record.text))
    return sorted((round(note.onset * 4 / WHOLE * 24), pitch) for note in notes for pitch in note.pitches)


@pytest.mark.parametrize("name", TUNES)
def test_a_tune_is_played_alike_as_it_is_and_as_we_write_it(tmp_path, name):
    header, body = TUNES[name]
    text = f"X:1\nT:x\nM:4/4\nL:1/4\n{header}\n{body}\n"
    path = tmp_path / "book.abc"
    path.write_text(text)
    (record,) = Abc().read(path)
    assert by_us(record) == by_abc2midi(text, tmp_path) == by_abc2midi(format_tune(record, 1), tmp_path)


NOT_BY_IT = {
    "triple_repeat.abc": "abc2midi plays it twice",
    "plus_chords.abc": "abc2midi does not know chords between plus signs",
    "slur_then_length.abc": "refused, for the 2 that belongs to nothing",
    "tie_in_chord.abc": "refused, for the tie of one note of a chord",
    "key_uni_sharp.abc": "abc2midi takes the sign for F major",
    "k_uniflat.abc": "abc2midi takes the sign for B major",
}


def test_the_cases_are_played_alike(shared, tmp_path):
    paths = [*(shared / "cases").glob("0*/*.abc"), *(shared / "cases").glob("10*/*.abc")]
    paths += (shared / "cases" / "abc").glob("*.abc")
    compared = [path for path in sorted(paths) if path.name not in NOT_BY_IT]
    assert len(compared) > 15
    for path in compared:
        (record,) = Abc().read(path)
        assert by_us(record) == by_abc2midi(path.read_text("utf-8"), tmp_path), path
