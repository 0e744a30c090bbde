"""A penalty on symbols that were drawn shortly before."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline.generation.constrained.logits_processor import BatchProcessor, LogitsProcessor


@dataclass(frozen=True)
class RepetitionPenalty(LogitsProcessor):
    """Multiplies by `penalty` the log-probabilities of symbols that are among the last `window`.

    Source: Keskar et al., "CTRL" (2019); there logits are multiplied or divided, according to their sign.
    """

    penalty: float
    window: int

    def start_batch(self, primes: Sequence[np.ndarray], indices: range) -> BatchProcessor:
        return _RepetitionBatch(self, primes)


class _RepetitionBatch(BatchProcessor):
    setting = "sample.repetition_penalty"

    def __init__(self, settings: RepetitionPenalty, primes: Sequence[np.ndarray]) -> None:
        self.penalty = settings.penalty
        self.recent = torch.zeros(len(primes), settings.window, dtype=torch.int64)
        self.positions = torch.zeros(len(primes), dtype=torch.int64)
        for row, prime in enumerate(primes):
            last = torch.from_numpy(prime[-settings.window :])
            self.recent[row, : len(last)], self.positions[row] = last, len(last)

    def process(self, logits: Tensor, drawing: Tensor) -> Tensor:
        log_probabilities = logits.log_softmax(-1)
        # An empty position has a code that is never drawn.
        repeated = torch.zeros_like(log_probabilities).scatter(-1, self.recent, 1.0) > 0
        penalized = repeated & drawing[:, None]
        return torch.where(penalized, log_probabilities * self.penalty, log_probabilities)

    def advance(self, codes: Tensor, drawing: Tensor) -> None:
        positions = (self.positions % self.recent.shape[1])[:, None]
        before = self.recent.gather(1, positions)
        self.recent.scatter_(1, positions, torch.where(drawing[:, None], codes[:, None], before))
        self.positions += drawing
