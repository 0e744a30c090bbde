"""What a child process may do to us: nothing."""

import os
import signal
import sys
import time

import pytest

from pipeline.errors import ToolError
from pipeline.runtime.subprocess_call import Worker, call_isolated


def call(function: str, timeout_s: float = 30, **arguments):
    return call_isolated(f"{__name__}:{function}", arguments, timeout_s)


@pytest.fixture(autouse=True)
def on_path(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(__file__))  # noqa: PTH120


def echo(**arguments):
    return arguments


def chatter():
    os.write(1, b"native code prints here\n")
    sys.stdout.write("and Python too\n")
    return "result"


def die(how: str):
    os.kill(os.getpid(), getattr(signal, how))


def leave(status: int):
    os._exit(status)


def fail():
    raise ValueError("bad tune")


def mumble():
    os.write(2, b"\xff\xfe not UTF-8\n")
    os._exit(3)


def sleep():
    time.sleep(60)


def test_arguments_and_result_travel_whole():
    given = {"text": "perché \u2028 ☃", "numbers": [1, 2.5, None], "nested": {"a": [True]}}
    assert call("echo", **given) == given


def test_what_is_printed_does_not_mix_with_the_result():
    assert call("chatter") == "result"


@pytest.mark.parametrize("how", ["SIGSEGV", "SIGABRT", "SIGKILL"])
def test_a_dying_child_is_an_error_that_names_the_signal(how):
    with pytest.raises(
        ToolError, match=rf"test_subprocess_call:die ended with signal {getattr(signal, how)}: "
    ):
        call("die", how=how)


def test_an_exception_shows_its_last_line():
    with pytest.raises(ToolError, match="ended with exit status 1: ValueError: bad tune"):
        call("fail")


def test_a_child_that_leaves_without_a_result():
    with pytest.raises(ToolError, match="test_subprocess_call:leave gave no result"):
        call("leave", status=0)


def test_bytes_that_are_no_text_do_not_hurt():
    with pytest.raises(ToolError, match=r"ended with exit status 3: .* not UTF-8"):
        call("mumble")


def test_a_slow_child_is_ended():
    with pytest.raises(
        ToolError, match=r"test_subprocess_call:sleep was not done after 0\.5 s and was ended"
    ):
        call("sleep", timeout_s=0.5)


def pid() -> int:
    return os.getpid()


def hoard(megabytes: int) -> int:
    return len(bytearray(megabytes * 2**20))


@pytest.fixture
def worker():
    made = []

    def make(function: str, timeout_s: float = 30, memory_mb: int | None = None) -> Worker:
        made.append(Worker(f"{__name__}:{function}", timeout_s, memory_mb))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_worker_answers_again_and_again_from_one_process(worker):
    ask = worker("pid")
    assert ask({}) == ask({}) != os.getpid()
    echoing = worker("echo")
    given = {"text": "perché \u2028 ☃\n", "numbers": [1, 2.5, None]}
    assert [echoing(given), echoing({})] == [given, {}]


def test_a_worker_that_raises_goes_on_and_one_that_dies_is_replaced(worker):
    ask = worker("die")
    with pytest.raises(ToolError, match="AttributeError"):
        ask({"how": "NO SUCH SIGNAL"})
    for _ in range(2):
        with pytest.raises(ToolError, match=f"test_subprocess_call:die ended with signal {signal.SIGSEGV:d}"):
            ask({"how": "SIGSEGV"})


def test_a_slow_worker_is_ended(worker):
    with pytest.raises(ToolError, match=r"test_subprocess_call:sleep was not done after 0\.5 s"):
        worker("sleep", timeout_s=0.5)({})


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds a process's memory")
def test_a_greedy_worker_is_refused_memory(worker):
    ask = worker("hoard", memory_mb=512)
    with pytest.raises(ToolError, match="MemoryError"):
        ask({"megabytes": 2048})
    assert ask({"megabytes": 1}) == 2**20
