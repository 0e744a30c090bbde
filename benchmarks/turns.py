"""Timing in turns: the candidates alternate, and the fastest of several turns of each counts."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch

TURNS, MIN_TURNS = 6, 2
LIMIT_S = 40
"""After so many seconds a comparison ends with fewer turns."""


@dataclass
class Candidate:
    """Something to be timed: `work` is what one call does, in symbols or in operations."""

    name: str
    call: Callable[[], object]
    work: float
    threads: int
    seconds: float = float("inf")

    @property
    def rate(self) -> float:
        """Work a second, at best."""
        return self.work / self.seconds


def take_turns(candidates: Iterable[Candidate], turns: int = TURNS) -> None:
    """Time all, one after the other, several times over; the first turn warms up."""
    candidates, begun = list(candidates), time.perf_counter()
    for turn in range(turns + 1):
        if turn > MIN_TURNS and time.perf_counter() - begun > LIMIT_S:
            return
        for candidate in candidates:
            torch.set_num_threads(candidate.threads)
            started = time.perf_counter()
            candidate.call()
            if turn:
                candidate.seconds = min(candidate.seconds, time.perf_counter() - started)


def best(candidates: Iterable[Candidate]) -> Candidate:
    """The one with the highest rate."""
    return max(candidates, key=lambda candidate: candidate.rate)


def show(title: str, candidates: Iterable[Candidate]) -> None:
    """A table for people, the best row marked."""
    candidates = list(candidates)
    print(f"\n{title}")
    for candidate in candidates:
        mark = "  <- best" if candidate is best(candidates) and len(candidates) > 1 else ""
        print(f"  {candidate.name:<56}{candidate.rate:>20,.0f}{mark}", flush=True)
