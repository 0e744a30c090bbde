"""A sweep from the command line: checked beforehand, summarised at the end, gone on with."""

from tiny import errors, on


def test_no_job_runs_where_a_value_of_one_is_refused(type_in, text_file, tmp_path):
    answer = type_in("-m", *on(text_file, "train.lr=0.01,-1", "hydra.sweep.dir=sweep"))
    assert "train.lr=-1.0 is out of range" in errors(answer)
    assert "in the job with" in errors(answer)
    assert not (tmp_path / "sweep").exists()


def test_a_job_that_fails_does_not_stop_the_others(type_in, text_file, tmp_path):
    (tmp_path / "small.txt").write_text("a\nb\n")
    data = f"dataset.path='{tmp_path}/small.txt','{text_file}'"
    arguments = [each for each in on(text_file) if not each.startswith("dataset.path")]
    answer = type_in("-m", *arguments, data, "hydra.sweep.dir=sweep")
    assert answer.status == 1
    assert "too little for the split" in answer.err
    assert "sweep of 2 jobs, 1 failed: sweep/sweep.html" in answer.out
    assert (tmp_path / "sweep" / "1" / "report.html").is_file()
    assert not (tmp_path / "sweep" / "0" / "report.html").exists()


def test_the_same_line_goes_on_with_a_sweep_and_another_is_refused(type_in, text_file, tmp_path):
    line = on(text_file, "sample.temperature=0.4,0.8", "hydra.sweep.dir=sweep")
    assert type_in("-m", *line).status == 0
    again = type_in("-m", *line)
    assert again.status == 0
    assert again.out.count("train        up to date") == 2
    other = type_in("-m", *line, "seed=1")
    assert other.status == 1
    assert "already holds a run" in other.err
