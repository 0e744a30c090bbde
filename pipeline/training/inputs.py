"""The inputs of a training, and its device. `trainer.py` is imported only for a training: Lightning takes
seconds to import."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pipeline.config.schema import TrainSettings
from pipeline.data.batching import ContiguousStreams
from pipeline.data.corpus import Corpus
from pipeline.domain import Domain
from pipeline.errors import ConfigError


@dataclass(frozen=True)
class TrainInputs:
    """The inputs of a training."""

    corpus: Corpus
    domain: Domain
    model: Mapping[str, Any]
    """The model's node of the configuration, as plain data."""
    settings: TrainSettings
    budget_s: float | None
    checkpoint: Path | None
    seed: int
    explicit: tuple[str, ...] | None = None
    """Settings that the user gave, which a budget never changes; None for all."""
    start: Path | None = None
    """A checkpoint whose weights the training begins with."""


def contiguous_streams(inputs: TrainInputs) -> ContiguousStreams:
    """The contiguous streams of the training split."""
    corpus, settings = inputs.corpus, inputs.settings
    return ContiguousStreams.for_training(
        corpus.codes, corpus.subset_segments("train"), settings.batch_size, settings.bptt_steps,
        corpus.complement_codes(inputs.domain) if settings.reverse_complement else None,
    )  # fmt: skip


def resolve_device(settings: TrainSettings) -> str:
    """The torch device that the accelerator setting means on this machine; ConfigError where it has none."""
    if settings.accelerator in ("auto", "gpu") and torch.cuda.is_available():
        return "cuda"
    if settings.accelerator in ("auto", "mps") and torch.backends.mps.is_available():
        return "mps"
    if settings.accelerator in ("gpu", "mps"):
        raise ConfigError(
            f"train.accelerator={settings.accelerator}: torch finds none on this machine; set auto or cpu"
        )
    return "cpu"
