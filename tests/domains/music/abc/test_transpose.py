import random

import pytest

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.domain import Abc
from pipeline.domains.music.abc.transpose import MAX_PITCH, MIN_PITCH, TranspositionError, transpose_tune
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.abc.tune_text import format_tune, parse_tune
from pipeline.domains.music.render.streams import written_part
from pipeline.records import Record


def moved(body: str, semitones: int, key: str = "C") -> tuple[str, str]:
    """Key and body of a tune that was moved."""
    tune = transpose_tune(Tune("4/4", "1/8", key, body), semitones)
    return tune.key, tune.body


def list_pitches(tune: Tune, up: int = 0) -> list[tuple[int, ...]]:
    return [tuple(pitch + up for pitch in note.pitches) for note in tune.parsed.notes]


def list_rhythm(tune: Tune) -> list[tuple]:
    return [(note.onset, note.duration, note.bar, note.tied, note.marks) for note in tune.parsed.notes]


# --- by hand ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "semitones", "after"),
    [
        (("C", "CDEF|]"), 2, ("D", "DEFG|]")),
        (("C", "CDEF|]"), -2, ("Bb", "B,CDE|]")),
        (("D", "=cc^gg|]"), 1, ("Eb", "_dd=aa|]")),  # from the sharps' side to the flats'
        (("G", "B^c_b,=f|]"), 5, ("C", "e^f_e_b|]")),
        (("Am", "A^GA_B|]"), 3, ("Cm", "c=Bc_d|]")),
        (("F#", "F^^FG|]"), 1, ("G", "G^GA|]")),
        (("E", "^d_e^^f|]"), 2, ("F#", "^e=f^^g|]")),
        (("ADor", '"Am7"A2"D/F#"B,2"Bb"z|]'), 3, ("CDor", '"Cm7"c2"F/A"D2"Db"z|]')),
        (("EMix", "[CEg]2{^ab}(3BAG-|G|]"), -4, ("CMix", "[A,Ce]2{^fg}(3GFE-|E|]")),
        (("GLyd", "c[K:D]c[K:Bm][M:3/4]d|]"), 2, ("ALyd", "d[K:E]d[K:C#m][M:3/4]e|]")),
        (("BLoc", "~BTcH.d|:1A|]"), 1, ("CLoc", "~cTdH.e|:1B|]")),
    ],
)
def test_key_notes_and_chord_symbols_move_and_nothing_else(before, semitones, after):
    assert moved(before[1], semitones, before[0]) == after


def test_words_in_quotes_stay():
    assert moved('"^Allegro"C"D.C."D"_E"E"Coda"F|]', 2) == ("D", '"^Allegro"D"D.C."E"_E"F"Coda"G|]')


def test_a_chord_symbol_with_two_sharps_gets_a_plainer_name():
    assert moved('"G#7/B#"G|]', 6) == ("F#", '"D7/F#"c|]')


def test_sharps_stay_sharps_and_flats_stay_flats_where_both_are_six():
    assert moved("G|]", 6, "C")[0] == moved("G|]", 4, "D")[0] == "F#"
    assert moved("G|]", 1, "F")[0] == "Gb"


@pytest.mark.parametrize("key", ["C", "D", "Eb", "Bm", "Gm", "AMix", "EDor", "DLyd", "EPhr", "BLoc"])
def test_every_key_keeps_its_mode_and_has_at_most_six_signs(key):
    for semitones in range(-11, 12):
        found, _ = moved("z|]", semitones, key)
        assert found == fields.normalise_key(found)
        assert found.lstrip("ABCDEFGb#") == key.lstrip("ABCDEFGb#")
        assert abs(fields.sharps(found)) <= 6


def test_a_tune_is_moved_no_further_than_a_fiddle_plays():
    low, high = Tune("4/4", "1/8", "C", "G,A,|]"), Tune("4/4", "1/8", "C", "d'e'|]")
    assert (low.parsed.notes[0].pitches, high.parsed.notes[1].pitches) == ((MIN_PITCH,), (MAX_PITCH,))
    for tune, semitones in ((low, -1), (high, 1), (Tune("4/4", "1/8", "C", "C,e'|]"), 1)):
        with pytest.raises(TranspositionError, match="out of range"):
            transpose_tune(tune, semitones)
        assert transpose_tune(low, 1) and transpose_tune(high, -1)


def test_what_cannot_be_written_is_not_moved():
    with pytest.raises(TranspositionError, match="more than two sharps"):
        moved("^^B|]", 6)
    with pytest.raises(TranspositionError, match="a key inside it"):
        moved("c[K:C#]c[K:Cb]c|]", 1)
    with pytest.raises(TranspositionError, match="unknown key"):
        moved("c[K:none]c|]", 1)
    with pytest.raises(TranspositionError, match="unknown symbol"):
        moved("^^^F|]", 2)
    with pytest.raises(TranspositionError, match="unknown symbol"):
        moved("K:D\nF|]", 2)


# --- real tunes -------------------------------------------------------------------------------------------


def test_real_tunes_sound_the_interval_higher_note_for_note(tunes):
    for record in tunes[:60]:
        tune = Tune.from_text(str(record.symbols))
        for variant in Abc(transpose=6).variants(record):
            semitones = int(variant.id.removeprefix(record.id))
            found = Tune.from_text(str(variant.symbols))
            assert list_pitches(found) == list_pitches(tune, semitones)
            assert list_rhythm(found) == list_rhythm(tune)
            assert found.check() == () and found.meter == tune.meter and found.unit == tune.unit


def test_there_and_back_is_the_same_tune(tunes):
    for record in tunes[:60]:
        tune = Tune.from_text(str(record.symbols))
        for semitones in (-5, 1, 3):
            try:
                there = transpose_tune(tune, semitones)
            except TranspositionError:
                continue
            assert transpose_tune(there, -semitones) == tune


def music21_notes(score, up: int = 0) -> list[tuple]:
    """Pitches, length and offset of each note, grace notes too."""
    notes = [note for note in score.recurse().notes if "Harmony" not in note.classes]
    return [
        (sorted(pitch.midi + up for pitch in note.pitches), note.duration.quarterLength, note.offset)
        for note in notes
    ]


def test_music21_agrees(tunes):
    """With the accidentals as written, and with all of them spelled out by our parser."""
    from music21 import converter

    rng = random.Random(1)
    for record in rng.sample(tunes, 12):
        variant = rng.choice(list(Abc(transpose=5).variants(record)))
        semitones = int(variant.id.removeprefix(record.id))
        plain, there = (converter.parse(format_tune(each, 1), format="abc") for each in (record, variant))
        assert music21_notes(there) == music21_notes(plain, semitones)
        ours, moved = (written_part(parse_tune(each.text)) for each in (record, variant))
        assert music21_notes(moved) == music21_notes(ours, semitones)


# --- as a domain ------------------------------------------------------------------------------------------


def read_one(folder, key: str) -> Record:
    path = folder / "one.abc"
    path.write_text(f"X:1\nT:Am I\nM:4/4\nL:1/8\nK:{key}\nABcd e2a2|]\n")
    (record,) = Abc().read(path)
    return record


def test_variants_have_names_of_their_own(tmp_path):
    record = read_one(tmp_path, "A")
    found = list(Abc(transpose=2).variants(record))
    assert [variant.id for variant in found] == [f"one.abc:1 {n}" for n in ("-2", "-1", "+1", "+2")]
    assert [str(variant.symbols).split("\n")[2] for variant in found] == ["K:G", "K:Ab", "K:Bb", "K:B"]
    assert list(Abc().variants(record)) == []


@pytest.mark.parametrize("key", ["HP", "Hp"])
def test_pipes_have_but_one_key(tmp_path, key):
    record = read_one(tmp_path, key)
    assert "K:AMix" in record.symbols
    assert list(Abc(transpose=2).variants(record)) == []
