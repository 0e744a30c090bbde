"""What limits sampling on this machine, measured by doing nothing else."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit

from benchmarks.turns import Candidate
from pipeline.generation.compiled.cells import Net
from pipeline.generation.compiled.gemm_f32 import ROWS, WIDTH, Panels, add_tiles
from pipeline.generation.compiled.packed_matrix import aligned

PASSES_BYTES = 2**28
"""Bytes of one turn of reading."""
DEPTH, PRODUCTS = 128, 20_000
"""Weights of one panel, which with its rows fits the nearest cache; and how often it is multiplied."""


def panels_of(net: Net) -> list[Panels]:
    """All matrices of a network."""
    return [each for each in (*net, net.frame.readout) if isinstance(each, Panels)]


def reading(net: Net) -> Candidate:
    """Reading as many bytes as one symbol's step reads of the weights, from whichever cache holds them."""
    size = sum(panels.weights.nbytes + panels.scales.nbytes for panels in panels_of(net))
    numbers = aligned((size // 8,), np.uint64)
    symbols = max(1, PASSES_BYTES // size)
    name = f"{size / 1e6:.2f} MB a symbol, 1 thread(s)"
    return Candidate(name, lambda: _read(numbers, symbols), symbols, 1)


def multiplying(threads: int) -> Candidate:
    """The products of one tile over and over, each thread its own."""
    work = [
        (aligned((ROWS, DEPTH)), aligned((1, DEPTH, WIDTH)), aligned((ROWS, WIDTH))) for _ in range(threads)
    ]
    pool = ThreadPoolExecutor(threads)

    def call() -> None:
        list(pool.map(_multiply, work))

    return Candidate(f"{threads} thread(s)", call, threads * PRODUCTS * 2 * ROWS * DEPTH * WIDTH, threads)


def _multiply(work: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    _products(*work, np.ones(ROWS, np.float32), np.ones(WIDTH, np.float32), PRODUCTS)


@njit(nogil=True)
def _products(
    rows: np.ndarray, weights: np.ndarray, out: np.ndarray, ones: np.ndarray, scales: np.ndarray, times: int
) -> None:
    for _ in range(times):
        add_tiles(rows, 0, ROWS, ones, weights, scales, out)


@njit(nogil=True)
def _read(numbers: np.ndarray, times: int) -> int:
    total = np.uint64(0)
    for time in range(times):
        # Another piece each time, or the compiler would read but once.
        piece = numbers[time & 1 :]
        for at in range(piece.shape[0]):
            total += piece[at]
    return total
