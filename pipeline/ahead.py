"""What a run will sample with is compiled while its first stages do their work, by a child process that fills
the folder of compiled code (`machine`) and does nothing else.

It takes half of a first run's time, which the other core has to spare. Only where a checkpoint is given: a
training takes far longer, and finds out at its start how fast this machine is.
"""

import hashlib
import logging
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from omegaconf import DictConfig

from pipeline import machine
from pipeline.errors import PipelineError
from pipeline.sources import checkpoint_path

log = logging.getLogger(__name__)

PATIENCE_S = 120.0
"""A child that takes so long to end is not waited for."""


class CompilingAhead:
    """A child that compiles what this checkpoint's model is evaluated and sampled with; none where that was
    done before, or where there is no core for it. It prints nothing, and ends with us, whatever ends us."""

    def __init__(self, checkpoint: Path | None, int8: bool = False) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        if checkpoint is None or _cores() < 2:
            return
        done = _mark(checkpoint, int8)
        if done.exists():
            return
        command = [sys.executable, "-m", "pipeline.ahead", str(checkpoint), str(int(int8)), str(done)]
        nowhere = subprocess.DEVNULL
        # Its end of the pipe tells the child that we are no more.
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere)

    @classmethod
    def of(cls, config: DictConfig) -> "CompilingAhead":
        """What suits a run that has been asked for; of a wrong setting others tell."""
        fresh = config.run is None and {"ingest", "train", "sample"} <= {*config.stages}
        if not fresh or config.checkpoint is None or config.sample.accelerator == "gpu":
            return cls(None)
        path = None
        with suppress(PipelineError):
            path = checkpoint_path("checkpoint", config.checkpoint, config.dataset)
        return cls(path if path is not None and path.is_file() else None, bool(config.sample.int8))

    def __enter__(self) -> "CompilingAhead":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait(self) -> None:
        """Until all is compiled: what a child has begun it ends before anyone who begins it now."""
        if self._child is None:
            return
        try:
            status = self._child.wait(PATIENCE_S)
            log.debug("compiling ahead ended with %d; what is missing is compiled when it is needed", status)
        except subprocess.TimeoutExpired:
            log.debug("compiling ahead took over %g s and was ended", PATIENCE_S)
        self.close()

    def close(self) -> None:
        """End the child, if there is one."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child.stdin.close()
            self._child = None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _mark(checkpoint: Path, int8: bool) -> Path:
    """The file that says that this has been done."""
    digest = hashlib.sha256(checkpoint.read_bytes() + bytes([int8])).hexdigest()
    return Path(os.environ["NUMBA_CACHE_DIR"]) / f"ahead-{digest[:12]}"


def compile_for(checkpoint: Path, int8: bool) -> None:
    """Let the checkpoint's model be evaluated and sampled from, in little. Raises DataError as `load`."""
    import torch

    from pipeline.checkpoint import load
    from pipeline.sampling.engine import Request, draw, net_of

    loaded = load(checkpoint)
    with torch.inference_mode():
        loaded.model(torch.zeros(2, 2, dtype=torch.int64))
    if net_of(loaded.model, int8) is not None:
        list(draw(loaded.model, loaded.alphabet, Request(1, 2, 0, int8=int8)))


def main() -> None:
    """The child: compile, and leave the mark."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    machine.prepare()
    compile_for(Path(sys.argv[1]), sys.argv[2] == "1")
    Path(sys.argv[3]).touch()


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    main()
