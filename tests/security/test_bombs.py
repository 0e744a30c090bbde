"""Small files that unpack to far more than memory holds: one line, and memory stays bounded."""

import gzip
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pipeline.data.sources import Source, locate
from pipeline.domains.music.chorales.files import read_chorales
from pipeline.domains.music.piano.files import read_pieces
from pipeline.domains.text import Text
from pipeline.errors import ConfigError, DataError

UNPACKED_MB = 600
READERS = {
    "bomb.txt.gz": ("pipeline.domains.text", "Text().read"),
    "bomb.abc.gz": ("pipeline.domains.music.abc.files", "read_tunes"),
    "bomb.fa.gz": ("pipeline.domains.genome.fasta", "read_fasta"),
    "bomb.notes.txt.gz": ("pipeline.domains.music.piano.files", "read_pieces"),
}
SCRIPT = """
import resource, sys
from pathlib import Path
from {} import *
from pipeline.errors import DataError
used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    for _ in {}(Path(sys.argv[1])): pass
except DataError as error:
    print(error, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used) // 1024, sep="\\n")
"""


def write_bomb(path: Path, letter: bytes) -> Path:
    """One line of so many letters, in a few hundred kilobytes."""
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(b">x\n" if path.name.endswith(".fa.gz") else b"")
        for _ in range(UNPACKED_MB):
            stream.write(letter * 2**20)
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in other units")
@pytest.mark.parametrize("name", READERS)
def test_a_packed_line_without_an_end_is_refused_in_little_memory(tmp_path, name):
    module, reader = READERS[name]
    bomb = write_bomb(tmp_path / name, b"A")
    script = SCRIPT.format(module, reader)
    done = subprocess.run([sys.executable, "-c", script, bomb], capture_output=True, text=True, check=True)
    message, used_mb = done.stdout.strip().split("\n")
    assert message.startswith(f"{bomb}")
    assert int(used_mb) < 200


def test_a_long_line_of_text_is_read_whole_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.domains.text.MAX_RECORD_CHARACTERS", 10)
    (tmp_path / "line.txt").write_text("abcdefghijklmnopqrstuvwxy\nz\n")
    parts = [record.symbols for record in Text(records="file").read(tmp_path / "line.txt")]
    assert parts == ["abcdefghij", "klmnopqrst", "uvwxy\nz"]


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
XML = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]><score-partwise>&l9;</score-partwise>'


@pytest.mark.parametrize("read", [read_chorales, read_pieces])
def test_entities_of_xml_are_not_expanded(tmp_path, read):
    (tmp_path / "laughs.musicxml").write_text(XML)
    with pytest.raises(DataError, match="declares entities"):
        list(read(tmp_path / "laughs.musicxml"))


@pytest.mark.parametrize("read", [read_chorales, read_pieces])
def test_an_archive_of_gigabytes_is_not_unpacked(tmp_path, read):
    with zipfile.ZipFile(tmp_path / "zip.mxl", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(2):
            archive.writestr(f"{number}.xml", bytes(2**26))
    with pytest.raises(DataError, match="it unpacks to"):
        list(read(tmp_path / "zip.mxl"))


@pytest.mark.parametrize("at", ["http://example.org/x.fa", "file:///etc/passwd", "ftp://example.org/x.fa"])
def test_a_download_is_by_https_alone(tmp_path, at):
    with pytest.raises(ConfigError, match="starts with none of embedded:, package:, https://"):
        locate(None, [Source(at, "0" * 64)], lambda path: True, tmp_path)


def test_a_download_needs_a_checksum(tmp_path):
    with pytest.raises(ConfigError, match="a download needs a checksum"):
        locate(None, [Source("https://example.org/x.fa")], lambda path: True, tmp_path)
