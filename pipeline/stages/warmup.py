"""Precompiles the code of later stages in a child process, while the first stages run.

The child runs the code on dummy input, which fills the folder of compiled code (`NUMBA_CACHE_DIR`). This
saves half the time of a first run. It is done only where a checkpoint is given: a training takes far longer,
and times its own steps at its start.
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

MAX_WAIT_S = 60.0


class BackgroundWarmup:
    """A child that compiles the code which evaluates and samples this checkpoint's model, and then that of
    the exact matches.

    There is no child where this was done before, or on a single core. It ends with this process, whatever
    ends this process.
    """

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
            "pipeline.stages.warmup",
            str(checkpoint),
            str(int(int8)),
            str(done),
        ]
        # The child ends when its standard input closes; a byte on its standard output says that sampling is
        # compiled.
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    @classmethod
    def from_config(cls, config: DictConfig) -> "BackgroundWarmup":
        """The child that suits a run. Wrong settings are reported elsewhere."""
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
        """Wait until the code of sampling is compiled, which takes the child less time than a new start."""
        if self._child is None or self._child.stdout is None:
            return
        ready, _, _ = select.select([self._child.stdout], [], [], MAX_WAIT_S)
        if not ready or not self._child.stdout.read(1):
            log.debug("precompilation was not done in time; missing code is compiled when it is needed")
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
    """The file that exists once this has been done."""
    with checkpoint.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
    digest.update(bytes([int8]))
    return Path(os.environ["NUMBA_CACHE_DIR"]) / f"warmup-{digest.hexdigest()[:12]}"


def compile_for(path: Path, int8: bool) -> None:
    """Evaluate the checkpoint's model and sample from it on dummy input. Raises DataError as `load`."""
    import torch

    # The parent imports this module at its start, and torch takes 2 s.
    from pipeline.generation import compiled_sampling, engine, request
    from pipeline.models import checkpoint  # late for the same reason

    loaded = checkpoint.load(path)
    with torch.inference_mode():
        loaded.model(torch.zeros(2, 2, dtype=torch.int64))
    if compiled_sampling.export_weights(loaded.model, int8) is not None:
        list(engine.draw(loaded.model, loaded.alphabet, request.Request(1, 2, 0, int8=int8)))


def compile_search() -> None:
    """Find exact matches in dummy input."""
    import numpy as np

    from pipeline.evaluation.exact_matches import find_matches  # saves 0.7 s of numba

    letters = np.arange(3, dtype=np.uint8)
    list(find_matches([letters], lambda: [letters], len(letters)))


def main() -> None:
    """The child: compile, report when sampling is compiled, and leave the mark."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    process.prepare()
    compile_for(Path(sys.argv[1]), sys.argv[2] == "1")
    os.write(1, b".")
    compile_search()
    Path(sys.argv[3]).touch()


def _end_with_parent() -> None:
    os.read(0, 1)  # not by sys.stdin, which Python may hold when it ends
    os._exit(1)


if __name__ == "__main__":
    main()
