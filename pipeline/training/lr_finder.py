"""The learning-rate range test: a short training whose rate rises until the loss does.

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

MIN_LR, MAX_LR = 1e-5, 1.0
STEPS = 120
SMOOTHING = 0.9
MAX_LOSS_RISE = 1.3
"""The test ends where the smoothed loss is this multiple of its minimum."""
STABLE_DIVISOR = 10.0
"""The rate of the minimal loss divided by this is the highest that a long training tolerates. The rate where
the loss falls fastest is rather low. The result is the geometric mean of the two."""
TABLE_FILE = "learning_rate_search.tsv"


def find_learning_rate(model: nn.Module, inputs: TrainInputs, out_dir: Path) -> float:
    """The highest learning rate for `model`, whose weights the test spoils; writes `TABLE_FILE`."""
    rates, bits = _range_test(model, inputs)
    most = rates[int(np.argmin(bits))] / STABLE_DIVISOR
    least = rates[int(np.argmin(np.gradient(bits)))]
    with (out_dir / TABLE_FILE).open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, delimiter="\t", lineterminator="\n")
        rows.writerow(("learning_rate", "bits"))
        rows.writerows((f"{rate:.6g}", f"{each:.6f}") for rate, each in zip(rates, bits, strict=True))
    return float(f"{math.sqrt(most * least):.2g}")


def _range_test(model: nn.Module, inputs: TrainInputs) -> tuple[list[float], list[float]]:
    """The rates, and the smoothed loss after each, in bits per symbol."""
    from pipeline.training.lit_module import TrainingWindows  # start-up: Lightning takes seconds to import

    settings, device = inputs.settings, resolve_device(inputs.settings)
    model = model.to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.99), weight_decay=settings.weight_decay)
    rates, smoothed, mean, state = [], [], 0.0, None
    for number, window in enumerate(TrainingWindows(contiguous_streams(inputs), inputs.seed, STEPS)):
        rate = MIN_LR * (MAX_LR / MIN_LR) ** (number / (STEPS - 1))
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
        if not smoothed[-1] < MAX_LOSS_RISE * min(smoothed):
            break
    return rates, smoothed
