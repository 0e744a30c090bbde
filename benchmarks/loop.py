"""How such networks were often trained, a call for every character: what our training is measured against.

Started by its path it imports torch alone, and none of our process's settings: a plain process, which makes
a turn for each line that it reads.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

BATCH, TIME = 100, 200
VOCAB, SIZE, LAYERS, LENGTH = 7, 64, 2, 500_000
OURS = ("OMP_WAIT_POLICY",)
"""What our process puts into its environment."""


def character_loop() -> Callable[[], None]:
    """A function that makes one training step of an LSTM: fresh random chunks, the state begun anew, the
    network called once for every character, the losses added up, then backwards and Adam."""
    codes = torch.randint(VOCAB - 4, VOCAB, (LENGTH,))
    embedding, lstm = nn.Embedding(VOCAB, SIZE), nn.LSTM(SIZE, SIZE, LAYERS)
    readout = nn.Linear(SIZE, VOCAB)
    parameters = [p for module in (embedding, lstm, readout) for p in module.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=2e-3)

    def step() -> None:
        starts = torch.randint(len(codes) - TIME - 1, (BATCH, 1))
        chunk = codes[starts + torch.arange(TIME + 1)]
        state = torch.zeros(LAYERS, BATCH, SIZE), torch.zeros(LAYERS, BATCH, SIZE)
        optimizer.zero_grad()
        loss = torch.zeros(())
        for time in range(TIME):
            out, state = lstm(embedding(chunk[:, time])[None], state)
            loss = loss + cross_entropy(readout(out[0]), chunk[:, time + 1])
        (loss / TIME).backward()
        optimizer.step()

    return step


class PlainLoop:
    """The loop in a process of its own, which lives as long as the context.

    Raises:
        RuntimeError: the process has ended before its time.
    """

    def __enter__(self) -> "PlainLoop":
        environment = {name: value for name, value in os.environ.items() if name not in OURS}
        self._process = subprocess.Popen(
            [sys.executable, __file__], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.threads = int(self._reply())
        """As many as torch takes there by itself."""
        return self

    def __exit__(self, *exception: Any) -> None:
        self._process.kill()
        self._process.communicate()

    def step(self, threads: int) -> None:
        """One training step."""
        print(threads, file=self._process.stdin, flush=True)
        self._reply()

    def _reply(self) -> str:
        reply = self._process.stdout.readline() if self._process.stdout else ""
        if not reply:
            raise RuntimeError(f"the plain loop has ended with code {self._process.wait()}")
        return reply


def serve() -> None:
    """Say how many threads torch takes; then make a step with as many threads as each line says."""
    step = character_loop()
    print(torch.get_num_threads(), flush=True)
    for line in sys.stdin:
        torch.set_num_threads(int(line))
        step()
        print("done", flush=True)


if __name__ == "__main__":
    serve()
