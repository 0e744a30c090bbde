"""Autotuning, once before a training: threads, sizes for a time budget, the learning rate.

The choice is written to ``plan.json`` in the folder of the checkpoints. A resumed training reads it, so that
it rounds and learns as before.

A budget is spent on the largest model that still sees enough symbols for each of its parameters: smaller
models learn faster at first, larger ones further. Hoffmann et al., "Training compute-optimal large language
models" (2022), found 20 symbols a parameter for language. Ours are of that order, and larger for few symbols,
each of which says less; they have not been tuned.
"""

import json
import logging
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
from pipeline.training.lr_finder import find
from pipeline.training.step_timing import fastest, stepper

log = logging.getLogger(__name__)

PLAN = "plan.json"
MAX_SIZE = 2**20
"""Of a batch, its time steps, and a layer."""
SIZES = (64, 96, 128, 192, 256, 384, 512)
SHAPES = ((16, 64), (32, 64), (64, 64), (128, 64), (256, 64), (256, 128), (512, 128))
"""Batch and time, in the order to try: in a larger batch a symbol is cheaper, but teaches less."""
MIN_STEPS = 6_000
"""A larger batch is taken where it leaves so many steps."""
FREE = 1.15
"""So much longer a step of a larger batch may take to count as free, as on a GPU that is hardly busy."""
MAX_EPOCHS = 30
"""No batch is larger than this many epochs in the budget need, where its steps are few."""
FEW_SYMBOLS = 16
SYMBOLS_PER_PARAMETER = {True: 60.0, False: 15.0}
"""Symbols to read for each parameter where the alphabet has few (True) or many."""
PARAMETERS_PER_SYMBOL = 2.0
"""A model has at most so many for each symbol of the training split."""
LARGE = 256
"""Above so many units the learning rate falls as the size grows."""
TRAINING_SHARE = 0.88
"""What validations and checkpoints leave of a budget."""
TRIAL_SHARE = 0.04
"""A trial that has taken this share of the budget settles for what it has."""
TINY_STEP = 1e8
"""Floating-point operations; smaller steps are always fastest on one thread."""


RENAMED_FIELDS = {"batch": "batch_size", "time": "bptt_steps"}
"""Fields of a plan that an earlier version wrote, with their present names."""


@dataclass(frozen=True)
class Plan:
    """The choice; `hidden_size` is None where the model's own stays, `step_s` where no step was timed."""

    threads: int
    batch_size: int
    bptt_steps: int
    lr: float
    hidden_size: int | None = None
    step_s: float | None = None
    said: str = ""


def planned(inputs: TrainInputs, most_threads: int, out_dir: Path) -> tuple[TrainInputs, str]:
    """The inputs as a trial chose them, now or when the training began, and a line about it for people.

    Sets the number of torch's threads. What `inputs.explicit` names is never changed.
    """
    path = out_dir / PLAN
    if path.exists():
        plan = _read_plan(path)
    else:
        plan = _plan(inputs, most_threads, out_dir)
        write_atomically(path, json.dumps(asdict(plan), indent=1))
    torch.set_num_threads(plan.threads)
    settings = replace(
        inputs.settings,
        batch_size=plan.batch_size,
        bptt_steps=plan.bptt_steps,
        lr=plan.lr,
        threads=plan.threads,
    )
    model = _model_node(inputs, plan.hidden_size)
    return replace(inputs, settings=settings, model=model), plan.said


def _read_plan(path: Path) -> Plan:
    """Raises DataError where the file is damaged."""
    with reading_back(path, f"remove the folder {path.parent} and run again"):
        stored = load_json(path.read_text(encoding="utf-8"))
        if isinstance(stored, dict):
            stored = {RENAMED_FIELDS.get(name, name): value for name, value in stored.items()}
        plan = build_checked(Plan, stored)
        sizes = (plan.threads, plan.batch_size, plan.bptt_steps, plan.hidden_size or 1)
        if not all(1 <= size <= MAX_SIZE for size in sizes) or not 0 < plan.lr <= 10 or plan.threads > 1024:
            raise ValueError("a size out of range")
        return plan


def _plan(inputs: TrainInputs, most_threads: int, out_dir: Path) -> Plan:
    trial, settings, said = Trial(inputs, most_threads), inputs.settings, []
    if inputs.budget_s is not None and inputs.explicit is not None:
        plan = _for_budget(inputs, trial)
        said.append(_line(inputs, trial, plan))
    else:
        plan, _ = trial.begin(None, settings.batch_size, settings.bptt_steps)
    if settings.find_lr:
        torch.set_num_threads(plan.threads)
        torch.manual_seed(inputs.seed)
        chosen = replace(
            inputs, settings=replace(settings, batch_size=plan.batch_size, bptt_steps=plan.bptt_steps)
        )
        model = build(_model_node(inputs, plan.hidden_size), "model").build(trial.vocab_size)
        plan = replace(plan, lr=find(model, chosen, out_dir))
        said.append(f"learning rate {plan.lr:.2g}, found by trial")
    return replace(plan, said="; ".join(said))


class Trial:
    """Plans of models of different sizes, each with the threads that suit it and the time of a step."""

    def __init__(self, inputs: TrainInputs, most_threads: int) -> None:
        self.inputs, self.most_threads = inputs, most_threads
        self.vocab_size, self.device = len(inputs.corpus.alphabet), resolve_device(inputs.settings)
        self._started = time.monotonic()
        self._size: int | None = None
        self._model: nn.Module | None = None
        self._threads: int | None = None

    @property
    def elapsed_s(self) -> float:
        """Seconds since the trial began."""
        return time.monotonic() - self._started

    def timed(self, hidden_size: int | None, batch: int, time: int) -> Plan:
        """The plan with the time of a step."""
        plan, step = self.begin(hidden_size, batch, time)
        torch.set_num_threads(plan.threads)
        return replace(plan, step_s=fastest(step))

    def begin(self, hidden_size: int | None, batch: int, time: int) -> tuple[Plan, Callable[[], float]]:
        """A plan for this size and shape, and its training step; threads are chosen once for each size."""
        if self._model is None or hidden_size != self._size:
            self._size, self._threads = hidden_size, self.inputs.settings.threads
            self._model = build(_model_node(self.inputs, hidden_size), "model").build(self.vocab_size)
        step = stepper(self._model, self.vocab_size, batch, time, self.device)
        if self._threads is None:
            self._threads = self._best_threads(step, 6 * self.parameters * batch * time)
        return Plan(self._threads, batch, time, self.inputs.settings.lr, hidden_size), step

    @property
    def parameters(self) -> int:
        """Of the model of the last plan."""
        return sum(p.numel() for p in self._model.parameters())

    def _best_threads(self, step: Callable[[], float], operations: int) -> int:
        if self.device != "cpu" or self.most_threads == 1:
            return self.most_threads
        return 1 if operations < TINY_STEP else find_fastest_threads(step, self.most_threads)


def _for_budget(inputs: TrainInputs, trial: Trial) -> Plan:
    """The largest model that sees enough symbols, in the largest batch that leaves enough steps."""
    explicit, settings = set(inputs.explicit), inputs.settings
    shapes = dict.fromkeys(
        (
            settings.batch_size if "train.batch_size" in explicit else batch,
            settings.bptt_steps if "train.bptt_steps" in explicit else time,
        )
        for batch, time in SHAPES
    )
    free = "hidden_size" in inputs.model and "model.hidden_size" not in explicit
    symbols = inputs.corpus.subset_size("train")
    enough = SYMBOLS_PER_PARAMETER[len(inputs.corpus.alphabet.symbols) <= FEW_SYMBOLS]
    best, refused = None, None
    for size in SIZES if free else (None,):
        try:
            plan = _shaped(inputs, trial, size, list(shapes))
        except ConfigError as error:  # this kind of model has no such size
            refused = error
            continue
        wanting = _read(inputs, plan) < enough * trial.parameters
        if best is not None and (wanting or trial.parameters > PARAMETERS_PER_SYMBOL * symbols):
            break
        best = plan
        if trial.elapsed_s > TRIAL_SHARE * inputs.budget_s:
            break
    if best is None:
        raise ConfigError(_no_size(refused, free)) from refused
    if "train.lr" not in explicit and best.hidden_size:
        best = replace(best, lr=best.lr * min(1.0, LARGE / best.hidden_size))
    return best


def _no_size(refused: ConfigError, free: bool) -> str:
    """The message where the model's settings allow no size; `free` where a size was to be chosen."""
    if not free:
        return str(refused)
    sizes = ", ".join(map(str, SIZES))
    return (
        f"budget: no model.hidden_size of {sizes} fits the model's settings: {refused}; "
        "set model.hidden_size or change the other settings of model"
    )


def _shaped(inputs: TrainInputs, trial: Trial, size: int | None, shapes: list[tuple[int, int]]) -> Plan:
    """The plan of one size in the largest shape that leaves enough steps and makes a symbol cheaper."""
    best, most = None, MAX_EPOCHS * inputs.corpus.subset_size("train")
    for shape in shapes:
        plan = trial.timed(size, *shape)
        few = plan.step_s * MIN_STEPS > inputs.budget_s * TRAINING_SHARE
        if best is not None and plan.step_s < FREE * best.step_s:
            few = few and _read(inputs, best) > most
        if best is not None and (few or _read(inputs, plan) < _read(inputs, best)):
            break
        best = plan
    return best


def _read(inputs: TrainInputs, plan: Plan) -> float:
    """Symbols that the plan would read in the budget."""
    return inputs.budget_s * TRAINING_SHARE / plan.step_s * plan.batch_size * plan.bptt_steps


def _line(inputs: TrainInputs, trial: Trial, plan: Plan) -> str:
    kind = build(_model_node(inputs, plan.hidden_size), "model")
    speed = plan.batch_size * plan.bptt_steps / plan.step_s
    threads = f"{plan.threads} thread{'s' * (plan.threads > 1)}"
    where = threads if trial.device == "cpu" else trial.device
    epochs = _read(inputs, plan) / inputs.corpus.subset_size("train")
    return (
        f"budget {_duration(inputs.budget_s)}: {kind}, batch {plan.batch_size} x {plan.bptt_steps}, "
        f"{speed / 1000:,.0f}k {inputs.domain.symbol_name}s/s on {where}, {epochs:.2g} epochs expected"
    )


def _duration(seconds: float) -> str:
    return f"{seconds / 60:g}m" if seconds >= 60 else f"{seconds:g}s"


def _model_node(inputs: TrainInputs, hidden_size: int | None) -> dict[str, Any]:
    return {**inputs.model, **({"hidden_size": hidden_size} if hidden_size else {})}
