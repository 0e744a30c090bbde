"""The fastest number of threads for training, found by timing and not by counting cores.

Two threads on two cores are faster only where no other program runs and the matrix products are large; on a
busy machine they wait for each other. The number of threads changes the order of sums, and so the last bits
of the weights: equal bytes need an equal number of threads.
"""

import math
import time
from collections.abc import Callable

import torch

ROUNDS = 3
MAX_TIMING_S = 1.5
"""No round of timing begins after so many seconds."""
MAX_TIME_RATIO = 0.95
"""More threads are chosen only below this share of the time of fewer, because other programs need cores
too."""


def find_fastest_threads(step: Callable[[], object], max_threads: int) -> int:
    """Return the number of threads of torch, at most `max_threads`, with which a training step is fastest.

    Times powers of two and `max_threads` in turns, and compares the fastest turn of each. The number of
    threads of torch is restored.
    """
    before, started = torch.get_num_threads(), time.perf_counter()
    numbers = [
        *(2**power for power in range(max_threads.bit_length()) if 2**power < max_threads),
        max_threads,
    ]
    seconds = dict.fromkeys(numbers, math.inf)
    try:
        torch.set_num_threads(numbers[0])
        step()  # compiles, and allocates memory
        for _ in range(ROUNDS):
            for number in numbers:
                torch.set_num_threads(number)
                seconds[number] = min(seconds[number], _seconds(step))
            if time.perf_counter() - started > MAX_TIMING_S:
                break
    finally:
        torch.set_num_threads(before)
    chosen = numbers[0]
    for number in numbers[1:]:
        if seconds[number] < MAX_TIME_RATIO * seconds[chosen]:
            chosen = number
    return chosen


def _seconds(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started
