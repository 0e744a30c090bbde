"""Sample grids: which sample stands in a cell, and what was made of it beside it."""

import json
import re

import pytest

from pipeline.config.sampling import GridSettings, SampleSettings
from pipeline.records import Record
from pipeline.report.page import write_report
from pipeline.report.sample_grid import GridCell, interleave_cells, read_grid

HOSTILE = "</div><script>alert(1)</script>"
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"/>'


def write_run(run, cells, columns):
    """A run with a grid of one row, and files of the record tune_0001."""
    (run / "sample").mkdir(parents=True)
    (run / "postprocess/score").mkdir(parents=True)
    (run / "postprocess/midi").mkdir()
    grid = {"rows": [HOSTILE], "columns": columns, "letters": "", "cells": [[vars(cell) for cell in cells]]}
    (run / "sample/sample_grid.json").write_text(json.dumps(grid))
    made = ("postprocess/score/tune_0001.svg", "postprocess/midi/tune_0001.mid")
    other = "postprocess/score/tune_0002.svg"
    for name in (*made, other):
        (run / name).write_text(PICTURE)
    scores = {"title": "Scores", "files": [made[0], other]}
    return {
        "dataset": "folk", "stages": {
            "sample": {"sections": [{"title": "Sample grid", "files": ["sample/sample_grid.json"]}]},
            "postprocess": {"sections": [scores], "outputs": dict.fromkeys((*made, other), "")},
        },
    }  # fmt: skip


def test_what_was_made_of_a_record_stands_in_its_cell_and_nowhere_else(tmp_path):
    kept = GridCell(1, 1.5, "M:6/8\n", HOSTILE, 0, "tune_0001", "")
    rejected = GridCell(3, 2.5, "", "GAB|", 0, "", "bar too long")
    manifest = write_run(tmp_path, [kept, rejected], ["temperature 0.5", "temperature 1"])
    page = write_report(manifest, tmp_path, tmp_path / "report.html").read_text(encoding="utf-8")
    first, second = re.findall(r'<li class="cell.*?</li>', page, re.DOTALL)
    assert "data:image/svg+xml" in first and 'href="./postprocess/midi/tune_0001.mid"' in first
    assert "As text" in first and "temperature 0.5" in first and "1.50 bits" in first
    assert "Not kept: bar too long" in second and "GAB|" in second and "<img" not in second
    scores = page[page.index("<h3>Scores") : page.index("The command lines")]
    assert "tune_0002.svg" in scores and "tune_0001.svg" not in scores
    assert HOSTILE not in page


ODD_CELL = {**vars(GridCell(1, 1.0, "", "A", 0, "a", "")), "bits": "many"}
ODD = {"rows": ["a"], "columns": ["b"], "letters": "", "cells": [[ODD_CELL]]}


@pytest.mark.parametrize("text", ["[1]", "{", json.dumps(ODD)], ids=["a list", "cut off", "an odd cell"])
def test_a_file_that_is_no_grid_is_a_link(tmp_path, text):
    path = tmp_path / "sample_grid.json"
    path.write_text(text)
    with pytest.raises(ValueError):
        read_grid(path)
    section = {"title": "Sheet", "files": ["sample_grid.json"]}
    page = write_report({"stages": {"sample": {"sections": [section]}}}, tmp_path, tmp_path / "report.html")
    assert 'href="./sample_grid.json"' in page.read_text(encoding="utf-8")


def test_renders_take_one_of_each_cell_before_the_next():
    settings = SampleSettings(count=3, grid=GridSettings(temperatures=[0.5, 1.0]))
    records = [Record(str(n), "A", {"index": str(n)}) for n in (1, 2, 3, 4, 5)]
    assert [r.id for r in interleave_cells(records, settings)] == ["1", "3", "2", "4", "5"]
    assert interleave_cells(records, SampleSettings(count=3)) == records
