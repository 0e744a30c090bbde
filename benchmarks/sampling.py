"""The speed of sampling: ``python -m benchmarks.sampling``.

Ratios within one run: the candidates take turns, and the fastest of several turns counts. The loop runs with
one thread and with several, and its best counts.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks import limits
from benchmarks.training import DNA, THREADS, Candidate, best, show, take_turns
from pipeline.data.alphabet import Alphabet
from pipeline.data.corpus import Corpus
from pipeline.generation.compiled.export import export_model
from pipeline.generation.compiled.sampler import ROWS_AT_ONCE
from pipeline.generation.engine import draw
from pipeline.generation.request import Request
from pipeline.models.checkpoint import load
from pipeline.models.model import Model
from pipeline.models.recurrent import Recurrent

SYMBOLS = {"lstm_2x64": DNA, "lstm_3x512": "".join(map(chr, range(200, 334)))}
MODELS = {"lstm_2x64": Recurrent("lstm", 64, 2), "lstm_3x512": Recurrent("lstm", 512, 3)}
LOOP = {"lstm_2x64": 600, "lstm_3x512": 24}
STREAM = {"lstm_2x64": 20_000, "lstm_3x512": 1_000}
"""Symbols of one sequence."""
BULK = {"lstm_2x64": 200, "lstm_3x512": 100}
"""Symbols of each of the sequences drawn in bulk; a step takes as long at any place of them."""
PIECE = {"lstm_2x64": None, "lstm_3x512": ROWS_AT_ONCE}
"""Of the sequences drawn in bulk as many are drawn for each thread; None for all."""
SAMPLES = 10_000
TURNS = 2
GOALS = {
    "lstm_2x64_stream_over_loop": 60, "lstm_3x512_stream_over_loop": 20,
    "lstm_2x64_bulk_over_loop": 180, "lstm_3x512_bulk_over_loop": 60,
}  # fmt: skip
FIRST_CALL = """
import time
from benchmarks.sampling import MODELS, SYMBOLS, build_model
from pipeline.data.alphabet import Alphabet
from pipeline.generation.engine import draw
from pipeline.generation.request import Request
model = build_model("lstm_2x64")
started = time.perf_counter()
list(draw(model, Alphabet(SYMBOLS["lstm_2x64"]), Request(1, 1, 0, open_ended=True)))
print(time.perf_counter() - started)
"""


def build_model(name: str) -> Model:
    """A freshly initialised model, ready to draw from."""
    torch.manual_seed(0)
    return MODELS[name].build(len(SYMBOLS[name]) + 3).eval()


def character_loop(name: str) -> Callable[[], None]:
    """A plain sampling loop: one sequence, and torch's modules, a softmax and a draw for every character."""
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


def ours(
    name: str, count: int, length: int, threads: int, int8: bool = False, piece: int | None = None
) -> Candidate:
    """Drawing so many sequences of this length, or a piece of them: a chunk of rows for each thread is like
    all that follow, so that a large model's rate is known before all have been drawn."""
    model, alphabet = build_model(name), Alphabet(SYMBOLS[name])
    request = Request(count, length, 0, open_ended=True, int8=int8)
    drawn = min(count, piece or count)

    def call() -> None:
        for _ in draw(model, alphabet, request, first=count - drawn, threads=threads):
            pass

    of = f"{drawn:,} of {count:,}" if drawn < count else f"{count:,}"
    kind = f"{of} x {length:,} symbols, {'int8' if int8 else 'float32'}, {threads} thread(s)"
    return Candidate(kind, call, drawn * length, threads)


def measure(name: str, turns: int) -> dict[str, float]:
    """Ratios of one model, and its share of the machine's limits."""
    loop = character_loop(name)
    loops = [Candidate(f"a call a character, {n} thread(s)", loop, LOOP[name], n) for n in THREADS]
    exact, rounded = streams = [ours(name, 1, STREAM[name], 1, int8) for int8 in (False, True)]
    whole, small = (
        [ours(name, SAMPLES, BULK[name], n, int8, PIECE[name] and PIECE[name] * n) for n in THREADS]
        for int8 in (False, True)
    )
    exported = [export_model(build_model(name), int8) for int8 in (False, True)]
    reading, multiplying = (
        [limits.reading(each) for each in exported],
        [limits.multiplying(n) for n in THREADS],
    )
    # A neighbour on the machine must not slow the limits alone: they have a short turn after each of ours.
    ours_and_limits = [
        each for ours in (*loops, *streams, *whole, *small) for each in (ours, *reading, *multiplying)
    ]
    take_turns(ours_and_limits, turns)
    title = f"{MODELS[name]} over {len(SYMBOLS[name])} symbols, symbols/s"
    show(title, [*loops, *streams, *whole, *small])
    show("Reading the same weights and nothing else, symbols/s", reading)
    show("Multiplying in float32 from the nearest cache, operations/s", multiplying)
    operations = 2 * sum(each.weights.size for each in limits.list_matrices(exported[0]))
    of_peaks = [ours.rate * operations / peak.rate for ours, peak in zip(whole, multiplying, strict=True)]
    slow = best(loops).rate
    return {
        f"{name}_stream_over_loop": best(streams).rate / slow,
        f"{name}_bulk_over_loop": best([*whole, *small]).rate / slow,
        f"{name}_stream_float32_over_loop": exact.rate / slow,
        f"{name}_stream_int8_over_loop": rounded.rate / slow,
        f"{name}_bulk_float32_over_loop": best(whole).rate / slow,
        f"{name}_bulk_int8_over_loop": best(small).rate / slow,
        f"{name}_int8_more_bits": more_bits(build_model(name), draw_codes(name)),
        f"{name}_stream_float32_of_reading_limit": exact.rate / reading[0].rate,
        f"{name}_stream_int8_of_reading_limit": rounded.rate / reading[1].rate,
        f"{name}_bulk_float32_of_arithmetic_limit": max(of_peaks),
    }


def draw_codes(name: str, count: int = 36, length: int = 40) -> torch.Tensor:
    """Codes ``(count, length)`` of samples of the exact model."""
    alphabet = Alphabet(SYMBOLS[name])
    samples = draw(build_model(name), alphabet, Request(count, length, 1, open_ended=True))
    return torch.from_numpy(np.stack([alphabet.encode(each.symbols) for each in samples]).astype(np.int64))


def held_out(run: Path, count: int = 96, length: int = 200) -> tuple[Model, torch.Tensor]:
    """A run's model, and the beginnings ``(count, length)`` of its test records."""
    corpus = Corpus.open(run / "ingest")
    records = [corpus.codes[start:end] for start, end in corpus.subset_segments("test")[:, :2]]
    length = min(length, int(np.median([len(codes) for codes in records])))
    beginnings = [codes[:length].astype(np.int64) for codes in records if len(codes) >= length]
    return load(run / "train" / "best.ckpt").model, torch.from_numpy(np.stack(beginnings[:count]))


def more_bits(model: Model, codes: torch.Tensor) -> float:
    """The bits per symbol that rounded weights and states add to the surprisal of these codes."""
    from pipeline.generation.compiled.sampler import DecodeStep

    inputs = torch.cat([torch.zeros(len(codes), 1, dtype=torch.int64), codes], 1)
    nats = []
    for int8 in (False, True):
        step_model, state, total = DecodeStep(export_model(model, int8), inputs.shape[1]), None, 0.0
        for step in range(codes.shape[1]):
            logits, state = step_model(inputs[:, step : step + 1], state)
            chosen = logits[:, 0].double().log_softmax(-1).gather(-1, codes[:, step : step + 1])
            total += float(chosen.sum())
        nats.append(total)
    return (nats[0] - nats[1]) / (codes.numel() * np.log(2))


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
    parser.add_argument("--run", type=Path, help="a run folder: the bits that int8 adds on its test split")
    arguments = parser.parse_args()
    turns, figures = arguments.turns, {}
    if arguments.run:
        figures["run_int8_more_bits"] = more_bits(*held_out(arguments.run))
    for name in MODELS:
        figures |= measure(name, turns)
    figures["warm_up_s"] = float(np.median([warm_up() for _ in range(3)]))
    for name, value in figures.items():
        goal = (
            f"   goal {GOALS[name]}: {'met' if value >= GOALS[name] else 'not met'}" if name in GOALS else ""
        )
        print(f"  {name:<36}{value:>10.3f}{goal}")
    print(json.dumps({name: round(value, 6) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
