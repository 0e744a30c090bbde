"""The README: short, its links lead to files, and its lines run in their smallest form."""

import re
import shlex

import pytest
from pages import README, ROOT, blocks, commands
from tiny import compose_config, some_proteins

LINES = commands(README)
OWN_FILES = [line for line in LINES if re.search(r"=(my\.fa|my\.faa|my\.txt|my_tunes/)( |$)", line)]
TINY_MODEL = ("model=markov", "sample.count=2", "sample.length=60", "budget=null")


def test_it_is_short_and_its_links_lead_somewhere():
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (ROOT / target).is_file(), target
    for picture in (ROOT / "docs" / "images").iterdir():
        assert picture.stat().st_size < 150_000


def test_the_two_contract_lines_are_there():
    assert "python -m pipeline dataset=drosophila" in LINES
    assert "python -m pipeline dataset=folk render=midi" in LINES
    assert re.findall(r"^(make \w+) ", blocks(README, "")[0], re.MULTILINE) == ["make run", "make test"]


@pytest.mark.parametrize("line", [each for each in LINES if "run=" not in each and " -m dataset" not in each])
def test_every_line_names_settings_that_exist(line):
    compose_config(*shlex.split(line)[3:])


@pytest.mark.parametrize("line", OWN_FILES)
def test_the_lines_with_own_files_run(line, type_in, tmp_path, tiny_files):
    (tmp_path / "my.fa").write_bytes(tiny_files["genome"].read_bytes())
    (tmp_path / "my.txt").write_bytes(tiny_files["text"].read_bytes())
    (tmp_path / "my.faa").write_text(some_proteins(), encoding="ascii")
    (tmp_path / "my_tunes").mkdir()
    (tmp_path / "my_tunes" / "reels.abc").write_bytes(tiny_files["abc"].read_bytes())
    answer = type_in(*shlex.split(line)[3:], *TINY_MODEL, "hydra.run.dir=run")
    assert answer.status == 0, answer.err
    assert (tmp_path / "run" / "report.html").is_file()
