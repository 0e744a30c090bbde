"""The Lightning module that trains any model of `pipeline/models` by truncated back-propagation through time.

Source of the carried, detached state: Williams and Peng, "An efficient gradient-based algorithm for
on-line training of recurrent network trajectories" (1990).
"""

import itertools
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import move_data_to_device
from torch import Tensor
from torch.nn.functional import cross_entropy

from pipeline.config.schema import TrainSettings
from pipeline.data.batching import PADDING, ContiguousStreams, Window
from pipeline.data.corpus import Corpus
from pipeline.errors import DataError
from pipeline.evaluation.bits import MAX_VALIDATED_SYMBOLS, Tally, evaluation_streams
from pipeline.models.checkpoint import KEY
from pipeline.models.model import Model, TrainingEvidence
from pipeline.models.state import State, detach
from pipeline.training.weight_ema import WeightEMA

WARMUP_SHARE = 0.02
"""The share of the training in which the learning rate rises."""
MIN_LR_SHARE = 0.01
"""The last learning rate, as a share of the highest."""
MAX_LOSS_RATIO = 4.0
"""A mean loss above this multiple of a uniform guess's counts as divergence."""


class TrainingDiverged(DataError):
    """The loss is not finite, or far above that of a uniform guess."""

    def __init__(self, name: str, bits: float, step: int, lr: float) -> None:
        found = f"has exploded to {bits:.3g} bits" if math.isfinite(bits) else "is not finite"
        super().__init__(f"the {name} {found} at step {step}")
        self.step, self.lr = step, lr


BUDGET_ROUNDS = 3
"""With a budget, this multiple of the expected rounds is allowed: the clock ends the training."""


class TensorWindow(NamedTuple):
    """A `Window` as tensors: inputs and targets ``(batch, time)`` int64, and the model's evidence, if any."""

    inputs: Tensor
    targets: Tensor
    fresh: bool
    evidence: tuple[Tensor, ...]
    source: Window


@dataclass(frozen=True)
class Schedule:
    """The length of a training: `rounds` of `steps_per_round` steps, each followed by a validation and a
    checkpoint, or until `budget_s` seconds have passed."""

    rounds: int
    steps_per_round: int
    budget_s: float | None = None

    @property
    def expected_rounds(self) -> int:
        """The number of rounds before the clock ends the training."""
        return max(1, self.rounds // BUDGET_ROUNDS if self.budget_s else self.rounds)

    @property
    def log_every_n_steps(self) -> int:
        """Training steps between two rows of the learning curve."""
        return min(10, self.steps_per_round)

    def progress(self, step: int, elapsed_s: float) -> float:
        """The progress from 0 to 1, by steps or by time, whichever is greater."""
        done = step / (self.rounds * self.steps_per_round)
        return min(1.0, max(done, elapsed_s / self.budget_s if self.budget_s else 0.0))


class TrainingWindows:
    """The windows of all epochs, of which each iteration yields those of one round; it can start at any step.

    `evidence` is the result of `Model.prepare`: each window gets its part of it.
    """

    def __init__(
        self,
        streams: ContiguousStreams,
        seed: int,
        steps_per_round: int,
        evidence: TrainingEvidence | None = None,
    ) -> None:
        self.streams, self.seed, self.steps_per_round, self.evidence = (
            streams,
            seed,
            steps_per_round,
            evidence,
        )
        self.start_at(0)

    def start_at(self, step: int) -> None:
        """Make the next round begin with this step."""
        self._stream = self._windows(step)

    def __len__(self) -> int:
        return self.steps_per_round

    def __iter__(self) -> Iterator[TensorWindow]:
        return itertools.islice(self._stream, self.steps_per_round)

    def buckets(self, epoch: int) -> list[np.ndarray]:
        """The buckets of an epoch, shuffled by the seed and its number."""
        return self.streams.buckets(np.random.default_rng([self.seed, epoch]))

    def _windows(self, skip: int) -> Iterator[TensorWindow]:
        for epoch in itertools.count():
            buckets = self.buckets(epoch)
            steps = self.streams.steps(buckets)
            if skip < steps:
                yield from map(self._complete, self.streams.windows(buckets, skip))
            skip = max(0, skip - steps)

    def _complete(self, window: Window) -> TensorWindow:
        return as_tensors(window, self.evidence.of_window(window) if self.evidence is not None else ())


@dataclass(frozen=True)
class ValidationWindows:
    """The windows of the validation split, in a fixed order."""

    streams: ContiguousStreams

    def __len__(self) -> int:
        return self.streams.steps(self.streams.buckets(None))

    def __iter__(self) -> Iterator[TensorWindow]:
        return map(as_tensors, self.streams.windows(self.streams.buckets(None)))


class LitModel(pl.LightningModule):
    """Trains `model` on `corpus`; `about` describes the model in its checkpoints."""

    def __init__(
        self, model: Model, corpus: Corpus, settings: TrainSettings, schedule: Schedule,
        windows: TrainingWindows, about: Mapping[str, Any],
    ) -> None:  # fmt: skip
        super().__init__()
        self.model, self.corpus, self.settings = model, corpus, settings
        self.schedule, self.windows, self.about = schedule, windows, dict(about)
        self._state: State = None
        self._evaluated = Tally(corpus)
        self._evaluation_state: State = None
        self._recent: list[Tensor] = []
        self.ema = WeightEMA(model, settings.ema_decay)
        self._elapsed_before_s, self._started = 0.0, time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Seconds of training so far, including those before an interruption."""
        return self._elapsed_before_s + time.monotonic() - self._started

    @property
    def validation_bits(self) -> float:
        """Bits per symbol of the last validation."""
        return self._evaluated.bits

    def training_step(self, window: TensorWindow) -> Tensor:
        """Mean nats per symbol of one window; the state goes on to the next."""
        evidence = [window.evidence] if window.evidence else []
        logits, state = self.model(window.inputs, None if window.fresh else self._state, *evidence)
        self._state = detach(state)
        # Padded places have no loss, but count in the mean: a half-empty window weighs half.
        total = cross_entropy(
            logits.flatten(0, 1).float(), window.targets.flatten(), ignore_index=PADDING, reduction="sum"
        )
        self._recent.append(total.detach() / (window.targets != PADDING).sum())
        return total / window.targets.numel()

    def on_train_batch_end(self, outputs: Any, batch: TensorWindow, batch_idx: int) -> None:
        """Update the average of the weights and log the loss. Raises TrainingDiverged."""
        self.ema.update(self.global_step)
        if len(self._recent) < self.schedule.log_every_n_steps and batch_idx + 1 < len(self.windows):
            return
        bits = float(torch.stack(self._recent).mean()) / math.log(2)
        self._recent.clear()
        self._check(bits, "training loss")
        self.log_dict({"train_bits": bits, "train_perplexity": 2**bits}, prog_bar=True)
        self.log("learning_rate", self.trainer.optimizers[0].param_groups[0]["lr"])

    def on_validation_epoch_start(self) -> None:
        """Reset the tally of the validation split, and use the averaged weights, if any."""
        self._evaluated.reset()
        self.ema.swap()

    def validation_step(self, window: TensorWindow) -> None:
        """Add one window of the validation split to the tally."""
        state = None if window.fresh else self._evaluation_state
        logits, self._evaluation_state = self.model(window.inputs, state)
        self._evaluated.add(logits, window.source, window.targets)

    def on_validation_epoch_end(self) -> None:
        """Log the bits of the validation split."""
        self.ema.swap()
        bits = self.validation_bits
        self._check(bits, "validation loss")
        nats = bits * math.log(2)
        self.log_dict({"validation_bits": bits, "validation_perplexity": 2**bits, "validation_loss": nats})

    def on_fit_start(self) -> None:
        """Move the state of a checkpoint to the device of the model."""
        self._state = move_data_to_device(self._state, self.device)
        self.ema.to_device()

    def on_train_epoch_end(self) -> None:
        """End the training where its time or its steps are used up."""
        if self.schedule.progress(self.global_step, self.elapsed_s) >= 1.0:
            self.trainer.should_stop = True

    def train_dataloader(self) -> TrainingWindows:
        return self.windows

    def val_dataloader(self) -> ValidationWindows:
        return ValidationWindows(evaluation_streams(self.corpus, "validation", MAX_VALIDATED_SYMBOLS))

    def configure_optimizers(self) -> dict[str, Any]:
        # Weight decay applies to matrices, not to biases and norms.
        weights = [p for p in self.model.parameters() if p.ndim >= 2]
        others = [p for p in self.model.parameters() if p.ndim < 2]
        groups = [
            {"params": weights, "weight_decay": self.settings.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.settings.lr, betas=(0.9, 0.99))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self._rate(step))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the description of the model, and the state by which a resumed training equals an unbroken
        one."""
        checkpoint[KEY] = self.about
        if "optimizer_states" not in checkpoint:  # only weights, for use
            checkpoint["state_dict"] = self.ema.replace_weights(checkpoint["state_dict"])
        checkpoint["resume"] = {
            "carried_state": self._state, "elapsed_s": self.elapsed_s,
            "random_state": torch.get_rng_state(), "schedule": vars(self.schedule),
            "finished": bool(self.trainer.should_stop), "average": self.ema.values,
        }  # fmt: skip

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the state of the training at the checkpoint."""
        resume = checkpoint["resume"]
        self._state = resume["carried_state"]
        self._elapsed_before_s, self._started = resume["elapsed_s"], time.monotonic()
        self.ema.load(resume["average"])
        torch.set_rng_state(resume["random_state"])
        self.windows.start_at(checkpoint["global_step"])

    def _check(self, bits: float, name: str) -> None:
        if not bits <= MAX_LOSS_RATIO * math.log2(len(self.corpus.alphabet)):
            raise TrainingDiverged(name, bits, self.global_step, self.settings.lr)

    def _rate(self, step: int) -> float:
        progress = self.schedule.progress(step, self.elapsed_s if self.schedule.budget_s else 0.0)
        if progress < WARMUP_SHARE:
            return max(progress, 1e-4) / WARMUP_SHARE
        falling = (progress - WARMUP_SHARE) / (1 - WARMUP_SHARE)
        return MIN_LR_SHARE + (1 - MIN_LR_SHARE) * 0.5 * (1 + math.cos(math.pi * falling))


def as_tensors(window: Window, evidence: tuple[Tensor, ...] = ()) -> TensorWindow:
    """The window for a training step."""
    return TensorWindow(
        torch.from_numpy(window.inputs), torch.from_numpy(window.targets), window.fresh, evidence, window
    )
