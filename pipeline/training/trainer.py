"""The training itself: a Lightning trainer over the streams of a corpus; a killed training resumes."""

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

from pipeline.config.build import build
from pipeline.data.batching import ContiguousStreams
from pipeline.data.corpus import Corpus
from pipeline.errors import DataError
from pipeline.evaluation.bits import MAX_VALIDATED_SYMBOLS, evaluation_lanes
from pipeline.models.checkpoint import describe, load, refuse_packed
from pipeline.runtime.files import reading_back
from pipeline.runtime.plain_data import build_checked, check
from pipeline.runtime.progress import bar
from pipeline.training.callbacks import Watch, parse_primes
from pipeline.training.inputs import TrainInputs, contiguous_streams, resolve_device
from pipeline.training.lit_module import SPARE, CharModel, Exploded, Feed, Schedule
from pipeline.training.metrics_log import Curves
from pipeline.training.previews import PREVIEWS
from pipeline.training.step_timing import fastest, stepper

log = logging.getLogger(__name__)

ROUNDS = 40
"""Validations and checkpoints in a whole training, at most."""
VALIDATION_SHARE = 3.5
"""A round trains on so many times the symbols that its validation reads: a tenth of the time."""
NARROW = 16
"""Rows of a batch, fewer of which take as long."""
MIN_GAIN = 2e-4
"""Bits per symbol that a validation must gain to count as one."""


def fit(inputs: TrainInputs, out_dir: Path) -> str | None:
    """Train, or go on from ``last.ckpt``; leaves best.ckpt, last.ckpt and the loggers' files in `out_dir`.

    Returns what is to be said of a training that exploded after it had learned something; DataError where
    it had not.
    """
    pl.seed_everything(inputs.seed, verbose=False)
    corpus, settings = inputs.corpus, inputs.settings
    model = build(inputs.model, "model").build(len(corpus.alphabet))
    if inputs.start is not None:
        model.load_start(load(inputs.start).model.state_dict())
    streams = contiguous_streams(inputs)
    last = out_dir / "last.ckpt"
    schedule, first_step, finished = _resumed(last) or (_schedule(inputs, model, streams), 0, False)
    if finished:
        return None
    about = describe(
        inputs.model, corpus.alphabet, symbol_name=inputs.domain.symbol_name, held_out=corpus.digest("test")
    )
    evidence = model.prepare(corpus, corpus.complement_codes(inputs.domain), out_dir)
    feed = Feed(streams, inputs.seed, schedule.steps_per_round, evidence)
    module = CharModel(model, corpus, settings, schedule, feed, about)
    trainer = _trainer(inputs, schedule, out_dir, first_step)
    try:
        with warnings.catch_warnings():
            # Lightning advises workers and logging intervals that do not fit in-memory windows.
            warnings.filterwarnings("ignore", module="pytorch_lightning")
            trainer.fit(module, ckpt_path=last if last.exists() else None)
    except Exploded as error:
        return _after_explosion(error, trainer, math.log2(len(corpus.alphabet)), out_dir)
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


def _after_explosion(error: Exploded, trainer: pl.Trainer, guessing_bits: float, out_dir: Path) -> str:
    """What is said where there is a checkpoint better than guessing, which the run then goes on with."""
    remedy = f"lower train.lr (now {error.lr:g}) or train.gradient_clip_val"
    score, best = trainer.checkpoint_callback.best_model_score, out_dir / "best.ckpt"
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
        # After the other, so that what it saves knows what the other has kept.
        ModelCheckpoint(
            out_dir, "last", monitor=None, enable_version_counter=False, save_on_train_epoch_end=True
        ),
        ProgressBar(inputs.domain.symbol_name),
        Watch(primes, corpus.alphabet, inputs.domain, out_dir / PREVIEWS, first_step),
    ]
    if inputs.settings.patience:
        stop = EarlyStopping("validation_bits", min_delta=MIN_GAIN, patience=inputs.settings.patience)
        callbacks.insert(0, stop)
    return pl.Trainer(
        default_root_dir=out_dir, max_epochs=schedule.rounds, callbacks=callbacks,
        accelerator=inputs.settings.accelerator, devices=1,
        precision="bf16-mixed" if device == "cuda" and torch.cuda.is_bf16_supported() else "32-true",
        gradient_clip_val=inputs.settings.gradient_clip_val,
        log_every_n_steps=min(10, schedule.steps_per_round),
        logger=[
            Curves(out_dir / "metrics.csv", first_step),
            TensorBoardLogger(out_dir, "", "tensorboard", purge_step=first_step or None),
        ],
        plugins=[WholeFiles()], enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
    )  # fmt: skip


class WholeFiles(TorchCheckpointIO):
    """Writes a checkpoint so that it appears whole or not at all, whenever we are killed.

    Lightning's own way moves a file over from the system's temporary folder: on another disk that is a copy,
    and one broken off would leave neither the old checkpoint nor the new.
    """

    def load_checkpoint(self, path: Any, *_: Any, **__: Any) -> dict[str, Any]:
        """Plain data only: the file may come from anyone."""
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
    """Symbols learned, their speed, and the last bits per symbol."""

    def __init__(self, symbol_name: str) -> None:
        self.symbol_name = symbol_name

    def on_train_start(self, trainer: pl.Trainer, module: CharModel) -> None:
        schedule, streams = module.schedule, module.feed.streams
        # Windows of short records are narrow, and padded: the mean of the first epoch, not batch x time.
        self.per_step = int(np.diff(streams.segments, axis=1).sum()) / streams.steps(module.feed.buckets(0))
        total = round(schedule.rounds * schedule.steps_per_round * self.per_step)
        self.bar = bar("Training", None if schedule.budget_s else total, self.symbol_name)
        self.bar.update(round(trainer.global_step * self.per_step))

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: CharModel, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.bar.update(round(trainer.global_step * self.per_step) - self.bar.n)

    def on_validation_end(self, trainer: pl.Trainer, module: CharModel) -> None:
        metrics = trainer.callback_metrics
        text = f"{float(metrics['validation_bits']):.3f} bits/{self.symbol_name} on validation"
        if module.schedule.budget_s:
            done = min(1.0, module.elapsed_s / module.schedule.budget_s)
            text += f", {done:.0%} of the time"
        self.bar.set_postfix_str(text, refresh=False)

    def teardown(self, trainer: pl.Trainer, module: CharModel, stage: str) -> None:
        if hasattr(self, "bar"):
            self.bar.close()


def _schedule(inputs: TrainInputs, model: nn.Module, streams: ContiguousStreams) -> Schedule:
    """All epochs in rounds, or as many steps as a short trial says that the budget allows."""
    rng = np.random.default_rng([inputs.seed, 0])
    per_epoch = streams.steps(streams.buckets(rng))
    total = per_epoch * inputs.settings.max_epochs
    if inputs.budget_s is not None:
        copy, device = deepcopy(model), resolve_device(inputs.settings)
        step = stepper(copy, len(inputs.corpus.alphabet), streams.batch, streams.time, device)
        total = max(1, int(inputs.budget_s / fastest(step)))
    validated = _validation_cost(inputs.corpus) * VALIDATION_SHARE
    per_round = max(total / ROUNDS, min(validated / (streams.batch * streams.time), total / 4), 1)
    rounds = max(1, round(total / per_round))
    return Schedule(
        rounds * (SPARE if inputs.budget_s else 1), max(1, round(total / rounds)), inputs.budget_s
    )


def _validation_cost(corpus: Corpus) -> int:
    """Symbols of a validation, those of a narrow batch counted as if it were wide: they take as long."""
    streams = evaluation_lanes(corpus, "validation", MAX_VALIDATED_SYMBOLS)
    return sum(max(len(w), NARROW) * int((w[:, 1] - w[:, 0]).max()) for w in streams.buckets(None))


def _resumed(last: Path) -> tuple[Schedule, int, bool] | None:
    """The schedule of a training to go on with, the steps it has done, and whether it had ended early."""
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
    log.info("going on from step %d", step)
    return schedule, step, resume["finished"]
