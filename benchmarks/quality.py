"""How good the models are: ``python -m benchmarks.quality fly4`` (or folk, tinyshakespeare).

The pipeline itself is run in a process of its own, with a budget; its checkpoint stands beside null models of
the same split, made in the same run, and beside published figures. The last line is JSON.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.tasks import TASKS, Task
from pipeline.data.corpus import SUBSETS, Corpus
from pipeline.evaluation.bits import Tally, evaluate
from pipeline.evaluation.markov_baseline import evaluate_markov
from pipeline.models.checkpoint import load
from pipeline.models.mixture import MixtureModel
from pipeline.models.ngram.markov import Markov
from pipeline.models.ngram.markov_choice import SplitCodes, choose_markov

RESERVE_S = 45.0
"""Kept of the time for everything but learning: starting, reading, looking up, the last evaluation."""
ORDERS = range(0, 13)


def main() -> None:
    """Run one task and print its table."""
    arguments = _arguments()
    task = TASKS[arguments.task]
    minutes = arguments.minutes or task.minutes
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(arguments.keep or temporary).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        started = time.perf_counter()
        _run_pipeline(task, arguments, minutes, folder)
        taken = (time.perf_counter() - started) / 60
        _report(task, taken, folder / "run")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--minutes", type=float, help="wall time of reading and training (10; the play 3)")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the folder of real data")
    parser.add_argument("--keep", type=Path, help="keep the run in this folder")
    parser.epilog = "Anything else is a setting of the pipeline, such as seed=1."
    arguments, overrides = parser.parse_known_args()
    arguments.overrides = overrides
    if not arguments.data.is_dir() and arguments.task != "folk":
        parser.error(f"{arguments.data}: no such folder; --data says where the real data is")
    return arguments


def _run_pipeline(task: Task, arguments: argparse.Namespace, minutes: float, folder: Path) -> None:
    budget = max(minutes * 60 - RESERVE_S, minutes * 30)
    command = [
        sys.executable, "-m", "pipeline", *task.prepare(arguments.data.absolute(), folder), *task.settings,
        f"budget={budget:.0f}s", "stages=[ingest,train]", f"hydra.run.dir={folder / 'run'}",
        *arguments.overrides,
    ]  # fmt: skip
    print(" ".join(command[1:]), flush=True)
    if subprocess.run(command, check=False).returncode:
        raise SystemExit("the pipeline failed: its message stands above")


def _report(task: Task, minutes: float, run: Path) -> None:
    corpus = Corpus.open(run / "ingest")
    model = load(run / "train" / "best.ckpt").model
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    name = manifest["stages"]["train"]["figures"]["model"]
    frozen, going_on = evaluate(model, corpus, "test"), _going_on(model, corpus)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    nulls = {label: evaluate_markov(markov, corpus, "test") for label, markov in _markov(task, corpus)}
    rows = [_row(f"{name}, frozen", frozen)]
    rows += [_row("the same, remembering what it has read of the test", going_on)] if going_on else []
    rows += [_row(label, tally) for label, tally in nulls.items()]
    rows += [(f"{label} (published)", *values) for label, values in task.published.items()]
    _print_table(task, rows)
    best = min(nulls.values(), key=lambda tally: tally.bits)
    marks = frozen.bits_by_mark
    print(json.dumps({
        "test_bits": round(frozen.bits, 4), "test_nats": round(frozen.bits * math.log(2), 4),
        "unique_bits": _rounded(marks.get("unique")), "masked_bits": _rounded(marks.get("soft-masked")),
        "markov_bits": round(best.bits, 4), "going_on_bits": _rounded(going_on.bits if going_on else None),
        "minutes": round(minutes, 2), "parameters": parameters,
    }))  # fmt: skip


def _markov(task: Task, corpus: Corpus) -> Iterator[tuple[str, Markov]]:
    """The best Markov model of up to order 12, of one strand and, where there are two, of both."""
    complement = corpus.complement_codes(task.domain)
    for strands, table in {"one strand": None, "both strands": complement}.items():
        if strands == "both strands" and table is None:
            continue
        markov = choose_markov(SplitCodes.from_corpus(corpus), ORDERS, table).best
        which = f", {strands}" if complement is not None else ""
        yield f"Markov of order {markov.order} (best of 0-12{which})", markov


def _going_on(model: Any, corpus: Corpus) -> Tally | None:
    """Bits of a model that may remember each test segment once it has been measured; None where it cannot."""
    if not isinstance(model, MixtureModel):
        return None
    total = Tally(corpus)
    for segment in corpus.segments[corpus.segments[:, 2] == SUBSETS.index("test")]:
        one = evaluate(model, replace(corpus, segments=segment[None]), "test")
        total.block_nats += one.block_nats.sum(0)
        total.block_counts += one.block_counts.sum(0)
        model.add_text(corpus.codes[segment[0] : segment[1]])
    return total


def _row(label: str, tally: Tally) -> tuple[str | float | None, ...]:
    return (label, tally.bits, *(tally.bits_by_mark.get(mark) for mark in ("unique", "soft-masked")))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _print_table(task: Task, rows: Sequence[tuple]) -> None:
    parts = any(len(row) > 2 and row[2] for row in rows)
    print(f"\n{task.about}\n")
    print(f"{'':58}{'all':>8}" + (f"{'unique':>10}{'masked':>10}" if parts else ""))
    for label, *values in rows:
        cells = [f"{value:>10.3f}" if value else f"{'':>10}" for value in values[: 3 if parts else 1]]
        print(f"{label:56}" + "".join(cells))
    print(flush=True)


if __name__ == "__main__":
    main()
