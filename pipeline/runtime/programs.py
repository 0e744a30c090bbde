"""External programs: with a time limit, without a shell, and ended with this process."""

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.errors import ToolError
from pipeline.runtime import supervise


class Program:
    """A running program and its children; all end with this process, however it ends.

    `options` are those of `subprocess.Popen`, and `process` is one: its status is the program's,
    `supervise.CANNOT_RUN` where there is no such program.
    """

    def __init__(self, command: Sequence[str], **options: Any) -> None:
        watched, self._alive = os.pipe()
        supervised = [sys.executable, "-I", "-S", str(Path(supervise.__file__)), str(watched), *command]
        try:
            self.process = subprocess.Popen(supervised, pass_fds=(watched,), **options)
        except BaseException:
            self.stop()
            raise
        finally:
            os.close(watched)

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def stop(self) -> None:
        """Kill the program without waiting for its end."""
        alive, self._alive = self._alive, None
        if alive is not None:
            os.close(alive)

    def end(self) -> None:
        """Kill the program if it runs, and wait for its end."""
        self.stop()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with suppress(OSError):  # unread input is lost
                    stream.close()


def run_program(
    command: Sequence[str], timeout_s: float, text: str = "", **options: Any
) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end, with `text` on its standard input; return its output and status.

    Raises ToolError where it does not end within `timeout_s` seconds.
    """
    pipe = subprocess.PIPE
    with Program(
        command, stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8", errors="replace", **options
    ) as program:
        try:
            printed, complained = program.process.communicate(text, timeout_s)
        except subprocess.TimeoutExpired:
            raise ToolError(f"{command[0]} was not done after {timeout_s:g} s and was ended") from None
        return subprocess.CompletedProcess(command, program.process.returncode, printed, complained)
