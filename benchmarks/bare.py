"""Our training step without its trainer: the same windows, carried state, loss, clipping and optimizer."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from pipeline.config.schema import TrainSettings
from pipeline.data.alphabet import SPECIALS, Alphabet
from pipeline.data.batching import ContiguousStreams
from pipeline.data.corpus import SUBSETS, Corpus
from pipeline.training.lit_module import LitModel, Schedule, TrainingWindows

ENDLESS = 10**6
"""Steps: more than any measurement makes."""


def random_corpus(symbols: str, length: int) -> Corpus:
    """One long record of independent symbols, of which a small part is held out."""
    codes = np.random.default_rng(0).integers(len(SPECIALS), len(SPECIALS) + len(symbols), length, np.uint16)
    edges = [0, length * 98 // 100, length * 99 // 100, length]
    segments = [[edges[n], edges[n + 1], n, 0] for n in range(len(SUBSETS))]
    return Corpus(Path(), Alphabet(symbols), (), codes, None, np.array(segments), np.array([[0, length]]))


@dataclass(frozen=True)
class TorchLstm:
    """The fused LSTM that torch brings, between an embedding and a read-out."""

    hidden_size: int
    num_layers: int

    def __str__(self) -> str:
        return f"torch's lstm {self.num_layers}x{self.hidden_size}"

    def build(self, vocab_size: int) -> nn.Module:
        """A freshly initialised model over `vocab_size` codes."""
        return _TorchLstmModel(self, vocab_size)


class _TorchLstmModel(nn.Module):
    def __init__(self, settings: TorchLstm, vocab_size: int) -> None:
        super().__init__()
        size = settings.hidden_size
        self.embedding, self.readout = nn.Embedding(vocab_size, size), nn.Linear(size, vocab_size)
        self.lstm = nn.LSTM(size, size, settings.num_layers, batch_first=True)

    def forward(self, symbols: Tensor, state: tuple | None) -> tuple[Tensor, tuple | None]:
        hidden, state = self.lstm(self.embedding(symbols), state)
        return self.readout(hidden), state


class BareLoop:
    """Calling it makes one training step."""

    def __init__(self, model: Any, corpus: Corpus, batch: int, time: int) -> None:
        settings = TrainSettings(batch_size=batch, bptt_steps=time)
        torch.manual_seed(0)
        self.model = model.build(len(corpus.alphabet))
        streams = ContiguousStreams.for_training(corpus.codes, corpus.subset_segments("train"), batch, time)
        feed = TrainingWindows(streams, 0, ENDLESS)
        self.module = LitModel(self.model, corpus, settings, Schedule(1, ENDLESS), feed, {})
        made = self.module.configure_optimizers()
        self.optimizer, self.schedule = made["optimizer"], made["lr_scheduler"]["scheduler"]
        # Full batches only: the last bucket of an epoch has fewer rows, and its steps are shorter.
        full = (window for window in feed if len(window.inputs) == streams.batch)
        first = next(full)
        self.symbols = first.inputs.numel()
        self.windows, self.steps = itertools.chain([first], full), itertools.count(1)

    def __call__(self) -> None:
        loss = self.module.training_step(next(self.windows))
        self.optimizer.zero_grad()
        loss.backward()
        clip_grad_norm_(self.model.parameters(), self.module.settings.gradient_clip_val)
        self.optimizer.step()
        self.schedule.step()
        self.module.ema.update(next(self.steps))
        self.module._recent.clear()
