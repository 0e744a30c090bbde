"""The learning-rate finder: a short training whose rate rises until the loss does.

Source: Smith, "Cyclical learning rates for training neural networks" (2017), section 3.3.
"""

import csv
import math
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from pipeline.data.batching import PADDING
from pipeline.models.state import detach
from pipeline.training.inputs import TrainInputs, contiguous_streams, resolve_device

LOWEST, HIGHEST = 1e-5, 1.0
STEPS = 120
SMOOTHING = 0.9
RISEN = 1.3
"""The search ends where the smoothed loss is so many times its lowest."""
BACK = 10.0
"""So many times below the rate of the lowest loss is the most that a long training bears; the rate where the
loss falls fastest is rather low. What is chosen lies half way between them, as powers."""
TABLE = "learning_rate_search.tsv"


def find(model: nn.Module, inputs: TrainInputs, out_dir: Path) -> float:
    """A highest learning rate for `model`, which is spoiled; writes ``learning_rate_search.tsv``."""
    rates, bits = _rise(model, inputs)
    most = rates[int(np.argmin(bits))] / BACK
    least = rates[int(np.argmin(np.gradient(bits)))]
    with (out_dir / TABLE).open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, delimiter="\t", lineterminator="\n")
        rows.writerow(("learning_rate", "bits"))
        rows.writerows((f"{rate:.6g}", f"{each:.6f}") for rate, each in zip(rates, bits, strict=True))
    return float(f"{math.sqrt(most * least):.2g}")


def _rise(model: nn.Module, inputs: TrainInputs) -> tuple[list[float], list[float]]:
    """Rates and the smoothed loss, in bits per symbol, that each led to."""
    from pipeline.training.lit_module import Feed  # late: Lightning takes seconds to load

    settings, device = inputs.settings, resolve_device(inputs.settings)
    model = model.to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.99), weight_decay=settings.weight_decay)
    rates, smoothed, mean, state = [], [], 0.0, None
    for number, window in enumerate(Feed(contiguous_streams(inputs), inputs.seed, STEPS)):
        rate = LOWEST * (HIGHEST / LOWEST) ** (number / (STEPS - 1))
        for group in optimizer.param_groups:
            group["lr"] = rate
        targets = window.targets.to(device)
        logits, state = model(window.inputs.to(device), None if window.fresh else state)
        state = detach(state)
        loss = cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), ignore_index=PADDING)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), settings.gradient_clip_val)
        optimizer.step()
        mean = SMOOTHING * mean + (1 - SMOOTHING) * float(loss.detach()) / math.log(2)
        rates.append(rate)
        smoothed.append(mean / (1 - SMOOTHING ** (number + 1)))
        if not smoothed[-1] < RISEN * min(smoothed):
            break
    return rates, smoothed
