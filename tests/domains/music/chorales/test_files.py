import json

import pytest
from music21_corpus import BACH

from pipeline.domains.music.chorales.files import read_chorales
from pipeline.domains.music.chorales.voices import encode_chorale, parse_chorale
from pipeline.errors import DataError
from pipeline.records import Rejection

STEPS = [[67, 62, 58, 43], [67, 60, -1, 43]]


def write(folder, content, name="some.json"):
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize("name", ["bwv1.6.mxl", "bwv103.6.mxl", "bwv253.mxl", "bwv362.mxl"])
def test_real_chorales_go_to_symbols_and_back(name):
    """bwv1.6 has a horn and four voices, bwv362 a tie without a note before it."""
    ((_, subset, chorale, step),) = read_chorales(BACH / name)
    assert (subset, step) == ("", 16) and chorale.marks_repeats and len(chorale) > 100
    for packed in (True, False):
        back = parse_chorale("".join(encode_chorale(chorale, packed)))
        assert (back.pitches == chorale.pitches).all() and (back.struck == chorale.struck).all()
        assert back.notes == chorale.notes


def test_the_notes_are_those_of_music21():
    from music21 import converter

    (found,) = read_chorales(BACH / "bwv253.mxl")
    parts = converter.parse(BACH / "bwv253.mxl").parts
    for voice, part in enumerate(parts):
        sounding = [note for note in part.flatten().notes if note.tie is None or note.tie.type == "start"]
        ours = [note for note in found.chorale.notes if note.voice == voice]
        assert [note.pitch for note in ours] == [note.pitch.midi for note in sounding]
        assert sum(note.length for note in ours) == sum(n.quarterLength for n in part.flatten().notes) * 4


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("bwv846.mxl", "not four voices"),
        ("bwv227.3.mxl", "not four voices"),
        ("bwv432.mxl", "notes finer than a sixteenth"),
        ("bwv79.3.mxl", "all voices silent for over two bars"),
    ],
)
def test_what_does_not_fit_is_rejected_with_a_reason(name, reason):
    (rejection,) = read_chorales(BACH / name)
    assert isinstance(rejection, Rejection) and rejection.reason == reason


def test_json_brings_its_split(tmp_path):
    path = write(tmp_path, {"train": [STEPS, STEPS], "valid": [STEPS], "test": [STEPS]})
    found = list(read_chorales(path))
    assert [(each.name, each.subset) for each in found] == [
        ("some.json:train_1", "train"), ("some.json:train_2", "train"),
        ("some.json:valid_1", "validation"), ("some.json:test_1", "test"),
    ]  # fmt: skip
    assert not found[0].chorale.marks_repeats
    (alone,) = read_chorales(write(tmp_path, [STEPS]))
    assert (alone.name, alone.subset) == ("some.json:1", "")


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ("x", "not a list of steps"),
        ([], "not a list of steps"),
        ([[60, 64, 67]], "a step without four voices"),
        ([[43, 58, 62, 67]], "the first voice lies below the last"),
        ([[67, 62, 58, 300]], "a pitch that is not a number from 0 to 127"),
        ([[67, 62, "c", 43]], "a pitch that is not a number from 0 to 127"),
        ([[67, 62, 58.5, 43]], "a pitch that is not a number from 0 to 127"),
        ([[-1, -1, -1, -1]], "no notes"),
    ],
)
def test_json_of_something_else_is_rejected_by_chorale(tmp_path, steps, reason):
    _, rejection = read_chorales(write(tmp_path, [STEPS, steps]))
    assert isinstance(rejection, Rejection) and rejection.reason == reason
    assert rejection.where.endswith("some.json:2")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "it is empty"),
        ("{", "cannot be parsed as JSON"),
        ("[" * 100_000, "cannot be parsed as JSON"),
        ("{}", "an empty object"),
        ("3", "a value that is not a list"),
        ('{"train": 3}', "an object whose values are not lists"),
        ('{"training": []}', "the key 'training', not one of train"),
    ],
)
def test_json_that_is_none_of_it_is_refused(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        list(read_chorales(write(tmp_path, content)))


REFUSED = [("a.mxl", "music21 cannot read it"), ("a.pdf", "chorales are read")]


@pytest.mark.parametrize(("name", "message"), REFUSED)
def test_other_files_are_refused(tmp_path, name, message):
    with pytest.raises(DataError, match=message):
        list(read_chorales(write(tmp_path, "no music", name)))


def test_text_is_read_over_line_ends(tmp_path):
    text = "# one; step 8; by hand\n67,62,58,43 _,_,_,_\n\n# two\n67,62,58,43\n_,_,_,42\n\n67,62,58,300\n"
    one, two, bad = read_chorales(write(tmp_path, text, "some.txt"))
    assert (one.name, one.step, len(one.chorale)) == ("some.txt:one", 8, 2)
    assert (two.name, two.step, len(two.chorale)) == ("some.txt:two", 16, 2)
    assert bad.reason == "a note above 127" and bad.where.endswith("some.txt:8")


def test_the_jsb_chorales_are_all_read(shared):
    found = list(read_chorales(shared / "jsb_chorales" / "Jsb16thSeparated.json"))
    counts = {name: sum(each.subset == name for each in found) for name in ("train", "validation", "test")}
    assert counts == {"train": 229, "validation": 76, "test": 77}


def parts_of(folder, **named: str) -> list | Rejection:
    """What is read of a score of parts with these names, each a few quarters of one pitch."""
    from music21 import note, stream

    score = stream.Score()
    for name, pitch in named.items():
        part = stream.Part([note.Note(pitch) for _ in range(4)])
        part.partName = name.rstrip("_")
        score.append(part)
    path = folder / "score.musicxml"
    score.write("musicxml", path)
    (found,) = read_chorales(path)
    return found if isinstance(found, Rejection) else found.chorale.pitches[0].tolist()


def test_voices_are_found_by_their_names(tmp_path):
    assert parts_of(tmp_path, Basso="C3", Tenore="C4", Alto="E4", Soprano="C5") == [72, 64, 60, 48]
    assert parts_of(tmp_path, Flute="C6", S="C5", A="E4", T="C4", B="C3") == [72, 64, 60, 48]
    assert parts_of(tmp_path, One="C5", Two="E4", Three="C4", Four="C3") == [72, 64, 60, 48]


def test_voices_that_contradict_their_places_are_rejected(tmp_path):
    found = parts_of(tmp_path, Bass="C3", Tenor="C4", Alto="E4", Melody="C5")
    assert found.reason == "voices whose names contradict their order"
    found = parts_of(tmp_path, One="C3", Two="C4", Three="E4", Four="C5")
    assert found.reason == "the first voice lies below the last"


def test_the_cases_of_voices_and_sounding_pitch(shared):
    for path in sorted((shared / "cases").glob("2[56]-*/*.musicxml")):
        (found,) = read_chorales(path)
        assert found.chorale.pitches[:16:4].T.tolist() == [
            [67, 69, 71, 72], [62, 64, 62, 64], [59, 60, 55, 55], [43, 45, 43, 48],
        ]  # fmt: skip
