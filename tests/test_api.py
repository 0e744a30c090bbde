"""The pipeline as a library: the lines of the README, and what goes wrong with them."""

import re
from pathlib import Path

import pytest

import pipeline
from pipeline import generate, load
from pipeline.errors import ConfigError, DataError
from pipeline.records import Sample

README = Path(__file__).resolve().parents[1] / "README.md"


def test_the_lines_of_the_readme_run(text_run, capsys):
    (lines,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    lines = re.sub(r'load\("[^"]*"\)', f"load({str(text_run)!r})", lines)
    exec(re.sub(r'prime="[^"]*"', 'prime="the "', lines), {})
    assert capsys.readouterr().out.startswith("the ")


def test_the_samples_are_those_of_the_run(text_run):
    lines = (text_run / "sample" / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    assert list(generate(load(text_run), count=3, length=40)) == [Sample.from_json(line) for line in lines]


def test_mistakes_are_told_at_once(text_run, tmp_path):
    with pytest.raises(DataError, match="not a run folder"):
        load(tmp_path)
    trained = load(text_run)
    with pytest.raises(ConfigError, match="temprature"):
        generate(trained, temprature=1)
    with pytest.raises(ConfigError, match=r"sample\.count=0"):
        generate(trained, count=0)
    with pytest.raises(ConfigError, match="symbol '@'"):
        generate(trained, prime="the @")
    with pytest.raises(ConfigError, match="no whole number"):
        generate(trained, constraints=[{"kind": "window", "of": "a", "length": 3, "low": 0.4, "high": 0.5}])
    with pytest.raises(AttributeError, match="nothing_such"):
        pipeline.nothing_such  # noqa: B018


@pytest.mark.parametrize("function", [load, generate])
def test_the_library_functions_have_examples(function):
    assert ">>> " in (function.__doc__ or "").partition("Examples\n")[2]
