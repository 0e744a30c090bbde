"""What the trainer costs: its steps and bare ones take turns within one training."""

import logging
import tempfile
import time
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback

from benchmarks.bare import BareLoop
from pipeline.config.schema import TrainSettings
from pipeline.data.corpus import Corpus
from pipeline.domains.text import Text
from pipeline.models.recurrent import Recurrent
from pipeline.training.inputs import TrainInputs, contiguous_streams
from pipeline.training.lit_module import LitModel, Schedule, TrainingWindows
from pipeline.training.trainer import _trainer

BLOCK, BLOCKS = 10, 24
"""Steps without a pause; the trainer logs once in ten."""


class Turns(Callback):
    """After every block of the trainer's steps, as many bare ones."""

    def __init__(self, bare: BareLoop) -> None:
        self.bare = bare
        self.trained, self.bared = [], []
        self.since: float | None = None

    def on_train_batch_end(self, *arguments: Any) -> None:
        """Note the time of a block; the first warms up."""
        if (arguments[-1] + 1) % BLOCK:
            return
        now = time.perf_counter()
        if self.since is not None:
            self.trained.append(now - self.since)
        started = time.perf_counter()
        for _ in range(BLOCK):
            self.bare()
        if self.since is not None:
            self.bared.append(time.perf_counter() - started)
        self.since = time.perf_counter()


def overhead(settings: Recurrent, corpus: Corpus, batch: int, steps: int) -> float:
    """By how much a step in the trainer takes longer than a bare one; no validation or checkpoint in it."""
    train = TrainSettings(batch_size=batch, bptt_steps=steps, accelerator="cpu")
    node = {"_target_": "pipeline.models.recurrent.Recurrent", **asdict(settings)}
    inputs = TrainInputs(corpus, Text(), node, train, None, None, 0)
    schedule = Schedule(1, BLOCK * BLOCKS)
    turns = Turns(BareLoop(settings, corpus, batch, steps))
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        feed = TrainingWindows(contiguous_streams(inputs), 0, schedule.steps_per_round)
        module = LitModel(settings.build(len(corpus.alphabet)), corpus, train, schedule, feed, {})
        # Any: the stubs of Lightning lack `callbacks`.
        trainer: Any = _trainer(inputs, schedule, Path(folder), 0)
        trainer.callbacks.append(turns)
        threads = torch.get_num_threads()
        trainer.fit(module)
        torch.set_num_threads(threads)
    return min(turns.trained) / min(turns.bared) - 1
