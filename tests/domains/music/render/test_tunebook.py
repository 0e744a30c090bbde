"""The page of the tune book: its notes, its files, and that nothing in it can harm."""

import base64
import dataclasses
import html
import json
import re
import shutil
import subprocess

import pytest

from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.piece import NoteEvent, Piece, Tempo
from pipeline.domains.music.render.notation import read_midi_pitches
from pipeline.domains.music.render.piece_record import PieceRecord
from pipeline.domains.music.render.playback import sounding_notes
from pipeline.domains.music.render.score import prepare_score
from pipeline.domains.music.render.tunebook import ScoreTimeline, list_events, write_tunebook
from pipeline.records import Record

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FACTS = {"nearest": "The Jolly Beggarman", "nearest_distance": "0.62", "log_probability": "-200"}
TWICE = Record(
    "tune_0009", "R:waltz\nM:3/4\nL:1/4\nK:Gm\nD|:G2 (3A/B/c/|[Bd]2 d:|", {"title": "Twice"} | FACTS
)


def sources(records) -> dict[str, str]:
    return {each.id: prepare_score(each, 73)["source"] for each in records}


@pytest.fixture(scope="module")
def records(tunes):
    named = [dataclasses.replace(tune, id=f"tune_{i:04d}") for i, tune in enumerate(tunes[9:11], 1)]
    return [*named, TWICE]


@pytest.fixture(scope="module")
def page(records, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    outputs = write_tunebook(records, sources(records), 73, folder)
    assert outputs.rejections == () and outputs.files == (folder / "tunebook.html",)
    return (folder / "tunebook.html").read_text(encoding="utf-8")


def article(page: str, name: str) -> str:
    start = page.index(f'<article class="section tune" id="{name}"')
    return page[start : page.index("</article>", start)]


def events(part: str) -> list:
    return json.loads(html.unescape(re.search(r'data-events="([^"]*)"', part)[1]))


def test_every_note_that_sounds_is_in_both_scores(page, records):
    for record in records:
        part = article(page, record.id)
        wide, narrow = part.split('<div class="score narrow-score"')
        sounding = events(part)
        notes = [note for note in sounding_notes(Tune.from_text(record.symbols)) if note.pitches]
        assert [tuple(pitches) for _, _, pitches, _ in sounding] == [note.pitches for note in notes]
        for _, _, _, names in sounding:
            assert names
            for name in names:
                assert f'data-id="{name}" class="note"' in wide and f'data-id="{name}" class="note"' in narrow


def test_a_repeat_lights_up_the_same_notes_again(page):
    sounding = events(article(page, "tune_0009"))
    names = [tuple(event[3]) for event in sounding]
    assert names[1:7] == names[7:] and len(set(names)) == 7
    assert [len(each) for each in names[:7]] == [1, 1, 1, 1, 1, 2, 1]
    onsets = [event[0] for event in sounding[1:5]]
    assert onsets[1] - onsets[0] == pytest.approx(6 * (onsets[2] - onsets[1]), rel=0.01)


def test_names_of_shapes_and_notes_are_no_one_elses(page):
    names = re.findall(r'\sid="([^"]*)"', page)
    assert len(names) == len(set(names))
    assert set(re.findall(r'href="#([^"]*)"', page)) <= {*names}


def test_its_facts_and_its_files(page):
    part = article(page, "tune_0009")
    assert "waltz · 3/4 · G minor" in part and "The Jolly Beggarman" in part and ">0.62<" in part
    assert re.search(r"Bits per note</dt><dd>([\d.]+)", part)[1] == f"{200 / 0.693147 / 7:.2f}"
    files = dict(re.findall(r'<a download="tune_0009\.(\w+)" href="data:[^;]*;base64,([^"]*)"', part))
    abc, midi, musicxml = (base64.b64decode(files[suffix]) for suffix in ("abc", "mid", "musicxml"))
    assert abc.startswith(b"X:1\nT:Twice") and b"<score-partwise" in musicxml
    assert read_midi_pitches(midi) == [pitch for event in events(part) for pitch in event[2]]


def test_the_page_asks_nothing_of_any_network(page):
    assert "default-src 'none'" in html.unescape(page)
    without_names = re.sub(r'xmlns(:xlink)?="[^"]*"', "", page)
    assert "http" not in re.sub(r"data:[^\"]*", "", html.unescape(without_names)).replace("http-equiv", "")
    assert page.count("<script") == 1 and page.count("<style") == 1


def test_the_same_tunes_give_the_same_page(page, records, tmp_path):
    write_tunebook(records, sources(records), 73, tmp_path)
    assert (tmp_path / "tunebook.html").read_text(encoding="utf-8") == page


def test_one_bad_tune_stops_nothing(tmp_path):
    evil = '"><script>alert(1)</script>'
    bad = [
        Record("unreadable", "no tune", {}),
        Record("overfull", "M:4/4\nL:1/8\nK:C\nC9|]", {"title": evil}),
    ]
    given = {"overfull": "<score-partwise>", TWICE.id: "no score"}
    outputs = write_tunebook([*bad, TWICE], given, 73, tmp_path)
    page = (tmp_path / "tunebook.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page and "unreadable" not in page
    assert (
        "No score: verovio refused it." in article(page, TWICE.id)
        and len(events(article(page, TWICE.id))) == 13
    )
    reasons = {(each.where, each.reason) for each in outputs.rejections}
    assert {("unreadable", "not in the tune book"), ("overfull", "no MIDI in the tune book"),
            (TWICE.id, "not engraved for the tune book")} <= reasons  # fmt: skip


def test_unknown_notes_are_played_and_not_lit():
    assert all(names == () for _, _, _, names in list_events(TWICE, ScoreTimeline()))


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_it_plays_and_lights_up_in_a_browser(page, tmp_path):
    watch = """<script>
      const said = [], tune = document.getElementById("tune_0001");
      const later = tune.querySelector(`[data-id="${JSON.parse(tune.dataset.events)[20][3][0]}"]`);
      const lit = () => [...tune.querySelectorAll(".wide-score .lit")].map((note) => note.dataset.id);
      const say = () => { said.push(lit()); document.title = JSON.stringify(said); };
      tune.querySelector(".play").click();
      setTimeout(say, 400);
      setTimeout(() => later.dispatchEvent(new MouseEvent("click", {bubbles: true})), 600);
      setTimeout(say, 1000);
      setTimeout(() => { tune.querySelector(".play").click(); say(); }, 1200);
    </script></body>"""
    watched = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page).replace("</body>", watch)
    (tmp_path / "page.html").write_text(watched, encoding="utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000",
               "--autoplay-policy=no-user-gesture-required", f"--user-data-dir={tmp_path / 'profile'}",
               "--dump-dom", (tmp_path / "page.html").as_uri()]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    first, clicked, stopped = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", done.stdout)[1]))
    names = [event[3] for event in events(article(page, "tune_0001"))]
    assert (first, clicked, stopped) == (names[0], names[20], [])


def test_what_was_played_lights_up_the_nearest_notes():
    events = tuple(NoteEvent(480 * at + 20, 60 + at, 400) for at in range(4))
    record = PieceRecord("piece", ("x",), {}, piece=Piece(events, tempos=(Tempo(0, 500_000),)))
    moments = ScoreTimeline([(float(at), (f"n{at}",)) for at in range(3)])
    found = list_events(record, moments)
    assert [names for _, _, _, names in found] == [("n0",), ("n1",), ("n2",), ()]
    assert found[1][:3] == (0.521, 0.417, (61,))
