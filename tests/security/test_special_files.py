"""Pipes, devices, kernel files and folders in the place of a file that a setting names: refused at once."""

import os
import signal
from pathlib import Path

import pytest
from tiny import compose_config, errors, on

from pipeline.domains.genome.blast.backend import BLASTN
from pipeline.domains.genome.blast.database import find_user_database
from pipeline.errors import ConfigError
from pipeline.stages import warmup

SETTINGS = (
    "dataset.path='{}'", "sample.primes=['@{}']", "sample.prime='@{}'", "checkpoint='{}'",
    "train.init_from='{}'", "dataset.split.file='{}'",
)  # fmt: skip
LIMIT_S = 60


@pytest.fixture(autouse=True)
def limited():
    """End a test that waits for a file."""

    def stop(*_):
        raise TimeoutError(f"over {LIMIT_S} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(params=["pipe", "/dev/zero", "link to /dev/zero", "/proc/kmsg", "folder"])
def special(request, tmp_path) -> Path:
    path = tmp_path / "special"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "link to /dev/zero":
        path.symlink_to("/dev/zero")
    elif request.param == "folder":
        path.mkdir()
    else:
        path = Path(request.param)
    if not path.exists():
        pytest.skip(f"{path} is not on this system")
    return path


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_names_a_regular_file(type_in, text_file, special, setting):
    if special.is_dir() and setting.startswith("dataset.path"):
        pytest.skip("a folder of files may be named there")
    message = errors(type_in(*on(text_file), setting.format(special)))
    assert message.count("\n") == 1
    assert f"{special}: " in message and "regular file" in message


def test_no_model_of_it_is_compiled_in_the_background(special, monkeypatch):
    monkeypatch.setattr(warmup, "_cores", lambda: 2)
    config = compose_config("dataset=text", f"checkpoint='{special}'")
    with warmup.BackgroundWarmup.from_config(config) as background:
        assert background._child is None


@pytest.mark.parametrize("suffix", ["nin", "nsq", "00.nhr"])
def test_a_database_has_regular_files(special, tmp_path, suffix):
    (tmp_path / "flies.nin").touch()
    file = tmp_path / f"flies.{suffix}"
    file.unlink(missing_ok=True)
    file.symlink_to(special)
    with pytest.raises(ConfigError, match=rf"flies: flies\.{suffix} is .* regular file"):
        find_user_database(str(tmp_path / "flies"), BLASTN)
