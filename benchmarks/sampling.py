"""How fast sampling is: ``python -m benchmarks.sampling``.

Ratios within one run: what is compared takes turns, and of each the fastest of several turns counts. The loop
is tried with one thread and with several, and its best counts.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import torch
from numba import njit
from torch import nn

from benchmarks.training import DNA, THREADS, Candidate, best, show, take_turns
from pipeline.alphabet import Alphabet
from pipeline.models.recurrent import Recurrent
from pipeline.sampling.engine import Request, draw

SYMBOLS = {"lstm_2x64": DNA, "lstm_3x512": "".join(map(chr, range(200, 334)))}
MODELS = {"lstm_2x64": Recurrent("lstm", 64, 2), "lstm_3x512": Recurrent("lstm", 512, 3)}
LOOP = {"lstm_2x64": 600, "lstm_3x512": 24}
STREAM = {"lstm_2x64": 20_000, "lstm_3x512": 400}
"""Symbols of one sequence."""
BULK = {"lstm_2x64": 100, "lstm_3x512": 4}
"""Symbols of each of the sequences drawn in bulk."""
SAMPLES = 10_000
TURNS = 3
GOALS = {
    "lstm_2x64_stream_over_loop": 60, "lstm_3x512_stream_over_loop": 20,
    "lstm_2x64_bulk_over_loop": 180, "lstm_3x512_bulk_over_loop": 60,
}  # fmt: skip
FIRST_CALL = """
import time
from benchmarks.sampling import MODELS, SYMBOLS, built
from pipeline.alphabet import Alphabet
from pipeline.sampling.engine import Request, draw
model = built("lstm_2x64")
started = time.perf_counter()
list(draw(model, Alphabet(SYMBOLS["lstm_2x64"]), Request(1, 1, 0, open_ended=True)))
print(time.perf_counter() - started)
"""


def built(name: str) -> nn.Module:
    """A freshly initialised model, ready to draw from."""
    torch.manual_seed(0)
    return MODELS[name].build(len(SYMBOLS[name]) + 3).eval()


def character_loop(name: str) -> Callable[[], None]:
    """How such networks were often sampled: one sequence, torch's modules called for every character, a
    softmax and a draw from it."""
    settings, vocab_size = MODELS[name], len(SYMBOLS[name]) + 3
    embedding = nn.Embedding(vocab_size, settings.hidden_size)
    lstm = nn.LSTM(settings.hidden_size, settings.hidden_size, settings.num_layers)
    readout = nn.Linear(settings.hidden_size, vocab_size)

    @torch.no_grad()
    def generate() -> None:
        zeros = torch.zeros(settings.num_layers, 1, settings.hidden_size)
        state, symbol, written = (zeros, zeros), torch.zeros(1, dtype=torch.int64), []
        for _ in range(LOOP[name]):
            out, state = lstm(embedding(symbol)[None], state)
            symbol = torch.multinomial(readout(out[0]).softmax(-1), 1)[0]
            written.append(symbol.item())

    return generate


def ours(name: str, count: int, length: int, threads: int, int8: bool = False) -> Candidate:
    """Drawing so many sequences of this length."""
    model, alphabet = built(name), Alphabet(SYMBOLS[name])
    request = Request(count, length, 0, open_ended=True, int8=int8)

    def call() -> None:
        for _ in draw(model, alphabet, request, threads=threads):
            pass

    kind = f"{count:,} x {length:,} symbols, {'int8' if int8 else 'float32'}, {threads} thread(s)"
    return Candidate(kind, call, count * length, 1)


def measure(name: str, turns: int) -> dict[str, float]:
    """Ratios of one model, and what share of the machine's limits it reaches."""
    loop = character_loop(name)
    loops = [Candidate(f"a call a character, {n} thread(s)", loop, LOOP[name], n) for n in THREADS]
    streams = [ours(name, 1, STREAM[name], 1, int8) for int8 in (False, True)]
    bulks = [ours(name, SAMPLES, BULK[name], n) for n in THREADS]
    weights = sum(p.numel() for p in built(name).layers.parameters() if p.ndim == 2)
    # What is looked up is neither read nor multiplied.
    weights -= 4 * MODELS[name].hidden_size ** 2
    limits = [_reading(weights), *(_multiplying(n) for n in THREADS)]
    take_turns([*loops, *streams, *bulks, *limits], turns)
    show(f"{MODELS[name]} over {len(SYMBOLS[name])} symbols, symbols/s", [*loops, *streams, *bulks])
    reading, *peaks = limits
    show("Reading in bytes/s", [reading])
    show("Multiplying in operations/s", peaks)
    of_peaks = [bulk.rate * 2 * weights / peak.rate for bulk, peak in zip(bulks, peaks, strict=True)]
    exact, rounded = streams
    return {
        f"{name}_stream_over_loop": best(streams).rate / best(loops).rate,
        f"{name}_bulk_over_loop": best(bulks).rate / best(loops).rate,
        f"{name}_stream_float32_over_loop": exact.rate / best(loops).rate,
        f"{name}_stream_int8_over_loop": rounded.rate / best(loops).rate,
        f"{name}_int8_more_bits": more_bits(name),
        f"{name}_stream_of_memory_limit": exact.rate * 4 * weights / reading.rate,
        f"{name}_bulk_of_arithmetic_limit": max(of_peaks),
    }


@njit(fastmath=True)
def _sum(numbers: np.ndarray) -> float:
    total = np.float32(0)
    for at in range(len(numbers)):
        total += numbers[at]
    return total


def _reading(weights: int) -> Candidate:
    """Sums over as many numbers as the model has weights: how fast one thread reads them at all."""
    numbers = np.ones(weights, np.float32)
    times = max(1, 2**24 // weights)

    def read() -> None:
        for _ in range(times):
            _sum(numbers)

    return Candidate("sum of as many numbers as weights, 1 thread(s)", read, times * 4 * weights, 1)


def _multiplying(threads: int, size: int = 1024, times: int = 4) -> Candidate:
    square, out = torch.randn(size, size), torch.empty(size, size)

    def multiply() -> None:
        for _ in range(times):
            torch.mm(square, square, out=out)

    return Candidate(f"sgemm, {threads} thread(s)", multiply, times * 2 * size**3, threads)


def more_bits(name: str, count: int = 36, length: int = 40) -> float:
    """By how many bits a symbol rounded weights find samples of the exact ones less likely."""
    from pipeline.sampling.compiled import Stepping

    model, alphabet = built(name), Alphabet(SYMBOLS[name])
    samples = list(draw(model, alphabet, Request(count, length, 1, open_ended=True)))
    codes = torch.from_numpy(np.stack([alphabet.encode(each.symbols) for each in samples]).astype(np.int64))
    inputs = torch.cat([torch.zeros(count, 1, dtype=torch.int64), codes], 1)
    nats = []
    for int8 in (False, True):
        stepping, state, total = Stepping(model.stepper(int8)), None, 0.0
        for step in range(length):
            logits, state = stepping(inputs[:, step : step + 1], state)
            chosen = logits[:, 0].double().log_softmax(-1).gather(-1, codes[:, step : step + 1])
            total += float(chosen.sum())
        nats.append(total)
    return (nats[0] - nats[1]) / (count * length * np.log(2))


def warm_up() -> float:
    """Seconds of the first call in a fresh process, compiled code read from disk."""
    done = subprocess.run([sys.executable, "-c", FIRST_CALL], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Print the tables, the goals, and last one line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=TURNS)
    turns = parser.parse_args().turns
    figures = {}
    for name in MODELS:
        figures |= measure(name, turns)
    figures["warm_up_s"] = float(np.median([warm_up() for _ in range(3)]))
    for name, value in figures.items():
        goal = (
            f"   goal {GOALS[name]}: {'met' if value >= GOALS[name] else 'not met'}" if name in GOALS else ""
        )
        print(f"  {name:<36}{value:>10.3f}{goal}")
    print(json.dumps({name: round(value, 4) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
