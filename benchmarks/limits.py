"""What limits sampling on this machine, measured by doing nothing else."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numba import njit

from benchmarks.turns import Candidate
from pipeline.generation.compiled.decode_step import ExportedWeights
from pipeline.generation.compiled.gemm_f32 import BLOCK_ROWS, BLOCK_WIDTH, PackedWeights, gemm_f32
from pipeline.generation.compiled.packed_weights import aligned

PASSES_BYTES = 2**28
"""Bytes of one turn of reading."""
DEPTH, PRODUCTS = 128, 20_000
"""Inputs of one column block, which with its rows fits the nearest cache; and how often it is multiplied."""


def list_matrices(exported: Any) -> list[PackedWeights]:
    """All matrices of a network."""
    return [each for each in (*exported, exported.shared.readout) if isinstance(each, PackedWeights)]


def reading(exported: ExportedWeights) -> Candidate:
    """Reading as many bytes as one symbol's step reads of the weights, from whichever cache holds them."""
    size = sum(each.weights.nbytes + each.scales.nbytes for each in list_matrices(exported))
    numbers = aligned((size // 8,), np.uint64)
    symbols = max(1, PASSES_BYTES // size)
    name = f"{size / 1e6:.2f} MB a symbol, 1 thread(s)"
    return Candidate(name, lambda: _read(numbers, symbols), symbols, 1)


def multiplying(threads: int) -> Candidate:
    """The product of one micro-kernel over and over, each thread its own."""
    work = [
        (aligned((BLOCK_ROWS, DEPTH)), aligned((1, DEPTH, BLOCK_WIDTH)), aligned((BLOCK_ROWS, BLOCK_WIDTH)))
        for _ in range(threads)
    ]
    pool = ThreadPoolExecutor(threads)

    def call() -> None:
        list(pool.map(_multiply, work))

    return Candidate(
        f"{threads} thread(s)", call, threads * PRODUCTS * 2 * BLOCK_ROWS * DEPTH * BLOCK_WIDTH, threads
    )


def _multiply(work: tuple[np.ndarray, ...]) -> None:
    rows, weights, out = work
    _products(rows, weights, out, np.ones(BLOCK_ROWS, np.float32), np.ones(BLOCK_WIDTH, np.float32), PRODUCTS)


@njit(nogil=True)
def _products(
    rows: np.ndarray, weights: np.ndarray, out: np.ndarray, ones: np.ndarray, scales: np.ndarray, times: int
) -> None:
    for _ in range(times):
        gemm_f32(rows, 0, BLOCK_ROWS, ones, weights, scales, out)


@njit(nogil=True)
def _read(numbers: np.ndarray, times: int) -> Any:
    total = np.uint64(0)
    for time in range(times):
        # Another piece each time, or the compiler would read but once.
        piece = numbers[time & 1 :]
        for at in range(piece.shape[0]):
            total += piece[at]
    return total
