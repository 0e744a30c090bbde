"""How fast training is: ``python -m benchmarks.training``.

Ratios within one run. Threads and shapes of a batch are tried, and the best counts on either side. A part
that fails is null in the last line, and its reason is printed.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

import torch

from benchmarks.bare import BareLoop, TorchLstm, random_corpus
from benchmarks.lightning import overhead
from benchmarks.loop import BATCH, TIME, PlainLoop, character_loop
from benchmarks.turns import Candidate, best, show, take_turns
from pipeline.models.min_gru import MinGru
from pipeline.models.recurrent import Recurrent

DNA = "ACGT"
ABC = "".join(map(chr, range(33, 126)))
SPECIAL = 3
SHAPES = ((128, 64), (256, 64), (512, 50))
LARGE_SHAPES = ((128, 64), (256, 64), (256, 128), (512, 64))
WIDE_SHAPES = ((128, 64), (256, 64))
THREADS = tuple(dict.fromkeys((1, torch.get_num_threads())))
PEAK_SIZE, PEAK_CALLS = 1024, 8
PASSES = 6
"""Operations for each weight and symbol: a multiplication and an addition, forward once, backward twice."""
GOALS = {
    "lstm_2x64_over_loop": (10, max), "gru_2x256_over_peak": (0.8, max), "parallel_over_lstm": (1.5, max),
    "lightning_overhead": (0.05, min),
}  # fmt: skip


def bare_loops(settings: Any, symbols: str, shapes: Iterable[tuple[int, int]]) -> list[Candidate]:
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


def peaks() -> dict[int, Candidate]:
    """For each number of threads, the operations of a large matrix product."""
    square, out = torch.randn(PEAK_SIZE, PEAK_SIZE), torch.empty(PEAK_SIZE, PEAK_SIZE)

    def multiply() -> None:
        for _ in range(PEAK_CALLS):
            torch.mm(square, square, out=out)

    work = PEAK_CALLS * 2 * PEAK_SIZE**3
    return {n: Candidate(f"sgemm, {n} thread(s)", multiply, work, n) for n in THREADS}


def show_shares(
    model: Recurrent, gates: int, symbols: str, ours: list[Candidate], peak: dict[int, Candidate]
) -> float:
    """Print what share of the peak with as many threads each has; the largest."""
    size = model.hidden_size
    # The first layer's input product is looked up, and so not counted.
    products = gates * size * size * (2 * model.num_layers - 1) + size * (len(symbols) + SPECIAL)
    show(f"The peak, operations/s; {model} takes {PASSES * products:,} a symbol", peak.values())
    shares = {c.name: c.rate * PASSES * products / peak[c.threads].rate for c in ours}
    print(f"\n{model}, share of the peak with as many threads")
    for name, share in shares.items():
        print(f"  {name:<56}{share:>20.1%}")
    return max(shares.values())


def over_loop() -> float:
    """LSTM 2x64 on DNA: our training over a call for each character in a plain process."""
    model, peak, step = Recurrent("lstm", 64, 2), peaks(), character_loop()
    with PlainLoop() as plain:
        loops = [
            Candidate(f"a plain process, {n} thread(s)", lambda n=n: plain.step(n), BATCH * TIME, n)
            for n in dict.fromkeys((1, plain.threads))
        ]
        inside = [Candidate(f"in our process, {n} thread(s)", step, BATCH * TIME, n) for n in THREADS]
        ours = bare_loops(model, DNA, SHAPES)
        take_turns([*loops, *inside, *ours, *peak.values()])
    show("LSTM 2x64 on DNA by a call a character, symbols/s; the plain process is what counts", loops)
    show("the same loop with no more than the settings of our process", inside)
    show("LSTM 2x64 on DNA by our training", ours)
    print(f"  over the loop in our process: {best(ours).rate / best(inside).rate:.2f}")
    show_shares(model, 4, DNA, ours, peak)
    return best(ours).rate / best(loops).rate


def over_peak() -> float:
    """GRU 2x256: operations really done, over those of a matrix product with as many threads."""
    model, peak = Recurrent("gru", 256, 2), peaks()
    ours = bare_loops(model, ABC, LARGE_SHAPES)
    take_turns([*ours, *peak.values()])
    show("GRU 2x256 on ABC, symbols/s", ours)
    return show_shares(model, 3, ABC, ours, peak)


def parallel_over_lstm() -> float:
    """The family that trains in parallel over time, over torch's fused LSTM of as many parameters; the
    larger of two sizes counts, for which the family is meant."""
    print("\nmin_gru multiplies in bfloat16 where the CPU has units for it, else in float32 as the LSTMs do")
    compare_families(128, DNA, SHAPES)
    return compare_families(256, ABC, WIDE_SHAPES)


def compare_families(size: int, symbols: str, shapes: Iterable[tuple[int, int]]) -> float:
    """Of two layers: min_gru over torch's LSTM, printed beside min_gru over ours."""
    vocab_size = len(symbols) + SPECIAL
    fused, lstm = TorchLstm(size, 2), Recurrent("lstm", size, 2)
    wanted = parameters(fused, vocab_size)
    sizes = (MinGru(n, 2) for n in range(16, 1024, 8))
    parallel = min(sizes, key=lambda settings: abs(parameters(settings, vocab_size) - wanted))
    groups = [bare_loops(model, symbols, shapes) for model in (parallel, fused, lstm)]
    take_turns([candidate for group in groups for candidate in group])
    show(
        f"{parallel} ({parameters(parallel, vocab_size):,} parameters) beside {lstm} ({wanted:,}), symbols/s",
        [candidate for group in groups for candidate in group],
    )
    first, *others = (best(group).rate for group in groups)
    over_fused, over_ours = (first / other for other in others)
    print(f"  over torch's lstm: {over_fused:.2f}; over our lstm: {over_ours:.2f}")
    return over_fused


def parameters(settings: Any, vocab_size: int) -> int:
    """How many numbers the model learns."""
    return sum(p.numel() for p in settings.build(vocab_size).parameters())


def trainers_overhead() -> float:
    """By how much the trainer makes a step of an LSTM 2x64 longer."""
    torch.set_num_threads(THREADS[-1])
    print("\nThe trainer's overhead a step, LSTM 2x64")
    for batch in (32, 128):
        share = overhead(Recurrent("lstm", 64, 2), random_corpus(DNA, 4_000_000), batch, 64)
        print(f"  batch {batch:>3} x 64 {share:>10.1%}", flush=True)
    return share


def input_rate() -> float:
    """Symbols a second that the windows alone give."""
    loop = BareLoop(Recurrent("lstm", 8, 1), random_corpus(DNA, 4_000_000), 128, 64)
    reading = Candidate("windows", lambda: next(loop.windows), loop.symbols, 1)
    take_turns([reading], 50)
    print(f"\nThe input windows alone: {reading.rate:,.0f} symbols/s\n")
    return reading.rate


def attempt(part: Callable[[], float]) -> float | None:
    """What the part gives, or None where it fails, with the reason printed."""
    try:
        return part()
    except Exception as error:
        print(f"\n{part.__name__} failed: {type(error).__name__}: {error}", flush=True)
        return None


def main() -> None:
    """Print the tables, the goals, and last one line of JSON."""
    parts = (over_loop, over_peak, parallel_over_lstm, trainers_overhead)
    figures = {name: attempt(part) for name, part in zip(GOALS, parts, strict=True)}
    attempt(input_rate)
    for name, (goal, better) in GOALS.items():
        value = figures[name]
        if value is None:
            print(f"  {name:<22}    none   goal {goal}: not measured")
        else:
            met = "met" if better(value, goal) == value else "not met"
            print(f"  {name:<22}{value:>8.3f}   goal {goal}: {met}")
    print(json.dumps({name: value and round(value, 4) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
