"""ABC files that are read, mended or rejected: small tunes, and the notes that they play."""

import pytest

from pipeline.domains.music.abc.domain import Abc
from pipeline.domains.music.abc.tune_text import parse_tune
from pipeline.domains.music.render.playback import played_notes
from pipeline.records import Record, Rejection

HEADER = "X:1\nM:4/4\nL:1/4\n"


def read(tmp_path, text: str) -> Record | Rejection:
    path = tmp_path / "book.abc"
    path.write_text(text, encoding="utf-8")
    (found,) = Abc().read(path)
    return found


def played(record: Record | Rejection) -> list[int]:
    assert isinstance(record, Record), record
    return [pitch for note in played_notes(parse_tune(record.text)) for pitch in sorted(note.pitches)]


@pytest.mark.parametrize(
    ("key", "learned"),
    [
        ("E minr", "Em"), ("A Dorain", "ADor"), ("D mixo", "DMix"), ("Dmixo", "DMix"), ("A m", "Am"),
        ("G MAJOR", "G"), ("F♯m", "F#m"), ("B♭", "Bb"), ("D % a comment", "D"), ("G clef=bass middle=d", "G"),
    ],
)  # fmt: skip
def test_a_mode_has_three_letters(tmp_path, key, learned):
    assert f"K:{learned}\n" in read(tmp_path, f"{HEADER}K:{key}\nCDEF|]\n").text


@pytest.mark.parametrize("key", ["E mnor", "D Freygish", "G sharp minor", "D minor, then G", "H", "none", ""])
def test_an_unknown_mode_is_never_major(tmp_path, key):
    found = read(tmp_path, f"{HEADER}K:{key}\nCDEF|]\n")
    assert found.reason == "unknown key, meter or unit" and "key" in found.detail


@pytest.mark.parametrize(
    ("key", "body", "pitches"),
    [
        ("D Phr ^f", "DEFG|ABcd|]", [62, 63, 66, 67, 69, 70, 72, 74]),
        ("Dphr ^f", "F4-|FF2f|[=FA]4|{f}F4|]", [66, 66, 78, 65, 69, 66]),
        ("D exp _b _e ^f", "DEFG|ABcd|]", [62, 63, 66, 67, 69, 70, 72, 74]),
        ("Am ^g", "G=GGG|[K:G]FG2F|[K:Am ^g ^f]FG2F|]", [68, 67, 67, 67, 66, 67, 66, 66, 68, 66]),
    ],
)
def test_accidentals_of_a_key_are_written_before_notes(tmp_path, key, body, pitches):
    record = read(tmp_path, f"{HEADER}K:{key}\n{body}\n")
    assert played(record) == pitches
    assert record.metadata["changes"] == "accidentals of the key written before notes"


def test_a_clef_alone_leaves_the_key(tmp_path):
    assert played(read(tmp_path, f"{HEADER}K:E\nK:clef=bass\nEFGA|[K:bass]F4|]\n")) == [64, 66, 68, 69, 66]
    assert "K:E\n" in read(tmp_path, f"{HEADER}K:clef=bass\nK:E\nEFGA|]\n").text
    assert read(tmp_path, f"{HEADER}K:clef=bass\nEFGA|]\n").reason == "unknown key, meter or unit"


@pytest.mark.parametrize(
    ("header", "pitches"),
    [
        ("K:C clef=treble-8", [48, 50, 52, 53]),
        ("K:C treble+8", [72, 74, 76, 77]),
        ("K:C octave=-1", [48, 50, 52, 53]),
        ("K:C transpose=-2", [58, 60, 62, 63]),
        ("K:C bass transpose=2 octave=-1", [50, 52, 54, 55]),
        ("V:1 clef=treble-8\nK:C", [48, 50, 52, 53]),
        ("K:C\nV:1 treble-8 name=Tenor", [48, 50, 52, 53]),
        ("%%MIDI transpose -12\nK:C", [48, 50, 52, 53]),
    ],
)
def test_tunes_are_learned_at_sounding_pitch(tmp_path, header, pitches):
    record = read(tmp_path, f"{HEADER}{header}\nCDEF|]\n")
    assert played(record) == pitches
    assert record.metadata["changes"].startswith("written at sounding pitch (")


def test_an_octave_may_change_inside_but_no_other_transposition(tmp_path):
    assert played(read(tmp_path, f"{HEADER}K:C\nC4|[K:treble-8][Cc]4-|[Cc]4|]\n")) == [60, 48, 60]
    for inside in ("[K:C transpose=2]", "\n%%MIDI transpose 2\n"):
        found = read(tmp_path, f"{HEADER}K:C\nC4|{inside}C4|]\n")
        assert found.reason == "transposition changes inside the tune"
    assert read(tmp_path, f"{HEADER}K:C shift=CD\nC4|]\n").reason == "unknown key, meter or unit"


@pytest.mark.parametrize(
    ("body", "learned"),
    [
        ("CDEF|GABc|dcB\nA:|\n|:efga|g4:|", "CDEF|GABc|dcBA::efga|g4:|"),
        ("CDEF|\nd3\ne:|\nGABc|]", "CDEF|d3e:|GABc|]"),
        ("CDE\nz:|", "CDEz:|"),
        ("CDEF|\nN:a note\n+: cage bed\nGABc|]", "CDEF|GABc|]"),
        ("CDEF|\nw:do re\n+: mi fa\nGABc|]", "CDEF|GABc|]"),
        ("CDEF|\nC:Trad.\nGABc|]", "CDEF|GABc|]"),
        ("CDEF|!D.C. al fine!G4|]", "CDEF|G4|]"),
        ("! trill !CDEF|! f !G4|]", "TCDEF|G4|]"),
        ("CD !EF !|]", "CDEF|]"),
        ("CD+CEG+2|+c4e4+|]", "CD[CEG]2|[ce]4|]"),
        ("CD+f+EF|]", "CDEF|]"),
        ("(CE)2G|]", None),
        ("CD!f!2|]", None),
        ("CDEF| G4 : |c4 :\n| : c4 :", None),
        ('CDEF|G4:|c4:"^Segno"[|]|]', "CDEF|G4:|c4:|"),
        ("CDEF|G4:| : c4:|", "CDEF|G4::c4:|"),
        ("CD\n+: more\nEF|]", None),
    ],
)
def test_no_sign_becomes_another_note(tmp_path, body, learned):
    found = read(tmp_path, f"{HEADER}K:C\n{body}\n")
    if learned is None:
        assert found.reason in ("unknown symbol", "bar too short", "continued field without a field")
        assert found.detail
    else:
        assert found.text.endswith(f"K:C\n{learned}")


def test_a_header_may_have_continued_fields(tmp_path):
    record = read(tmp_path, "X:1\nT:The Lark\n+:in the Morning\nM:4/4\nL:1/4\nK:A\n+:dor\nCDEF|]\n")
    assert record.metadata["title"] == "The Lark in the Morning" and "K:ADor\n" in record.text


@pytest.mark.parametrize(
    ("body", "learned"),
    [
        ("[C-E-G-]2[CEG]2|]", "[CEG]2-[CEG]2|]"),
        ("[CE]2-[CE]2|]", "[CE]2-[CE]2|]"),
        ("[C-E]2[FA]2|]", "[CE]2[FA]2|]"),
        ("[D-A]2[DB]2|]", None),
        ("[DA]2-[DB]2|]", None),
        ("C2-[CE]2|]", None),
    ],
)
def test_ties_in_chords(tmp_path, body, learned):
    found = read(tmp_path, f"{HEADER}K:C\n{body}\n")
    if learned is None:
        assert found.reason == "tie of some notes of a chord"
    else:
        assert found.text.endswith(f"K:C\n{learned}")


C, G, A, E = [60, 62, 64, 65], [67, 69, 71, 72], [69], [67]


@pytest.mark.parametrize(
    ("body", "pitches"),
    [
        ("|::CDEF::|GABc|]", C * 3 + G),
        ("CDEF::|GABc|]", C * 3 + G),
        ("|:::CDEF:::|", C * 4),
        ("|:CDEF|[1,3 G4:|[2 A4:|[4 c4|]", [*C, 67, *C, 69, *C, 67, *C, 72]),
        ("|:CDEF|1-3 G4:|4 A4|]", [*(C + E) * 3, *C, *A]),
        ("|:CDEF|1 G4:|2 A4:|3 c4||GABc|]", [*C, 67, *C, 69, *C, 72, *G]),
        ("G4|:CDEF|[1,2 G4:|\nw: la la\n|:GABc::|", None),
    ],
)
def test_repeats_are_written_out(tmp_path, body, pitches):
    found = read(tmp_path, f"{HEADER}K:C\n{body}\n")
    if pitches is None:
        assert found.reason == "signs of a repeat disagree"
    else:
        assert played(found) == pitches
        assert found.metadata["changes"] == "repeats written out"


@pytest.mark.parametrize(
    ("body", "learned", "changes"),
    [
        ("|:CDEF:|:GABc|]", "|:CDEF::GABc:|", "missing last :| added"),
        ("|:CDEF|:GABc:|", "|:CDEF::GABc:|", "missing :| before a second |: added"),
        ("|:CDEF|1G4:|2A4|:c4|]", "|:CDEF|1G4:|2A4|:c4:|", "missing last :| added"),
    ],
)
def test_open_repeats_are_closed(tmp_path, body, learned, changes):
    record = read(tmp_path, f"{HEADER}K:C\n{body}\n")
    assert record.text.endswith(f"K:C\n{learned}") and record.metadata["changes"] == changes


@pytest.mark.parametrize("body", ["|:CDEF|GABc||c4|]", "|:C|:CDEF:|", "|:CDEF|1G4|2A4|]"])
def test_repeats_of_unknown_end_are_refused(tmp_path, body):
    assert "repeat" in read(tmp_path, f"{HEADER}K:C\n{body}\n").reason


def test_bar_lines_may_be_missing_at_line_ends(tmp_path):
    record = read(tmp_path, f"{HEADER}K:C\nC|CDEF\nGABc|d2\ne2\n[M:3/4]c3\n")
    assert record.text.endswith("C|CDEF|GABc|d2e2|[M:3/4]c3|]")
    assert record.metadata["changes"] == "bar lines added at line ends"
    assert read(tmp_path, f"{HEADER}K:C\nCDE\nFGAB|c4|]\n").reason == "bar too long"


@pytest.mark.parametrize(
    ("body", "learned"),
    [
        ("CDE\n/F/ G|]", "CDE/F/G|]"),
        ("[CE\nG]4|]", "[CEG]4|]"),
        ("|:CDEF|1 G4:|\n2 A4|]", "|:CDEF|1G4:|2A4|]"),
        ("CDEF|=20\nG2A=\nB|]", "CDEF|G2AB|]"),
    ],
)
def test_lines_that_break_inside_a_sign_are_joined(tmp_path, body, learned):
    record = read(tmp_path, f"{HEADER}K:C\n{body}\n")
    assert record.text.endswith(f"K:C\n{learned}")
    assert record.metadata["changes"] == "lines joined that broke inside a sign"


def test_meters_may_change_and_rests_last_for_bars(tmp_path):
    record = read(tmp_path, f"{HEADER}K:C\nCDEF|Z2|\nM:3/4\nCDE|X|[M:6/8]x3|]\n")
    assert record.text.endswith("K:C\nCDEF|z4|z4|[M:3/4]CDE|z3|[M:6/8]z3|]")


def test_what_is_left_out_is_named(tmp_path):
    record = read(tmp_path, f'{HEADER}P:AAB\nK:C\nCDEF|"^Fine"G4|"D.C."c4|]\n')
    assert record.metadata["changes"] == (
        "jump left out (D.C., D.S., fine or coda); order of parts (P:) left out"
    )
