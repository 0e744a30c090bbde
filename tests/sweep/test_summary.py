"""What a sweep says of its jobs: means and standard errors over seeds, and which configuration is better."""

import json
import math

import pytest

from pipeline.errors import DataError
from pipeline.sweep.jobs import read_jobs, record_failure
from pipeline.sweep.summary import standard_error, summarise


def job(sweep, name, overrides, **figures):
    """The folder of a finished job."""
    folder = sweep / name
    folder.mkdir()
    stage = {"fingerprint": "", "outputs": {}, "summary": [], "seconds": 2.0, "figures": figures}
    manifest = {"format": 1, "created": "", "overrides": overrides, "stages": {"train": stage}}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def table(path):
    header, *rows = [line.split("\t") for line in path.read_text().splitlines()]
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_a_configuration_has_mean_and_standard_error_over_its_seeds(tmp_path):
    for number, (model, seed, bits) in enumerate(
        [("gru", 0, 2.0), ("lstm", 0, 1.8), ("gru", 1, 2.2), ("lstm", 1, 1.6)]
    ):
        job(tmp_path, str(number), [f"model={model}", f"seed={seed}", "budget=9s"], validation_bits=bits)
    summarise(tmp_path, [])
    first, second = table(tmp_path / "sweep.tsv")
    assert (first["model"], second["model"]) == ("lstm", "gru")  # best first
    assert first["bits per symbol (validation)"] == "1.7000"
    # The standard deviation of 1.8 and 1.6 is 0.1414, divided by the square root of 2.
    assert first["± bits per symbol (validation)"] == "0.1000"
    assert "budget" not in first  # no job differs in it
    assert [row["job"] for row in table(tmp_path / "sweep_jobs.tsv")] == ["0", "1", "2", "3"]


def test_one_value_has_no_standard_error():
    assert standard_error([1.5]) is None
    assert standard_error([1.0, 3.0]) == pytest.approx(math.sqrt(2) / math.sqrt(2))


@pytest.mark.parametrize(
    ("other", "said"),
    [((3.0, 3.01), "the first is better"), ((1.95, 2.3), "no difference found")],
)
def test_two_configurations_differ_only_where_the_interval_leaves_out_zero(tmp_path, other, said):
    for seed, values in enumerate(zip((1.9, 1.91), other, strict=True)):
        for model, bits in zip(("gru", "rnn"), values, strict=True):
            job(tmp_path, f"{model}{seed}", [f"model={model}", f"seed={seed}"], validation_bits=bits)
    assert any(line.endswith(said) for line in summarise(tmp_path, []).lines)


def test_configurations_that_train_alike_are_not_ranked(tmp_path):
    for number, temperature in enumerate((0.5, 1)):
        job(tmp_path, str(number), [f"sample.temperature={temperature}"], validation_bits=1.9)
    assert "they train alike" in summarise(tmp_path, []).lines[0]


def test_with_one_seed_chance_is_named(tmp_path):
    for model, bits in (("gru", 1.9), ("rnn", 3.0)):
        job(tmp_path, model, [f"model={model}"], validation_bits=bits)
    assert any("one seed" in line for line in summarise(tmp_path, []).lines)


def test_a_failed_job_is_listed_with_its_error(tmp_path):
    job(tmp_path, "0", ["model=gru"], validation_bits=2.0)
    record_failure(tmp_path / "1", ["model=rnn"], "data.txt: empty\ngive more data")
    summary = summarise(tmp_path, ["model=gru,rnn"])
    assert summary.failed == 1
    assert "job 1 failed: data.txt: empty" in summary.lines
    assert table(tmp_path / "sweep_jobs.tsv")[1]["error"] == "data.txt: empty give more data"
    page = (tmp_path / "sweep.html").read_text(encoding="utf-8")
    assert "python -m pipeline -m model=gru,rnn" in page


def test_job_10_follows_job_9(tmp_path):
    for number in (10, 9, 1):
        job(tmp_path, str(number), [])
    assert [each.folder.name for each in read_jobs(tmp_path)] == ["1", "9", "10"]


@pytest.mark.parametrize("text", ["", "[]", '{"overrides": 1, "error": ""}', "{" * 5000])
def test_a_damaged_failure_is_an_error_that_names_it(tmp_path, text):
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "failure.json").write_text(text)
    with pytest.raises(DataError, match=r"failure\.json: cannot be read .*; remove it"):
        read_jobs(tmp_path)


def test_an_empty_folder_has_no_summary(tmp_path):
    assert summarise(tmp_path, []).lines == ()
    assert list(tmp_path.iterdir()) == []
