"""Draws many sequences from a model at once, the state carried from symbol to symbol.

A sequence depends on the checkpoint, the settings, the seed and its own index, nothing else: its random
numbers come from a counter-based generator keyed by seed and index, and the model always runs on blocks
of exactly `BLOCK` rows, because a matrix product's rounding depends on its shape.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from pipeline.alphabet import BOS, EOS, UNKNOWN, Alphabet
from pipeline.domain import Sample, Symbols
from pipeline.sampling.decoders import Decoder

BLOCK = 64


@dataclass(frozen=True)
class Request:
    """What to draw: `count` sequences of at most `length` symbols, the prime included.

    Where `open_ended`, no end symbol is drawn and every sequence has exactly `length` symbols.
    """

    count: int
    length: int
    seed: int
    prime: Symbols = ""
    open_ended: bool = False
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def decoder(self) -> Decoder:
        """The decoder with what must never be drawn."""
        never = (BOS, UNKNOWN, EOS) if self.open_ended else (BOS, UNKNOWN)
        return Decoder(self.temperature, self.top_k, self.top_p, never)


@torch.inference_mode()
def draw(model: nn.Module, alphabet: Alphabet, request: Request) -> Iterator[Sample]:
    """Yield the samples in the order of their indices, a block at a time."""
    prime = torch.from_numpy(alphabet.encode(request.prime, where="sample.prime").astype(np.int64))
    for first in range(0, request.count, BLOCK):
        rows = min(BLOCK, request.count - first)
        yield from _draw_block(model, alphabet, request, prime, range(first, first + rows))


def uniforms(seed: int, index: int, count: int) -> np.ndarray:
    """The random numbers of one sample, ``(count,)`` in [0, 1)."""
    key = np.array([seed & (2**64 - 1), index], np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).random(count)


def _draw_block(
    model: nn.Module, alphabet: Alphabet, request: Request, prime: torch.Tensor, indices: range
) -> Iterator[Sample]:
    decoder = request.decoder()
    steps = max(0, request.length - len(prime))
    numbers = np.zeros((BLOCK, steps))
    for row, index in enumerate(indices):
        numbers[row] = uniforms(request.seed, index, steps)
    numbers = torch.from_numpy(numbers)
    inputs = torch.cat([torch.tensor([BOS]), prime]).expand(BLOCK, -1)
    drawn = np.full((BLOCK, steps), EOS, np.int64)
    nats = torch.zeros(BLOCK, dtype=torch.float64)
    alive = torch.zeros(BLOCK, dtype=torch.bool)
    alive[: len(indices)] = True
    state = None
    for step in range(steps):
        logits, state = model(inputs, state)
        logits = logits[:, -1].double()
        codes = decoder.choose(logits, numbers[:, step])
        nats += torch.where(alive, logits.log_softmax(-1).gather(-1, codes[:, None])[:, 0], 0.0)
        codes = torch.where(alive, codes, EOS)
        drawn[:, step] = codes.numpy()
        alive = alive & (codes != EOS)
        if not alive.any():
            break
        inputs = codes[:, None]
    for row, index in enumerate(indices):
        yield _sample(alphabet, request, prime.numpy(), drawn[row], float(nats[row]), index)


def _sample(
    alphabet: Alphabet, request: Request, prime: np.ndarray, codes: np.ndarray, nats: float, index: int
) -> Sample:
    ends = np.flatnonzero(codes == EOS)
    codes = codes[: ends[0]] if len(ends) else codes
    symbols = alphabet.decode(np.concatenate([prime, codes]))
    return Sample(index, request.seed, symbols, len(prime), bool(len(ends)), nats)
