"""The page of output files names every file and column that runs write."""

import re
from fnmatch import fnmatch

import pytest
from pages import page
from tiny import TINY, run_pipeline

PAGE = page("reference/output-files.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([^`\s]+)`", PAGE))
OTHER_PAGE = ("statistics.tsv",)
"""Tables whose columns have a page of their own."""
OPEN_COLUMNS = r"^bases$|^characters$|^model$|^perplexity$|^bits per |_mers$|_bp$"
"""Columns that the page describes in words, since their names depend on the data."""


@pytest.mark.parametrize("dataset", ["genome", "abc"])
def test_every_file_and_column_of_a_run_is_on_the_page(dataset, tiny_files, tmp_path):
    folder = tmp_path / "run"
    render = ("render=midi",) if dataset == "abc" else ()
    run_pipeline(folder, f"dataset={dataset}", f"dataset.path={tiny_files[dataset]}", *render, *TINY)
    folders = {name.rstrip("/") for name in NAMED if name.endswith("/")}
    patterns = [name for name in NAMED if not name.endswith("/")]
    for path in filter(lambda each: each.is_file(), folder.rglob("*")):
        below = set(path.relative_to(folder).parts[:-1]) - {"ingest", "train", "sample", "postprocess"}
        assert below & folders or any(fnmatch(path.name, name) for name in patterns), path
        if path.suffix == ".tsv" and path.name not in OTHER_PAGE and not below:
            row = next(line for line in PAGE.splitlines() if f"`{path.name}`" in line)
            for column in path.read_text(encoding="utf-8").splitlines()[0].split("\t"):
                assert f"`{column}`" in row or re.search(OPEN_COLUMNS, column), (path.name, column)
