"""Weights in the order in which matrix products read them, and the product that suits their type.

A matrix ``(inputs, outputs)`` is cut into column blocks of `BLOCK_WIDTH` outputs, stored one after the other,
so that a product reads memory in order. Weights are float32, or 8 bits with one scale for each column.
`gemm` chooses the kernel by the type of the weights:

========  ==============================================================  ==================
float32   ``gemm_f32``                                                    exact weights
uint8     ``gemm_int8``: rows quantized, products of bytes                CPUs with VNNI
int8      ``gemm_f32`` on quantized rows and weights: the same numbers    other CPUs
========  ==============================================================  ==================

The tests compare all three with the plain product, in `tests/generation/test_int8.py`.
"""

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload

from pipeline.generation.compiled.gemm_f32 import BLOCK_WIDTH, PackedWeights, gemm_f32
from pipeline.generation.compiled.gemm_int8 import (
    HAS_VNNI,
    MAX_INT8,
    QuantizedRows,
    gemm_int8,
    interleave_weights,
    quantize_rows,
)
from pipeline.runtime.numba_options import INNER

Array = np.ndarray
CACHE_LINE = 64


def aligned(shape: tuple[int, ...], dtype: type = np.float32) -> Array:
    """Zeros that begin at a cache line, so that no vector crosses one."""
    length = int(np.prod(shape)) * np.dtype(dtype).itemsize
    buffer = np.zeros(length + CACHE_LINE, np.uint8)
    start = -buffer.ctypes.data % CACHE_LINE
    return buffer[start : start + length].view(dtype).reshape(shape)


def padded(columns: int) -> int:
    """The next multiple of the width of a column block."""
    return -(-columns // BLOCK_WIDTH) * BLOCK_WIDTH


def pack(matrices: Array, int8: bool = False, vnni: bool = HAS_VNNI) -> PackedWeights:
    """Pack float32 matrices ``(count, inputs, outputs)``; zeros fill the last column block.

    With `int8`, each column is rounded to 255 steps between minus and plus its largest weight; with `vnni`,
    the bytes are stored as `gemm_int8` reads them.
    """
    count, inputs, outputs = matrices.shape
    scales = np.ones((count, padded(outputs)), np.float32)
    if int8:
        largest = np.abs(matrices).max(1)
        scales[:, :outputs] = np.where(largest > 0, largest / MAX_INT8, 1)
        matrices = np.rint(matrices / scales[:, None, :outputs])
    wide = np.zeros((count, inputs, padded(outputs)), matrices.dtype)
    wide[..., :outputs] = matrices
    blocks = wide.reshape(count, inputs, -1, BLOCK_WIDTH).transpose(0, 2, 1, 3)
    blocks = interleave_weights(blocks) if int8 and vnni else blocks
    weights = aligned(blocks.shape, (np.uint8 if vnni else np.int8) if int8 else np.float32)
    weights[:] = blocks
    return PackedWeights(weights, scales, inputs)


def gemm(
    rows: Array, column: int, count: int, packed: PackedWeights, which: int, quantized: QuantizedRows,
    out: Array,
) -> None:  # fmt: skip
    """Add a matrix product to `out`. Only for compiled code.

    Parameters
    ----------
    rows
        The left factor: `packed.inputs` numbers of each row, from `column` on.
    column
        The first column of the left factor.
    count
        Rows of the product. Up to the next multiple of `BLOCK_ROWS`, `out` gets undefined numbers.
    packed
        The right factors.
    which
        The number of the right factor.
    quantized
        Scratch space: rows are rounded to 8 bits before they meet weights of 8 bits.
    out
        ``(rows, column blocks * BLOCK_WIDTH)``.
    """
    raise TypeError("such a product can only be made from compiled code")


# Compiled code: the arguments are those of `gemm`, which numba inlines into the kernels.
@njit(**INNER)
def _gemm_exact(
    rows: Array, column: int, count: int, packed: PackedWeights, which: int, quantized: QuantizedRows,
    out: Array,
) -> None:  # fmt: skip
    gemm_f32(rows, column, count, quantized.scales, packed.weights[which], packed.scales[which], out)


@njit(**INNER)
def _gemm_vnni(
    rows: Array, column: int, count: int, packed: PackedWeights, which: int, quantized: QuantizedRows,
    out: Array,
) -> None:  # fmt: skip
    quantize_rows(rows, column, count, packed.inputs, quantized)
    gemm_int8(quantized, count, packed.weights[which], packed.scales[which], out)


@njit(**INNER)
def _gemm_int8_as_floats(
    rows: Array, column: int, count: int, packed: PackedWeights, which: int, quantized: QuantizedRows,
    out: Array,
) -> None:  # fmt: skip
    quantize_rows(rows, column, count, packed.inputs, quantized)
    gemm_f32(quantized.floats, 0, count, quantized.scales, packed.weights[which], packed.scales[which], out)


@overload(gemm, jit_options=INNER, strict=False)
def _gemm(rows, column, count, packed, which, quantized, out) -> Any:  # noqa: ANN001
    kind = packed.types[0].dtype
    step = {types.float32: _gemm_exact, types.uint8: _gemm_vnni, types.int8: _gemm_int8_as_floats}[kind]
    return step.py_func
