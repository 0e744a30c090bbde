"""Tunes that are valid and odd: every render makes something of them or says why not, and none raises."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domains.music.abc.abc_notation import format_length
from pipeline.domains.music.abc.fields import bar_length
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.abc.tune_text import parse_tune
from pipeline.domains.music.render.harmony import harmonise
from pipeline.domains.music.render.notation import export_midi, export_musicxml
from pipeline.domains.music.render.phrasing import perform
from pipeline.domains.music.render.scamp_render import ScampRender
from pipeline.domains.music.render.score import ScoreRender
from pipeline.errors import DataError
from pipeline.records import Record, References

NONE = References({}, lambda: iter(()))
METERS = ("4/4", "2/2", "2/4", "3/4", "3/8", "6/8", "9/8", "12/8", "5/8", "7/8", "1/4", "2/16", "1/1", "none")
KEYS = ("C", "G", "Am", "Bb", "C#", "Cb", "F#m", "ADor", "EbLyd", "BLoc", "GMix")

accidentals = st.sampled_from(["", "", "", "^", "_", "=", "^^", "__"])
pitches = st.builds("{}{}{}".format, accidentals, st.sampled_from("CDEFGABcdefgab"),
                    st.sampled_from(["", "", "'", ","]))  # fmt: skip
befores = st.sampled_from(
    ["", "", "", "~", "T", "H", ".", "{g}", "{/c}", "{ed}", '"Am"', '"Bb7"', '"nonsense"']
)


@st.composite
def elements(draw, length) -> str:
    """A note, rest, chord, tuplet, pair in broken rhythm or tied pair of this length."""
    whole, half = format_length(length), format_length(length / 2)
    two = [draw(pitches) for _ in range(2)]
    return draw(st.sampled_from([
        draw(befores) + two[0] + whole,
        "z" + whole,
        f"[{two[0]}{two[1]}]{whole}",
        f"(3{two[0]}{half}{two[1]}{half}z{half}",
        f"{two[0]}{half}>{two[1]}{half}",
        f"{two[0]}{half}-{two[0].lstrip('^_=')}{half}",
    ]))  # fmt: skip


@st.composite
def tunes(draw) -> Tune:
    meter = draw(st.sampled_from(METERS))
    full = (bar_length(meter) or bar_length("5/4")) * 8

    def bar() -> str:
        parts = draw(st.sampled_from([1, 2, 3, 4, 6]))
        return "".join(draw(elements(full / parts)) for _ in range(parts))

    body = "|".join(bar() for _ in range(draw(st.integers(1, 4))))
    if draw(st.booleans()):
        body = f"|:{body}|1{bar()}:|2{bar()}"
    if draw(st.booleans()):
        body += f"||[K:{draw(st.sampled_from(KEYS))}]{bar()}"
    if draw(st.booleans()):
        body = f"{draw(elements(full / 4))}|{body}"
    return Tune(meter, "1/8", draw(st.sampled_from(KEYS)), body + "|]",
                rhythm=draw(st.sampled_from(["", "reel", "jig", "hornpipe", "air"])))  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(tunes())
def test_nothing_raises_and_what_is_written_is_right(tune):
    record = Record("tune_0001", tune.text)
    valid = not tune.check()
    for write in (export_midi, export_musicxml):  # both compare the notes in what they write with the tune's
        try:
            write(record, 73)
            assert valid
        except DataError as error:
            assert ("not valid ABC" in str(error)) != valid, tune.text
    if valid:
        assert len(harmonise(tune)) == len(tune.parsed.bars)
        for part in perform(tune, "1", accompanied=True).parts:
            ends = [note.onset + note.length for note in part.sounding]
            assert all(end <= after.onset for end, after in zip(ends, part.sounding[1:], strict=False))


ODD = {
    "high": ("4/4", "C", "c'''8|b''8|]"),
    "double_sharps": ("4/4", "C#", "^^f4 __b4|^^c8|]"),
    "rests": ("4/4", "G", "z8|z8|x8|G8|]"),
    "tiny": ("4/4", "C", "c/8d/8e/8f/8 c/4c/4 c6|c8|]"),
    "triplets": ("2/4", "D", "(3ABA|(3dfg(3dgB|d2:|"),
    "changes": ("6/8", "Eb", "e6|[M:3/4][K:E]e6|[M:2/2][K:Cb]e8|]"),
    "one_note": ("none", "C", "c|]"),
    "long": ("4/4", "G", "GABc dedB|" * 199 + "G8|]"),
    "chords": ("4/4", "C", "[CEGc]8|[C,C][C,E]6|]"),
    "same_twice": ("4/4", "C", "[CC]8|{c}[EE]4 c4|]"),
    "not_valid": ("4/4", "C", "C9|]"),
}


@pytest.fixture(scope="module")
def odd() -> list[Record]:
    return [Record(name, Tune(meter, "1/8", key, body).text) for name, (meter, key, body) in ODD.items()]


def test_odd_tunes_are_engraved(odd, tmp_path):
    outputs = ScoreRender(max_tunes=20)(odd, NONE, tmp_path, seed=1)
    assert {rejection.where for rejection in outputs.rejections} == {"not_valid"}
    assert outputs.figures["scores"] == len(odd) - 1
    assert (tmp_path / "score" / "tunes.pdf").stat().st_size > 10_000


def test_odd_tunes_are_performed(odd, tmp_path):
    some = [record for record in odd if record.id != "long"]
    outputs = ScampRender(max_tunes=20, accompaniment="guitar", sound=False)(some, NONE, tmp_path, seed=1)
    assert [rejection.where for rejection in outputs.rejections] == ["not_valid"]


def test_what_is_no_tune_at_all_is_a_rejection(tmp_path):
    record = Record("nothing", "M:4/4\nno tune")
    for render in (ScoreRender(), ScampRender(sound=False)):
        rejections = render([record], NONE, tmp_path, seed=1).rejections
        assert {rejection.where for rejection in rejections} == {"nothing"}
        assert any("not valid ABC" in f"{each.reason} {each.detail}" for each in rejections)


def test_hostile_files_pass_the_renders(shared, tmp_path):
    from pipeline.domains.music.abc.domain import Abc

    records = []
    for path in sorted((shared / "hostile" / "abc").glob("*.abc")):
        try:
            records += [each for each in Abc(valid_only=False).read(path) if isinstance(each, Record)]
        except DataError as error:
            assert path.name in str(error)
    named = [Record(f"tune_{number:04d}", each.symbols) for number, each in enumerate(records, 1)]
    valid = [record for record in named if not parse_tune(record.text).check()]
    outputs = ScoreRender(max_tunes=50)(named, NONE, tmp_path, seed=1)
    assert outputs.figures["scores"] == len(valid) > 0
    assert {each.where for each in outputs.rejections} == {each.id for each in named} - {r.id for r in valid}
