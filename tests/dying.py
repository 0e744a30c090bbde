"""Runs that are killed at a given point, from processes that have imported everything already.

Called as a script with a folder for the runs and their overrides. Importing takes longest, so one process
does it, and its forks die.
"""

import os
import signal
import sys
from functools import wraps
from pathlib import Path
from pkgutil import resolve_name
from unittest.mock import patch

POINTS = {
    "reading": ("pipeline.data.corpus.CorpusWriter.append", 50),
    "settling the corpus": ("pipeline.data.corpus.CorpusWriter.finish", 1),
    "training": ("pipeline.training.lit_module.LitModel.training_step", 20),
    "testing": ("pipeline.stages.train.evaluate", 1),
    "sampling": ("pipeline.records.Sample.to_json", 2),
    "writing": ("pipeline.domains.text.Text.write", 1),
    "putting in place": ("pipeline.run_folder.folder.RunFolder._put_in_place", 2),
    "saving the manifest": ("pipeline.run_folder.folder.write_atomically", 3),
    "reporting": ("pipeline.run.write_report", 1),
}
"""Point to the function and its how-manieth call that never returns."""


def dying_at(target: str, call: int):
    """A patch of the function that kills this process, outright, at that call of it."""
    module, name = target.rsplit(".", 1)
    alive, calls = getattr(resolve_name(module), name), []

    @wraps(alive)  # Lightning looks at the parameters
    def dead(*args, **kwargs):
        calls.append(1)
        if len(calls) == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return alive(*args, **kwargs)

    return patch(target, dead)


def main() -> None:
    """Fork a run for each point; exit status 0 where every one was killed."""
    from tiny import run_pipeline

    import pipeline.run  # noqa: F401 - so that the forks need not

    root, overrides = Path(sys.argv[1]), sys.argv[2:]
    for name, point in POINTS.items():
        if (child := os.fork()) == 0:
            with dying_at(*point):
                run_pipeline(root / name, *overrides)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            raise SystemExit(f"not killed while {name}: {status}")


if __name__ == "__main__":
    main()
