"""The Lightning module that trains any model of `pipeline/models` by truncated back-propagation through time.

Source of the carried, detached state: Williams and Peng, "An efficient gradient-based algorithm for
on-line training of recurrent network trajectories" (1990).
"""

import itertools
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

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
from pipeline.evaluation.bits import MAX_VALIDATED_SYMBOLS, Tally, evaluation_lanes
from pipeline.models.checkpoint import KEY
from pipeline.models.model import Model, TrainingEvidence
from pipeline.models.state import State, detach
from pipeline.training.weight_ema import Average

WARM_UP = 0.02
"""Share of the training in which the learning rate rises."""
FLOOR = 0.01
"""The last learning rate, as a share of the highest."""
EXPLODED = 4.0
"""A mean loss above so many times that of guessing is no part of learning."""


class Exploded(DataError):
    """The loss is not finite, or far above that of guessing."""

    def __init__(self, what: str, bits: float, step: int, lr: float) -> None:
        found = f"has exploded to {bits:.3g} bits" if math.isfinite(bits) else "is not finite"
        super().__init__(f"the {what} {found} at step {step}")
        self.step, self.lr = step, lr


SPARE = 3
"""With a budget, so many times the rounds that a trial expects: the clock ends the training."""


@dataclass(frozen=True)
class Schedule:
    """How long training goes on: `rounds` of `steps_per_round` steps, each followed by a validation and a
    checkpoint, or until `budget_s` seconds have gone."""

    rounds: int
    steps_per_round: int
    budget_s: float | None = None

    @property
    def expected_rounds(self) -> int:
        """With a budget, rounds are far more than the clock will allow."""
        return max(1, self.rounds // SPARE if self.budget_s else self.rounds)

    def progress(self, step: int, elapsed_s: float) -> float:
        """From 0 to 1, by steps or by time, whichever is further."""
        done = step / (self.rounds * self.steps_per_round)
        return min(1.0, max(done, elapsed_s / self.budget_s if self.budget_s else 0.0))


class Feed:
    """The training windows, epoch after epoch, handed out a round at a time; starts at any step.

    `evidence` is what the model found in the training split before training: each window gets its part.
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
        """Let the next round begin with this step."""
        self._stream = self._windows(step)

    def __len__(self) -> int:
        return self.steps_per_round

    def __iter__(self) -> Iterator[Window]:
        return itertools.islice(self._stream, self.steps_per_round)

    def buckets(self, epoch: int) -> list[np.ndarray]:
        """The buckets of an epoch, shuffled by the seed and its number."""
        return self.streams.buckets(np.random.default_rng([self.seed, epoch]))

    def _windows(self, skip: int) -> Iterator[Window]:
        for epoch in itertools.count():
            buckets = self.buckets(epoch)
            steps = self.streams.steps(buckets)
            if skip < steps:
                yield from map(self._complete, self.streams.windows(buckets, skip))
            skip = max(0, skip - steps)

    def _complete(self, window: Window) -> Window:
        evidence = self.evidence.of_window(window) if self.evidence is not None else ()
        return _as_tensors(window)._replace(evidence=evidence)


@dataclass(frozen=True)
class ValidationFeed:
    """The windows of the validation split, always the same in the same order."""

    streams: ContiguousStreams

    def __len__(self) -> int:
        return self.streams.steps(self.streams.buckets(None))

    def __iter__(self) -> Iterator[Window]:
        return map(_as_tensors, self.streams.windows(self.streams.buckets(None)))


class CharModel(pl.LightningModule):
    """Trains `model` on `corpus`; `about` is what the checkpoint says of itself."""

    def __init__(
        self, model: Model, corpus: Corpus, settings: TrainSettings, schedule: Schedule, feed: Feed,
        about: Mapping[str, Any],
    ) -> None:  # fmt: skip
        super().__init__()
        self.model, self.corpus, self.settings = model, corpus, settings
        self.schedule, self.feed, self.about = schedule, feed, dict(about)
        self._state: State = None
        self._evaluated = Tally(corpus)
        self._evaluation_state: State = None
        self._recent: list[Tensor] = []
        self.average = Average(model, settings.ema_decay)
        self._elapsed_before_s, self._started = 0.0, time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Seconds of training so far, those before an interruption included."""
        return self._elapsed_before_s + time.monotonic() - self._started

    @property
    def validation_bits(self) -> float:
        """Bits per symbol of what was validated last."""
        return self._evaluated.bits

    def training_step(self, window: Window) -> Tensor:
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

    def on_train_batch_end(self, outputs: Any, batch: Window, batch_idx: int) -> None:
        """Log what the last steps gave; a loss that is not finite ends the training."""
        self.average.update(self.global_step)
        if len(self._recent) < self.trainer.log_every_n_steps and batch_idx + 1 < len(self.feed):
            return
        bits = float(torch.stack(self._recent).mean()) / math.log(2)
        self._recent.clear()
        self._check(bits, "training loss")
        self.log_dict({"train_bits": bits, "train_perplexity": 2**bits}, prog_bar=True)
        self.log("learning_rate", self.optimizers().param_groups[0]["lr"])

    def on_validation_epoch_start(self) -> None:
        """Begin the tally of the validation split, with the averaged weights where there are any."""
        self._evaluated.reset()
        self.average.exchange()

    def validation_step(self, window: Window) -> None:
        """Tally one window of the validation split."""
        state = None if window.fresh else self._evaluation_state
        logits, self._evaluation_state = self.model(window.inputs, state)
        cpu_window = window._replace(targets=window.targets.cpu().numpy())
        self._evaluated.add(logits, cpu_window, window.targets)

    def on_validation_epoch_end(self) -> None:
        """Log the bits of the validation split."""
        self.average.exchange()
        bits = self.validation_bits
        self._check(bits, "validation loss")
        nats = bits * math.log(2)
        self.log_dict({"validation_bits": bits, "validation_perplexity": 2**bits, "validation_loss": nats})

    def on_fit_start(self) -> None:
        """What a checkpoint brought goes to where the model is."""
        self._state = move_data_to_device(self._state, self.device)
        self.average.to_device()

    def on_train_epoch_end(self) -> None:
        """A round is over; so is the training where the time is up."""
        if self.schedule.progress(self.global_step, self.elapsed_s) >= 1.0:
            self.trainer.should_stop = True

    def train_dataloader(self) -> Feed:
        return self.feed

    def val_dataloader(self) -> ValidationFeed:
        return ValidationFeed(evaluation_lanes(self.corpus, "validation", MAX_VALIDATED_SYMBOLS))

    def configure_optimizers(self) -> dict[str, Any]:
        # Decay pulls weights, not biases, towards zero.
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
        """Add what makes the file stand alone, and what makes a resumed run equal an unbroken one."""
        checkpoint[KEY] = self.about
        if "optimizer_states" not in checkpoint:  # only weights, for use
            checkpoint["state_dict"] = self.average.replacing(checkpoint["state_dict"])
        checkpoint["resume"] = {
            "carried_state": self._state, "elapsed_s": self.elapsed_s,
            "random_state": torch.get_rng_state(), "schedule": vars(self.schedule),
            "finished": bool(self.trainer.should_stop), "average": self.average.values,
        }  # fmt: skip

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on exactly where the checkpoint was made."""
        resume = checkpoint["resume"]
        self._state = resume["carried_state"]
        self._elapsed_before_s, self._started = resume["elapsed_s"], time.monotonic()
        self.average.load(resume["average"])
        torch.set_rng_state(resume["random_state"])
        self.feed.start_at(checkpoint["global_step"])

    def _check(self, bits: float, what: str) -> None:
        if not bits <= EXPLODED * math.log2(len(self.corpus.alphabet)):
            raise Exploded(what, bits, self.global_step, self.settings.lr)

    def _rate(self, step: int) -> float:
        progress = self.schedule.progress(step, self.elapsed_s if self.schedule.budget_s else 0.0)
        if progress < WARM_UP:
            return max(progress, 1e-4) / WARM_UP
        falling = (progress - WARM_UP) / (1 - WARM_UP)
        return FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * falling))


def _as_tensors(window: Window) -> Window:
    return window._replace(inputs=torch.from_numpy(window.inputs), targets=torch.from_numpy(window.targets))
