"""Calls into native code that may abort, in a child process with a time limit.

A segmentation fault or an abort there is a ToolError here, and the run goes on. Arguments and results
travel as JSON, so that nothing is unpickled.
"""

import importlib
import json
import os
import subprocess
import sys
from typing import Any

from pipeline.errors import ToolError


def call_isolated(target: str, arguments: dict[str, Any], timeout_s: float) -> Any:
    """Call ``package.module:function(**arguments)`` in a fresh Python process and return what it returns.

    Raises ToolError where the process dies, raises, or is not done within `timeout_s` seconds; the child
    is then ended, with what it printed last in the message.
    """
    command = [sys.executable, "-m", "pipeline.isolation", target]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(arguments),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ToolError(f"{target} was not done after {timeout_s:g} s and was ended") from None
    if done.returncode != 0:
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit status {done.returncode}"
        last = done.stderr.strip().splitlines()[-1:] or ["it printed nothing"]
        raise ToolError(f"{target} ended with {how}: {last[0][:300]}")
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise ToolError(f"{target} gave no result, though its process ended well") from None


def main() -> None:
    """The child: arguments on standard input, the result on what was standard output."""
    # Native libraries print to file descriptor 1; keep it for the result alone.
    result_fd = os.dup(1)
    os.dup2(2, 1)
    module, function = sys.argv[1].split(":")
    result = getattr(importlib.import_module(module), function)(**json.load(sys.stdin))
    with os.fdopen(result_fd, "w") as stream:
        json.dump(result, stream)


if __name__ == "__main__":
    main()
