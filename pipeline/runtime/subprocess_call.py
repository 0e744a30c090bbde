"""Calls into native code that may abort, in a child process with a time limit.

A segmentation fault or an abort of the child is a ToolError here, and the run continues. Arguments and
results are JSON, so that nothing is unpickled.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from typing import Any

from pipeline.errors import ToolError
from pipeline.runtime.programs import Program, run_program

ENDING_S = 5.0
"""Time limit for a child to end after it has closed its output."""


def call_isolated(target: str, arguments: dict[str, Any], timeout_s: float) -> Any:
    """Call ``package.module:function(**arguments)`` in a new Python process and return its result.

    Raises ToolError where the process dies, raises, or does not end within `timeout_s` seconds; the child is
    then ended, and its last output is in the message.
    """
    command = [sys.executable, "-m", "pipeline.runtime.subprocess_call", target]
    try:
        done = run_program(command, timeout_s, json.dumps(arguments))
    except ToolError:
        raise ToolError(f"{target} was not done after {timeout_s:g} s and was ended") from None
    if done.returncode != 0:
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit status {done.returncode}"
        last = done.stderr.strip().splitlines()[-1:] or ["it printed nothing"]
        raise ToolError(f"{target} ended with {how}: {last[0][:300]}")
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise ToolError(f"{target} gave no result, though its process ended well") from None


class Worker:
    """A child process for many calls; a dead child is replaced at the next call.

    `timeout_s` bounds each call, and `memory_mb` the memory of the child where the system can limit it.
    """

    def __init__(self, target: str, timeout_s: float, memory_mb: int | None = None) -> None:
        self.target, self.timeout_s = target, timeout_s
        self._command = [
            sys.executable,
            "-m",
            "pipeline.runtime.subprocess_call",
            target,
            str(memory_mb or 0),
        ]
        self._child: Program | None = None

    def __call__(self, arguments: dict[str, Any]) -> Any:
        """Return the result of the function; raise ToolError where it raises, dies, or exceeds the time
        limit."""
        if self._child is None:
            self._child = self._start()
        child, late = self._child, threading.Event()
        timer = threading.Timer(self.timeout_s, lambda: (late.set(), child.stop()))
        timer.start()
        try:
            answer = self._ask(child.process, json.dumps(arguments))
        finally:
            timer.cancel()
        if late.is_set() or not answer.endswith("\n"):
            how = f"was not done after {self.timeout_s:g} s" if late.is_set() else _how(child)
            self.close()
            raise ToolError(f"{self.target} {how}")
        result = json.loads(answer)
        if "error" in result:
            raise ToolError(f"{self.target}: {result['error']}")
        return result["result"]

    def close(self) -> None:
        """End the child, if there is one."""
        if self._child is not None:
            self._child.end()
            self._child = None

    def _start(self) -> Program:
        pipe = subprocess.PIPE
        with tempfile.TemporaryFile() as printed:
            return Program(
                self._command, stdin=pipe, stdout=pipe, stderr=printed, encoding="utf-8", errors="replace"
            )

    def _ask(self, child: "subprocess.Popen[str]", line: str) -> str:
        if child.stdin is None or child.stdout is None:
            raise ValueError("a child process without pipes")
        try:
            child.stdin.write(line + "\n")
            child.stdin.flush()
        except BrokenPipeError:
            return ""
        return child.stdout.readline()


def _how(child: Program) -> str:
    """Describe the end of a child that no longer answers."""
    with suppress(subprocess.TimeoutExpired):
        child.process.wait(ENDING_S)
    status = child.process.returncode
    if status is None:
        return "closed its output and was ended"
    return f"ended with signal {-status}" if status < 0 else f"ended with {status}"


def main() -> None:
    """The child: arguments on standard input, the result on what was standard output.

    With a memory limit in megabytes as the second argument it serves a `Worker`: a line of input and of
    output for each call, until the input ends.
    """
    # Native libraries print to file descriptor 1; keep it for the result alone.
    result_fd = os.dup(1)
    os.dup2(2, 1)
    module, function = sys.argv[1].split(":")
    call = getattr(importlib.import_module(module), function)
    with os.fdopen(result_fd, "w") as stream:
        if len(sys.argv) == 2:
            json.dump(call(**json.load(sys.stdin)), stream)
            return
        _bound_memory(int(sys.argv[2]) * 2**20)
        for line in sys.stdin:
            try:
                result = {"result": call(**json.loads(line))}
            except Exception as error:  # sent to the parent, which raises it
                result = {"error": f"{type(error).__name__}: {error}"[:500]}
            stream.write(json.dumps(result) + "\n")
            stream.flush()


def _bound_memory(most_bytes: int) -> None:
    if not most_bytes:
        return
    import resource

    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    with suppress(ValueError, OSError):  # macOS has the limit but may refuse it
        resource.setrlimit(resource.RLIMIT_AS, (most_bytes, hard))


if __name__ == "__main__":
    main()
