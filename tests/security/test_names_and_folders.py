"""Odd names, and runs that begin at the same moment."""

from concurrent.futures import ThreadPoolExecutor

from tiny import on

from pipeline.stages import claim_folder


def test_runs_of_the_same_second_get_folders_of_their_own(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(claim_folder, [tmp_path / "2026-01-31_12-00-00"] * 8))
    assert len(set(claimed)) == 8
    assert min(claimed) == tmp_path / "2026-01-31_12-00-00"


def test_a_second_run_of_the_same_second_is_made_beside_the_first(type_in, text_file, tmp_path, monkeypatch):
    monkeypatch.setattr("hydra.core.utils.datetime", Noon, raising=False)
    for number in ("", "_2"):
        answer = type_in(*on(text_file, "stages=[ingest]"))
        assert answer.status == 0
        assert f"outputs/text/2026-01-31_12-00-00{number}\n" in answer.out


class Noon:
    """A clock that stands still."""

    @staticmethod
    def now():
        import datetime

        return datetime.datetime(2026, 1, 31, 12)
