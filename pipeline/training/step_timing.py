"""The time of a training step on this machine, measured on random codes."""

import math
import time
from collections.abc import Callable

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from pipeline.data.alphabet import SPECIALS

STEPS = 3


def make_training_step(
    model: nn.Module, vocab_size: int, batch: int, time: int, device: str
) -> Callable[[], float]:
    """A function that makes one training step and returns the loss.

    Its learning rate is so low that the weights hardly change. Discard the model all the same.
    """
    codes = torch.randint(len(SPECIALS), vocab_size, (batch, time + 1)).to(device)
    model = model.to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-9)

    def step() -> float:
        optimizer.zero_grad()
        logits, _ = model(codes[:, :-1], None)
        loss = cross_entropy(logits.flatten(0, 1).float(), codes[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return float(loss.detach())

    return step


def min_step_seconds(step: Callable[[], object]) -> float:
    """Seconds of the fastest of a few calls. The first, which compiles, does not count."""
    seconds = math.inf
    for number in range(STEPS + 1):
        started = time.perf_counter()
        step()
        if number:
            seconds = min(seconds, time.perf_counter() - started)
    return seconds
