from pipeline.training.metrics_log import COLUMNS, MetricsLog

HEADER = ",".join(COLUMNS) + "\n"


def test_one_row_a_measurement(tmp_path):
    curves = MetricsLog(tmp_path / "metrics.csv", 0)
    curves.log_metrics({"epoch": 0, "train_bits": 2.5}, 9)
    curves.log_metrics({"epoch": 0, "validation_bits": 2.25}, 19)
    assert (tmp_path / "metrics.csv").read_text() == HEADER + "0,9,,2.5,,,,\n0,19,,,,2.25,,\n"


def test_a_resumed_training_goes_on_where_its_checkpoint_stands(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(HEADER + "0,9,,2.5,,,,\n0,19,,,,2.25,,\n1,29,,1.5,,,,\n1,3")
    MetricsLog(path, 20).log_metrics({"epoch": 1, "train_bits": 1.5}, 29)
    assert path.read_text() == HEADER + "0,9,,2.5,,,,\n0,19,,,,2.25,,\n1,29,,1.5,,,,\n"


def test_a_row_cut_by_a_kill_is_dropped(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(HEADER + "0,9,,2.5,,,,\n0,19,,1.7")
    MetricsLog(path, 100)
    assert path.read_text() == HEADER + "0,9,,2.5,,,,\n"
