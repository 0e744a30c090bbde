"""What later stages run is compiled while the first ones do their work, by a child process that fills the
folder of compiled code (`machine`) and does nothing else.

It takes half of a first run's time, which the other core has to spare. Only where a checkpoint is given: a
training takes far longer, and finds out at its start how fast this machine is.
"""

import hashlib
import logging
import os
import select
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from omegaconf import DictConfig

from pipeline.data.sources import checkpoint_path
from pipeline.errors import PipelineError
from pipeline.runtime import process
from pipeline.runtime.files import find_fault

log = logging.getLogger(__name__)

PATIENCE_S = 60.0
"""A child that takes so long is not waited for."""


class BackgroundWarmup:
    """A child that compiles what this checkpoint's model is evaluated and sampled with, and then what copies
    are found with; none where that was done before, or where there is no core for it. It ends with us,
    whatever ends us."""

    def __init__(self, checkpoint: Path | None, int8: bool = False) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        if checkpoint is None or _cores() < 2:
            return
        done = _mark(checkpoint, int8)
        if done.exists():
            return
        command = [
            sys.executable,
            "-m",
            "pipeline.generation.compiled.warmup",
            str(checkpoint),
            str(int(int8)),
            str(done),
        ]
        # The end of the one pipe tells the child that we are no more; by the other it tells how far it is.
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    @classmethod
    def of(cls, config: DictConfig) -> "BackgroundWarmup":
        """What suits a run that has been asked for; of a wrong setting others tell."""
        fresh = config.run is None and {"ingest", "train", "sample"} <= {*config.stages}
        if not fresh or config.checkpoint is None or config.sample.accelerator == "gpu":
            return cls(None)
        path = None
        with suppress(PipelineError):
            path = checkpoint_path("checkpoint", config.checkpoint, config.dataset)
        return cls(path if path is not None and not find_fault(path) else None, bool(config.sample.int8))

    def __enter__(self) -> "BackgroundWarmup":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait(self) -> None:
        """Until one can sample: what a child has begun it ends before anyone who begins it now."""
        if self._child is None or self._child.stdout is None:
            return
        told, _, _ = select.select([self._child.stdout], [], [], PATIENCE_S)
        if not told or not self._child.stdout.read(1):
            log.debug("nothing was compiled ahead; what is missing is compiled when it is needed")
            self.close()

    def close(self) -> None:
        """End the child, if there is one."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _mark(checkpoint: Path, int8: bool) -> Path:
    """The file that says that this has been done."""
    with checkpoint.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
    digest.update(bytes([int8]))
    return Path(os.environ["NUMBA_CACHE_DIR"]) / f"ahead-{digest.hexdigest()[:12]}"


def compile_for(checkpoint: Path, int8: bool) -> None:
    """Let the checkpoint's model be evaluated and sampled from, in little. Raises DataError as `load`."""
    import torch

    from pipeline.generation.engine import Request, draw, net_of
    from pipeline.models.checkpoint import load

    loaded = load(checkpoint)
    with torch.inference_mode():
        loaded.model(torch.zeros(2, 2, dtype=torch.int64))
    if net_of(loaded.model, int8) is not None:
        list(draw(loaded.model, loaded.alphabet, Request(1, 2, 0, int8=int8)))


def compile_search() -> None:
    """Let copies be found, in little."""
    import numpy as np

    from pipeline.evaluation.exact_matches import find_matches

    letters = np.arange(3, dtype=np.uint8)
    list(find_matches([letters], lambda: [letters], len(letters)))


def main() -> None:
    """The child: compile, say when one can sample, and leave the mark."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    process.prepare()
    compile_for(Path(sys.argv[1]), sys.argv[2] == "1")
    os.write(1, b".")
    compile_search()
    Path(sys.argv[3]).touch()


def _end_with_parent() -> None:
    os.read(0, 1)  # not by sys.stdin, which may not be in use when Python ends
    os._exit(1)


if __name__ == "__main__":
    main()
