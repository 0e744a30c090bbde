"""The surprisal of every symbol of given sequences, for any model.

`token_surprisals` is the definition that `evaluation/bits.py` uses too. `compiled/surprisal.py` computes the
same in compiled code and is tested against it.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from pipeline.data.alphabet import BOS, EOS
from pipeline.generation.compiled_sampling import export_weights
from pipeline.models.model import Model
from pipeline.models.state import resolve_device

ROWS, TIME = 64, 512


def token_surprisals(logits: Tensor, targets: Tensor, ignored: int = -100) -> Tensor:
    """The negative log-probability of each target, in nats.

    Parameters
    ----------
    logits
        ``(batch, time, vocab_size)``; their precision is that of the result.
    targets
        Codes ``(batch, time)``.
    ignored
        A target without a surprisal, which gets 0.

    Returns
    -------
    Tensor
        Nats ``(batch, time)``.
    """
    nats = cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=ignored, reduction="none")
    return nats.reshape(targets.shape)


@torch.inference_mode()
def compute_surprisals(model: Model, sequences: Iterable[np.ndarray], with_end: bool) -> Iterator[np.ndarray]:
    """The surprisal of each code given all codes before it.

    Parameters
    ----------
    model
        The model, on the device that computes.
    sequences
        Codes ``(symbols,)`` of each sequence.
    with_end
        Add the surprisal of the end symbol.

    Yields
    ------
    ndarray
        Nats of one sequence, float64, ``(symbols,)`` or ``(symbols + 1,)``.
    """
    remaining = iter(sequences)
    exported = export_weights(model)
    while batch := list(islice(remaining, ROWS)):
        if exported is not None:
            # Loading numba takes half a second.
            from pipeline.generation.compiled import surprisal as compiled

            yield from compiled.compute_surprisals(exported, batch, with_end)
        else:
            yield from _compute_batch(model, batch, with_end)


def _compute_batch(model: Model, sequences: Sequence[np.ndarray], with_end: bool) -> Iterator[np.ndarray]:
    sizes = [len(codes) + with_end for codes in sequences]
    targets = torch.full((len(sequences), max(sizes)), EOS)
    for row, codes in enumerate(sequences):
        targets[row, : len(codes)] = torch.from_numpy(codes.astype(np.int64))
    inputs, device = (
        torch.cat([torch.full((len(targets), 1), BOS), targets[:, :-1]], 1),
        resolve_device(model),
    )
    nats, state = np.zeros(targets.shape), None
    for start in range(0, targets.shape[1], TIME):
        window = slice(start, start + TIME)
        logits, state = model(inputs[:, window].to(device), state)
        nats[:, window] = token_surprisals(logits.cpu().double(), targets[:, window]).numpy()
    for row, size in enumerate(sizes):
        yield nats[row, :size]
