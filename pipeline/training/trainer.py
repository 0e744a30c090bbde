"""The training with Lightning's trainer; it resumes an interrupted training."""

import io
import logging
import math
import os
import signal
import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import nn
from tqdm import tqdm

from pipeline.config.build import build
from pipeline.data.batching import ContiguousStreams
from pipeline.data.corpus import Corpus
from pipeline.errors import DataError
from pipeline.evaluation.bits import MAX_VALIDATED_SYMBOLS, evaluation_streams
from pipeline.models.checkpoint import describe, load, refuse_packed
from pipeline.runtime.files import reading_back
from pipeline.runtime.plain_data import build_checked, check
from pipeline.runtime.progress import bar
from pipeline.training.callbacks import PreviewCallback, TensorBoardCallback, parse_primes
from pipeline.training.inputs import TrainInputs, contiguous_streams, resolve_device
from pipeline.training.lit_module import BUDGET_ROUNDS, LitModel, Schedule, TrainingDiverged, TrainingWindows
from pipeline.training.metrics_log import MetricsLog
from pipeline.training.previews import PREVIEWS
from pipeline.training.step_timing import make_training_step, min_step_seconds

log = logging.getLogger(__name__)

MAX_ROUNDS = 40
"""The most validations and checkpoints in a training."""
VALIDATION_SHARE = 3.5
"""A round trains on this multiple of the symbols that its validation reads, so validation takes a tenth of
the time."""
MIN_WIDE_ROWS = 16
"""A batch with fewer rows than these takes as long."""
MIN_GAIN = 2e-4
"""The gain of a validation, in bits per symbol, that resets the patience of early stopping."""


def fit(inputs: TrainInputs, out_dir: Path) -> str | None:
    """Train, or resume from ``last.ckpt``; writes best.ckpt, last.ckpt and the loggers' files to `out_dir`.

    Returns a line about a training that diverged after it had learned something. Raises DataError where it
    diverged before.
    """
    pl.seed_everything(inputs.seed, verbose=False)
    corpus, settings = inputs.corpus, inputs.settings
    model = build(inputs.model, "model").build(len(corpus.alphabet))
    if inputs.start is not None:
        model.load_start(load(inputs.start).model.state_dict())
    streams = contiguous_streams(inputs)
    last = out_dir / "last.ckpt"
    schedule, first_step, finished = _read_resume_point(last) or (_schedule(inputs, model, streams), 0, False)
    if finished:
        return None
    about = describe(
        inputs.model, corpus.alphabet, symbol_name=inputs.domain.symbol_name, held_out=corpus.digest("test")
    )
    evidence = model.prepare(corpus, corpus.complement_codes(inputs.domain), out_dir)
    windows = TrainingWindows(streams, inputs.seed, schedule.steps_per_round, evidence)
    module = LitModel(model, corpus, settings, schedule, windows, about)
    trainer = _trainer(inputs, schedule, out_dir, first_step)
    try:
        with warnings.catch_warnings():
            # Lightning advises workers and logging intervals that do not fit in-memory windows.
            warnings.filterwarnings("ignore", module="pytorch_lightning")
            trainer.fit(module, ckpt_path=last if last.exists() else None)
    except TrainingDiverged as error:
        return _keep_best(error, trainer, math.log2(len(corpus.alphabet)), out_dir)
    except Exception as error:
        if "out of memory" in str(error):
            raise DataError(
                f"not enough memory to train: {error}; lower train.batch_size or model.hidden_size"
            ) from None
        if isinstance(error, OSError | MemoryError) or not first_step:
            raise
        with reading_back(last, f"remove the folder {out_dir} and run again"):
            raise
    except SystemExit:
        # Lightning's way to end on Ctrl-C, which it ignores from then on.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise KeyboardInterrupt from None
    if evidence is not None:
        evidence.close()
    return None


def _keep_best(error: TrainingDiverged, trainer: pl.Trainer, guessing_bits: float, out_dir: Path) -> str:
    """A line about the best checkpoint, with which the run continues where it is better than a uniform
    guess."""
    remedy = f"lower train.lr (now {error.lr:g}) or train.gradient_clip_val"
    callback, best = trainer.checkpoint_callback, out_dir / "best.ckpt"
    score = callback.best_model_score if isinstance(callback, ModelCheckpoint) else None
    if score is None or not float(score) < guessing_bits or not best.exists():
        raise DataError(f"{error}, before anything was learned; {remedy}") from None
    step = torch.load(best, map_location="cpu", weights_only=True)["global_step"]
    line = (
        f"{error}: training ended there, and the best checkpoint is kept and used, {best.name} "
        f"of step {step} with {float(score):.3f} bits on validation; {remedy}"
    )
    log.warning("%s", line)
    return line


def _trainer(inputs: TrainInputs, schedule: Schedule, out_dir: Path, first_step: int) -> pl.Trainer:
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    device, corpus = resolve_device(inputs.settings), inputs.corpus
    primes = parse_primes(inputs.settings.previews, inputs.domain, corpus.alphabet)
    callbacks: list[Callback] = [
        ModelCheckpoint(
            out_dir, "best", monitor="validation_bits", save_weights_only=True, enable_version_counter=False
        ),
        # Behind the other, so that its file records the best checkpoint of the other.
        ModelCheckpoint(
            out_dir, "last", monitor=None, enable_version_counter=False, save_on_train_epoch_end=True
        ),
        ProgressBar(inputs.domain.symbol_name),
        TensorBoardCallback(resumed=first_step > 0),
        PreviewCallback(primes, corpus.alphabet, inputs.domain, out_dir / PREVIEWS, first_step),
    ]
    if inputs.settings.patience:
        stop = EarlyStopping("validation_bits", min_delta=MIN_GAIN, patience=inputs.settings.patience)
        callbacks.insert(0, stop)
    return pl.Trainer(
        default_root_dir=out_dir, max_epochs=schedule.rounds, callbacks=callbacks,
        accelerator=inputs.settings.accelerator, devices=1,
        precision="bf16-mixed" if device == "cuda" and torch.cuda.is_bf16_supported() else "32-true",
        gradient_clip_val=inputs.settings.gradient_clip_val,
        log_every_n_steps=schedule.log_every_n_steps,
        logger=[
            MetricsLog(out_dir / "metrics.csv", first_step),
            TensorBoardLogger(out_dir, "", "tensorboard", purge_step=first_step or None),
        ],
        plugins=[AtomicCheckpointIO()], enable_progress_bar=False, enable_model_summary=False,
        num_sanity_val_steps=0,
    )  # fmt: skip


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint so that it appears whole or not at all, whenever the process is killed.

    Lightning moves a file from the system's temporary folder. On another disk that is a copy, and an
    interrupted copy would leave neither the old checkpoint nor the new.
    """

    def load_checkpoint(self, path: Any, *_: Any, **__: Any) -> dict[str, Any]:
        """Read plain data only: the file may come from anyone."""
        return torch.load(path, map_location="cpu", weights_only=True)

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Replace the file at `path` in one step."""
        content = io.BytesIO()
        torch.save(checkpoint, content)
        draft = Path(path).with_suffix(".partial")
        with draft.open("wb") as stream:
            stream.write(content.getbuffer())
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)


class ProgressBar(Callback):
    """Shows the symbols read so far, the speed, and the bits per symbol of the last validation."""

    def __init__(self, symbol_name: str) -> None:
        self.symbol_name = symbol_name
        self.bar: tqdm | None = None
        self.per_step = 0.0

    def on_train_start(self, trainer: pl.Trainer, module: LitModel) -> None:
        schedule, streams = module.schedule, module.windows.streams
        # Windows of short records have few rows, and padding: the mean of the first epoch, not batch x time.
        self.per_step = int(np.diff(streams.segments, axis=1).sum()) / streams.steps(
            module.windows.buckets(0)
        )
        total = round(schedule.rounds * schedule.steps_per_round * self.per_step)
        self.bar = bar("Training", None if schedule.budget_s else total, self.symbol_name)
        self.bar.update(round(trainer.global_step * self.per_step))

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: LitModel, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.bar is not None:
            self.bar.update(round(trainer.global_step * self.per_step) - self.bar.n)

    def on_validation_end(self, trainer: pl.Trainer, module: LitModel) -> None:
        metrics = trainer.callback_metrics
        text = f"{float(metrics['validation_bits']):.3f} bits/{self.symbol_name} on validation"
        if module.schedule.budget_s:
            done = min(1.0, module.elapsed_s / module.schedule.budget_s)
            text += f", {done:.0%} of the time"
        if self.bar is not None:
            self.bar.set_postfix_str(text, refresh=False)

    def teardown(self, trainer: pl.Trainer, module: LitModel, stage: str) -> None:
        if self.bar is not None:
            self.bar.close()


def _schedule(inputs: TrainInputs, model: nn.Module, streams: ContiguousStreams) -> Schedule:
    """All epochs in rounds, or as many steps as the budget allows by the time of a few."""
    rng = np.random.default_rng([inputs.seed, 0])
    per_epoch = streams.steps(streams.buckets(rng))
    total = per_epoch * inputs.settings.max_epochs
    if inputs.budget_s is not None:
        copy, device = deepcopy(model), resolve_device(inputs.settings)
        step = make_training_step(copy, len(inputs.corpus.alphabet), streams.batch, streams.time, device)
        total = max(1, int(inputs.budget_s / min_step_seconds(step)))
    validated = _validation_cost(inputs.corpus) * VALIDATION_SHARE
    per_round = max(total / MAX_ROUNDS, min(validated / (streams.batch * streams.time), total / 4), 1)
    rounds = max(1, round(total / per_round))
    return Schedule(
        rounds * (BUDGET_ROUNDS if inputs.budget_s else 1), max(1, round(total / rounds)), inputs.budget_s
    )


def _validation_cost(corpus: Corpus) -> int:
    """Symbols of a validation; a batch of few rows counts as one of `MIN_WIDE_ROWS`, since it takes as
    long."""
    streams = evaluation_streams(corpus, "validation", MAX_VALIDATED_SYMBOLS)
    return sum(max(len(w), MIN_WIDE_ROWS) * int((w[:, 1] - w[:, 0]).max()) for w in streams.buckets(None))


def _read_resume_point(last: Path) -> tuple[Schedule, int, bool] | None:
    """The schedule of the training to resume, its steps so far, and whether it had ended early."""
    if not last.exists():
        return None
    with reading_back(last, f"remove the folder {last.parent} and run again"):
        refuse_packed(last)
        content = torch.load(last, map_location="cpu", weights_only=True)
        step, resume = content["global_step"], content["resume"]
        schedule = build_checked(Schedule, resume["schedule"])
        check((step, schedule.rounds, schedule.steps_per_round), list[int], "steps")
        check(resume["finished"], bool, "finished")
        if min(step, schedule.rounds, schedule.steps_per_round) < 1:
            raise ValueError("a number of steps below 1")
    log.info("resuming from step %d", step)
    return schedule, step, resume["finished"]
