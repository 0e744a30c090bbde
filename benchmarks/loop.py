"""How such networks were often trained, a call for every character: what our training is measured against."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.functional import cross_entropy

BATCH, TIME = 100, 200


def character_loop(codes: torch.Tensor, vocab_size: int, size: int, layers: int) -> Callable[[], None]:
    """A function that makes one training step of an LSTM: fresh random chunks, the state begun anew, the
    network called once for every character, the losses added up, then backwards and Adam."""
    embedding, lstm = nn.Embedding(vocab_size, size), nn.LSTM(size, size, layers)
    readout = nn.Linear(size, vocab_size)
    parameters = [p for module in (embedding, lstm, readout) for p in module.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=2e-3)

    def step() -> None:
        starts = torch.randint(len(codes) - TIME - 1, (BATCH, 1))
        chunk = codes[starts + torch.arange(TIME + 1)]
        state = torch.zeros(layers, BATCH, size), torch.zeros(layers, BATCH, size)
        optimizer.zero_grad()
        loss = torch.zeros(())
        for time in range(TIME):
            out, state = lstm(embedding(chunk[:, time])[None], state)
            loss = loss + cross_entropy(readout(out[0]), chunk[:, time + 1])
        (loss / TIME).backward()
        optimizer.step()

    return step
