"""How fast training is: ``python -m benchmarks.training``.

Ratios within one run: what is compared takes turns, and of each the fastest of several turns counts. Threads
and shapes of a batch are tried, and the best counts on either side.
"""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch

from benchmarks.bare import BareLoop, random_corpus
from benchmarks.lightning import overhead
from benchmarks.loop import BATCH, TIME, character_loop
from pipeline.models.min_gru import MinGru
from pipeline.models.recurrent import Recurrent

DNA = "ACGT"
ABC = "".join(map(chr, range(33, 126)))
SHAPES = ((128, 64), (256, 64), (512, 50))
LARGE_SHAPES = ((64, 64), (128, 64), (128, 128))
THREADS = tuple(dict.fromkeys((1, torch.get_num_threads())))
TURNS = 6
PEAK_SIZE, PEAK_CALLS = 1024, 8


@dataclass
class Candidate:
    """Something to be timed: `work` is what one call does, in symbols or in operations."""

    name: str
    call: Callable[[], None]
    work: float
    threads: int
    seconds: float = float("inf")

    @property
    def rate(self) -> float:
        """Work a second, at best."""
        return self.work / self.seconds


def take_turns(candidates: Iterable[Candidate], turns: int = TURNS) -> None:
    """Time all, one after the other, several times over; the first turn warms up."""
    candidates = list(candidates)
    for turn in range(turns + 1):
        for candidate in candidates:
            torch.set_num_threads(candidate.threads)
            started = time.perf_counter()
            candidate.call()
            if turn:
                candidate.seconds = min(candidate.seconds, time.perf_counter() - started)


def best(candidates: Iterable[Candidate]) -> Candidate:
    """The one with the highest rate."""
    return max(candidates, key=lambda candidate: candidate.rate)


def bare_loops(settings: object, symbols: str, shapes: Iterable[tuple[int, int]]) -> list[Candidate]:
    """Our training step in all shapes and numbers of threads."""
    corpus = random_corpus(symbols, 4_000_000)
    found = []
    for batch, steps in shapes:
        loop = BareLoop(settings, corpus, batch, steps)
        found += [
            Candidate(f"{settings}, batch {batch} x {steps}, {n} thread(s)", loop, loop.symbols, n)
            for n in THREADS
        ]
    return found


def over_loop() -> float:
    """LSTM 2x64 on DNA: our training over a call for each character."""
    codes = torch.from_numpy(random_corpus(DNA, 500_000).codes.astype("int64"))
    step = character_loop(codes, 7, 64, 2)
    loops = [Candidate(f"a call a character, {n} thread(s)", step, BATCH * TIME, n) for n in THREADS]
    ours = bare_loops(Recurrent("lstm", 64, 2), DNA, SHAPES)
    take_turns([*loops, *ours])
    show("LSTM 2x64 on DNA, symbols/s", [*loops, *ours])
    return best(ours).rate / best(loops).rate


def over_peak() -> float:
    """GRU 2x256: operations really done, over those of a matrix product with as many threads."""
    size, layers = 256, 2
    ours = bare_loops(Recurrent("gru", size, layers), ABC, LARGE_SHAPES)
    square, out = torch.randn(PEAK_SIZE, PEAK_SIZE), torch.empty(PEAK_SIZE, PEAK_SIZE)

    def multiply() -> None:
        for _ in range(PEAK_CALLS):
            torch.mm(square, square, out=out)

    work = PEAK_CALLS * 2 * PEAK_SIZE**3
    peaks = {n: Candidate(f"sgemm, {n} thread(s)", multiply, work, n) for n in THREADS}
    take_turns([*ours, *peaks.values()])
    # Forward once, backward twice; the first layer's input product is looked up, and so not counted.
    products = 3 * size * size * (2 * layers - 1) + size * (len(ABC) + 3)
    show("GRU 2x256 on ABC, symbols/s", ours)
    for candidate in ours:
        candidate.work *= 6 * products
    show("the same in operations/s, the looked-up input product of the first layer not counted", ours)
    show("the peak in operations/s", peaks.values())
    return max(candidate.rate / peaks[candidate.threads].rate for candidate in ours)


def parallel_over_lstm() -> float:
    """The family that trains in parallel over time, over an LSTM of as many parameters."""
    lstm = Recurrent("lstm", 128, 2)
    wanted = parameters(lstm)
    sizes = (MinGru(size, 2) for size in range(16, 512, 8))
    parallel = min(sizes, key=lambda settings: abs(parameters(settings) - wanted))
    print(f"\n{lstm}: {wanted:,} parameters; {parallel}: {parameters(parallel):,}")
    ours, other = bare_loops(lstm, DNA, SHAPES), bare_loops(parallel, DNA, SHAPES)
    take_turns([*ours, *other])
    show("Parallel over time, symbols/s", [*ours, *other])
    return best(other).rate / best(ours).rate


def parameters(settings: Recurrent | MinGru) -> int:
    """How many numbers the model learns."""
    return sum(p.numel() for p in settings.build(7).parameters())


def input_rate() -> float:
    """Symbols a second that the windows alone give."""
    loop = BareLoop(Recurrent("lstm", 8, 1), random_corpus(DNA, 4_000_000), 128, 64)
    reading = Candidate("windows", lambda: next(loop.windows), loop.symbols, 1)
    take_turns([reading], 50)
    return reading.rate


def show(title: str, candidates: Iterable[Candidate]) -> None:
    """A table for people, the best row marked."""
    candidates = list(candidates)
    print(f"\n{title}")
    for candidate in candidates:
        mark = "  <- best" if candidate is best(candidates) and len(candidates) > 1 else ""
        print(f"  {candidate.name:<52}{candidate.rate:>20,.0f}{mark}", flush=True)


def main() -> None:
    """Print the tables, the goals, and last one line of JSON."""
    figures = {
        "lstm_2x64_over_loop": over_loop(), "gru_2x256_over_peak": over_peak(),
        "parallel_over_lstm": parallel_over_lstm(),
    }  # fmt: skip
    torch.set_num_threads(THREADS[-1])
    model = Recurrent("lstm", 64, 2)
    print("\nThe trainer's overhead a step, LSTM 2x64")
    for batch in (32, 128):
        figures["lightning_overhead"] = overhead(model, random_corpus(DNA, 4_000_000), batch, 64)
        print(f"  batch {batch:>3} x 64 {figures['lightning_overhead']:>10.1%}")
    print(f"\nThe input windows alone: {input_rate():,.0f} symbols/s")
    goals = {
        "lstm_2x64_over_loop": (10, max), "gru_2x256_over_peak": (0.8, max), "parallel_over_lstm": (1.5, max),
        "lightning_overhead": (0.05, min),
    }  # fmt: skip
    for name, (goal, better) in goals.items():
        met = "met" if better(figures[name], goal) == figures[name] else "not met"
        print(f"  {name:<22}{figures[name]:>8.3f}   goal {goal}: {met}")
    print(json.dumps({name: round(value, 4) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
