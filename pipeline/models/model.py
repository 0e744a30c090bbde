"""The interface of models: what training, sampling and scoring call, whatever the family.

A family is a frozen dataclass of settings, `ModelSettings`, whose `build` gives a `Model`. To add one, write
both in a module of this package and name the settings in a file of ``conf/model/``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
from torch import Tensor, nn

from pipeline.data.batching import Window
from pipeline.data.corpus import Corpus
from pipeline.models.state import State


class TrainingEvidence(Protocol):
    """What a model found in the training split before training, for each of its windows."""

    def of_window(self, window: Window) -> tuple[Tensor, ...]:
        """The third argument of the model's `forward` for a training window."""
        ...

    def close(self) -> None:
        """Free what it holds on disk."""
        ...


class Model(nn.Module):
    """A sequence model: ``(symbols, state) -> (logits, state)``.

    Beyond `forward` every method has a default that is right for a network that learns by gradient descent
    alone and has no compiled decode step.
    """

    decode_step: ClassVar[str | None] = None
    """The compiled decode step that computes `forward` for one symbol, by its name in
    `generation/compiled/export.py`; None where sampling calls `forward`."""

    def forward(self, symbols: Tensor, state: State = None) -> tuple[Tensor, State]:
        """The logits ``(batch, time, vocab_size)`` of the symbol after each of ``(batch, time)`` int64 codes.

        `state` is None at the start of a sequence, else what the last call returned: sequences may be cut
        into calls anywhere. While training, a model that was prepared gets its evidence as a third argument.
        """
        raise NotImplementedError

    def prepare(self, corpus: Corpus, complement: np.ndarray | None, folder: Path) -> TrainingEvidence | None:
        """Read the training split before training, such as to count or index it; None where nothing of it
        is needed for each window.

        `complement` maps each code to that of its complement; large temporary files go to `folder`. Raises
        ConfigError where the split is too large.
        """
        return None

    def set_copy_weight(self, weight: float) -> None:
        """Set how far long contexts and copies of the training text are believed: 1 as learned, 0 not at
        all. Models that copy nothing ignore it."""
        return

    def load_start(self, weights: Mapping[str, Tensor]) -> None:
        """Load the weights of another model of this family to begin training with."""
        self.load_state_dict(weights)


class ModelSettings(Protocol):
    """The settings of a family: a frozen dataclass, shown to people by `str`."""

    @property
    def num_layers(self) -> int:
        """Layers, 0 where there are none."""
        ...

    def build(self, vocab_size: int) -> Model:
        """A freshly initialised model over `vocab_size` codes."""
        ...
