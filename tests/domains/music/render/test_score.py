"""Engraving: valid MusicXML, pictures with a header, a book of pages, and engravers that fail."""

import base64
import dataclasses
import os
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.render import lilypond
from pipeline.domains.music.render.engrave import engrave_all
from pipeline.domains.music.render.engrave_child import PAGE_HEIGHT, engrave, print_book
from pipeline.domains.music.render.notation import export_musicxml
from pipeline.domains.music.render.score import ScoreRender, describe_tempo, prepare_score
from pipeline.records import Record, References

NONE = References({}, lambda: iter(()))


def tune(body: str, **header: str) -> Record:
    made = Tune(header.get("meter", "4/4"), "1/8", header.get("key", "C"), body)
    return Record("tune_0001", made.text, {"title": "Jack & Jill"})


@pytest.fixture(scope="module")
def schema():
    xmlschema = pytest.importorskip("xmlschema")
    package = find_spec("musicxml")
    if package is None:
        pytest.skip("no package musicxml, which carries the schema")
    path = Path(package.submodule_search_locations[0]) / "generate_classes" / "musicxml_4_0.xsd"
    return xmlschema.XMLSchema(path)


def test_musicxml_is_valid_by_its_schema(schema, tunes):
    odd = tune('"Am"~A2 TB2 .c2 Hd2|{ef}e2 (3fga "D7"[df]4|1[K:G][M:3/4]A6:|2x6|]')
    for record in (odd, *tunes[4:24:9]):
        text = re.sub(r"<!DOCTYPE[^>]*>", "", export_musicxml(record, 73))
        assert list(schema.iter_errors(text)) == []


def test_a_picture_has_a_title_a_tempo_and_says_that_it_is_synthetic():
    (picture,) = engrave([prepare_score(tune("C8|]"), 73)])
    shown = re.findall(r"<text[^>]*>([^<]+)</text>", picture["svg"])
    assert shown == ["Jack &amp; Jill", "♩ = 152", "Synthetic"]
    assert base64.b64decode(picture["png"]).startswith(b"\x89PNG")
    assert picture["pages"] == [picture["svg"]]


@pytest.mark.parametrize(
    ("meter", "rhythm", "text"),
    [("6/8", "jig", "Jig, ♩. = 116"), ("2/2", "reel", "Reel, ♩ = 208"), ("none", "", "♩ = 110")],
)
def test_the_tempo_is_told_in_a_note_that_every_font_has(meter, rhythm, text):
    assert describe_tempo(Tune(meter, "1/8", "C", "C|]", rhythm=rhythm)) == text


def test_a_long_tune_has_several_pages_in_the_book():
    (picture,) = engrave([prepare_score(tune("CDEF GABc|" * 159 + "C8|]"), 73)])
    heights = [float(re.search(r'viewBox="0 0 [\d.]+ ([\d.]+)"', page)[1]) for page in picture["pages"]]
    assert len(heights) == 3 and max(heights) <= PAGE_HEIGHT * 0.4 + 72
    tunes = [{"title": "#emph[x]", **picture}] * 2
    data = base64.b64decode(print_book("2 tunes", "Synthetic", tunes))
    assert data.startswith(b"%PDF") and b"/Type/Pages/Count 7/" in data  # three of each, and the contents
    assert data == base64.b64decode(
        print_book("2 tunes", "Synthetic", [{"title": "#emph[x]", **picture}] * 2)
    )


def test_an_engraver_that_dies_or_refuses_takes_one_tune_with_it(monkeypatch):
    good = prepare_score(tune("C8|]"), 73)
    bad = {**good, "source": "<not-music/>"}
    results = dict(engrave_all({"broken": bad, "whole": good}))
    assert results["broken"] == "verovio refused it" and results["whole"]["svg"]
    monkeypatch.setattr("pipeline.domains.music.render.engrave.TIME_LIMIT_S", 0.01)
    assert "was not done after 0.01 s" in dict(engrave_all({"slow": good}))["slow"]


def test_no_text_of_a_tune_says_anything_to_lilypond():
    title = '<work-title id="1">a\\ "#(system "x") &quot;$(quit)</work-title>'
    assert lilypond.escape_text(title) == '<work-title id="1">a⧵ ”♯(system ”x”) ”＄(quit)</work-title>'


def test_without_lilypond_a_run_goes_on_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    outputs = ScoreRender(lilypond=True)([tune("C8|]")], NONE, tmp_path, seed=1)
    assert outputs.summary[-1] == "no scores by LilyPond: musicxml2ly and lilypond not found on PATH"
    assert outputs.rejections == ()


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_lilypond_writes_its_source_and_a_pdf_or_is_a_rejection(tmp_path, monkeypatch):
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    program(programs, "musicxml2ly", 'cp "$3" "$2"')
    program(programs, "lilypond", 'if [ "$1" = --version ]; then echo 2.24.1; else cp "$5" "$4.pdf"; fi')
    records = [dataclasses.replace(tune("C8|]"), id=f"tune_000{n}") for n in (1, 2)]
    outputs = ScoreRender(lilypond=True)(records, NONE, tmp_path, seed=1)
    made = {path.name for path in outputs.files}
    assert {"tune_0001.ly", "tune_0001.lilypond.pdf", "tune_0002.ly"} <= made
    program(programs, "lilypond", "echo 'a fatal error' >&2; exit 1")
    outputs = ScoreRender(lilypond=True)(records, NONE, tmp_path / "again", seed=1)
    assert [r.reason for r in outputs.rejections] == ["no score by LilyPond"] * 2
    assert outputs.rejections[0].detail == "lilypond ended with exit status 1: a fatal error"
    assert not list((tmp_path / "again").rglob("*.ly"))


def test_real_lilypond_engraves(tmp_path):
    if lilypond.missing_programs():
        pytest.skip("no lilypond on PATH")
    outputs = ScoreRender(lilypond=True)([tune("CDEF GABc|c8|]")], NONE, tmp_path, seed=1)
    assert (tmp_path / "score" / "tune_0001.lilypond.pdf").read_bytes().startswith(b"%PDF")
    assert outputs.summary[-1] == "1 score by LilyPond as .ly and PDF"
