"""The parent process of every external program: it ends the program when the pipeline ends.

It runs as a script, with the number of a pipe and a command. The pipe closes when the pipeline ends, also by
SIGKILL; then the command and its children are killed. Otherwise this process ends as the command does, by the
same status or signal. It uses only the standard library, so that it starts in a few milliseconds.
"""

import os
import resource
import signal
import subprocess
import sys
import threading
from contextlib import suppress

CANNOT_RUN = 127
"""Exit status where there is no such command, as of a shell."""


def main() -> None:
    """Run the command, and end as it ends."""
    watched, command = int(sys.argv[1]), sys.argv[2:]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the pipeline decides when to close the pipe
    try:
        program = subprocess.Popen(command, start_new_session=True)
    except OSError as error:
        sys.stderr.write(f"cannot be run ({error})\n")
        sys.exit(CANNOT_RUN)
    threading.Thread(target=_end_when_closed, args=(watched, program), daemon=True).start()
    status = program.wait()
    if status < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError):  # SIGKILL has no handler to be reset
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


def _end_when_closed(watched: int, program: "subprocess.Popen[bytes]") -> None:
    os.read(watched, 1)
    with suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
