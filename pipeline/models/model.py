"""The interface of models, which training, sampling and scoring use for every family.

A family is a frozen dataclass of settings, `ModelSettings`, whose `build` returns a `Model`. To add one,
write both in a module of this package, and name the settings in a file of ``conf/model/``.
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
    """The result of `Model.prepare`: additional inputs for each training window."""

    def of_window(self, window: Window) -> tuple[Tensor, ...]:
        """The additional inputs of a training window.

        Parameters
        ----------
        window : Window
            A window of ``(batch, time)`` symbols.

        Returns
        -------
        tuple of Tensor
            The third argument of the model's `forward`.
        """
        ...

    def close(self) -> None:
        """Delete temporary files."""
        ...


class Model(nn.Module):
    """A sequence model ``(symbols, state) -> (logits, state)``.

    Only `forward` is required. The other methods have defaults for a network that learns by gradient descent
    alone.

    Attributes
    ----------
    decode_step : str or None
        The compiled decode step that computes `forward` for one symbol, by its name in
        ``pipeline/generation/compiled/export.py``; None where sampling calls `forward`.
    """

    decode_step: ClassVar[str | None] = None

    def forward(self, symbols: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Predict the symbol after each symbol.

        A sequence in several calls has the logits of one call. In training, a model whose `prepare` returned
        evidence receives it as a third argument.

        Parameters
        ----------
        symbols : Tensor
            Codes ``(batch, time)`` int64.
        state : State
            None at the start of the sequences, later the state that the last call returned.

        Returns
        -------
        logits : Tensor
            ``(batch, time, vocab_size)``, unnormalised log-probabilities in nats.
        state : State
            The state after the last symbol.
        """
        raise NotImplementedError

    def prepare(self, corpus: Corpus, complement: np.ndarray | None, folder: Path) -> TrainingEvidence | None:
        """Read the training split before training, for example to count or index it.

        Parameters
        ----------
        corpus : Corpus
            The encoded, split corpus.
        complement : ndarray or None
            The code of each code's complement ``(vocab_size,)``, where sequences have two strands.
        folder : Path
            A folder for large temporary files.

        Returns
        -------
        TrainingEvidence or None
            Additional inputs of each training window, if the model has any.

        Raises
        ------
        ConfigError
            Where the training split is too large for the model.
        """
        return None

    def set_copy_weight(self, weight: float) -> None:
        """Scale the evidence of long contexts and of copies of the training text.

        Parameters
        ----------
        weight : float
            From 0, no such evidence, to 1, as learned. Models without such evidence ignore it.
        """
        return

    def load_start(self, weights: Mapping[str, Tensor]) -> None:
        """Begin training with the weights of another model of this family.

        Parameters
        ----------
        weights : mapping of str to Tensor
            The state dict of the other model.

        Raises
        ------
        RuntimeError
            Where names or shapes differ.
        """
        self.load_state_dict(weights)


class ModelSettings(Protocol):
    """The settings of a family, a frozen dataclass whose `str` is a short description."""

    @property
    def num_layers(self) -> int:
        """Layers, 0 for a model without layers."""
        ...

    def build(self, vocab_size: int) -> Model:
        """Create a model with random weights.

        Parameters
        ----------
        vocab_size : int
            The number of codes, special codes included.

        Returns
        -------
        Model
            In training mode, on the CPU.

        Raises
        ------
        ConfigError
            Where the model cannot have so many codes.
        """
        ...
