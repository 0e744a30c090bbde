"""How many threads a training step is given: by trial, since two that wait for each other may lose to one.

On a machine that does something else at the same time, threads that meet after every small operation can be
slower than a single one; the number of cores says nothing about that.
"""

import time
from collections.abc import Callable

import torch

ROUNDS = 3
NOTABLE = 0.95
"""More threads are taken where they need less than this share of one thread's time."""


def best_threads(step: Callable[[], object], most: int) -> int:
    """1 or `most`, whichever runs `step` faster; changes how many torch uses.

    The two take turns, so that what else the machine does falls on both.
    """
    seconds = dict.fromkeys({1, most}, float("inf"))
    for _ in range(ROUNDS):
        for threads in seconds:
            torch.set_num_threads(threads)
            step()  # the first after a change pays for it
            started = time.perf_counter()
            step()
            seconds[threads] = min(seconds[threads], time.perf_counter() - started)
    return most if seconds[most] < NOTABLE * seconds[1] else 1
