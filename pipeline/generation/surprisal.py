"""How surprising every symbol of given sequences is to a model."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from pipeline.data.alphabet import BOS, EOS
from pipeline.generation.engine import net_of
from pipeline.models.model import Model
from pipeline.models.state import resolve_device

ROWS, TIME = 64, 512


@torch.inference_mode()
def surprisals(model: Model, sequences: Iterable[np.ndarray], with_end: bool) -> Iterator[np.ndarray]:
    """The nats of each code after all before it, float64, sequence by sequence; where `with_end`, one more
    for the end symbol."""
    remaining = iter(sequences)
    net = net_of(model)
    while batch := list(islice(remaining, ROWS)):
        if net is not None:
            from pipeline.generation.compiled import scorer  # late: it takes a while to load

            yield from scorer.surprisals(net, batch, with_end)
        else:
            yield from _batch(model, batch, with_end)


def _batch(model: Model, sequences: Sequence[np.ndarray], with_end: bool) -> Iterator[np.ndarray]:
    sizes = [len(codes) + with_end for codes in sequences]
    targets = torch.full((len(sequences), max(sizes)), EOS)
    for row, codes in enumerate(sequences):
        targets[row, : len(codes)] = torch.from_numpy(codes.astype(np.int64))
    inputs, where = torch.cat([torch.full((len(targets), 1), BOS), targets[:, :-1]], 1), resolve_device(model)
    found, state = np.zeros(targets.shape), None
    for start in range(0, targets.shape[1], TIME):
        window = slice(start, start + TIME)
        logits, state = model(inputs[:, window].to(where), state)
        found[:, window] = _nats(logits.cpu(), targets[:, window])
    for row, size in enumerate(sizes):
        yield found[row, :size]


def _nats(logits: Tensor, targets: Tensor) -> np.ndarray:
    return -logits.double().log_softmax(-1).gather(-1, targets[..., None])[..., 0].numpy()
