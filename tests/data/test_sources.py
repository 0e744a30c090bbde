import hashlib
import os
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml
from tiny import run_pipeline, some_dna

from pipeline.data import download
from pipeline.data.download import fetch
from pipeline.data.sources import Source, locate
from pipeline.errors import ConfigError, DataError, ToolError
from pipeline.runtime.folders import resource_folder

CONTENT = bytes(range(256)) * 2048
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()
GENOME = f">chr1\n{some_dna(30_000)}>chr2\n{some_dna(60_000, seed=2)}".encode()
LIST = (
    f"{'0' * 32}  a.bin\n{MD5}  ./whole.bin\n{MD5} *cut.bin\n{hashlib.md5(GENOME).hexdigest()}  genome.fa\n"
)


def text_files(path):
    return path.suffix == ".txt"


# --- the user's own files ---------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with data/b.txt, data/a/c.txt, data/notes.md and something hidden."""
    for name in ("data/b.txt", "data/a/c.txt", "data/notes.md", "data/.git/d.txt", "data/x[1].txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(found, folder):
    return [str(path.relative_to(folder)) for path in found]


def test_a_folder_is_walked_in_order_and_gives_what_suits(folder):
    expected = ["data/a/c.txt", "data/b.txt", "data/x[1].txt"]
    assert names(locate("data", [], text_files), folder) == expected


def test_a_file_named_outright_is_read_whatever_its_name(folder):
    assert names(locate("data/notes.md", [], text_files), folder) == ["data/notes.md"]
    assert names(locate("data/x[1].txt", [], text_files), folder) == ["data/x[1].txt"]


def test_a_glob_gives_what_suits_or_all_where_nothing_does(folder):
    assert names(locate("data/*.txt", [], text_files), folder) == ["data/b.txt", "data/x[1].txt"]
    assert names(locate("data/*", [], text_files), folder) == ["data/b.txt", "data/x[1].txt"]
    assert names(locate("data/**/c.*", [], text_files), folder) == ["data/a/c.txt"]
    assert names(locate("data/*.md", [], text_files), folder) == ["data/notes.md"]


def test_the_home_folder_is_found(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    assert names(locate("~/data/b.txt", [], text_files), folder) == ["data/b.txt"]


def test_a_path_comes_before_the_entries(folder):
    assert names(locate("data/b.txt", [Source("embedded:none")], text_files), folder) == ["data/b.txt"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("data/c.txt", r"{0}/data/c.txt: no such file or folder \({0}/data is there.*working folder {0}"),
        ("data/*.fa", r"{0}/data/\*.fa: no file matches this glob"),
        ("data/.git/..//../empty", r"{0}/empty: no file in this folder fits .*\(1 others"),
        ("pipe", r"{0}/pipe: not a regular file"),
    ],
)
def test_what_is_not_there_is_a_data_error_with_the_absolute_path(folder, path, message):
    (folder / "empty").mkdir()
    (folder / "empty" / "a.md").touch()
    os.mkfifo(folder / "pipe")
    with pytest.raises(DataError, match=message.format(folder)):
        locate(path, [], text_files)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_or_folder_is_a_data_error(folder):
    (folder / "data/b.txt").chmod(0)
    with pytest.raises(DataError, match=r"b.txt: permission denied"):
        locate("data/b.txt", [], text_files)
    (folder / "data/a").chmod(0)
    with pytest.raises(DataError, match="cannot be read"):
        locate("data", [], text_files)
    (folder / "data/a").chmod(0o755)


def test_an_unreadable_file_is_told_even_to_root(folder, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(DataError, match=r"b.txt: permission denied; make it readable"):
        locate("data/b.txt", [], text_files)


def test_neither_a_path_nor_an_entry_is_a_config_error():
    with pytest.raises(ConfigError, match=r"name yours with dataset.path="):
        locate(None, [], text_files)
    with pytest.raises(ConfigError, match=r"dataset.path is empty"):
        locate("", [], text_files)


# --- shipped files ----------------------------------------------------------------------------------------


def test_our_own_folders_are_found_in_a_checkout_and_in_an_installed_package(tmp_path, monkeypatch):
    assert (resource_folder("conf") / "dataset").is_dir()
    (tmp_path / "pipeline/datasets").mkdir(parents=True)
    (tmp_path / "datasets").mkdir()
    monkeypatch.setattr("pipeline.runtime.folders.PACKAGE_FOLDER", tmp_path / "pipeline")
    assert resource_folder("datasets") == tmp_path / "pipeline/datasets"
    with pytest.raises(ToolError, match="the installation has no folder 'conf'"):
        resource_folder("conf")


def test_an_embedded_file_is_checked(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.runtime.folders.PACKAGE_FOLDER", tmp_path)
    (tmp_path / "datasets/fly").mkdir(parents=True)
    (tmp_path / "datasets/fly/x.fa").write_bytes(CONTENT)
    at = "embedded:fly/x.fa"
    assert locate(None, [Source(at, SHA256)], text_files) == [tmp_path / "datasets/fly/x.fa"]
    with pytest.raises(DataError, match="embedded file was changed"):
        locate(None, [Source(at, "0" * 64)], text_files)
    with pytest.raises(DataError, match="embedded file is missing"):
        locate(None, [Source("embedded:fly/y.fa")], text_files)


def test_files_inside_an_installed_package_are_found_without_importing_it(tmp_path, monkeypatch):
    (tmp_path / "tunebook_for_a_test/corpus").mkdir(parents=True)
    (tmp_path / "tunebook_for_a_test/__init__.py").write_text("raise RuntimeError('imported')")
    for name in ("b.abc", "a.abc", "readme.txt"):
        (tmp_path / "tunebook_for_a_test/corpus" / name).touch()
    monkeypatch.syspath_prepend(tmp_path)
    found = locate(None, [Source("package:tunebook_for_a_test/corpus/*.abc")], text_files)
    assert [path.name for path in found] == ["a.abc", "b.abc"]
    with pytest.raises(DataError, match="nothing matches in the installed package"):
        locate(None, [Source("package:tunebook_for_a_test/*.xml")], text_files)
    with pytest.raises(ToolError, match="pip install no_such_package"):
        locate(None, [Source("package:no_such_package/*.abc")], text_files)


def test_an_unknown_kind_of_source_is_a_config_error():
    with pytest.raises(ConfigError, match="starts with none of embedded:, package:"):
        locate(None, [Source("ftp://example.org/x")], text_files)


def test_every_shipped_data_set_states_its_sources_in_full():
    for path in sorted((resource_folder("conf") / "dataset").glob("*.yaml")):
        dataset = yaml.safe_load(path.read_text(encoding="utf-8"))["dataset"]
        assert dataset["name"] == path.stem
        assert dataset["source"] in {None, *dataset["sources"]}
        for entries in dataset["sources"].values():
            for entry in map(lambda e: Source(**e), entries):
                if entry.at.startswith("http"):
                    assert entry.sha256 or entry.checksums, entry.at


# --- the network ------------------------------------------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT with ranges; a name says what goes wrong."""

    protocol_version = "HTTP/1.1"

    def __init__(self, log, *args):
        self.log = log
        super().__init__(*args)

    def log_message(self, *_):
        pass

    def do_GET(self):
        name, range_header = self.path.rpartition("/")[2], self.headers.get("Range")
        tries = sum(seen == name for seen, _ in self.log)
        self.log.append((name, range_header))
        if name == "missing.bin":
            return self.answer(404, b"")
        if name == "failing.bin":
            return self.answer(503, b"")
        if name == "md5sum.txt":
            return self.answer(200, LIST.encode())
        if name == "silent.bin":
            time.sleep(1.5)
            return None
        content = GENOME if name == "genome.fa" else CONTENT
        start = int(range_header[6:-1]) if range_header and name != "rangeless.bin" else 0
        if start >= len(content):
            return self.answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
        body = content[start:]
        # Breaks off, thrice in a row where the name says so.
        cut = name == "stubborn.bin" or (name in ("cut.bin", "rangeless.bin", "genome.fa") and tries < 1)
        return self.answer(206 if start else 200, body, cut=cut)

    def answer(self, status, body, headers=(), cut=False):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for key, value in dict(headers).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = cut


@pytest.fixture
def server(monkeypatch):
    """Base address of a server on this machine, and the list of (name, Range) it was asked for."""
    monkeypatch.setattr(download, "SCHEMES", ("http://", "https://"))
    log = []
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, log))
    thread = threading.Thread(target=partial(httpd.serve_forever, poll_interval=0.02))
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}/data", log
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def test_a_file_is_fetched_once(server, tmp_path):
    base, log = server
    entry = Source(f"{base}/whole.bin", SHA256)
    for _ in range(2):
        (path,) = locate(None, [entry], text_files, tmp_path)
        assert path.name == "whole.bin"
        assert path.read_bytes() == CONTENT
    assert log == [("whole.bin", None)]


def test_the_cache_folder_is_named_by_the_environment(server, tmp_path, monkeypatch):
    monkeypatch.setenv(download.CACHE_VARIABLE, str(tmp_path / "cache"))
    assert fetch(f"{server[0]}/whole.bin", SHA256).is_relative_to(tmp_path / "cache")


def test_a_cut_connection_is_gone_on_from_where_it_broke(server, tmp_path):
    base, log = server
    assert fetch(f"{base}/cut.bin", SHA256, cache_dir=tmp_path).read_bytes() == CONTENT
    assert log == [("cut.bin", None), ("cut.bin", f"bytes={len(CONTENT) // 2}-")]
    assert not list(tmp_path.rglob("*.part"))


def test_a_server_without_ranges_is_asked_for_the_whole_again(server, tmp_path):
    assert fetch(f"{server[0]}/rangeless.bin", SHA256, cache_dir=tmp_path).read_bytes() == CONTENT


def test_what_arrived_is_kept_for_the_next_run(server, tmp_path, monkeypatch):
    base, log = server
    url = f"{base}/stubborn.bin"
    with pytest.raises(ToolError, match=r"the connection broke \(491,520 bytes are kept"):
        fetch(url, SHA256, cache_dir=tmp_path)
    assert len(log) == download.ATTEMPTS
    (part,) = tmp_path.rglob("stubborn.bin.part")
    assert part.read_bytes() == CONTENT[:491_520]
    part.write_bytes(CONTENT)  # as if only the end of the transfer had been lost
    assert fetch(url, SHA256, cache_dir=tmp_path).read_bytes() == CONTENT
    assert log[-1] == ("stubborn.bin", f"bytes={len(CONTENT)}-")


def test_a_kept_part_longer_than_the_file_is_thrown_away(server, tmp_path):
    path = fetch(f"{server[0]}/whole.bin", SHA256, cache_dir=tmp_path)
    path.rename(path.with_name("whole.bin.part"))
    with path.with_name("whole.bin.part").open("ab") as stream:
        stream.write(b"more")
    assert fetch(f"{server[0]}/whole.bin", SHA256, cache_dir=tmp_path).read_bytes() == CONTENT


def test_a_wrong_checksum_is_a_data_error_and_nothing_is_left(server, tmp_path):
    with pytest.raises(DataError, match=r"does not have the expected checksum sha256:000.*was removed"):
        fetch(f"{server[0]}/whole.bin", "0" * 64, cache_dir=tmp_path)
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} <= {".lock"}


def test_a_list_of_checksums_beside_the_file_is_used(server, tmp_path):
    base, log = server
    for _ in range(2):
        fetch(f"{base}/whole.bin", checksums="md5sum.txt", cache_dir=tmp_path)
    assert log == [("md5sum.txt", None), ("whole.bin", None)]
    assert fetch(f"{base}/cut.bin", checksums=f"{base}/md5sum.txt", cache_dir=tmp_path).stat().st_size
    with pytest.raises(DataError, match="expected checksum md5:000"):
        fetch(f"{base}/a.bin", checksums="md5sum.txt", cache_dir=tmp_path)
    with pytest.raises(DataError, match=r"no checksum for other\.bin in it; give a local copy"):
        fetch(f"{base}/other.bin", checksums="md5sum.txt", cache_dir=tmp_path)


def test_a_missing_file_and_a_failing_server_are_told_apart(server, tmp_path):
    with pytest.raises(DataError, match=r"404 Not Found: the file is not there.*dataset.path="):
        fetch(f"{server[0]}/missing.bin", SHA256, cache_dir=tmp_path)
    with pytest.raises(ToolError, match=r"the server failed \(503 Service Unavailable\)"):
        fetch(f"{server[0]}/failing.bin", SHA256, cache_dir=tmp_path)


def test_a_server_that_stops_answering_is_left(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT_S", (1.0, 0.3))
    with pytest.raises(ToolError, match=r"stopped answering for 0.3 s; it needs the network once"):
        fetch(f"{server[0]}/silent.bin", SHA256, cache_dir=tmp_path)


def test_offline_says_how_to_go_on(tmp_path):
    with pytest.raises(
        ToolError, match=r"cannot be reached; it needs the network once; or give a local copy"
    ):
        fetch("https://127.0.0.1:9/x.bin", SHA256, cache_dir=tmp_path)


def test_a_cache_that_cannot_be_written_is_a_tool_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ToolError, match=r"cannot write the download.*SEQUENCE_PIPELINE_CACHE"):
        fetch("http://127.0.0.1:9/x.bin", SHA256, cache_dir=tmp_path / "file")


def test_a_chromosome_is_fetched_by_name_and_checked(server, tmp_path, monkeypatch):
    base, log = server
    monkeypatch.setenv(download.CACHE_VARIABLE, str(tmp_path / "cache"))
    source = f"dataset.sources.genome=[{{at: '{base}/genome.fa', checksums: md5sum.txt}}]"
    arguments = ("dataset=dm6", source, "domain.regions=chr2", "blast=none", "stages=[ingest]")
    for run in ("one", "two"):
        ingest = run_pipeline(tmp_path / run, *arguments)["stages"]["ingest"]
        assert ingest["kept"] == {"records": 1, "symbols": 60_000}
    arrived = len(GENOME) // 2 // download.CHUNK_BYTES * download.CHUNK_BYTES
    assert log == [("md5sum.txt", None), ("genome.fa", None), ("genome.fa", f"bytes={arrived}-")]
