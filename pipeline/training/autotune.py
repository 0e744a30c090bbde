"""Autotuning before a training: threads, sizes for a time budget, and the learning rate.

The result is written to ``plan.json`` in the folder of the checkpoints. A resumed training reads that file,
so that it rounds and learns as before.

A budget selects the largest model that still reads enough symbols for each of its parameters: smaller models
learn faster at first, larger ones further. Hoffmann et al., "Training compute-optimal large language models"
(2022), found 20 symbols a parameter for language. Ours are of that order, and higher for small alphabets,
whose symbols carry less information. They have not been tuned.
"""

import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipeline.config.build import build
from pipeline.errors import ConfigError
from pipeline.runtime.files import reading_back, write_atomically
from pipeline.runtime.plain_data import build_checked, load_json
from pipeline.runtime.threads import find_fastest_threads
from pipeline.training.inputs import TrainInputs, resolve_device
from pipeline.training.lr_finder import find_learning_rate
from pipeline.training.step_timing import make_training_step, min_step_seconds

log = logging.getLogger(__name__)

RESULT_FILE = "plan.json"
MAX_SIZE = 2**20
"""The greatest batch size, number of time steps, and layer size in a result."""
SIZES = (64, 96, 128, 192, 256, 384, 512)
SHAPES = ((16, 64), (32, 64), (64, 64), (128, 64), (256, 64), (256, 128), (512, 128))
"""Batch sizes and time steps, in the order of trial. A larger batch reads faster and takes fewer
steps."""
MIN_STEPS = 6_000
"""A larger batch is chosen only where the budget leaves this many steps."""
MAX_FREE_RATIO = 1.15
"""A larger batch whose step takes at most this much longer costs nothing, as on a GPU with idle cores."""
MAX_EPOCHS = 30
"""A batch too large for `MIN_STEPS` is not enlarged further once the budget covers this many epochs."""
MAX_SMALL_ALPHABET = 16
MIN_SYMBOLS_PER_PARAMETER = {True: 60.0, False: 15.0}
"""Symbols that training reads per parameter, for alphabets up to `MAX_SMALL_ALPHABET` (True) and larger
ones."""
MAX_PARAMETERS_PER_SYMBOL = 2.0
"""Parameters per symbol of the training split."""
MAX_FULL_RATE_SIZE = 256
"""The learning rate falls in proportion to the layer size above this one."""
TRAINING_SHARE = 0.88
"""The share of a budget that validations and checkpoints leave."""
MAX_TUNING_SHARE = 0.04
"""The share of the budget after which autotuning keeps the best result so far."""
SINGLE_THREAD_OPERATIONS = 1e8
"""Floating-point operations of a training step below which one thread is always fastest."""


RENAMED_FIELDS = {"batch": "batch_size", "time": "bptt_steps", "said": "summary"}
"""Fields of a file that an earlier version wrote, with their present names."""


@dataclass(frozen=True)
class AutotuneResult:
    """The chosen values; `hidden_size` is None where the model keeps its own, `step_s` where no step was
    timed."""

    threads: int
    batch_size: int
    bptt_steps: int
    lr: float
    hidden_size: int | None = None
    step_s: float | None = None
    summary: str = ""

    @property
    def seconds(self) -> float:
        """The time of a step, infinite where none was timed."""
        return math.inf if self.step_s is None else self.step_s


def autotune(inputs: TrainInputs, max_threads: int, out_dir: Path) -> tuple[TrainInputs, str]:
    """The inputs with the chosen values, of now or of when the training began, and a line about them.

    Sets the number of torch's threads. Settings in `inputs.explicit` never change.
    """
    path = out_dir / RESULT_FILE
    if path.exists():
        result = _read_result(path)
    else:
        result = _choose(inputs, max_threads, out_dir)
        write_atomically(path, json.dumps(asdict(result), indent=1))
    torch.set_num_threads(result.threads)
    settings = replace(
        inputs.settings,
        batch_size=result.batch_size,
        bptt_steps=result.bptt_steps,
        lr=result.lr,
        threads=result.threads,
    )
    model = _model_node(inputs, result.hidden_size)
    return replace(inputs, settings=settings, model=model), result.summary


def _read_result(path: Path) -> AutotuneResult:
    """Raise DataError where the file is damaged."""
    with reading_back(path, f"remove the folder {path.parent} and run again"):
        stored = load_json(path.read_text(encoding="utf-8"))
        if isinstance(stored, dict):
            stored = {RENAMED_FIELDS.get(name, name): value for name, value in stored.items()}
        result = build_checked(AutotuneResult, stored)
        sizes = (result.threads, result.batch_size, result.bptt_steps, result.hidden_size or 1)
        if (
            not all(1 <= size <= MAX_SIZE for size in sizes)
            or not 0 < result.lr <= 10
            or result.threads > 1024
        ):
            raise ValueError("a size out of range")
        return result


def _choose(inputs: TrainInputs, max_threads: int, out_dir: Path) -> AutotuneResult:
    tuner, settings, notes = Autotuner(inputs, max_threads), inputs.settings, []
    if inputs.budget_s is not None and inputs.explicit is not None:
        result = _choose_for_budget(inputs, tuner)
        notes.append(_describe(inputs, tuner, result))
    else:
        result, _ = tuner.begin(None, settings.batch_size, settings.bptt_steps)
    if settings.find_lr:
        torch.set_num_threads(result.threads)
        torch.manual_seed(inputs.seed)
        chosen = replace(
            inputs, settings=replace(settings, batch_size=result.batch_size, bptt_steps=result.bptt_steps)
        )
        model = build(_model_node(inputs, result.hidden_size), "model").build(tuner.vocab_size)
        result = replace(result, lr=find_learning_rate(model, chosen, out_dir))
        notes.append(f"learning rate {result.lr:.2g}, found by a range test")
    return replace(result, summary="; ".join(notes))


class Autotuner:
    """Times training steps of a model in different sizes, each with its fastest number of threads."""

    def __init__(self, inputs: TrainInputs, max_threads: int) -> None:
        self.inputs, self.max_threads = inputs, max_threads
        self.vocab_size, self.device = len(inputs.corpus.alphabet), resolve_device(inputs.settings)
        self._started = time.monotonic()
        self._size: int | None = None
        self._model: nn.Module | None = None
        self._threads: int | None = None

    @property
    def elapsed_s(self) -> float:
        """Seconds since autotuning began."""
        return time.monotonic() - self._started

    def time_step(self, hidden_size: int | None, batch: int, time: int) -> AutotuneResult:
        """The result for this size and shape, with the time of a step."""
        result, step = self.begin(hidden_size, batch, time)
        torch.set_num_threads(result.threads)
        return replace(result, step_s=min_step_seconds(step))

    def begin(
        self, hidden_size: int | None, batch: int, time: int
    ) -> tuple[AutotuneResult, Callable[[], float]]:
        """The result for this size and shape, and its training step. Threads are chosen once for each
        size."""
        model = self._model
        if model is None or hidden_size != self._size:
            self._size, self._threads = hidden_size, self.inputs.settings.threads
            model = build(_model_node(self.inputs, hidden_size), "model").build(self.vocab_size)
            self._model = model
        step = make_training_step(model, self.vocab_size, batch, time, self.device)
        if self._threads is None:
            self._threads = self._best_threads(step, 6 * self.parameters * batch * time)
        return AutotuneResult(self._threads, batch, time, self.inputs.settings.lr, hidden_size), step

    @property
    def parameters(self) -> int:
        """Parameters of the last model."""
        return sum(p.numel() for p in self._model.parameters()) if self._model is not None else 0

    def _best_threads(self, step: Callable[[], float], operations: int) -> int:
        if self.device != "cpu" or self.max_threads == 1:
            return self.max_threads
        return 1 if operations < SINGLE_THREAD_OPERATIONS else find_fastest_threads(step, self.max_threads)


def _choose_for_budget(inputs: TrainInputs, tuner: Autotuner) -> AutotuneResult:
    """The largest model that sees enough symbols, in the largest batch that leaves enough steps."""
    explicit, settings = set(inputs.explicit or ()), inputs.settings
    shapes = dict.fromkeys(
        (
            settings.batch_size if "train.batch_size" in explicit else batch,
            settings.bptt_steps if "train.bptt_steps" in explicit else time,
        )
        for batch, time in SHAPES
    )
    free = "hidden_size" in inputs.model and "model.hidden_size" not in explicit
    symbols = inputs.corpus.subset_size("train")
    enough = MIN_SYMBOLS_PER_PARAMETER[len(inputs.corpus.alphabet.symbols) <= MAX_SMALL_ALPHABET]
    best: AutotuneResult | None = None
    refused: ConfigError | None = None
    for size in SIZES if free else (None,):
        try:
            result = _choose_shape(inputs, tuner, size, list(shapes))
        except ConfigError as error:  # this kind of model has no such size
            refused = error
            continue
        wanting = _count_symbols(inputs, result) < enough * tuner.parameters
        if best is not None and (wanting or tuner.parameters > MAX_PARAMETERS_PER_SYMBOL * symbols):
            break
        best = result
        if tuner.elapsed_s > MAX_TUNING_SHARE * _budget_s(inputs):
            break
    if best is None:
        raise ConfigError(_no_size(refused, free)) from refused
    if "train.lr" not in explicit and best.hidden_size:
        best = replace(best, lr=best.lr * min(1.0, MAX_FULL_RATE_SIZE / best.hidden_size))
    return best


def _no_size(refused: ConfigError | None, free: bool) -> str:
    """The message where the model's settings allow no size; `free` where a size was to be chosen."""
    if not free:
        return str(refused)
    sizes = ", ".join(map(str, SIZES))
    return (
        f"budget: no model.hidden_size of {sizes} fits the model's settings: {refused}; "
        "set model.hidden_size or change the other settings of model"
    )


def _choose_shape(
    inputs: TrainInputs, tuner: Autotuner, size: int | None, shapes: list[tuple[int, int]]
) -> AutotuneResult:
    """The result for one size in the largest shape that leaves enough steps and reads symbols faster."""
    best, most = tuner.time_step(size, *shapes[0]), MAX_EPOCHS * inputs.corpus.subset_size("train")
    for shape in shapes[1:]:
        result = tuner.time_step(size, *shape)
        few = result.seconds * MIN_STEPS > _budget_s(inputs) * TRAINING_SHARE
        if result.seconds < MAX_FREE_RATIO * best.seconds:
            few = few and _count_symbols(inputs, best) > most
        if few or _count_symbols(inputs, result) < _count_symbols(inputs, best):
            break
        best = result
    return best


def _budget_s(inputs: TrainInputs) -> float:
    """The time budget in seconds, infinite without one."""
    return math.inf if inputs.budget_s is None else inputs.budget_s


def _count_symbols(inputs: TrainInputs, result: AutotuneResult) -> float:
    """Symbols that the result would read in the budget."""
    return _budget_s(inputs) * TRAINING_SHARE / result.seconds * result.batch_size * result.bptt_steps


def _describe(inputs: TrainInputs, tuner: Autotuner, result: AutotuneResult) -> str:
    kind = build(_model_node(inputs, result.hidden_size), "model")
    speed = result.batch_size * result.bptt_steps / result.seconds
    threads = f"{result.threads} thread{'s' * (result.threads > 1)}"
    where = threads if tuner.device == "cpu" else tuner.device
    epochs = _count_symbols(inputs, result) / inputs.corpus.subset_size("train")
    return (
        f"budget {_format_duration(_budget_s(inputs))}: {kind}, "
        f"batch {result.batch_size} x {result.bptt_steps}, "
        f"{speed / 1000:,.0f}k {inputs.domain.symbol_name}s/s on {where}, {epochs:.2g} epochs expected"
    )


def _format_duration(seconds: float) -> str:
    return f"{seconds / 60:g}m" if seconds >= 60 else f"{seconds:g}s"


def _model_node(inputs: TrainInputs, hidden_size: int | None) -> dict[str, Any]:
    return {**inputs.model, **({"hidden_size": hidden_size} if hidden_size else {})}
