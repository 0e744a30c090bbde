"""How many threads train fastest: found by a short trial, not by counting cores.

Two threads on two cores are faster only where nothing else runs and the products are large; on a busy
machine they wait for each other and are slower than one. The number changes the order of sums, and so the
last bits of the weights: whoever must get the same bytes again has to keep the number that was found.
"""

import math
import time
from collections.abc import Callable

import torch

ROUNDS = 3
TRIAL_S = 1.5
"""Seconds after which no further round of the trial begins."""
CLEARLY = 0.95
"""More threads must take less than this share of the time of fewer, since others may want the cores."""


def find_fastest_threads(step: Callable[[], object], most: int) -> int:
    """The number of torch's threads, at most `most`, with which `step`, a training step, is fastest.

    Tries powers of two and `most`, in turns, and takes the fastest turn of each. Torch is left with as many
    threads as it had.
    """
    before, started = torch.get_num_threads(), time.perf_counter()
    numbers = [*(2**power for power in range(most.bit_length()) if 2**power < most), most]
    seconds = dict.fromkeys(numbers, math.inf)
    try:
        torch.set_num_threads(numbers[0])
        step()  # compiles, and takes memory
        for _ in range(ROUNDS):
            for number in numbers:
                torch.set_num_threads(number)
                seconds[number] = min(seconds[number], _seconds(step))
            if time.perf_counter() - started > TRIAL_S:
                break
    finally:
        torch.set_num_threads(before)
    chosen = numbers[0]
    for number in numbers[1:]:
        if seconds[number] < CLEARLY * seconds[chosen]:
            chosen = number
    return chosen


def _seconds(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started
